// The answer to "would we survive tonight?": all rules over all that was seen, in the order in which somebody should read them. Pure.
import type { Finding, Severity } from '../../model/findings.ts'
import { type Accept, type AcceptedFinding, applyAccepts } from './accept.ts'
import type { ClusterSight, NotSeen } from './observation.ts'
import { type RackLoss, rackLosses } from './racks.ts'
import { brokerFindings } from './rules/brokers.ts'
import { type CompareSight, compareFindings } from './rules/compare.ts'
import { brokerCertificates, type Certificate, certificateFindings, diskFindings } from './rules/disks.ts'
import { type DriftSight, driftFindings } from './rules/drift.ts'
import { type LinkSight, linkFindings } from './rules/links.ts'
import { partitionFindings } from './rules/partitions.ts'
import { quorumFindings } from './rules/quorum.ts'
import { closestFindings, rackFindings } from './rules/racks.ts'
import { darkFinding, notSeenFindings, unseenOfBrokers } from './rules/seen.ts'
import { coverageFindings, type SetSight, setFindings } from './rules/sets.ts'
import { topicFindings } from './rules/topics.ts'
import { producerFindings, transactionFindings } from './rules/transactions.ts'
import type { ProducersSight } from './producers.ts'
import { type Move, planMoves } from './spread.ts'

export type Verdict = 'READY' | 'AT RISK' | 'NOT READY'

export type CheckInput = {
  readonly clusters: readonly CheckedCluster[]
  readonly links: readonly LinkSight[]
  readonly drifts: readonly DriftSight[]
  readonly sets: readonly SetSight[]
  readonly compared: readonly [CompareSight, CompareSight] | undefined
  /** What could not be looked at, other than of a cluster. */
  readonly notSeen: readonly (NotSeen & { readonly where: string })[]
  readonly accepts: readonly Accept[]
  /** ms since 1970. */
  readonly now: number
  /** All of the config. */
  readonly isWhole: boolean
}

export type CheckedCluster = {
  readonly sight: ClusterSight
  /** The strictest of the objectives that concern it. */
  readonly rpoMs: number
  /** `rack` of the config: where kdr is. */
  readonly rack: string | undefined
  /** kdr's own, for this cluster. */
  readonly certificates: readonly Certificate[]
  /** Undefined: nobody asked. */
  readonly producers?: ProducersSight | undefined
  /** Those that back it up. */
  readonly sets: readonly { readonly name: string; readonly takes: (topic: string) => boolean }[]
  /** Whether it is, or may be, a mirror there: its source decides on its configs. */
  readonly isMirror: (topic: string) => boolean
}

export type CheckReport = {
  readonly ready: Verdict
  /** Gravest first. */
  readonly findings: readonly Finding[]
  readonly accepted: readonly AcceptedFinding[]
  readonly racks: readonly RackLoss[]
  readonly looked: {
    readonly clusters: readonly string[]
    readonly links: readonly string[]
    readonly sets: readonly string[]
  }
  /** What would spread replicas as they should be, by cluster; those without a move are missing. */
  readonly moves: Readonly<Record<string, readonly Move[]>>
}

export function judge(input: CheckInput): CheckReport {
  const { clusters, links, drifts, sets, compared, notSeen, accepts, now, isWhole } = input
  const seen = clusters.flatMap(({ sight }) => (sight.dark === undefined ? [sight] : []))
  const found = [
    ...clusters.flatMap(ofCluster),
    ...links.flatMap(linkFindings),
    ...drifts.flatMap(driftFindings),
    ...sets.flatMap(setFindings),
    ...(compared === undefined ? [] : compareFindings(...compared)),
    ...notSeen.flatMap(({ where, ...each }) => notSeenFindings(where, [each])),
  ]
  const judged = applyAccepts(found, accepts, { now, isWhole })
  return {
    ready: verdictOf(judged.findings),
    findings: inOrder(judged.findings),
    accepted: inOrder(judged.accepted),
    racks: seen.flatMap(rackLosses),
    looked: {
      clusters: clusters.map(({ sight }) => sight.name),
      links: links.map(({ status }) => status.name),
      sets: sets.map(({ status }) => status.name),
    },
    moves: Object.fromEntries(
      seen.flatMap(cluster => {
        const moves = planMoves(cluster)
        return moves.length === 0 ? [] : [[cluster.name, moves] as const]
      }),
    ),
  }
}

function ofCluster({
  sight,
  rpoMs,
  rack,
  certificates,
  sets,
  producers,
  isMirror,
}: CheckedCluster): Finding[] {
  if (sight.dark !== undefined) return [darkFinding(sight)]
  const found = [
    ...notSeenFindings(`cluster:${sight.name}`, sight.notSeen),
    ...unseenOfBrokers(sight),
    ...partitionFindings(sight),
    ...topicFindings(sight),
    ...quorumFindings(sight),
    ...brokerFindings(sight),
    ...diskFindings(sight),
    ...certificateFindings(sight, [...brokerCertificates(sight), ...certificates]),
    ...rackFindings(sight),
    ...closestFindings(sight, rack),
    ...transactionFindings(sight, rpoMs),
    ...(producers === undefined ? [] : producerFindings(sight, producers)),
    ...coverageFindings(sight, sets),
  ]
  return found.map(({ fix, ...each }) =>
    fix === undefined || (fix.kind === 'topic-configs' && isMirror(fix.topic)) ? each : { ...each, fix },
  )
}

export function verdictOf(findings: readonly Pick<Finding, 'severity'>[]): Verdict {
  if (findings.some(({ severity }) => severity === 'error')) return 'NOT READY'
  return findings.some(({ severity }) => severity === 'warning') ? 'AT RISK' : 'READY'
}

const GRAVITY: Readonly<Record<Severity, number>> = { error: 0, warning: 1, info: 2 }

/** Gravest first, then what is alike together. */
function inOrder<F extends Finding>(findings: readonly F[]): F[] {
  return findings.toSorted(
    (a, b) =>
      GRAVITY[a.severity] - GRAVITY[b.severity] || compareText(a.id, b.id) || compareText(a.where, b.where),
  )
}

const compareText = (a: string, b: string): number => (a === b ? 0 : a < b ? -1 : 1)
