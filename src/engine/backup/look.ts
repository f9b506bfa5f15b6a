// What a commit says of transactions (model/vault.ts, TransactionLook). Which partitions a transaction has written to is in no log; so
// groups and watermarks are looked at before and after those that were being ended have been: whatever has a marker below the first
// watermark is then complete everywhere, and its group offsets are those captured. Costs a few requests, and waits only for
// transactions.
import { findKdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { LookedPartition, SetState, TransactionLook } from '../../model/vault.ts'
import type { Clock } from '../../ports/clock.ts'
import type {
  Cluster,
  LogPoint,
  SeenTransactions,
  TopicPartition,
  TransactionView,
} from '../../ports/cluster.ts'
import { type CapturedGroups, captureGroups } from './capture.ts'
import { BACKOFF_MS, ENDING_LOOK_MS, ENDING_LOOKS, MOVING_PATIENCE_MS, STABLE_PATIENCE_MS } from './limits.ts'
import { nameOf } from './survey.ts'

export type Looked = {
  /** Those of the first look: what is in the partitions covers them. */
  readonly captured: CapturedGroups
  readonly groupsAt: number
  /** Undefined where the cluster cannot tell. */
  readonly transactions: TransactionLook | undefined
  /** Of the topics that were looked at, by name. */
  readonly topicIds: ReadonlyMap<string, string>
}

/** What the commit has of a partition. */
export type CommittedLog = TopicPartition & { readonly topicId: string; readonly end: number }

/** More than any end: what stands above it was not looked at, so that the commit cannot be cut. */
const UNKNOWN = Number.MAX_SAFE_INTEGER

type LookInput = {
  readonly cluster: Cluster
  readonly clock: Clock
  readonly isWanted: (topic: string) => boolean
  readonly before: SetState | undefined
  readonly signal: AbortSignal
}

/** Throws KdrError('unreachable'), and the reason of `signal`. */
export async function lookAround(input: LookInput): Promise<Looked> {
  const { cluster, clock, signal } = input
  const until = clock.monotonic() + MOVING_PATIENCE_MS
  for (;;) {
    const groupsAt = clock.now()
    const captured = await captureGroups(cluster, clock, input)
    signal.throwIfAborted()
    const seen = await lookAtLogs(input)
    if (seen === undefined) return { captured, groupsAt, transactions: undefined, topicIds: new Map() }
    const after = await captureGroups(cluster, clock, input)
    const moving = [...captured.groups].filter(
      ([name, group]) => JSON.stringify(after.groups.get(name)) !== JSON.stringify(group),
    )
    const isNew = [...after.groups.keys()].filter(name => !captured.groups.has(name))
    const names = [...moving.map(([name]) => name), ...isNew]
    // Where nothing is under way, it was no transaction that moved them.
    if (names.length > 0 && seen.open.length > 0 && clock.monotonic() < until) continue
    await untilStable(input, seen.partitions)
    const { topicIds, ...look } = seen
    return { captured, groupsAt, transactions: { ...look, moving: names }, topicIds }
  }
}

/**
 * Of what is committed, those whose log went on, or was not read so far: of the others the end says all. One that did not answer, or is
 * younger than the look, may have what was complete by then elsewhere.
 */
export function lookUpTo(
  { transactions, topicIds }: Pick<Looked, 'transactions' | 'topicIds'>,
  committed: readonly CommittedLog[],
): TransactionLook | undefined {
  if (transactions === undefined) return undefined
  const looked = new Map(transactions.partitions.map(each => [`${each[0]}/${each[1]}`, each]))
  const partitions = committed.flatMap((of): LookedPartition[] => {
    const { topic, topicId, partition, end } = of
    const known = topicIds.get(topic) === topicId ? looked.get(nameOf(of)) : undefined
    if (known === undefined) return [[topic, partition, end, UNKNOWN, UNKNOWN]]
    const [, , stable, , high] = known
    return high > stable || end !== stable ? [known] : []
  })
  return { ...transactions, partitions }
}

type LogsLook = Omit<TransactionLook, 'moving'> & Pick<Looked, 'topicIds'>

async function lookAtLogs(input: LookInput): Promise<LogsLook | undefined> {
  const { cluster, clock, isWanted } = input
  const view = await cluster.describe()
  const topics = [...view.topics.values()].filter(({ name }) => isWanted(name))
  const partitions = topics.flatMap(({ name: topic, partitions: own }) =>
    own.map(({ partition }) => ({ topic, partition })),
  )
  const until = clock.monotonic() + STABLE_PATIENCE_MS
  const stable = await patientOffsets(input, partitions, { point: 'lastStable', until })
  if ((await untilEnded(input)) === undefined) return undefined
  const low = await patientOffsets(input, partitions, { point: 'highWatermark', until })
  const seen = await untilEnded(input)
  if (seen === undefined) return undefined
  const high = await patientOffsets(input, partitions, { point: 'highWatermark', until })
  return {
    topicIds: new Map(topics.map(({ name, id }) => [name, id])),
    isComplete: seen.isComplete,
    open: seen.transactions.flatMap(each => openOf(each, isWanted)),
    partitions: partitions.flatMap((of): LookedPartition[] => {
      const name = nameOf(of)
      const [a, b, c] = [stable.get(name), low.get(name), high.get(name)]
      if (a === undefined || b === undefined || c === undefined) return []
      return [[of.topic, of.partition, a, b, c]]
    }),
  }
}

function openOf(
  { transactionalId: id, producerId, state, startedAt, partitions }: TransactionView,
  isWanted: (topic: string) => boolean,
): TransactionLook['open'][number][] {
  const own = partitions.filter(({ topic }) => isWanted(topic))
  if (own.length === 0) return []
  const places = own.map(({ topic, partition }) => [topic, partition] as const)
  return [{ id, producer: String(producerId), state, startedAt, partitions: places }]
}

/** Those that cannot be asked at the moment are not in it. */
async function offsetsOf(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  point: LogPoint,
): Promise<Map<string, number>> {
  const answers = partitions.length === 0 ? [] : await cluster.offsets(partitions, point)
  return new Map(
    partitions.flatMap((of, index) => {
      const { code, offset } = answers[index]!
      return code === KafkaCode.NONE ? [[nameOf(of), offset] as const] : []
    }),
  )
}

/** Asks again, until then, where a leader is on the move: without an answer the commit cannot be cut. */
async function patientOffsets(
  { cluster, clock, signal }: LookInput,
  partitions: readonly TopicPartition[],
  { point, until }: { readonly point: LogPoint; readonly until: number },
): Promise<Map<string, number>> {
  const found = await offsetsOf(cluster, partitions, point)
  for (;;) {
    const left = partitions.filter(of => !found.has(nameOf(of)))
    if (left.length === 0 || clock.monotonic() >= until) return found
    await clock.sleep(BACKOFF_MS.first, signal)
    signal.throwIfAborted()
    await cluster.describe()
    for (const [name, offset] of await offsetsOf(cluster, left, point)) found.set(name, offset)
  }
}

/** What is under way when all that were being ended at first have been; undefined where that cannot be told. */
async function untilEnded({ cluster, clock, signal }: LookInput): Promise<SeenTransactions | undefined> {
  const first = await underWay(cluster)
  if (first === undefined) return undefined
  const ending = new Set(first.transactions.filter(isEnding).map(keyOf))
  let now: SeenTransactions | undefined = first
  for (let looks = 0; now.transactions.some(each => isEnding(each) && ending.has(keyOf(each))); looks++) {
    if (looks === ENDING_LOOKS) return undefined
    await clock.sleep(ENDING_LOOK_MS, signal)
    signal.throwIfAborted()
    now = await underWay(cluster)
    if (now === undefined) return undefined
  }
  return now
}

/** A backup does without: what cannot be told is not in the commit. */
async function underWay(cluster: Cluster): Promise<SeenTransactions | undefined> {
  try {
    return await cluster.transactionsOf('under way')
  } catch (error) {
    const code = findKdrError(error)?.code
    if (code === 'cluster-lacks' || code === 'not-allowed' || code === 'unreachable') return undefined
    throw error
  }
}

const isEnding = ({ state }: TransactionView): boolean => state.startsWith('Prepare')
const keyOf = ({ producerId, producerEpoch, startedAt }: TransactionView): string =>
  `${producerId} ${producerEpoch} ${startedAt}`

/** For a moment, so that what was written by the look can be taken with the transactions that stand before it. */
async function untilStable(
  { cluster, clock, signal }: LookInput,
  looked: readonly LookedPartition[],
): Promise<void> {
  const until = clock.monotonic() + STABLE_PATIENCE_MS
  let left = looked
    .filter(([, , stable, , high]) => stable < high)
    .map(([topic, partition, , , high]) => ({ topic, partition, high }))
  while (left.length > 0) {
    const stable = await offsetsOf(cluster, left, 'lastStable')
    left = left.filter(of => (stable.get(nameOf(of)) ?? Number.POSITIVE_INFINITY) < of.high)
    if (left.length === 0 || clock.monotonic() >= until) return
    await clock.sleep(ENDING_LOOK_MS, signal)
    signal.throwIfAborted()
  }
}
