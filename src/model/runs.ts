// The vocabulary of runs (switchover, failover, failback): what a plan says, what each step leaves in the journal, what the report
// shows (CLI.md). A run is data: a plan before, a journal while it goes on, a report after.
import type { AclRule } from './rights.ts'
import type { At, Stranded } from './stranded.ts'

export type RunKind = 'switchover' | 'failover' | 'failback'

/** Both sides are there, and nothing is lost: a failback is a switchover that makes the home direction true again. */
export const isPlanned = (kind: RunKind): boolean => kind !== 'failover'

const MOVE_STEPS = [
  'preflight',
  'freeze-groups',
  'fence-applications',
  'end-transactions',
  'drain',
  'final-sync',
  'fence-link',
  'promote',
  'redirect',
  'canary',
] as const

/**
 * Before those of a move, where the link waits since a failover: the cluster that has come back is fenced, what only it has is exported, and it
 * is made a standby again.
 */
const RETURN_STEPS = ['fence-returned', 'export', 'reverse', 'catch-up'] as const
export type StepName = (typeof RETURN_STEPS)[number] | (typeof MOVE_STEPS)[number]

/** Of a move, in the order in which they are taken. */
export const STEPS: readonly StepName[] = MOVE_STEPS

/** Of one run, in their order. */
export function stepsOf({ after, isHome }: Pick<RunRecord, 'after' | 'isHome'>): readonly StepName[] {
  return [...(after === undefined ? [] : RETURN_STEPS), ...(isHome === true ? [] : STEPS)]
}

/** From this step on the link is fenced: a run is not given up for free any more. */
export const POINT_OF_NO_RETURN: StepName = 'fence-link'

export type RunState = 'planned' | 'running' | 'stopped' | 'aborted' | 'done'

/** Whether a step of this run may have fenced the link. */
export function isPastReturn(
  steps: readonly { readonly name: StepName; readonly state: StepState }[],
): boolean {
  return steps.some(({ name, state }) => name === POINT_OF_NO_RETURN && state !== 'waiting')
}

/**
 * Whether it can still be given up: a failover until it may have fenced the link; where both sides are there, until it promotes, as
 * the fence's markers can be levelled out.
 */
export function mayGiveUp(
  kind: RunKind,
  steps: readonly { readonly name: StepName; readonly state: StepState }[],
): boolean {
  if (!isPlanned(kind)) return !isPastReturn(steps)
  return !steps.some(({ name, state }) => name === 'promote' && state !== 'waiting')
}

/** What an operator has asked for. */
export type RunOptions = {
  /** By which it was chosen (`--topic`): patterns that meet all topics of the link. */
  readonly topics?: readonly string[]
  readonly acceptSplitBrain: boolean
  /** user@host. */
  readonly by: string
  readonly reason?: string
  /** Where the stranded tail goes: the URL of a folder, or `vault:NAME`. */
  readonly exportTo?: string
  /** Patterns of topics that may be deleted where they diverged, and copied anew. */
  readonly recopy?: readonly string[]
  /** Links that move along, by the same plan. */
  readonly together?: readonly string[]
}

/** A topic of kdr's own that takes writes with fewer replicas than it should; `was`: `min.insync.replicas` before. */
export type Lowered = { readonly topic: string; readonly was: number }

/** Kafka's own, that puts it back. */
export const putBackCommand = ({ topic, was }: Lowered): string =>
  `kafka-configs --bootstrap-server ... --alter --topic ${topic} --add-config min.insync.replicas=${was}`

/** `_kdr.journal` of one run. `active`: where applications write when it begins; `standby`: where they will. */
export type RunRecord = RunOptions & {
  readonly run: string
  readonly kind: RunKind
  readonly link: string
  /** Names of clusters in the config. */
  readonly active: string
  readonly standby: string
  readonly activeClusterId: string
  readonly standbyClusterId: string
  /** Of the link, before it moves; where it is taken up again after a failover first, the one that it gets then. */
  readonly generation: number
  /** The failover since which the link waits: it is taken up again first. */
  readonly after?: string
  /** The active is the one of the home direction: the link is taken up again, and nothing moves. */
  readonly isHome?: true
  readonly state: RunState
  /** ms since 1970. */
  readonly startedAt: number
  readonly endedAt?: number
  /** Why it was stopped, and what resumes it. */
  readonly sentence?: string
  /** The kind of error that stopped it (model/errors.ts). */
  readonly stoppedBy?: string
  readonly versions: { readonly kdr: string; readonly node: string }
  /** For this run, and until it is put back. */
  readonly lowered?: readonly Lowered[]
}

export type StepState = 'waiting' | 'running' | 'done' | 'skipped' | 'failed'

