// Starts one link's replication by this worker: who the link is, how gaps are filled, what all parts share.
import { KdrError } from '../../model/errors.ts'
import type { LinkSettings } from '../../model/link-settings.ts'
import { CONTROL_SLOT } from '../../model/slots.ts'
import { readHold, readLink } from '../../model/state-records.ts'
import type { Clock, Entropy } from '../../ports/clock.ts'
import type { Cluster } from '../../ports/cluster.ts'
import type { Log } from '../../ports/log.ts'
import type { RecordCodec } from '../../ports/records.ts'
import type { StateStore } from '../../ports/state.ts'
import { ClusterWatch } from './cluster-watch.ts'
import type { LinkContext } from './context.ts'
import { identify, rememberLink } from './identity.ts'
import { Lease } from './lease.ts'
import {
  LINE_LIMITS,
  type LineLimits,
  PACE_LIMITS,
  type PaceLimits,
  PRODUCER_EXPIRATION_MS,
} from './limits.ts'
import { createReads } from './reads.ts'
import { Replication } from './replication.ts'
import { Slots } from './slots.ts'
import type { FirstDifference } from './topics.ts'

export type ReplicationInput = {
  readonly settings: LinkSettings
  readonly source: Cluster
  readonly target: Cluster
  readonly store: StateStore
  /** See assertNoCircle. */
  readonly upstream?: readonly string[]
  readonly codec: RecordCodec
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly firstDifference: FirstDifference
  /** Takes the whole link, or nothing, and shares it with nobody (`run --once`). */
  readonly isAlone?: boolean
  /** How many slots a new link gets. */
  readonly slots?: number
  /** For a world where all is small. */
  readonly pace?: PaceLimits
  readonly line?: LineLimits
}

/** Throws KdrError: unreachable, not-allowed, cluster-lacks, wrong-cluster; with `isAlone` also other-controller. */
export async function startReplication(input: ReplicationInput): Promise<Replication> {
  const { settings, store, clock, log } = input
  const source = new ClusterWatch(input.source, clock)
  const target = new ClusterWatch(input.target, clock)
  const [sourceView, targetView] = await Promise.all([source.refresh(), target.refresh()])
  await store.refresh()
  const sides = {
    source: { name: input.source.name, view: sourceView },
    target: { name: input.target.name, view: targetView, cluster: input.target },
  }
  const link = settings.name
  const { slots: count, generation: linkGeneration } = await rememberLink({
    link,
    ...sides,
    store,
    upstream: input.upstream ?? [],
    slots: input.slots,
  })
  assertStays(store, link)
  const mode = (await input.target.mayWriteMarkers()) ? 'markers' : 'transactions'
  log.event(
    'info',
    `link "${link}": gaps are filled by ${mode === 'markers' ? 'markers (cluster rights)' : 'empty transactions (no cluster rights: see the README)'}`,
  )
  const worker = input.entropy.uuid()
  log.event('info', `link "${link}": this is worker ${worker}`)
  const configs = await input.target.brokerConfigs([
    'producer.id.expiration.ms',
    'transactional.id.expiration.ms',
  ])
  const slots = new Slots({
    link,
    worker,
    count,
    linkGeneration,
    store,
    clock,
    log,
    identify: async of => await identify({ link, linkGeneration, mode, ...sides }, of),
  })
  slots.watchBeats()
  const stopping = new AbortController()
  const failed = Promise.withResolvers<never>()
  const reads = createReads({ source, target })
  const lease = new Lease(clock, async () => await replication.beat())
  const context: LinkContext = {
    link,
    settings,
    source: input.source,
    target: input.target,
    sourceWatch: source,
    targetWatch: target,
    clock,
    codec: input.codec,
    store,
    log,
    slots,
    reads,
    producerExpirationMs: Number(configs.get('producer.id.expiration.ms') ?? PRODUCER_EXPIRATION_MS),
    assertControl: async () => await assertControl(slots, link),
    lease,
    pace: input.pace ?? PACE_LIMITS,
    line: input.line ?? LINE_LIMITS,
    fail: failed.reject,
    signal: stopping.signal,
  }
  const replication = new Replication(context, {
    worker,
    stopping,
    failed: failed.promise,
    reads,
    firstDifference: input.firstDifference,
    entropy: input.entropy,
  })
  try {
    await replication.begin(input.isAlone === true)
  } catch (error) {
    // What has begun would go on, and beat, with nobody to stop it.
    await replication.stop()
    throw error
  }
  return replication
}

/** Throws KdrError('moved'). */
function assertStays(store: StateStore, link: string): void {
  const hold = readHold(store, link)
  if (hold !== undefined)
    throw new KdrError(
      'moved',
      `link "${link}" is being moved by run ${hold.run}: nothing is copied meanwhile`,
    )
  const record = readLink(store, link)
  if (record?.isWaiting === true)
    throw new KdrError(
      'moved',
      `link "${link}" was moved by run ${record.run ?? ''}, a failover: nothing is copied back before the old active was looked at`,
      { hint: `When it is back: kdr failback ${link}` },
    )
}

/** Throws KdrError('other-controller') when the control slot is another worker's. */
async function assertControl(slots: Slots, link: string): Promise<void> {
  const held = await slots.stillHeld([CONTROL_SLOT])
  if (held.has(CONTROL_SLOT)) return
  throw new KdrError('other-controller', `another worker does the control work of link "${link}"`)
}
