// kdr verify: compares what both sides of a link still hold. It only reads, and may run while the link does: what the
// target has not received yet is lag, and no difference. How it goes:
//   1. the link's topics at the source, their log starts and ends on both sides (observe.ts)
//   2. per partition the offsets to compare (ranges.ts)
//   3. both logs side by side (compare.ts, walk.ts); what only one side holds is explained, or not (compaction.ts)
import { KdrError } from '../../model/errors.ts'
import { type Ledger, showLoss, type ShownLoss } from '../../model/ledger.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Cluster, TopicView } from '../../ports/cluster.ts'
import type { RecordCodec } from '../../ports/records.ts'
import { comparePartition } from './compare.ts'
import { type BothSides, observe, type ObservedPartition, type OfBoth, type Unpaired } from './observe.ts'
import { forEachPartition } from './pool.ts'
import { rangeOf, sampleRanges } from './ranges.ts'
import { Side } from './reader.ts'
import type { OffsetRange } from './sides.ts'
import type { Difference, Tally } from './tally.ts'

export type VerifyClusters = {
  readonly source: Cluster
  readonly target: Cluster
  readonly codec: RecordCodec
  readonly clock: Clock
}

export type VerifyProgress = {
  readonly partitions: number
  readonly partitionsDone: number
  /** Offsets to compare in all, and how many of them are behind. */
  readonly offsets: number
  readonly offsetsDone: number
  readonly differences: number
}

export type VerifyInput = VerifyClusters & {
  readonly link: string
  /** The topics of the link. */
  readonly isWanted: (topic: string) => boolean
  /** Only these of them; all when empty. */
  readonly topics: readonly string[]
  /** Records of this time (ms) or later. */
  readonly since?: number
  /** Only this share of the offsets; `fraction` (random, in [0, 1)) chooses which. */
  /** What was lost and accepted, by `topic/partition`. */
  readonly ledgers?: ReadonlyMap<string, Ledger>
  readonly sample?: { readonly percent: number; readonly fraction: () => number }
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (progress: VerifyProgress) => void
}

export type PartitionVerdict = {
  readonly topic: string
  readonly partition: number
  /** Offsets [from, to) were compared; of a sample, ranges in it. */
  readonly from: number
  readonly to: number
  /** Held by both sides, and compared. */
  readonly records: number
  readonly identical: boolean
  /** Of `records`, those that are not equal. */
  readonly different: number
  /** Explained ones included. */
  readonly onlySource: number
  readonly onlyTarget: number
  /** Of these two, what nothing explains: neither retention nor compaction, nor the ledger, nor what kdr fills gaps with. */
  readonly unexplained: number
  /** Of these two, what the ledger explains, and what kdr filled gaps with. */
  readonly ledger?: number
  readonly fillers?: number
  /** The ledger: every range that was lost and accepted. */
  readonly lost?: readonly ShownLoss[]
  readonly firstDifference?: Difference
  /** Of a partition that only one side has, undefined. */
  readonly logStart?: OfBoth
  readonly logEnd?: OfBoth
}

export type Verification = {
  readonly link: string
  readonly identical: boolean
  readonly partitions: readonly PartitionVerdict[]
}

type Job = ObservedPartition & { readonly range: OffsetRange; readonly ranges: readonly OffsetRange[] }

/** Throws KdrError('unreachable' | 'not-allowed' | 'not-ready' | 'usage'), and the reason of `signal`. */
export async function verify(input: VerifyInput): Promise<Verification> {
  const sides = await openSides(input)
  const observed = await observe(sides, chooseTopics(input, sides))
  const jobs = await planJobs(input, sides, observed.paired)
  const progress = startProgress(input, jobs)
  const verdicts = await forEachPartition(sides, jobs, async (job, readers) => {
    const { topic, partition, logEnd, isCompacted, ranges } = job
    const tally = await comparePartition({
      of: { topic, partition },
      ranges,
      sides: readers,
      ends: logEnd,
      isCompacted,
      ledger: input.ledgers?.get(`${topic}/${partition}`),
      codec: input.codec,
      mayGoOn: (reached, soFar) => {
        input.signal?.throwIfAborted()
        progress.reached(job, reached, soFar)
        return true
      },
    })
    progress.done(job, tally)
    return { ...verdictOf(job, tally), ...lossesOf(input.ledgers?.get(`${topic}/${partition}`)) }
  })
  const partitions = [...verdicts, ...observed.unpaired.map(unpairedVerdict)].toSorted((a, b) =>
    a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.partition - b.partition,
  )
  return { link: input.link, identical: partitions.every(({ identical }) => identical), partitions }
}

