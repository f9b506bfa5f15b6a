// Taking a link over: checks that both names still lead to the recorded clusters, that no other worker is alive, and
// records who writes from now on before anything is written. Old requests of a worker that died are waited out.
import { KdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import type { FillMode } from '../../model/link.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Cluster, ClusterView } from '../../ports/cluster.ts'
import type { Log } from '../../ports/log.ts'
import type { StateStore } from '../../ports/state.ts'
import type { LinkIdentity } from './context.ts'
import { LEASE_MS, PRODUCE_TIMEOUT_MS } from './limits.ts'
import {
  claimKey,
  type LinkRecord,
  linkKey,
  readClaims,
  readLink,
  readWorkers,
  toRecord,
  workerKey,
} from '../../model/state-records.ts'

export type TakeOverInput = {
  readonly link: string
  readonly worker: string
  readonly source: Side
  readonly target: Side & { readonly cluster: Cluster }
  readonly store: StateStore
  readonly upstream: readonly string[]
  readonly clock: Clock
  readonly log: Log
}

const FIRST_EPOCH = 0

type Side = { readonly name: string; readonly view: ClusterView }

/** Throws KdrError('wrong-cluster'). */
export function assertTwoClusters(source: Side, target: Side): void {
  if (source.view.clusterId !== target.view.clusterId) return
  throw new KdrError(
    'wrong-cluster',
    `"${source.name}" and "${target.name}" are the same cluster (id ${target.view.clusterId})`,
  )
}

/** Throws KdrError: wrong-cluster, other-controller, not-allowed, newer-version, unreachable. */
export async function takeOver(input: TakeOverInput): Promise<LinkIdentity> {
  const { link, store, target, log } = input
  assertTwoClusters(input.source, target)
  await store.refresh()
  const before = readLink(store, link)
  if (before !== undefined) assertSameClusters(input, before)
  await waitOutOthers(input, before)
  const claimedAt = input.clock.monotonic()
  await claim(input, before)
  const mode: FillMode = (await target.cluster.mayWriteMarkers()) ? 'markers' : 'transactions'
  const identity = await newIdentity(input, before, mode)
  const record: LinkRecord = {
    generation: before?.generation ?? 1,
    sourceClusterId: input.source.view.clusterId,
    targetClusterId: target.view.clusterId,
    slotGeneration: identity.slotGeneration,
    owner: input.worker,
    mode,
    producerId: String(identity.producerId),
    producerEpoch: identity.producerEpoch,
    producers: [...identity.knownProducers].map(String),
    isClean: false,
    upstream: input.upstream,
  }
  if (input.clock.monotonic() - claimedAt > LEASE_MS) {
    throw new KdrError(
      'other-controller',
      `taking link "${link}" over was held up for so long that another kdr may have done it`,
    )
  }
  await store.put(linkKey(link), toRecord('link', record))
  await store.put(claimKey(link, input.worker), undefined)
  const fills =
    mode === 'markers' ? 'markers (cluster rights)' : 'empty transactions (no cluster rights: see the README)'
  log.event('info', `link "${link}": gaps are filled by ${fills}`, {
    slotGeneration: identity.slotGeneration,
  })
  return identity
}

function assertSameClusters({ link, source, target }: TakeOverInput, record: LinkRecord): void {
  const sides = [
    [source.name, source.view.clusterId, record.sourceClusterId, 'source'],
    [target.name, target.view.clusterId, record.targetClusterId, 'target'],
  ] as const
  for (const [name, found, recorded, side] of sides) {
    if (found === recorded) continue
    throw new KdrError(
      'wrong-cluster',
      `"${name}" is not the ${side} that link "${link}" knows: its cluster id is ${found}, recorded is ${recorded}`,
    )
  }
}

/**
 * A worker that lives shows it by its beat; one that died may still have a request under way. After a clean stop there
 * is neither.
 */
async function waitOutOthers(
  { link, store, clock, log }: TakeOverInput,
  record: LinkRecord | undefined,
): Promise<void> {
  const claims = readClaims(store, link)
  if ((record === undefined || record.isClean) && claims.length === 0) {
    for (const id of readWorkers(store, link).keys()) await store.put(workerKey(link, id), undefined)
    return
  }
  const beats = new Map([...readWorkers(store, link)].map(([id, worker]) => [id, worker.beat]))
  log.event(
    'info',
    `link "${link}": the last worker did not stop cleanly; waiting ${PRODUCE_TIMEOUT_MS / 1_000} s for what it may have sent`,
  )
  await clock.sleep(PRODUCE_TIMEOUT_MS)
  await store.refresh()
  for (const [id, worker] of readWorkers(store, link)) {
    if (worker.state === 'running' && worker.beat !== beats.get(id)) {
      throw new KdrError('other-controller', `link "${link}" is run by another kdr (worker ${id})`)
    }
    await store.put(workerKey(link, id), undefined)
  }
  // Of workers that died while they took over; one that lives has changed the link's record by now.
  for (const id of claims) await store.put(claimKey(link, id), undefined)
}

/**
 * Of two workers that start together, none may overlook the other: each first says what it is about to do, then looks.
 * Whoever sees another one gives way; at worst both do, and their supervisor starts them again.
 */
async function claim({ link, worker, store }: TakeOverInput, before: LinkRecord | undefined): Promise<void> {
  await store.put(claimKey(link, worker), toRecord('claim', {}))
  await store.refresh()
  const others = readClaims(store, link).filter(other => other !== worker)
  const now = readLink(store, link)
  const isChanged = now?.slotGeneration !== before?.slotGeneration || now?.owner !== before?.owner
  if (others.length === 0 && !isChanged) return
  await store.put(claimKey(link, worker), undefined)
  throw new KdrError('other-controller', `another kdr is taking link "${link}" over at this moment`)
}

async function newIdentity(
  input: TakeOverInput,
  before: LinkRecord | undefined,
  mode: FillMode,
): Promise<LinkIdentity> {
  const slotGeneration = (before?.slotGeneration ?? 0) + 1
  const known = (before?.producers ?? []).map(BigInt)
  if (mode === 'markers') {
    const reusable = before?.mode === 'markers' ? BigInt(before.producerId) : undefined
    const producerId = reusable ?? linkProducerId(input)
    return {
      mode,
      slotGeneration,
      producerId,
      producerEpoch: FIRST_EPOCH,
      transactionalId: undefined,
      knownProducers: new Set([...known, producerId]),
    }
  }
  const transactionalId = `_kdr.${input.link}.0`
  const fenced = await input.target.cluster.initProducer(transactionalId)
  if (fenced.code !== KafkaCode.NONE) {
    throw new KdrError(
      fenced.code === KafkaCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED ? 'not-allowed' : 'cluster-lacks',
      `target "${input.target.name}" refuses both ways to fill gaps: markers (no cluster right) and transactional id "${transactionalId}" with ${codeName(fenced.code)}`,
      {
        hint: 'Give kdr ALTER on the cluster (Kafka 3.8 or later; before, CLUSTER_ACTION), or WRITE on that transactional id.',
      },
    )
  }
  return {
    mode,
    slotGeneration,
    producerId: fenced.producerId,
    producerEpoch: fenced.producerEpoch,
    transactionalId,
    knownProducers: new Set([...known, fenced.producerId]),
  }
}

/** Brokers number producers from 0 up; a link's ids lie in the upper half of 62 bits, where they never come. */
const LINK_IDS_FROM = 2n ** 61n
const FNV_OFFSET = 0xcbf29ce484222325n
const FNV_PRIME = 0x100000001b3n

/**
 * The same for every worker of a link, so that even two that overlook each other share the sequence check (a random one
 * would give each its own): FNV-1a of who copies what to where.
 */
function linkProducerId({ link, source, target }: TakeOverInput): bigint {
  let hash = FNV_OFFSET
  for (const character of `${source.view.clusterId} ${target.view.clusterId} ${link}`) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(character.codePointAt(0) ?? 0)) * FNV_PRIME)
  }
  return LINK_IDS_FROM + (hash % LINK_IDS_FROM)
}
