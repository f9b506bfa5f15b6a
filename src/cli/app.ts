// What commands get from the outside. main.ts makes one; tests make their own. A command touches the world only through
// this, so its tests need no process, no terminal and no cluster.

import type { Served, Serving } from '../api/server.ts'
import type {
  ClusterConfig,
  Config,
  InspectedCluster,
  LinkConfig,
  PlanConfig,
  SecretRef,
} from '../config/index.ts'
import type { CheckReport } from '../engine/check/check.ts'
import type { Probe } from '../engine/check/probe.ts'
import type { PlanWorld } from '../engine/plans/world.ts'
import type { OnceOptions, OnceResult } from '../engine/replicate/once.ts'
import type { PartitionProgress } from '../engine/replicate/replication.ts'
import type { HandOverPlan } from '../engine/runs/hand-over.ts'
import type { FanOutTopic } from '../engine/runs/plan-fan-out.ts'
import type { LinkStatus } from '../engine/status/status.ts'
import type { CheckOptions, PrefixCheck } from '../engine/verify/adopt.ts'
import type { Verification, VerifyProgress } from '../engine/verify/verify.ts'
import type { KeptAlert } from '../model/alerts.ts'
import type { FixableFinding } from '../model/fixes.ts'
import type { JournalEntry, JournalVerb } from '../model/journal.ts'
import type { LinkFacts, LinkView } from '../model/link-facts.ts'
import type { ObjectiveDay } from '../model/objective-days.ts'
import type { Scope } from '../model/pauses.ts'
import type { PlannedLink, PlanRunReport } from '../model/plan-runs.ts'
import type { Plan, RunKind, RunReport, RunSummary, StepRecord } from '../model/runs.ts'
import type { PartitionLoss } from '../model/state-records.ts'
import type { Log } from '../ports/log.ts'
import type { Clock } from '../ports/clock.ts'
import type { VaultServices } from './app-vault.ts'
import type { AlertChannels, ClusterWatch, WatchOptions } from './app-watch.ts'

export type Writer = {
  write(text: string): void
  readonly isTerminal: boolean
  /** Width of the terminal; undefined when it is none. */
  readonly columns: number | undefined
  /** Its height. */
  readonly rows?: number | undefined
}

/**
 * What engines offer to commands. To add one: put its function here, with types of the engine, and hand it over in
 * wiring/services.ts behind a dynamic import, so that `kdr --help` does not load it.
 */
