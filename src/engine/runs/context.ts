// What every step of a run gets. A step observes, acts only where it must, verifies, and says what it has found: the loop
// (run.ts) journals that. Before each write to a cluster a step asks `guard`.
import type {
  At,
  ConsumersPolicy,
  RunOptions,
  RunRecord,
  StepData,
  StepName,
  StepRecord,
} from '../../model/runs.ts'
import type { LinkSettings } from '../../model/link-settings.ts'
import type { Clock, Entropy } from '../../ports/clock.ts'
import type { Cluster } from '../../ports/cluster.ts'
import type { Log } from '../../ports/log.ts'
import type { Commands, Redirect, RunFacts, WriterProbe } from '../../ports/outside.ts'
import type { RecordCodec } from '../../ports/records.ts'
import type { StateStore } from '../../ports/state.ts'

export type RunContext = {
  readonly record: RunRecord
  readonly options: RunOptions
  /** `source` is the cluster that is about to lose its writers, `target` the one that will be active. */
  readonly settings: LinkSettings
  /** Undefined: it does not answer. */
  readonly source: Cluster | undefined
  readonly target: Cluster
  /** `_kdr.state` of the target, and of the source where that answers. */
  readonly store: StateStore
  readonly sourceStore: StateStore | undefined
  readonly clock: Clock
  readonly entropy: Entropy
  readonly codec: RecordCodec
  readonly log: Log
  readonly facts: RunFacts
  readonly commands: Commands
  readonly fence: FenceSettings
  /** Undefined: no credentials are given (`fence.probe`). */
  readonly probe: WriterProbe | undefined
  readonly consumers: ConsumersPolicy
  readonly redirects: readonly Redirect[]
  /** kdr's own principals at both clusters: never denied. */
  readonly own: ReadonlySet<string>
  /** What an earlier step of this run left in the journal. */
  readonly dataOf: <Name extends StepName>(step: Name) => StepData[Name] | undefined
  /** Number of this controller's claim: above those of all that had the run before. */
  readonly claim: number
  /** Asked before each write: another controller may have taken the run over. Throws KdrError('other-controller'). */
  readonly guard: () => Promise<void>
  /** Told while a step takes long. */
  readonly progress: (sentence: string) => void
  readonly services: RunServices
  /** Of a run that takes a link up again after a failover. */
  readonly returned?: Returned | undefined
}

/** The cluster that a failover has left, and that is here again: the `target` of the run that brings it back. */
export type Returned = {
  /** The failover, and where it has cut the link. */
  readonly failover: string
  readonly cuts: readonly (At & { readonly cut: number })[]
  /** As it was the active one: for its fence. */
  readonly settings: LinkSettings
  readonly facts: RunFacts
  readonly probe: WriterProbe | undefined
  /** What an earlier failback has found, which was given up. */
  readonly told: StepData['export'] | undefined
  /** The failover's report is corrected by what was found. */
  readonly tellFailover: (found: StepRecord<'export'>) => Promise<void>
}

/** Where the stranded tail goes. */
export interface ExportPlace {
  /** For people. */
  readonly name: string
  /** Durable when it resolves, whole or not at all; what was there is replaced. Returns its SHA-256. */
  put(object: string, body: readonly Uint8Array[]): Promise<string>
  /** In bytes; undefined: it is not there. */
  sizeOf(object: string): Promise<number | undefined>
  read(object: string): Promise<Buffer | undefined>
}

/** What other engines do for a run: engines do not know each other. */
export type RunServices = {
  /** A worker in this process, for a link that nobody copies. */
  readonly startCopying: () => Promise<{ stop(): Promise<void> }>
  /**
   * Once, with mirrors that hold all that `positions` say. False: offsets of the source imply more than that, and nothing was
   * committed.
   */
  readonly syncGroups: (positions: readonly HeldPartition[]) => Promise<boolean>
  /** Whether the old active answers again. */
  readonly isActiveBack: () => Promise<boolean>
  /** ACLs, quotas and users, once. */
  readonly syncRights: () => Promise<void>
  /** What was held back while the topics were mirrors. Returns how many rules. */
  readonly releaseRights: () => Promise<number>
  /** `to`: of the record (`exportTo`). Throws KdrError: usage for one that leads nowhere. */
  readonly openExport: (to: string) => ExportPlace
}

/** What a mirror partition holds. */
export type HeldPartition = At & {
  readonly topicId: string
  readonly logStart: number
  readonly logEnd: number
}

/** `fence:` of the config. */
export type FenceSettings = {
  /** Deny the principals that may write, one by one. */
  readonly acl: boolean
  /** Stops the writers. */
  readonly command: string | undefined
}

/** `what`: a sentence in the past tense. */
export type StepEnd<Name extends StepName> = {
  readonly what: string
  readonly data: StepData[Name]
  readonly isSkipped?: boolean
}
