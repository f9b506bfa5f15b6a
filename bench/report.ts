// What the bench has found, as data: `results.ts` writes it down, `goals.ts` judges it.

import type { LagReport } from '../src/lab/judge.ts'
import type { RunKind, StepName } from '../src/model/runs.ts'
import type {
  BackupCase,
  Case,
  ContenderName,
  CopyCase,
  IdleCase,
  LagCase,
  MoveCase,
  PointCase,
} from './cases.ts'
import type { Made } from './data.ts'

/** The follower's CPU and memory are those of the brokers, and not known. */
export type CopyFigures = {
  /** From the first look at which the target held something to the one at which it held all, for the whole backlog. */
  readonly seconds: number
  /** From the start of the process, or from the order to follow, to the same end. */
  readonly wholeSeconds: number
  /** In `seconds`. */
  readonly cpuSeconds?: number
  /** In `wholeSeconds`. */
  readonly wholeCpuSeconds?: number
  /** Of all brokers of the stage, in `seconds`. */
  readonly brokerCpuSeconds?: number
  readonly peakMb?: number
  /** Of the follower: until it was in sync everywhere. */
  readonly inSyncSeconds?: number
}

export type LagFigures = LagReport & { readonly cpuPercent: number; readonly peakMb: number }

export type IdleFigures = {
  /** From the start of the process until every mirror is there, and holds what its source holds. */
  readonly readySeconds: number
  /** Of one core, while nothing happens. */
  readonly cpuPercent: number
  readonly peakMb: number
  /** From the acknowledgement of a record in one of the partitions until it can be read at the target. */
  readonly newRecordMs: number
}

/** And how long each step of either run took, in ms. */
export type MoveFigures = {
  /** As the run's report says: from the approval to the end of the redirect. */
  readonly switchoverSeconds: number
  /** Of these, how long the source's ends had to stand still. */
  readonly watchSeconds: number
  /** The others. */
  readonly switchoverOwnSeconds: number
  /** From the start of the process to its end. */
  readonly switchoverCommandSeconds: number
  readonly failoverSeconds: number
  readonly failoverCommandSeconds: number
} & { readonly [Step in `${RunKind} ${StepName}`]?: number }

/** Of the follower only `seconds` are known. */
export type BackupFigures = {
  /** Of kdr: as the command says, from its first request to the commit. */
  readonly seconds: number
  /** From the start of the process to its end. */
  readonly cpuSeconds?: number
  readonly peakMb?: number
  /** Objects created, for each GB of the source's log. */
  readonly putsPerGb?: number
  readonly storedMbPerGb?: number
  /** From the first look at which the target held something to the one at which it held all; verification comes after that. */
  readonly restoreSeconds?: number
  readonly restorePeakMb?: number
  /** Of a link, with the same topic and the same target. */
  readonly linkSeconds?: number
}

export type PointFigures = {
  /** From an opened vault to what it held then. */
  readonly pointSeconds: number
  readonly slowestPointSeconds: number
}

/** One contender in one round. */
export type Attempt<Figures> = { readonly contender: ContenderName; readonly round: number } & (
  | { readonly figures: Figures }
  | { readonly failure: string }
)

export type CaseReport =
  | {
      readonly kind: 'copy'
      readonly of: CopyCase
      readonly data: Made
      readonly attempts: Attempt<CopyFigures>[]
    }
  | { readonly kind: 'lag'; readonly of: LagCase; readonly attempts: Attempt<LagFigures>[] }
  | { readonly kind: 'idle'; readonly of: IdleCase; readonly attempts: Attempt<IdleFigures>[] }
  | { readonly kind: 'move'; readonly of: MoveCase; readonly attempts: Attempt<MoveFigures>[] }
  | {
      readonly kind: 'backup'
      readonly of: BackupCase
      readonly data: Made
      readonly attempts: Attempt<BackupFigures>[]
    }
  | { readonly kind: 'point'; readonly of: PointCase; readonly attempts: Attempt<PointFigures>[] }
  /** Nothing of it could be measured. */
  | { readonly kind: 'failed'; readonly of: Case; readonly failure: string }

/** What the rounds of a contender came to; those that failed are left out. */
export function figuresOf<Figures>(
  attempts: readonly Attempt<Figures>[],
  contender: ContenderName,
): readonly Figures[] {
  return attempts.flatMap(each => (each.contender === contender && 'figures' in each ? [each.figures] : []))
}

export function failuresOf<Figures>(
  attempts: readonly Attempt<Figures>[],
  contender: ContenderName,
): readonly string[] {
  return attempts.flatMap(each =>
    each.contender === contender && 'failure' in each ? [`round ${each.round}: ${each.failure}`] : [],
  )
}
