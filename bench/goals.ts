// What is to be reached, as data, and how far the figures are from it. Nearly all are ratios of medians of one run, so that
// the machine falls out.

import { geometricMean, median } from './measure.ts'
import {
  type BackupFigures,
  type CaseReport,
  type CopyFigures,
  figuresOf,
  type LagFigures,
  type MoveFigures,
  type PointFigures,
} from './report.ts'

/** "Within 5 % counts as met": of a ratio. */
const TOLERANCE = 0.05

type Rival = 'mirrormaker' | 'follower'

type Goal = {
  readonly what: string
  readonly cases: readonly string[]
  /** Of several cases: what counts. */
  readonly counts: 'worst' | 'geometric mean'
  /** Undefined: to be stated. */
  readonly bound?: number
  readonly wished?: number
  /** The rival's figure comes from this case instead of kdr's own. */
  readonly rivalsCase?: string
} & (
  | {
      readonly against: Rival
      readonly figure: keyof CopyFigures | keyof LagFigures
      /** `rate`: of seconds, how many times faster kdr is; at least `bound`. `share`: kdr's part of the rival's; at most. */
      readonly as: 'rate' | 'share'
    }
  /** What somebody waits for: at most `bound`, on this machine. */
  | { readonly figure: keyof MoveFigures | keyof PointFigures; readonly as: 'seconds' }
  /** Of kdr itself: how many times faster it is than in `than`; at least `bound`. */
  | { readonly figure: keyof BackupFigures; readonly than: keyof BackupFigures; readonly as: 'own rate' }
)

const COMPRESSED = ['lz4', 'zstd']
const BULK = ['plain', ...COMPRESSED]
const ON_MIRRORMAKER = { against: 'mirrormaker', counts: 'worst' } as const
const SPEED = { figure: 'seconds', as: 'rate' } as const
const CPU = { figure: 'cpuSeconds', as: 'share' } as const
const ON_MOVES = { cases: ['move-100', 'move-1000'], counts: 'worst', as: 'seconds', bound: 10 } as const

const ON_BACKUPS = { cases: ['backup-plain', 'backup-lz4', 'backup-zstd'], counts: 'geometric mean' } as const

const GOALS: readonly Goal[] = [
  { ...ON_MIRRORMAKER, ...SPEED, what: 'throughput, compressed', cases: COMPRESSED, bound: 6 },
  {
    ...SPEED,
    what: 'throughput, bulk',
    against: 'follower',
    counts: 'geometric mean',
    cases: BULK,
    bound: 0.9,
    wished: 1,
  },
  { ...ON_MIRRORMAKER, ...SPEED, what: 'throughput, uncompressed', cases: ['plain'], bound: 2.5 },
  { ...ON_MIRRORMAKER, ...SPEED, what: 'one-record batches', cases: ['tiny'], bound: 1, wished: 2 },
  { ...ON_MIRRORMAKER, ...SPEED, what: 'transactional, 100 records', cases: ['transactional'], bound: 2 },
  {
    ...ON_MIRRORMAKER,
    ...SPEED,
    what: 'transactional, no cluster rights',
    cases: ['transactional-bare'],
    rivalsCase: 'transactional',
  },
  {
    ...ON_MIRRORMAKER,
    ...SPEED,
    what: 'long line, 64 connections',
    cases: ['line-64'],
    rivalsCase: 'line',
    bound: 4,
  },
  { ...ON_MIRRORMAKER, ...SPEED, what: 'long line, connections by default', cases: ['line'] },
  { ...ON_MIRRORMAKER, ...CPU, what: 'CPU per GB, compressed', cases: COMPRESSED, bound: 0.1 },
  { ...ON_MIRRORMAKER, ...CPU, what: 'CPU per GB, uncompressed', cases: ['plain'], bound: 0.25 },
  { ...ON_MIRRORMAKER, what: 'peak memory', cases: BULK, figure: 'peakMb', as: 'share', bound: 0.25 },
  {
    ...ON_MIRRORMAKER,
    what: 'lag added, p50',
    cases: ['lag'],
    figure: 'p50',
    as: 'share',
    bound: 1,
    wished: 0.5,
  },
  {
    ...ON_MIRRORMAKER,
    what: 'lag added, p99',
    cases: ['lag'],
    figure: 'p99',
    as: 'share',
    bound: 1,
    wished: 0.5,
  },
  { ...SPEED, ...ON_BACKUPS, what: 'backup', against: 'follower', bound: 0.9 },
  {
    ...ON_BACKUPS,
    what: 'restore, against a link',
    figure: 'restoreSeconds',
    than: 'linkSeconds',
    as: 'own rate',
    bound: 1,
  },
  {
    what: 'a point found',
    cases: ['point'],
    counts: 'worst',
    figure: 'pointSeconds',
    as: 'seconds',
    bound: 1,
  },
  { ...ON_MOVES, what: 'failover', figure: 'failoverSeconds' },
  { ...ON_MOVES, what: 'switchover, without the watch', figure: 'switchoverOwnSeconds' },
]