export type Services = VaultServices & {
  /** Looks at a real cluster, for `kdr init --from`. Throws KdrError('unreachable' | 'not-allowed'). */
  inspectCluster(cluster: ClusterConfig): Promise<InspectedCluster>
  /** Which brokers it has, and in which versions. Throws KdrError: unreachable, not-allowed, cluster-lacks. */
  describeCluster(config: Config, name: string): Promise<ClusterFacts>
  /** The links that a command means: those named, or all. Throws KdrError('usage') for an unknown name. */
  chooseLinks(config: Config, names: readonly string[]): LinkConfig[]
  /** Takes a link over and mirrors it. Throws KdrError: see startLink in src/wiring/links.ts. */
  startLink(
    config: Config,
    link: LinkConfig,
    options: { readonly log: Log; readonly isAlone: boolean },
  ): Promise<RunningLink>
  /** Metrics and health. Returns at once; a port that cannot be had is said, and tried again. */
  serve(options: {
    readonly listen: string
    readonly token: SecretRef | undefined
    readonly served: Served
    readonly log: Log
  }): Promise<Serving>
  /** Of alerts: what is sent to an address, and given to a command. */
  readonly alertChannels: AlertChannels
  /** Looks at a cluster again and again, and only reads. */
  watchCluster(config: Config, name: string, options: WatchOptions): Promise<ClusterWatch>
  /** Would we survive tonight? Only reads; what cannot be looked at is a finding. Throws KdrError('usage') for an unknown name. */
  check(config: Config, options: ReadinessOptions): Promise<CheckReport>
  /** Changes clusters: what was approved, each once. What is refused is a value. Throws KdrError('unreachable'). */
  fixFindings(
    config: Config,
    findings: readonly FixableFinding[],
    reason: string | undefined,
  ): Promise<FixOutcome[]>
  /** Makes a topic, writes to it, deletes it. Throws KdrError: unreachable, not-allowed, not-ready, interrupted. */
  probeCluster(config: Config, name: string, signal: AbortSignal): Promise<Probe>
  /** Throws KdrError('unreachable') when the target, which keeps what is known of the link, does not answer. */
  readLinkStatus(config: Config, link: LinkConfig): Promise<LinkStatus>
  /** Both sides of a link, open while `act` runs. Throws KdrError: see src/wiring/open-link.ts. */
  withLink<T>(config: Config, link: LinkConfig, act: (opened: OpenedLink) => Promise<T>): Promise<T>
  /** What is known of a link at its target, open while `act` runs. Throws KdrError: see src/wiring/link-memory.ts. */
  withMemory<T>(config: Config, link: LinkConfig, act: (memory: LinkMemory) => Promise<T>): Promise<T>
  /**
   * A run, planned anew or taken up again, open while `act` decides on it. Nothing changes before `execute`.
   * Throws KdrError: 'other-controller' while another one has it, 'usage' for a run to resume that is not there, or is over.
   */
  withRun<T>(
    config: Config,
    link: LinkConfig,
    options: OpenRunOptions,
    act: (run: OpenedRun) => Promise<T>,
  ): Promise<T>
  /** The same of a plan. Throws KdrError as `withRun` does; what stands in the way of a link is in `refusals`. */
  withPlanRun<T>(
    config: Config,
    plan: PlanConfig,
    options: OpenPlanOptions,
    act: (run: OpenedPlanRun) => Promise<T>,
  ): Promise<T>
  /** A link that is to copy from another cluster, open while `act` decides on it. Throws KdrError: see observeFanOut. */
  withFollow<T>(
    config: Config,
    link: LinkConfig,
    cluster: string,
    act: (opened: OpenedFollow) => Promise<T>,
  ): Promise<T>
  /** Topics of a link that are to be another one's, open while `act` decides on it. Throws KdrError: see observeHandOver. */
  withHandOver<T>(
    config: Config,
    links: { readonly from: LinkConfig; readonly to: LinkConfig },
    options: { readonly reason: string | undefined },
    act: (opened: OpenedHandOver) => Promise<T>,
  ): Promise<T>
  /** Undefined: it is not known, or no plan's. */
  readPlanRun(config: Config, run: string): Promise<PlanRunReport | undefined>
  /** Links stay where they are. Undefined: it is not known, or no plan's. Throws KdrError: 'not-ready' while a link is under way. */
  abortPlanRun(config: Config, run: string, options: AbortRunOptions): Promise<PlanRunReport | undefined>
  /**
   * What a failback has exported, into topics of the active cluster; nothing changes before `execute`. Throws KdrError: usage for a run
   * that has exported nothing, damaged, store-unreachable.
   */
  withReplay<T>(
    config: Config,
    run: string,
    options: ReplayOptions,
    act: (opened: OpenedReplay) => Promise<T>,
  ): Promise<T>
  /** Whether applications write where the config says, and the link copies from there. */
  isAtHome(config: Config, link: LinkConfig): Promise<boolean>
  /** Of all links and plans, newest first. `onSilent`: this cluster does not answer, so that the runs that it alone knows are missing. */
  listRuns(config: Config, onSilent?: (cluster: string) => void): Promise<RunSummary[]>
  /** Throws KdrError('usage') for an id that is not known. */
  readRun(config: Config, run: string): Promise<RunReport>
  /** Undoes what it has done. Throws KdrError: 'not-ready' once the link may be fenced, 'usage' when it is over. */
  abortRun(config: Config, run: string, options: AbortRunOptions): Promise<RunReport>
}

/** All of the config, unless something is named. */
export type ReadinessOptions = {
  readonly clusters: readonly string[]
  readonly links: readonly string[]
  readonly compare: readonly [string, string] | undefined
  /** Reads the last batches of each partition too. */
  readonly producers: boolean
  /** Of links that are not looked at, find out which way they lead: a mirror is left to its source. */
  readonly isToFix?: boolean
  readonly signal: AbortSignal
}

export type FixOutcome = Pick<FixableFinding, 'id' | 'where'> & {
  readonly what: string
  /** Undefined: the cluster has taken it. */
  readonly refusedBy?: string
}

