// From the audits of the standby to what the demo says of them. Pure: the audits come from Java's consumer.

import type { LedgerAudit } from '../lab/judge.ts'
import type { RunReport } from '../model/runs.ts'

export type TopicAudits = { readonly topic: string; readonly audits: readonly LedgerAudit[] }

export type Problem = {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly what: string
}

export type Verdict = {
  /** Nothing but the tail is lost, and nothing was delivered twice. */
  readonly ok: boolean
  readonly acknowledged: number
  /** At the standby, each at the offset at which it was acknowledged. */
  readonly present: number
  /** Removed by compaction: their keys were written again. */
  readonly superseded: number
  /** The tail: acknowledged by the source, and not copied when it died. */
  readonly lost: {
    readonly records: number
    /** From the first lost record's acknowledgement to the last acknowledgement of all. */
    readonly ms: number
    readonly partitions: readonly {
      readonly topic: string
      readonly partition: number
      readonly records: number
    }[]
  }
  /** Copied, though the source died before it could acknowledge them. */
  readonly unacknowledged: number
  readonly repeated: number
  readonly problems: number
  /** The first of each partition. */
  readonly firstProblems: readonly Problem[]
}

export function judge(
  topics: readonly TopicAudits[],
  { repeated, lastAckMs }: { readonly repeated: number; readonly lastAckMs: number },
): Verdict {
  const all = topics.flatMap(({ topic, audits }) => audits.map(audit => ({ topic, ...audit })))
  const sum = (of: 'acknowledged' | 'present' | 'superseded' | 'lost' | 'unacknowledged' | 'problems') =>
    all.reduce((total, audit) => total + audit[of], 0)
  const behind = all.filter(audit => audit.lost > 0)
  const firstLostAckMs = Math.min(...behind.map(audit => audit.firstLostAckMs))
  const problems = sum('problems')
  return {
    ok: problems === 0 && repeated === 0,
    acknowledged: sum('acknowledged'),
    present: sum('present'),
    superseded: sum('superseded'),
    lost: {
      records: sum('lost'),
      ms: behind.length === 0 ? 0 : Math.max(0, lastAckMs - firstLostAckMs),
      partitions: behind.map(({ topic, partition, lost }) => ({ topic, partition, records: lost })),
    },
    unacknowledged: sum('unacknowledged'),
    repeated,
    problems,
    firstProblems: all.flatMap(({ topic, partition, firstProblems }) =>
      firstProblems.map(({ offset, what }) => ({ topic, partition, offset, what })),
    ),
  }
}

/** By partition, where the copy of a topic ends: there stands the marker that fenced the link. */
export function cutsOf({ rpo }: RunReport, topic: string): Record<string, number> {
  return Object.fromEntries(
    rpo.partitions.filter(each => each.topic === topic).map(({ partition, cut }) => [partition, cut]),
  )
}