/** `what`: one sentence for a person; `data`: what later steps and the report need, in the shape that StepData says. */
export type StepRecord<Name extends StepName = StepName> = {
  readonly name: Name
  readonly state: StepState
  /** ms since 1970. */
  readonly startedAt: number
  /** Of all attempts together, without the time in between. */
  readonly ms: number
  /** Of the last attempt, ms since 1970. Left out: it is under way, or an older kdr has written it. */
  readonly endedAt?: number
  readonly what: string
  readonly data?: StepData[Name]
}

/** When a step had ended that may have been taken up again in between. */
export const endOf = ({
  startedAt,
  ms,
  endedAt,
}: {
  readonly startedAt: number
  readonly ms: number
  readonly endedAt?: number | undefined
}): number => endedAt ?? startedAt + ms

export type { At } from './stranded.ts'

/**
 * What happens to consumers before the final group sync (`consumers:` of the config). `stop`: an operator stops them by hand, and
 * the run waits for that; with a command, that stops them.
 */
export type ConsumersPolicy = 'stop' | 'fence' | 'leave' | { readonly stop: string }

/**
 * What the fence is worth. `proven`: every leader refused the application's own credentials, and the source's ends stood still.
 * `configured`: done as the config says, without proof. `registered`: the source is dark; done when it answers again before the run is over. `none`: nothing
 * fences, and that was accepted.
 */
export type FenceState = 'proven' | 'configured' | 'registered' | 'none'

export type StepData = {
  readonly 'fence-returned': StepData['fence-applications']
  /** `location`: left out where there was nothing to export. */
  readonly export: {
    readonly stranded: Stranded
    readonly location?: string
    readonly objects: number
    readonly bytes: number
  }
  readonly reverse: {
    readonly generation: number
    readonly recopied: readonly string[]
    /** Topics that go on with what they hold. */
    readonly kept: number
  }
  readonly 'catch-up': { readonly partitions: number }
  readonly preflight: Plan
  readonly 'freeze-groups': {
    readonly policy: 'stop' | 'fence' | 'leave'
    /** `members`: 0 when it had none when it was looked at last; -1: some, a list of groups does not say how many. */
    readonly groups: readonly { readonly group: string; readonly members: number }[]
    readonly denied: readonly AclRule[]
  }
  readonly 'fence-applications': {
    readonly state: FenceState
    /** Rules that this run has put at the old active: an abort, or the way back, takes them away. */
    readonly denied: readonly AclRule[]
    readonly probed: number
    /** Principals that may still write, or are not known. */
    readonly left: readonly string[]
  }
  readonly 'end-transactions': {
    readonly ended: readonly {
      readonly transactionalId: string
      readonly how: 'committed-or-aborted' | 'aborted'
    }[]
  }
  /** `ends`: where the source ends; none of a source that is dark: the plan's loss counts then. */
  readonly drain: {
    readonly ends: readonly (At & { readonly end: number })[]
    /** How old the oldest record is that the standby lacks; 0: none. Left out: as the plan says. */
    readonly lostMs?: number
  }
  readonly 'final-sync': {
    readonly groups: number
    /** Per group, how many records it may see again below what it had committed. */
    readonly mayRepeat: readonly { readonly group: string; readonly mayRepeat: number }[]
  }
  readonly 'fence-link': {
    readonly cuts: readonly (At & { readonly cut: number })[]
    /** Where the source ended when the link was fenced, if it answered: more than drained is lost. */
    readonly ends?: readonly (At & { readonly end: number })[]
  }
  readonly promote: {
    readonly generation: number
    readonly topics: number
    readonly rightsReleased: number
    /** Whether the link goes on in the other direction. */
    readonly reverse: 'starts' | 'waits'
  }
  readonly redirect: {
    readonly targets: readonly { readonly name: string; readonly ok: boolean; readonly what: string }[]
  }
  readonly canary: {
    readonly ok: boolean
    readonly findings: readonly string[]
  }
}