export type ClusterFacts = {
  readonly name: string
  readonly clusterId: string
  readonly topics: number
  readonly partitions: number
  /** `features`: levels that the cluster has agreed on; `apis`: ranges of versions, of those that kdr needs. */
  readonly brokers: readonly ({ readonly id: number; readonly host: string; readonly port: number } & (
    | { readonly features: Readonly<Record<string, number>>; readonly apis: Readonly<Record<string, string>> }
    | { readonly problem: string }
  ))[]
}

export type ReplayOptions = {
  readonly into: 'original' | 'stranded'
  /** Patterns; all when empty. */
  readonly topics: readonly string[]
  readonly keys: readonly string[]
  /** Where the export is now, if not where the run has put it. */
  readonly from?: string
  readonly takeOver: boolean
  readonly signal: AbortSignal
}

export type ReplayedTopic = { readonly topic: string; readonly into: string; readonly records: number }

export type OpenedReplay = {
  /** Of the failback. */
  readonly run: string
  /** The active cluster. */
  readonly cluster: string
  readonly topics: readonly ReplayedTopic[]
  /** Worth reading before it is approved. */
  readonly warnings: readonly string[]
  /** Returns how many records of each stand there now. */
  execute(onProgress: (sentence: string) => void): Promise<readonly ReplayedTopic[]>
}

export type OpenRunOptions = {
  readonly kind: RunKind
  /** Patterns; where there are some, they must meet all topics of the link, which moves as a whole. */
  readonly topics: readonly string[]
  readonly acceptSplitBrain: boolean
  /** Also while another controller seems to be at it. */
  readonly takeOver: boolean
  readonly reason?: string
  /** Of a failback: where the stranded tail goes (the URL of a folder, or `vault:NAME`), and what may be copied anew. */
  readonly exportTo?: string
  readonly recopy?: readonly string[]
  /** Of a failover: at once, before anything is read, kdr's own topics take writes with the replicas that are left. */
  readonly breakGlass?: true
  /** What a person may have to put back by hand. */
  readonly say?: (sentence: string) => void
  /** The id of a run that was stopped. */
  readonly resume?: string
  readonly signal: AbortSignal
}

export type OpenedFollow = {
  /** What it copies from until then. */
  readonly source: string
  readonly topics: readonly FanOutTopic[]
  execute(onProgress: (what: string) => void): Promise<readonly FanOutTopic[]>
}

export type OpenedHandOver = HandOverPlan & {
  /** The cluster that both links lead to now. */
  readonly target: string
  execute(onProgress: (what: string) => void): Promise<HandOverPlan>
}

/** `topics`: only links of the plan all of whose topics are among these patterns. */
export type OpenPlanOptions = Omit<OpenRunOptions, 'topics'> & { readonly topics?: readonly string[] }

export type OpenedPlanRun = {
  /** Links that have not begun yet. */
  readonly planned: readonly PlannedLink[]
  /** Why it must not begin. */
  readonly refusals: readonly string[]
  /** Clusters that lose their writers. */
  readonly losing: readonly string[]
  /** As it stands now. */
  readonly report: PlanRunReport
  execute(hooks: PlanHooks): Promise<PlanRunReport>
}

export type PlanHooks = Pick<PlanWorld, 'ask' | 'onStep' | 'onLinkStep' | 'onWait'>

export type AbortRunOptions = {
  readonly takeOver: boolean
  readonly reason?: string
  readonly signal: AbortSignal
}

export type OpenedRun = {
  readonly plan: Plan
  /** As it stands now: nothing done yet, or what was done before it is resumed. */
  readonly report: RunReport
  /** `onStep`: when a step begins, while it takes long (state `running`, `what` says how far it is), and when it has ended. */
  execute(onStep: (step: StepRecord) => void): Promise<RunReport>
}

/** What an operator has approved (kdr link ...). */
export type Order = {
  readonly verb: Exclude<JournalVerb, 'adopt' | 'delete' | 'hand-over' | 'mend'>
  readonly scope: Scope
  /** The plan that was shown. */
  readonly what: string
  readonly reason?: string
  readonly acceptLogStart?: boolean
  readonly losses?: readonly PartitionLoss[]
  /** Told the id of each command that was left for the worker. */
  readonly onSent?: (id: string) => void
}

