// What stands at a cluster that was left by a failover, and nowhere else; and what has to be said before any of it is deleted.
import { compilePatterns } from './patterns.ts'

export type At = { readonly topic: string; readonly partition: number }

/**
 * What a cluster that was left by a failover has, and the one that is active since has not: beyond the cut of each partition. Times are
 * those of the records.
 */
export type Stranded = {
  /** The failover, and the cluster that it has left. */
  readonly run: string
  readonly cluster: string
  /** That a reader would see. */
  readonly records: number
  readonly offsets: number
  readonly from: string | null
  readonly to: string | null
  /** Those that diverged first; of the others only the number counts. */
  readonly partitions: readonly StrandedPartition[]
  /** `atMost`: the tails are long, and were not read to their ends; records are offsets then. */
  readonly atMost?: true
}

/**
 * `clean`: what it has is the beginning of what the active has. `alone`: of a topic that was never copied and the active has not; it stays
 * there as it is. `cut`: from here on it may be other; `end`: of its log. `hidden`:
 * records of transactions that were aborted, or never ended. `older`: offsets that only it still holds, below where the active begins.
 * `gone`: offsets beyond the cut that were deleted there before anybody looked. `lacks`: offsets below its beginning that the active has.
 */
export type StrandedPartition = At & {
  readonly state: 'clean' | 'diverged' | 'alone'
  readonly cut: number
  readonly end: number
  readonly records: number
  readonly hidden: number
  readonly offsets: number
  readonly from: string | null
  readonly to: string | null
  readonly older: number
  readonly gone?: number
  readonly lacks?: number
  readonly why?: string
}

/** In the order of their names. */
export function divergedTopics({ partitions }: Pick<Stranded, 'partitions'>): string[] {
  const diverged = partitions.filter(({ state }) => state === 'diverged')
  return [...new Set(diverged.map(({ topic }) => topic))].toSorted()
}

/** Whether it has anything that would be gone with it. */
export const hasRecords = ({ partitions }: Stranded): boolean =>
  partitions.some(({ state, records, hidden }) => state === 'diverged' && records + hidden > 0)

/**
 * With what was found before, of logs that are gone by now or are others: a failback that was given up may have deleted some. The
 * failover has lost what they held all the same.
 */
export function withEarlier(now: Stranded, before: Stranded | undefined): Stranded {
  const endOf = new Map(now.partitions.map(({ topic, partition, end }) => [`${topic}/${partition}`, end]))
  const gone = (before?.partitions ?? []).filter(
    ({ topic, partition, state, end }) =>
      state !== 'clean' && (endOf.get(`${topic}/${partition}`) ?? -1) < end,
  )
  if (gone.length === 0) return now
  const times = (pick: 'from' | 'to'): string[] => [now, ...gone].flatMap(each => each[pick] ?? []).toSorted()
  return {
    ...now,
    records: gone.reduce((sum, { records }) => sum + records, now.records),
    offsets: gone.reduce((sum, { offsets }) => sum + offsets, now.offsets),
    from: times('from')[0] ?? null,
    to: times('to').at(-1) ?? null,
    partitions: [...gone, ...now.partitions],
  }
}

/** Flags without which it is not touched: where it is exported to, and each topic that is deleted and copied anew. */
export function missingFlags(
  stranded: Stranded,
  {
    exportTo,
    recopy = [],
  }: { readonly exportTo?: string | undefined; readonly recopy?: readonly string[] | undefined },
): string[] {
  const filter = compilePatterns(recopy, 'any')
  const topics = divergedTopics(stranded).filter(topic => !filter.matches(topic))
  return [
    ...(hasRecords(stranded) && exportTo === undefined ? ['--export DIR'] : []),
    ...topics.map(topic => `--recopy ${topic}`),
  ]
}

/** What would be lost without them. */
export function strandedSentence(stranded: Stranded): string {
  const { records, cluster } = stranded
  return `${records} record(s) stand at "${cluster}" alone; topics that diverged there are deleted and copied anew: ${divergedTopics(stranded).join(', ')}`
}
