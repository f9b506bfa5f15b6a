// What a fence is worth (DESIGN 2.1.13). Rules reach brokers one by one, and one that is cut off from its controller goes on as
// before until its session is over. So every leader is asked with an application's own credentials until all refuse, and the
// true ends are watched for longer than that session. What is refused proves something only of who could write before.
import { spoilChecksum } from '../../model/batch.ts'
import { findKdrError, KdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import type { Cluster } from '../../ports/cluster.ts'
import type { WriterProbe } from '../../ports/outside.ts'
import type { RunContext } from './context.ts'
import { nameOf, someOf, type SourcePartition, sourcePartitions } from './source-partitions.ts'

/** `couldWrite`: to so many partitions. `why`: it says nothing of what comes after. */
export type Before = { readonly couldWrite: number } | { readonly why: string }

const LOOK_AGAIN_MS = 500
/** Leaders that move meanwhile. */
const BEFORE_WITHIN_MS = 10_000
const OWN_TIMEOUT_MS = 5_000

type ProofContext = Pick<RunContext, 'record' | 'store' | 'returned' | 'clock' | 'progress'>

/** Before the fence: on every leader there is something that the application may write to. Throws what the probe throws. */
export async function probeBefore(
  context: ProofContext,
  source: Pick<Cluster, 'describe'>,
  probe: WriterProbe,
): Promise<Before> {
  const { clock } = context
  const until = clock.monotonic() + BEFORE_WITHIN_MS
  for (;;) {
    const partitions = (await sourcePartitions(context, source)).partitions.filter(
      ({ leader }) => leader >= 0,
    )
    const answers = await probe.probe(partitions)
    const could = partitions.filter((_, index) => answers[index]?.code === KafkaCode.CORRUPT_MESSAGE)
    const leaders = new Set(partitions.map(({ leader }) => leader))
    const shown = new Set(could.map(({ leader }) => leader))
    if (leaders.size > 0 && shown.size === leaders.size) return { couldWrite: could.length }
    const isSettled = answers.every(
      ({ code }) => code === KafkaCode.CORRUPT_MESSAGE || code === KafkaCode.TOPIC_AUTHORIZATION_FAILED,
    )
    if (isSettled || clock.monotonic() >= until) return { why: whyNothing(probe, partitions, shown, answers) }
    await clock.sleep(LOOK_AGAIN_MS)
  }
}

function whyNothing(
  { principal }: WriterProbe,
  partitions: readonly SourcePartition[],
  shown: ReadonlySet<number>,
  answers: readonly { readonly code: number }[],
): string {
  if (partitions.length === 0) return 'no mirrored topic has a leader that could be asked'
  const silent = partitions.findIndex(({ leader }) => !shown.has(leader))
  const at = partitions[silent]!
  const where = `broker ${at.leader} answers ${codeName(answers[silent]?.code ?? KafkaCode.UNKNOWN_SERVER_ERROR)} for "${nameOf(at)}"`
  return shown.size === 0
    ? `${principal} may not write to any mirrored topic even before the fence (${where}): with its credentials nothing is proven`
    : `${principal} may not write to anything that some of the brokers lead (${where}): with its credentials nothing is proven of them`
}

export type Watched = {
  /** For so long the ends must stand still. */
  readonly stillMs: number
  /** Beside that. */
  readonly withinMs: number
  /** Undefined: only the ends are watched. */
  readonly probe: WriterProbe | undefined
}

/** `why`: what still held against it when the time was over. `asked`: partitions that refused the probe. */
export type Watching = {
  readonly asked: number
  readonly leaderless: number
  readonly why: string | undefined
}

/** Until every leader refuses the probe and the ends have stood still for long enough. */
export async function watchFence(
  context: ProofContext,
  source: Pick<Cluster, 'describe' | 'offsets' | 'name'>,
  { stillMs, withinMs, probe }: Watched,
): Promise<Watching> {
  const { clock } = context
  const until = clock.monotonic() + stillMs + withinMs
  let since: number | undefined
  /** Until they have stood still for long enough, if they do. */
  const restMs = (): number => (since === undefined ? 0 : since + stillMs - clock.monotonic())
  let ends: ReadonlyMap<string, number> = new Map()
  for (;;) {
    let why: string | undefined
    let asked = 0
    let leaderless = 0
    try {
      const all = (await sourcePartitions(context, source)).partitions
      const partitions = all.filter(({ leader }) => leader >= 0)
      leaderless = all.length - partitions.length
      why = await notRefused(partitions, probe)
      asked = probe === undefined ? 0 : partitions.length
      const now = await readEnds(source, partitions)
      const moved = whatMoved(ends, now)
      if (moved !== undefined || since === undefined) since = clock.monotonic()
      ends = now
      const stillFor = clock.monotonic() - since
      if (why === undefined && stillFor > stillMs) return { asked, leaderless, why: undefined }
      why ??= `the ends of ${moved === undefined ? 'mirrored topics' : `"${moved}"`} at "${source.name}" have not stood still for ${stillMs} ms`
    } catch (error) {
      const known = findKdrError(error)
      if (known?.code !== 'unreachable' && known?.code !== 'not-allowed') throw error
      // Who does not answer may still take what others write.
      since = undefined
      why = known.message
    }
    if (clock.monotonic() >= until) return { asked, leaderless, why }
    context.progress(`waits until nothing is written at "${source.name}" any more: ${why}`)
    await clock.sleep(restMs() > 0 ? Math.min(restMs() + 1, LOOK_AGAIN_MS) : LOOK_AGAIN_MS)
  }
}

async function notRefused(
  partitions: readonly SourcePartition[],
  probe: WriterProbe | undefined,
): Promise<string | undefined> {
  if (probe === undefined) return undefined
  const answers = await probe.probe(partitions)
  const isRefused = (index: number): boolean => answers[index]?.code === KafkaCode.TOPIC_AUTHORIZATION_FAILED
  const open = partitions.filter((_, index) => !isRefused(index))
  if (open.length === 0) return undefined
  const codes = partitions.flatMap((_, index) => (isRefused(index) ? [] : [answers[index]?.code]))
  if (codes.includes(KafkaCode.CORRUPT_MESSAGE))
    return (
      `${probe.principal} may still write to ${someOf(open.map(nameOf))}: it may be a super user, whom no rule stops, ` +
      'or be let in by what kdr does not see as a rule'
    )
  return `it is not known whether ${probe.principal} may write to ${someOf(open.map(nameOf))}: ${codeName(codes[0] ?? KafkaCode.UNKNOWN_SERVER_ERROR)}`
}

async function readEnds(
  source: Pick<Cluster, 'offsets'>,
  partitions: readonly SourcePartition[],
): Promise<Map<string, number>> {
  const answers = await source.offsets(partitions, 'logEnd')
  const failed = answers.findIndex(({ code }) => code !== KafkaCode.NONE)
  if (failed >= 0)
    throw new KdrError(
      'unreachable',
      `"${nameOf(partitions[failed]!)}" does not tell its end: ${codeName(answers[failed]!.code)}`,
    )
  return new Map(partitions.map((at, index) => [nameOf(at), answers[index]!.offset]))
}

/** The first that has another end than before, or had none. */
function whatMoved(
  before: ReadonlyMap<string, number>,
  now: ReadonlyMap<string, number>,
): string | undefined {
  return [...now].find(([name, end]) => before.get(name) !== end)?.[0]
}

/** Whether kdr itself may write to all of these, asked as the application is. Only a super user passes by a denial for everybody. */
export async function mayWriteItself(
  { codec }: Pick<RunContext, 'codec'>,
  source: Pick<Cluster, 'openAppendLane'>,
  partitions: readonly SourcePartition[],
): Promise<boolean> {
  const batch = codec.encode({
    codec: 'none',
    records: [{ offset: 0, timestamp: 0, key: null, value: null, headers: [] }],
  })
  spoilChecksum(batch)
  const byLeader = Map.groupBy(partitions, ({ leader }) => leader)
  for (const [leader, mine] of byLeader) {
    const lane = await source.openAppendLane(leader)
    try {
      const answers = await lane.append(
        mine.map(({ topic, partition, topicId }) => ({ topic, partition, topicId, batch })),
        OWN_TIMEOUT_MS,
      )
      if (answers.some(({ code }) => code !== KafkaCode.CORRUPT_MESSAGE)) return false
    } finally {
      await lane.close()
    }
  }
  return true
}
