// What `kdr run` says of the partitions that it copies: each by itself, or summed up by topic or link.
import type { Labels, Sample } from '../../../api/metrics/metrics.ts'
import type { MetricName, Samples } from '../../../api/metrics/table.ts'
import type { PartitionProgress } from '../../../engine/replicate/replication.ts'
import type { Copied, CopiedTotals } from './copied.ts'
import { chooseLevels, type Level } from './levels.ts'

export type CopiedLink = {
  /** Of the link. */
  readonly labels: Labels
  readonly partitions: readonly PartitionProgress[]
  readonly totals: CopiedTotals
}

const KINDS = ['records', 'markers', 'aborted', 'compacted', 'seeded', 'lost', 'uncounted'] as const

type Group = { readonly labels: Labels; readonly link: CopiedLink; readonly partitions: PartitionProgress[] }

type Family = {
  readonly name: MetricName
  readonly kinds: number
  readonly samples: (group: Group, level: Level) => readonly Sample[]
}

const of = (
  name: MetricName,
  value: (partition: PartitionProgress) => number | undefined,
  combine: (values: readonly number[]) => number,
): Family => ({
  name,
  kinds: 1,
  samples: ({ labels, partitions }) => {
    const values = partitions.map(value).filter(each => each !== undefined)
    return values.length === 0 ? [] : [{ labels, value: combine(values) }]
  },
})

const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0)
const most = (values: readonly number[]): number => values.reduce((a, b) => Math.max(a, b))
const least = (values: readonly number[]): number => values.reduce((a, b) => Math.min(a, b))

/** The worthiest first: the others give way to it when there are too many series. */
const FAMILIES: readonly Family[] = [
  of('kdr_lag_records', ({ lagRecords }) => lagRecords, sum),
  of('kdr_lag_seconds', ({ lagMs }) => lagMs / 1_000, most),
  { name: 'kdr_copied_records_total', kinds: 1, samples: copied('records') },
  { name: 'kdr_copied_bytes_total', kinds: 1, samples: copied('bytes') },
  of('kdr_retention_headroom_seconds', headroomSeconds, least),
  { name: 'kdr_mirror_offsets', kinds: KINDS.length, samples: offsets },
]

export function partitionSamples(
  links: readonly CopiedLink[],
  how: { readonly wanted: Level; readonly room: number },
): Samples {
  const groups = groupsOf(links)
  const counts = {
    partition: groups.partition.length,
    topic: groups.topic.length,
    link: groups.link.length,
  }
  const levels = chooseLevels(FAMILIES, counts, how)
  const samples = FAMILIES.map(({ name, samples: make }) => {
    const level = levels.get(name) ?? how.wanted
    return [name, groups[level].flatMap(group => make(group, level))] as const
  })
  const coarsened = [...levels]
    .filter(([, level]) => level !== how.wanted)
    .map(([metric, level]) => ({ labels: { metric, level }, value: 1 }))
  return { ...Object.fromEntries(samples), kdr_metrics_coarsened: coarsened }
}

function groupsOf(links: readonly CopiedLink[]): Record<Level, Group[]> {
  return {
    partition: links.flatMap(link =>
      link.partitions.map(each => ({
        labels: { ...link.labels, topic: each.topic, partition: String(each.partition) },
        link,
        partitions: [each],
      })),
    ),
    topic: links.flatMap(link =>
      [...Map.groupBy(link.partitions, ({ topic }) => topic)].map(([topic, partitions]) => ({
        labels: { ...link.labels, topic },
        link,
        partitions,
      })),
    ),
    link: links.map(link => ({ labels: link.labels, link, partitions: [...link.partitions] })),
  }
}

function copied(what: keyof Copied): Family['samples'] {
  return ({ labels, link: { totals }, partitions: [first] }, level) => {
    if (level === 'link') return [{ labels, value: totals.all[what] }]
    if (first === undefined) return []
    const { topic, partition } = first
    const total = level === 'topic' ? totals.ofTopic(topic) : totals.ofPartition(topic, partition)
    return [{ labels, value: total[what] }]
  }
}

/** What is at most so much is that for whoever has to act. Below 0 it may happen at any moment. */
function headroomSeconds({ headroom }: PartitionProgress): number | undefined {
  return typeof headroom?.ms === 'number' ? Math.max(0, headroom.ms) / 1_000 : undefined
}

/** Of those that somebody has counted. */
function offsets({ labels, partitions }: Group): Sample[] {
  const counted = partitions.flatMap(partition =>
    partition.offsets === undefined ? [] : [partition.offsets],
  )
  if (counted.length === 0) return []
  return KINDS.map(kind => ({ labels: { ...labels, kind }, value: sum(counted.map(each => each[kind])) }))
}
