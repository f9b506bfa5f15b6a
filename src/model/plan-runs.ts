// The vocabulary of plans: several links of the config that move as one run. Such a run is a list of steps, gates and links, in
// the order in which they are taken; each link among them is moved by a run of its own, which the step names.
import type { Plan, ReportedLoss, RunKind, RunRecord, RunReport, RunState, StepState } from './runs.ts'

/** What has to be passed before a link of the plan, and with it all links of its stage, begins. */
export type Gate = { readonly before: string } & (
  | { readonly kind: 'ask'; readonly question: string }
  | { readonly kind: 'command'; readonly command: string }
  /** From when the stage before has ended. */
  | { readonly kind: 'wait'; readonly ms: number }
  /** `HH:MM` (the next time that it is so late, UTC), or a moment in ISO 8601. */
  | { readonly kind: 'at'; readonly at: string }
)

export type Objectives = { readonly rpoMs?: number | undefined; readonly rtoMs?: number | undefined }

/** The part of a plan of the config that its runs need. */
export type PlanShape = {
  readonly name: string
  /** One after the other; the links of one side by side. */
  readonly stages: readonly (readonly string[])[]
  /** In the order in which they are passed. */
  readonly gates: readonly Gate[]
  /** What must be all that a link mirrors: patterns. Left out: whatever it is. */
  readonly topics: Readonly<Record<string, readonly string[]>>
  readonly objectives: Objectives
}

/** `_kdr.journal` of one run of a plan, at the standby of its first link. Its steps are records of their own. */
export type PlanRunRecord = Pick<RunRecord, 'acceptSplitBrain' | 'by' | 'reason' | 'versions'> & {
  readonly run: string
  readonly plan: string
  readonly kind: RunKind
  readonly state: RunState
  /** ms since 1970. */
  readonly startedAt: number
  readonly endedAt?: number
  /** Why it was stopped, and what resumes it. */
  readonly sentence?: string
  /** The kind of error that stopped it (model/errors.ts). */
  readonly stoppedBy?: string
  readonly objectives: Objectives
  /** Only links of which these patterns meet all topics (`--topic`). */
  readonly topics?: readonly string[]
}

type StepOf = {
  /** In the order of the plan, from 0. */
  readonly index: number
  /** Of the links that are moved side by side, from 0. */
  readonly stage: number
  /** Of a gate: of the link that it stands before. */
  readonly link: string
  readonly state: StepState
  /** ms since 1970; 0: not begun. */
  readonly startedAt: number
  /** Of all attempts together, without the time in between. */
  readonly ms: number
  /** Of the last attempt, ms since 1970. Left out: it is not over, or an older kdr has written it. */
  readonly endedAt?: number | undefined
  /** One sentence for a person. */
  readonly what: string
}

export type GateStep = StepOf & {
  readonly kind: 'gate'
  readonly gate: Gate['kind']
  /** When it opens, ms since 1970. */
  readonly until?: number
}

export type LinkStep = StepOf & {
  readonly kind: 'link'
  /** Names of clusters, as they were shown when the plan was approved. */
  readonly active: string
  readonly standby: string
  readonly topics?: readonly string[]
  /** The run that moves it. */
  readonly run?: string
  readonly result?: LinkResult
}

export type PlanStep = GateStep | LinkStep

/** What is kept of a link's run, so that the plan's report needs no other cluster. */
export type LinkResult = {
  /** When applications could write again, ms since 1970. */
  readonly writableAt?: number
  readonly rpo: Omit<RunReport['rpo'], 'partitions'>
  /** Groups that may see records again. */
  readonly repeating: number
  readonly fence: RunReport['fence']['state']
  /** The kind of error that stopped it. */
  readonly stoppedBy?: string
}

/** What a link of a plan would do, as it was observed; or why it is passed by. */
export type PlannedLink = {
  readonly link: string
  readonly stage: number
  readonly plan?: Plan
  /** It has been moved already. */
  readonly passedBy?: string
  /** Why it must not begin. */
  readonly refusals: readonly string[]
}

/** What `kdr switchover | failover PLAN` and `kdr runs show` print with --json. */
export type PlanRunReport = Pick<
  RunReport,
  | 'run'
  | 'kind'
  | 'state'
  | 'sentence'
  | 'stoppedBy'
  | 'by'
  | 'reason'
  | 'startedAt'
  | 'endedAt'
  | 'versions'
  | 'acceptedSplitBrain'
  | 'fence'
> & {
  readonly scope: {
    readonly plan: string
    readonly links: readonly string[]
    readonly topics?: Readonly<Record<string, readonly string[]>>
  }
  readonly steps: readonly ReportedPlanStep[]
  /** Until the applications of the last link could write again; `dominatedBy`: the step that took longest. */
  readonly rto: { readonly ms: number; readonly dominatedBy: string | null; readonly gatesMs: number }
  readonly rpo: Omit<RunReport['rpo'], 'partitions'> & {
    readonly partitions: readonly (ReportedLoss & { readonly link: string })[]
  }
  readonly groups: readonly { readonly link: string; readonly group: string; readonly mayRepeat: number }[]
  readonly objectives: {
    readonly rpoMs?: number
    readonly rtoMs?: number
    /** Left out where there is no such objective, or it cannot be said yet. */
    readonly rpoMet?: boolean
    readonly rtoMet?: boolean
  }
  /** Of the runs of its links, those that could be read. */
  readonly runs: readonly RunReport[]
}

export type ReportedPlanStep = {
  /** The link, or `gate before LINK`. */
  readonly name: string
  readonly kind: PlanStep['kind']
  readonly link: string
  readonly stage: number
  readonly state: StepState
  readonly startedAt: string | null
  readonly ms: number
  readonly what: string
  /** Of a link. */
  readonly run?: string
  readonly active?: string
  readonly standby?: string
}

type Records = {
  entries(prefix: string): readonly (readonly [string, unknown])[]
}

/** As those of runs (run-records.ts): what an older controller writes late stands beside what its successor has written. */
export const planRunKey = (run: string, claim: number): string => `plan-run/${run}/${claim}`
export const planStepKey = (run: string, index: number, claim: number): string =>
  `plan-step/${run}/${index}/${claim}`

/** Newest first. */
export function readPlanRuns(store: Records): PlanRunRecord[] {
  return newestOf<PlanRunRecord>(store, 'plan-run/').toSorted((a, b) => b.startedAt - a.startedAt)
}

/** In their order. */
export function readPlanSteps(store: Records, run: string): PlanStep[] {
  return newestOf<PlanStep>(store, `plan-step/${run}/`).toSorted((a, b) => a.index - b.index)
}

/** Everything that the journal holds of it. */
export function keysOfPlanRun(store: Records, run: string): string[] {
  return ['plan-run', 'plan-step'].flatMap(kind => store.entries(`${kind}/${run}/`).map(([key]) => key))
}

/** Of keys that differ in the number of the claim alone, the highest counts. */
function newestOf<T>(store: Records, prefix: string): T[] {
  const newest = new Map<string, { readonly claim: number; readonly record: T }>()
  for (const [key, value] of store.entries(prefix)) {
    const end = key.lastIndexOf('/')
    const claim = Number(key.slice(end + 1))
    const name = key.slice(0, end)
    if (claim >= (newest.get(name)?.claim ?? 0)) newest.set(name, { claim, record: value as T })
  }
  return [...newest.values()].map(({ record }) => record)
}
