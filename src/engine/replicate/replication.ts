// One link's replication by this worker: takes the link over, keeps its topics and partitions going, reports. The parts
// do the work; this file owns their lifetimes, and what becomes of an error that no partition can answer for.
import { findKdrError, KdrError } from '../../model/errors.ts'
import type { Deletion, PartitionReport } from '../../model/link.ts'
import type { LinkSettings } from '../../model/link-settings.ts'
import type { Clock, Entropy } from '../../ports/clock.ts'
import type { Cluster } from '../../ports/cluster.ts'
import type { Log } from '../../ports/log.ts'
import type { RecordCodec } from '../../ports/records.ts'
import type { StateStore } from '../../ports/state.ts'
import { ClusterWatch } from './cluster-watch.ts'
import type { LinkContext } from './context.ts'
import { Commands } from './commands.ts'
import { Copies } from './copies.ts'
import { HeadroomWatch } from './headroom.ts'
import { takeOver } from './identity.ts'
import { checkIdle } from './idle.ts'
import { Lease } from './lease.ts'
import {
  BEAT_EVERY_MS,
  DISCOVER_EVERY_MS,
  PRODUCER_EXPIRATION_MS,
  REPORT_EVERY_MS,
  TRIM_EVERY_MS,
  WATCH_EVERY_MS,
} from './limits.ts'
import { OpenTransactions } from './open-transactions.ts'
import type { PartitionCopy } from './partition.ts'
import { createReads } from './reads.ts'
import { Reporter } from './reporter.ts'
import { linkKey, readLink, toRecord } from '../../model/state-records.ts'
import { type FirstDifference, Topics } from './topics.ts'
import { trim } from './trim.ts'
import { Troubles } from './troubles.ts'

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
}

/** A stop waits this long for what is in flight, then this long for each further step. */
const FINISH_MS = 5_500
const CLOSE_MS = 1_000

export type PartitionProgress = PartitionReport & {
  readonly topic: string
  readonly records: number
  readonly bytes: number
}

/** Throws KdrError when the link cannot be taken over: see takeOver. */
export async function startReplication(input: ReplicationInput): Promise<Replication> {
  const source = new ClusterWatch(input.source, input.clock)
  const target = new ClusterWatch(input.target, input.clock)
  const [sourceView, targetView] = await Promise.all([source.refresh(), target.refresh()])
  const worker = input.entropy.uuid()
  const identity = await takeOver({
    link: input.settings.name,
    worker,
    source: { name: input.source.name, view: sourceView },
    target: { name: input.target.name, view: targetView, cluster: input.target },
    store: input.store,
    upstream: input.upstream ?? [],
    clock: input.clock,
    log: input.log,
  })
  const configs = await input.target.brokerConfigs([
    'producer.id.expiration.ms',
    'transactional.id.expiration.ms',
  ])
  const stopping = new AbortController()
  const failed = Promise.withResolvers<never>()
  const assertOwn = async (): Promise<void> => await assertOwner(input, identity.slotGeneration, worker)
  const reads = createReads({ source, target })
  const context: LinkContext = {
    link: input.settings.name,
    settings: input.settings,
    source: input.source,
    target: input.target,
    sourceWatch: source,
    targetWatch: target,
    clock: input.clock,
    codec: input.codec,
    store: input.store,
    log: input.log,
    identity,
    reads,
    producerExpirationMs: Number(configs.get('producer.id.expiration.ms') ?? PRODUCER_EXPIRATION_MS),
    assertGeneration: assertOwn,
    lease: new Lease(input.clock, assertOwn),
    fail: failed.reject,
    signal: stopping.signal,
  }
  const replication = new Replication(context, {
    worker,
    stopping,
    failed: failed.promise,
    reads,
    firstDifference: input.firstDifference,
  })
  try {
    await replication.begin()
  } catch (error) {
    // What has begun would go on, and beat, with nobody to stop it.
    await replication.stop()
    throw error
  }
  return replication
}

/** Throws KdrError('other-controller') when `_kdr.state` names another worker by now. */
async function assertOwner(
  { store, settings }: ReplicationInput,
  slotGeneration: number,
  worker: string,
): Promise<void> {
  await store.refresh()
  const now = readLink(store, settings.name)
  if (now?.slotGeneration === slotGeneration && now.owner === worker) return
  throw new KdrError(
    'other-controller',
    `link "${settings.name}" was taken over by another kdr (worker ${now?.owner ?? 'unknown'}, slot generation ${now?.slotGeneration ?? 0}; ours is ${slotGeneration})`,
  )
}

export class Replication {
  readonly context: LinkContext
  readonly #topics: Topics
  readonly #reporter: Reporter
  readonly #headroom: HeadroomWatch
  readonly #transactions: OpenTransactions
  readonly #reads: { close(): Promise<void> }
  readonly #stopping: AbortController
  readonly #copies: Copies
  readonly #commands: Commands
  readonly #loops: Promise<void>[] = []
  /** Rejects when the link as a whole cannot go on: taken over, another cluster, a bug. Never resolves. */
  readonly failed: Promise<never>
  readonly #troubles: Troubles

  constructor(
    context: LinkContext,
    own: {
      worker: string
      stopping: AbortController
      failed: Promise<never>
      reads: { close(): Promise<void> }
      firstDifference: FirstDifference
    },
  ) {
    this.context = context
    this.#stopping = own.stopping
    this.#reads = own.reads
    this.#topics = new Topics(context, own.firstDifference)
    const deletionOf = (topic: string): Deletion | undefined => this.#topics.deletion(topic)
    this.#reporter = new Reporter(context, own.worker, deletionOf)
    this.#headroom = new HeadroomWatch(context, deletionOf)
    this.#transactions = new OpenTransactions(context)
    this.#copies = new Copies(context, this.#topics)
    this.#commands = new Commands(context, this.#copies, this.#topics)
    this.failed = own.failed
    this.#troubles = new Troubles({ ...context, well: `link "${context.link}": all answer again` })
    // Whoever awaits it hears of it; nobody has to.
    this.failed.catch(() => undefined)
  }