export async function openSides({ source, target, clock }: VerifyClusters): Promise<BothSides> {
  const [from, to] = await Promise.all([Side.open(source, clock), Side.open(target, clock)])
  return { source: from, target: to }
}

function chooseTopics({ link, isWanted, topics }: VerifyInput, { source }: BothSides): TopicView[] {
  const all = [...source.view.topics.values()].filter(({ name }) => isWanted(name))
  for (const topic of topics) {
    if (all.some(({ name }) => name === topic)) continue
    const why = isWanted(topic) ? 'the source has no such topic' : 'its patterns do not take it'
    throw new KdrError('usage', `link "${link}" has no topic "${topic}": ${why}`, {
      hint: 'Name a topic of the source that `topics:` of the link takes.',
    })
  }
  return topics.length === 0 ? all : all.filter(({ name }) => topics.includes(name))
}

async function planJobs(
  { since, sample }: VerifyInput,
  { source }: BothSides,
  paired: readonly ObservedPartition[],
): Promise<Job[]> {
  // The source's answer for both: a mirror's gaps are stamped by its own clock, so its lookup answers too early.
  const sinceOffsets = since === undefined ? undefined : await source.offsetsForTime(paired, since)
  return paired.map((partition, index) => {
    const range = rangeOf(partition, sinceOffsets?.[index])
    const ranges = sample === undefined ? [range] : sampleRanges(range, sample.percent, sample.fraction)
    return { ...partition, range, ranges }
  })
}

function verdictOf({ topic, partition, range, logStart, logEnd }: Job, tally: Tally): PartitionVerdict {
  if (logEnd.target > logEnd.source)
    tally.note(
      logEnd.source,
      `the log ends at ${logEnd.source} at the source, at ${logEnd.target} at the target`,
    )
  const { records, different, onlySource, onlyTarget, unexplained, lost, fillers, first } = tally
  return {
    topic,
    partition,
    ...range,
    records,
    identical: first === undefined,
    different,
    onlySource,
    onlyTarget,
    unexplained,
    ...(lost > 0 && { ledger: lost }),
    ...(fillers > 0 && { fillers }),
    ...(first === undefined ? {} : { firstDifference: first }),
    logStart,
    logEnd,
  }
}

function lossesOf(ledger: Ledger | undefined): { lost?: readonly ShownLoss[] } {
  return ledger === undefined || ledger.ranges.length === 0 ? {} : { lost: ledger.ranges.map(showLoss) }
}

function unpairedVerdict({ topic, partition, what, logStart, logEnd }: Unpaired): PartitionVerdict {
  const nothing = { records: 0, different: 0, onlySource: 0, onlyTarget: 0, unexplained: 0 }
  const firstDifference = { offset: logStart, what }
  return { topic, partition, from: logStart, to: logEnd, ...nothing, identical: false, firstDifference }
}

function startProgress({ onProgress }: VerifyInput, jobs: readonly Job[]) {
  const lengthOf = (ranges: readonly OffsetRange[]) =>
    ranges.reduce((sum, { from, to }) => sum + to - from, 0)
  const offsets = jobs.reduce((sum, { ranges }) => sum + lengthOf(ranges), 0)
  const underWay = new Map<Job, { behind: number; differences: number }>()
  let partitionsDone = 0
  let behind = 0
  let differences = 0
  const tell = () => {
    const current = [...underWay.values()]
    onProgress?.({
      partitions: jobs.length,
      partitionsDone,
      offsets,
      offsetsDone: behind + current.reduce((sum, each) => sum + each.behind, 0),
      differences: differences + current.reduce((sum, each) => sum + each.differences, 0),
    })
  }
  return {
    reached(job: Job, offset: number, { different, unexplained }: Tally): void {
      const done = job.ranges.map(({ from, to }) => ({ from, to: Math.max(from, Math.min(to, offset)) }))
      underWay.set(job, { behind: lengthOf(done), differences: different + unexplained })
      tell()
    },
    done(job: Job, { different, unexplained }: Tally): void {
      underWay.delete(job)
      partitionsDone++
      behind += lengthOf(job.ranges)
      differences += different + unexplained
      tell()
    },
  }
}