export type LinkMemory = {
  /** Whether a kdr runs the link now. */
  readonly isRunning: boolean
  /** Newest first. */
  journal(): JournalEntry[]
  /** Throws KdrError('usage') for a topic or partition that the link does not have. */
  assertKnown(scope: Scope): void
  /** What faulted partitions in this scope would have to give up to go on. */
  losses(scope: Scope): Promise<PartitionLoss[]>
  /** Journals it, and carries it out or leaves it for the worker. Throws KdrError('usage') when it makes no sense. */
  order(order: Order): Promise<void>
}

export type VerifyOptions = {
  /** All of the link when empty. Throws KdrError('usage') for one that it does not have. */
  readonly topics: readonly string[]
  readonly sinceMs?: number | undefined
  readonly samplePercent?: number | undefined
  readonly signal: AbortSignal
  readonly onProgress: (progress: VerifyProgress) => void
}

export type OpenedLink = {
  verify(options: VerifyOptions): Promise<Verification>
  /** Whether the link has the topic already. Throws KdrError('usage') for one that it does not take. */
  isMirrored(topic: string): Promise<boolean>
  checkPrefix(topic: string, options: CheckOptions): Promise<PrefixCheck>
  /** Makes a topic that was checked the link's own, in its memory; nothing else changes. */
  adopt(topic: string, checked: PrefixCheck & { readonly kind: 'prefix' }, reason?: string): Promise<void>
}

/** One link under way in this process. */
export type RunningLink = {
  readonly link: LinkConfig
  progress(): PartitionProgress[]
  /** As of now; asks nobody. */
  facts(): LinkFacts
  view(): LinkView
  /** Those of the link that fire, as whoever spoke for it last has kept them in `_kdr.state`. */
  alerts(): readonly KeptAlert[]
  /** Throws KdrError: unreachable, not-allowed. */
  keepAlerts(alerts: readonly KeptAlert[]): Promise<void>
  /** How its RPO was, by day, as `_kdr.state` has it. */
  objectiveDays(): ReadonlyMap<string, ObjectiveDay>
  /** Undefined deletes it. Throws KdrError: unreachable, not-allowed. */
  keepObjectiveDay(day: string, record: ObjectiveDay | undefined): Promise<void>
  /** Rejects when the link cannot go on; never resolves. */
  readonly failed: Promise<never>
  /** Resolves when a run moves the link: this process copies nothing of it any more. */
  readonly movedAway: Promise<void>
  /** To the ends as of now, with configs, groups, ACLs, quotas and users. */
  once(options: OnceOptions): Promise<OnceResult>
  /** Groups, ACLs, quotas and users follow until the link stops. */
  follow(): void
  /** Finishes what is in flight. */
  stop(): Promise<void>
}

export type App = {
  readonly version: string
  readonly stdout: Writer
  readonly stderr: Writer
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /**
   * Aborts on SIGINT and SIGTERM; its reason is a KdrError('interrupted') with `facts.signal`. A command that reads it
   * must end by itself within 10 s; one that does not is ended at once.
   */
  readonly signal: AbortSignal
  readonly services: Services
  loadConfig(path: string): Promise<Config>
  /** A line from the terminal; undefined when there is none. */
  ask(question: string): Promise<string | undefined>
  /** Each key that is pressed on the terminal, Ctrl-C too, until the returned function is called; none where there is no terminal. */
  onKey(listener: (key: string) => void): () => void
  /** Called on SIGHUP, from the first call on. */
  onReload(listener: () => void): void
  /** Set by a command whose stderr is a log of JSON lines: a failure is told there. */
  failureLog?: Log
  /** The exit code of a command that ends well; a command sets 3 when it found something wrong. */
  exit: number
}

/** Options that every command has. */
export type GlobalOptions = { readonly config: string; readonly json?: boolean }

/** The one object on stdout. */
export function writeJson(app: App, object: Readonly<Record<string, unknown>>): void {
  app.stdout.write(jsonText(object))
}

export function jsonText(object: Readonly<Record<string, unknown>>): string {
  return `${JSON.stringify({ v: 1, ...object }, jsonValue, 2)}\n`
}

/** One line of `--json-lines`. */
export function writeJsonLine(app: App, object: Readonly<Record<string, unknown>>): void {
  app.stdout.write(`${JSON.stringify({ v: 1, ...object }, jsonValue)}\n`)
}

/** Offsets and counts are numbers in JSON, whatever carries them inside. */
function jsonValue(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value
}