export type GoalResult = {
  readonly goal: Goal
  /** By case; those without figures are left out. */
  readonly ratios: readonly { readonly name: string; readonly ratio: number }[]
  /** Undefined while a case is missing. */
  readonly ratio: number | undefined
  readonly verdict: 'met' | 'wish met' | 'missed' | 'stated' | 'not measured'
}

export function judgeGoals(reports: readonly CaseReport[]): GoalResult[] {
  return GOALS.map(goal => {
    const ratios = goal.cases.flatMap(name => {
      const ratio = ratioOf(goal, reports, name)
      return Number.isFinite(ratio) ? [{ name, ratio }] : []
    })
    const isComplete = ratios.length === goal.cases.length
    const ratio = isComplete
      ? combine(
          goal,
          ratios.map(each => each.ratio),
        )
      : undefined
    return { goal, ratios, ratio, verdict: verdictOf(goal, ratio) }
  })
}

function ratioOf(goal: Goal, reports: readonly CaseReport[], name: string): number {
  const own = medianOf(reports, name, 'kdr', goal.figure)
  if (goal.as === 'seconds') return own
  if (goal.as === 'own rate') return medianOf(reports, name, 'kdr', goal.than) / own
  const rival = medianOf(reports, goal.rivalsCase ?? name, goal.against, goal.figure)
  return goal.as === 'rate' ? rival / own : own / rival
}

/** NaN when the case or the figure is missing. */
export function medianOf(
  reports: readonly CaseReport[],
  name: string,
  contender: 'kdr' | Rival,
  figure: string,
): number {
  const report = reports.find(({ of }) => of.name === name)
  if (report === undefined || report.kind === 'failed') return NaN
  const figures = figuresOf<object>(report.attempts, contender)
  return median(figures.map(each => (each as Readonly<Record<string, number>>)[figure] ?? NaN))
}

function combine({ counts, as }: Goal, ratios: readonly number[]): number {
  if (counts === 'geometric mean') return geometricMean(ratios)
  return as === 'rate' || as === 'own rate' ? Math.min(...ratios) : Math.max(...ratios)
}

function verdictOf({ as, bound, wished }: Goal, ratio: number | undefined): GoalResult['verdict'] {
  if (ratio === undefined) return 'not measured'
  if (bound === undefined) return 'stated'
  const reaches = (wanted: number): boolean => {
    if (as === 'seconds') return ratio <= wanted
    return as === 'rate' || as === 'own rate'
      ? ratio >= wanted * (1 - TOLERANCE)
      : ratio <= wanted * (1 + TOLERANCE)
  }
  if (wished !== undefined && reaches(wished)) return 'wish met'
  return reaches(bound) ? 'met' : 'missed'
}
