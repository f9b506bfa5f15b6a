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
import { ENDING_LOOK_MS, ENDING_LOOKS, MOVING_PATIENCE_MS, STABLE_PATIENCE_MS } from './limits.ts'
import { nameOf } from './survey.ts'

export type Looked = {
  /** Those of the first look: what is in the partitions covers them. */
  readonly captured: CapturedGroups
  readonly groupsAt: number
  /** Undefined where the cluster cannot tell. */
  readonly transactions: TransactionLook | undefined
}

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
    if (seen === undefined) return { captured, groupsAt, transactions: undefined }
    const after = await captureGroups(cluster, clock, input)
    const moving = [...captured.groups].filter(
      ([name, group]) => JSON.stringify(after.groups.get(name)) !== JSON.stringify(group),
    )
    const isNew = [...after.groups.keys()].filter(name => !captured.groups.has(name))
    const names = [...moving.map(([name]) => name), ...isNew]
    // Where nothing is under way, it was no transaction that moved them.
    if (names.length > 0 && seen.open.length > 0 && clock.monotonic() < until) continue
    await untilStable(input, seen.partitions)
    return { captured, groupsAt, transactions: { ...seen, moving: names } }
  }
}

/** Only those whose log went on: of the others the end says all. */
export function lookUpTo(
  look: TransactionLook | undefined,
  endOf: (of: TopicPartition) => number | undefined,
): TransactionLook | undefined {
  if (look === undefined) return undefined
  const partitions = look.partitions.filter(
    ([topic, partition, stable, , high]) => Math.max(high, endOf({ topic, partition }) ?? stable) > stable,
  )
  return { ...look, partitions }
}

async function lookAtLogs(input: LookInput): Promise<Omit<TransactionLook, 'moving'> | undefined> {
  const { cluster, isWanted } = input
  const view = await cluster.describe()
  const partitions = [...view.topics.values()]
    .filter(({ name }) => isWanted(name))
    .flatMap(({ name: topic, partitions: own }) => own.map(({ partition }) => ({ topic, partition })))
  const stable = await offsetsOf(cluster, partitions, 'lastStable')
  if ((await untilEnded(input)) === undefined) return undefined
  const low = await offsetsOf(cluster, partitions, 'highWatermark')
  const seen = await untilEnded(input)
  if (seen === undefined) return undefined
  const high = await offsetsOf(cluster, partitions, 'highWatermark')
  return {
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