  /** The first look at both clusters, then the loops. */
  async begin(): Promise<void> {
    await this.#commands.obey()
    this.#copies.take(await this.#topics.discover())
    await this.#commands.obey()
    await this.#copies.observePaused()
    this.#loops.push(
      this.#every('discover', DISCOVER_EVERY_MS, async () => await this.#discover()),
      this.#every('trim', TRIM_EVERY_MS, async () => await this.#trim()),
      this.#every(
        'configs',
        this.context.settings.sync.configsMs,
        async () => await this.#topics.syncConfigs(),
      ),
      this.#every('watch', WATCH_EVERY_MS, async () => await this.#watch()),
      this.#every('beat', BEAT_EVERY_MS, async () => await this.#beat()),
      this.#every('report', REPORT_EVERY_MS, async () => await this.#reporter.report(this.copies())),
    )
    await this.#beat()
    await this.#reporter.report(this.copies())
  }

  /** Shows that this worker lives, and looks whether the link is still its own. */
  async #beat(): Promise<void> {
    const { clock, lease, assertGeneration } = this.context
    const begunAt = clock.monotonic()
    await this.#reporter.beat(this.#troubles.sentence ?? 'mirroring')
    await assertGeneration()
    lease.renew(begunAt)
  }

  copies(): PartitionCopy[] {
    return this.#copies.all()
  }

  /** A topic, or this copy's, is about to be copied anew. */
  willRecopy(copy?: PartitionCopy): boolean {
    return copy === undefined ? this.#copies.isRecopying : this.#commands.willRecopy(copy)
  }

  progress(): PartitionProgress[] {
    const now = this.context.clock.monotonic()
    return this.copies().map(copy => ({
      ...copy.report(now),
      topic: copy.topic,
      records: copy.counter.records,
      bytes: copy.bytesCopied,
    }))
  }

  async syncConfigs(): Promise<void> {
    await this.#topics.syncConfigs()
  }

  /** One round of moving log starts; topics that were made ready for it get their configs back. */
  async trimNow(): Promise<void> {
    await this.#trim()
    await this.#endSeeding()
  }

  /** Finishes what is in flight, records a clean end, closes the connections: within 10 s, whatever the brokers do. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    this.#stopping.abort()
    const stopped = this.#copies.stop()
    const isInTime = await this.#within(FINISH_MS, stopped)
    if (!isInTime) await this.#within(CLOSE_MS, this.#copies.close())
    const isDrained = isInTime || (await this.#within(CLOSE_MS, stopped))
    await this.#within(CLOSE_MS, this.#recordEnd(isDrained))
    await this.#within(CLOSE_MS, Promise.allSettled([this.#copies.close(), this.#reads.close()]))
  }

  /** False when `work` has not ended in time; it is then left to itself. */
  async #within(ms: number, work: Promise<unknown>): Promise<boolean> {
    const inTime = new AbortController()
    const done = work.then(() => true)
    const isInTime = await Promise.race([done, this.context.clock.sleep(ms, inTime.signal).then(() => false)])
    inTime.abort()
    return isInTime
  }

  /** Leaves out what a successor must wait for. Unreachable: the successor will wait, which is safe. */
  async #recordEnd(isDrained: boolean): Promise<void> {
    const { store, link, assertGeneration } = this.context
    try {
      await Promise.allSettled(this.#loops)
      await assertGeneration()
      const record = readLink(store, link)
      const isClean = isDrained && this.copies().every(copy => !copy.isInDoubt)
      if (record === undefined) return
      await this.#reporter.end(this.copies())
      await store.put(linkKey(link), toRecord('link', { ...record, isClean }))
    } catch (error) {
      if (findKdrError(error) === undefined) throw error
    }
  }

  async #discover(): Promise<void> {
    await this.context.store.refresh()
    await this.#commands.obey()
    const verdicts = await this.#topics.discover()
    this.#copies.take(verdicts)
    await this.#topics.deleteExpired(verdicts, async topic => await this.#copies.drop(topic))
    await this.#copies.observePaused()
    await this.#endSeeding()
  }

  async #endSeeding(): Promise<void> {
    for (const topic of this.#copies.seeded()) await this.#topics.setSeeding(topic, false)
  }

  async #trim(): Promise<void> {
    await trim(this.context, this.copies(), {
      retentionOf: topic => this.#topics.retentionMs(topic),
      beforeTrim: async topic => await this.#topics.setSeeding(topic, true),
    })
    await checkIdle(this.context, this.copies())
  }

  /** What `kdr status` warns of before it is too late. */
  async #watch(): Promise<void> {
    await this.#headroom.look(this.copies())
    await this.#transactions.look(this.copies())
  }

  /** Repeats until the link stops. An unreachable cluster is told and tried again; anything else ends the link. */
  async #every(loop: string, ms: number, act: () => Promise<void>): Promise<void> {
    const { clock, signal } = this.context
    while (!signal.aborted) {
      await clock.sleep(ms, signal)
      if (signal.aborted) return
      try {
        await act()
        this.#troubles.tell(loop, undefined)
      } catch (error) {
        const known = findKdrError(error)
        if (known === undefined || !isPassingError(known)) {
          this.context.fail(error)
          return
        }
        this.#troubles.tell(loop, known.message)
      }
    }
  }
}

function isPassingError(error: KdrError): boolean {
  return error.code === 'unreachable' || error.code === 'not-allowed' || error.code === 'not-ready'
}
