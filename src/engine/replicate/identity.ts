// Who a link is, and who writes in its slots. Checks that both names still lead to the recorded clusters; says under which
// producer ids the mirrors are written, before anything is.
import { KdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import type { FillMode } from '../../model/link.ts'
import { SLOTS } from '../../model/slots.ts'
import { type LinkRecord, linkKey, readLink, type SlotRecord, toRecord } from '../../model/state-records.ts'
import type { Cluster, ClusterView } from '../../ports/cluster.ts'
import type { StateStore } from '../../ports/state.ts'
import type { SlotIdentity } from './context.ts'

export type LinkInput = {
  readonly link: string
  readonly source: Side
  readonly target: Side
  readonly store: StateStore
  readonly upstream: readonly string[]
  /** Of a new link. */
  readonly slots?: number | undefined
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

/** The link's record, made when it has none. Two that make it at the same time make the same. Throws KdrError('wrong-cluster'). */
export async function rememberLink(input: LinkInput): Promise<LinkRecord> {
  const { link, source, target, store, upstream, slots = SLOTS } = input
  assertTwoClusters(source, target)
  const before = readLink(store, link)
  if (before !== undefined) assertSameClusters(input, before)
  const record: LinkRecord = {
    ...before,
    generation: before?.generation ?? 1,
    sourceClusterId: source.view.clusterId,
    targetClusterId: target.view.clusterId,
    slots: before?.slots ?? slots,
    upstream,
  }
  if (JSON.stringify(before?.upstream) !== JSON.stringify(upstream))
    await store.put(linkKey(link), toRecord('link', record))
  return record
}

function assertSameClusters({ link, source, target }: LinkInput, record: LinkRecord): void {
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

export type Identify = {
  readonly link: string
  readonly linkGeneration: number
  readonly mode: FillMode
  readonly source: Side
  readonly target: Side & { readonly cluster: Cluster }
}

/**
 * Who writes in a slot from a take-over on. In mode `transactions` this raises the epoch of the slot's transactional id.
 * Throws KdrError: unreachable, not-allowed, cluster-lacks.
 */
export async function identify(
  of: Identify,
  {
    slot,
    generation,
    before,
  }: { readonly slot: number; readonly generation: number; readonly before: SlotRecord | undefined },
): Promise<SlotIdentity> {
  const { link, mode, target } = of
  if (mode === 'markers') {
    const reusable = before?.mode === 'markers' ? BigInt(before.producerId) : undefined
    const producerId = reusable ?? linkProducerId(of)
    return { slot, mode, generation, producerId, producerEpoch: FIRST_EPOCH, transactionalId: undefined }
  }
  const transactionalId = `_kdr.${link}.${slot}`
  const fenced = await target.cluster.initProducer(transactionalId)
  if (fenced.code !== KafkaCode.NONE) {
    throw new KdrError(
      fenced.code === KafkaCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED ? 'not-allowed' : 'cluster-lacks',
      `target "${target.name}" refuses both ways to fill gaps: markers (no cluster right) and transactional id "${transactionalId}" with ${codeName(fenced.code)}`,
      {
        hint: `Give kdr ALTER on the cluster (Kafka 3.8 or later; before, CLUSTER_ACTION), or WRITE and DESCRIBE on transactional ids that begin with "_kdr.${link}.".`,
      },
    )
  }
  const { producerId, producerEpoch } = fenced
  return { slot, mode, generation, producerId, producerEpoch, transactionalId }
}

/** Brokers number producers from 0 up; a link's ids lie in the upper half of 62 bits, where they never come. */
const LINK_IDS_FROM = 2n ** 61n
const FNV_OFFSET = 0xcbf29ce484222325n
const FNV_PRIME = 0x100000001b3n

/**
 * The same for every worker of a link, so that even two that overlook each other share the sequence check (a random one
 * would give each its own): FNV-1a of who copies what to where. A link that comes back to a direction has another one: the one
 * before was fenced there.
 */
function linkProducerId({ link, linkGeneration, source, target }: Omit<Identify, 'mode'>): bigint {
  let hash = FNV_OFFSET
  const turn = linkGeneration > 1 ? ` ${linkGeneration}` : ''
  for (const character of `${source.view.clusterId} ${target.view.clusterId} ${link}${turn}`) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(character.codePointAt(0) ?? 0)) * FNV_PRIME)
  }
  return LINK_IDS_FROM + (hash % LINK_IDS_FROM)
}