/** What a run would do and cost, as observed now. Shown before it is approved, and kept. */
export type Plan = {
  readonly kind: RunKind
  readonly link: string
  readonly active: string
  readonly standby: string
  /** ms since 1970. */
  readonly at: number
  /** False: the active does not answer. */
  readonly isActiveThere: boolean
  readonly topics: number
  readonly loss: {
    readonly basis: 'exact' | 'estimate'
    readonly records: number
    /** How old what would be lost is at most; 0 when nothing would be. */
    readonly ms: number
    /** Only where something is lost or not known. */
    readonly topics: readonly { readonly topic: string; readonly records: number }[]
    /** The same by partition; what the report counts with where the active is dark. */
    readonly partitions: readonly PlannedLoss[]
  }
  readonly groups: readonly PlannedGroup[]
  readonly transactions: readonly PlannedTransaction[]
  /** Who writes now: to be restarted when it is redirected, not only reconnected. */
  readonly producers: readonly PlannedProducer[]
  /** ACLs that are held back, and come into force at promote. */
  readonly heldBack: number
  /** SCRAM users that the standby lacks. */
  readonly missingUsers: readonly string[]
  /** Topics of the active that the link does not take. */
  readonly leftBehind: readonly string[]
  /** Why it must not begin; each says what to do. Empty: it may. */
  readonly refusals: readonly string[]
  /** Worth reading, and no reason to refuse. */
  readonly warnings: readonly string[]
  /** Of a failback after a failover: what the cluster that has come back has, and the active has not. */
  readonly stranded?: Stranded
  /** Nothing moves: the link is taken up again. */
  readonly isHome?: true
  /** Until applications can write again, hooks and redirects of a first run left out; `run`: the last one, which took that. */
  readonly expected?: { readonly ms: number; readonly basis: 'last-run' | 'lab'; readonly run?: string }
}

/** `sourceEnd`: as it was seen last; -1: never. `mirrorEnd`: what the standby has. */
export type PlannedLoss = At & { readonly sourceEnd: number; readonly mirrorEnd: number }

export type PlannedGroup = {
  readonly group: string
  readonly state: 'in-step' | 'behind' | 'not-carried'
  /** Records between what is committed at the standby and at the active: delivered again. */
  readonly mayRepeat: number
  /** At the active; -1: not known. */
  readonly members: number
  /** A member that has read beyond the cut would get OFFSET_OUT_OF_RANGE, and do what its `auto.offset.reset` says. */
  readonly mayBeAhead: boolean
}

export type PlannedTransaction = {
  readonly transactionalId: string
  readonly producerId: string
  readonly state: string
  readonly ageMs: number
  readonly partitions: number
}

export type PlannedProducer = {
  /** Decimal. */
  readonly producerId: string
  readonly partitions: number
  /** How long ago it wrote last. */
  readonly lastSeenMs: number
}

/** What `kdr switchover | failover | failback`, `kdr runs show` print with --json (CLI.md), and the page shows. */
export type RunReport = {
  readonly run: string
  readonly kind: RunKind
  readonly scope: { readonly links: readonly string[]; readonly topics?: readonly string[] }
  readonly active: string
  readonly standby: string
  readonly state: RunState
  readonly sentence?: string
  /** The kind of error that stopped it: `not-fenced`, `not-ready`, ... */
  readonly stoppedBy?: string
  readonly by: string
  readonly reason?: string
  readonly startedAt: string
  readonly endedAt?: string
  readonly versions: RunRecord['versions']
  readonly plan?: Plan
  /** All of them, in their order; one that has not begun is `waiting`. */
  readonly steps: readonly ReportedStep[]
  /** From the start to the end of the redirect, when applications can write again; not there yet: to the end of the last step. */
  readonly rto: { readonly ms: number; readonly dominatedBy: StepName | null }
  /** Offsets from the cut to where the source ends, called records: some may be markers, so it is at most so many. */
  readonly rpo: {
    readonly records: number
    /** How old what is lost is at most. */
    readonly ms: number
    readonly basis: 'exact' | 'estimate'
    readonly partitions: readonly ReportedLoss[]
  }
  readonly groups: readonly { readonly group: string; readonly mayRepeat: number }[]
  readonly fence: { readonly state: 'proven' | 'configured' | 'none'; readonly what: string }
  readonly acceptedSplitBrain: boolean
  /** What `--break-glass` has lowered at the standby, and a person has yet to put back. */
  readonly lowered?: readonly Lowered[]
  /** Of a failover: what was found when its old active had come back; of a failback: what it has found. */
  readonly stranded?: Stranded
  /** Where that was exported to. */
  readonly exported?: string
  /** Who still wrote at the old active when it was looked last. */
  readonly stillWriting: readonly string[]
}

export type ReportedStep = {
  readonly name: StepName
  readonly state: StepState
  readonly startedAt: string | null
  /** Null: it is not over. */
  readonly endedAt: string | null
  /** Of all attempts together, without the time in between. */
  readonly ms: number
  readonly what: string
}

/** `cut`: the offset of the marker that fenced the mirror; the link's records stand below. `sourceEnd`: -1 where it was never seen. */
export type ReportedLoss = At & {
  readonly cut: number
  readonly sourceEnd: number
  readonly lostRecords: number
}

/** A line of `kdr runs list`. */
export type RunSummary = Pick<
  RunReport,
  'run' | 'kind' | 'active' | 'standby' | 'state' | 'startedAt' | 'sentence'
> & {
  readonly link: string
  /** Of a run of a plan: `link` has all of its links. */
  readonly plan?: string
  /** Left out until applications can write again. */
  readonly rtoMs?: number
}
