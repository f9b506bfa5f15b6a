// What commands about vaults, sets and restores get from the outside: the part of Services that is theirs.
import type { Config, SetConfig } from '../config/index.ts'
import type { BackupProgress, BackupResult } from '../engine/backup/backup.ts'
import type { SetSight } from '../engine/backup/follow.ts'
import type { UpkeepSight } from '../engine/backup/upkeep.ts'
import type { PartitionVerdict, VerifyProgress } from '../engine/verify/verify.ts'
import type { KeptAlert } from '../model/alerts.ts'
import type { Choice } from '../model/choice.ts'
import type { Note, Point, SetState, VaultRecord } from '../model/vault.ts'
import type { SetStatus } from '../model/set-status.ts'
import type { PrunePlan, PruneReport, VaultProblem } from '../model/vault-reports.ts'
import type { Log } from '../ports/log.ts'
import type { DecodedRecord } from '../ports/records.ts'
import type { Ability } from '../ports/store.ts'

export type VaultServices = {
  /** Throws KdrError: usage for a vault that the config does not have, not-available for a kind of store that comes later. */
  withVault<T>(config: Config, vault: string, act: (opened: OpenedVault) => Promise<T>): Promise<T>
  /** Throws KdrError: usage for a set that the config does not have, not-ready when its vault was never made. */
  withSet<T>(config: Config, set: string, act: (opened: OpenedSet) => Promise<T>): Promise<T>
  /** What is wrong with its vault is in the status. */
  readSetStatus(config: Config, set: SetConfig): Promise<SetStatus>
  /** Keeps a set backed up, as its `every:` says. */
  followSet(config: Config, set: SetConfig, options: { readonly log: Log }): Promise<FollowedSet>
  /** A restore that is planned; nothing changes before `execute`. Throws KdrError: usage, not-ready, damaged, unreachable. */
  withRestore<T>(
    config: Config,
    options: RestoreOptions,
    act: (opened: OpenedRestore) => Promise<T>,
  ): Promise<T>
}

/** A set that this process keeps backed up. */
export type FollowedSet = {
  readonly set: SetConfig
  /** As of now. */
  readonly sight: SetSight
  /** Undefined: it is verified and pruned by hand. */
  readonly upkeep?: UpkeepSight | undefined
  /** What fired of it when it was kept last; undefined until the vault has answered. */
  readonly keptAlerts: readonly KeptAlert[] | undefined
  /** Throws KdrError: store-unreachable, not-allowed. */
  keepAlerts(alerts: readonly KeptAlert[]): Promise<void>
  /** Until `signal` aborts; what is under way then does not count. Rejects only with what is a bug. */
  run(signal: AbortSignal): Promise<void>
}

export type OpenedVault = {
  readonly url: string
  /** Throws KdrError: usage when there is one already, not-empty where other things are. */
  init(): Promise<VaultRecord>
  /** What a vault needs of its store. */
  probe(): Promise<readonly Ability[]>
  /** Of the newest commit of each of its sets that has one; empty when the vault does not lock, or was never made. */
  shortestLocks(): Promise<readonly (ShortestLock & { readonly set: string })[]>
}

/** `records` and `storedBytes`: what was written for it; undefined for a checkpoint, which names older objects too. */
export type CommitSummary = {
  readonly number: number
  readonly at: string
  readonly endsAt: string
  readonly isCheckpoint: boolean
  /** The point before it once more. */
  readonly isPrune: boolean
  readonly records: number | undefined
  readonly storedBytes: number | undefined
  readonly notes: number
}

export type ShownPoint = {
  readonly state: SetState
  readonly asOf: number | undefined
  /** Of its commit. */
  readonly notes: readonly Note[]
}

/** The object whose lock ends first. */
export type ShortestLock = {
  readonly object: string
  /** ms since 1970; undefined: it is not locked. */
  readonly until: number | undefined
}

export type VaultCheck = {
  readonly number: number
  readonly objects: number
  readonly bytes: number
  /** Of the objects, those that were read whole. */
  readonly read: number
  readonly problems: readonly VaultProblem[]
  /** Of a full verification that has found nothing: what a prune relies on was left in the vault. `false`: it may not be written there. */
  readonly recorded: boolean | undefined
  /** Undefined: the vault does not lock. */
  readonly lock: ShortestLock | undefined
}

export type VerifyOptions = {
  readonly isFull: boolean
  readonly sample: { readonly percent: number; readonly seed: number } | undefined
  readonly signal: AbortSignal
  readonly onProgress: (progress: { readonly objects: number; readonly objectsDone: number }) => void
}

/** A set held against the cluster that it was taken from. */
export type SourceCheck = {
  readonly number: number
  readonly partitions: readonly PartitionVerdict[]
  /** Topics of the set that the source does not have any more, or has anew. */
  readonly skipped: readonly { readonly topic: string; readonly what: string }[]
}

export type PruneOptions = {
  /** As the config says unless given. */
  readonly days: number | undefined
  readonly signal: AbortSignal
  readonly onProgress: (progress: { readonly objects: number; readonly objectsDone: number }) => void
}
export type OpenedPrune = {
  readonly plan: PrunePlan
  /** Throws KdrError: other-writer, store-unreachable, and what the plan refuses. */
  execute(): Promise<PruneReport>
}

/** An offset, or a time in ms. */
export type LogPlace = { readonly offset: number } | { readonly time: number }
export type CatOptions = {
  readonly topic: string
  readonly partition: number | undefined
  /** [from, to). */
  readonly from: LogPlace | undefined
  readonly to: LogPlace | undefined
}
export type CatRecord = DecodedRecord & { readonly topic: string; readonly partition: number }

export type ExportProgress = {
  readonly partitions: number
  readonly partitionsDone: number
  readonly bytes: number
}
/** `records`: control batches and aborted transactions included. */
export type ExportResult = {
  readonly partitions: number
  readonly files: number
  readonly records: number
  readonly bytes: number
}

export type OpenedSet = {
  readonly set: SetConfig
  /** Throws KdrError: unreachable, wrong-cluster, other-writer, store-unreachable. */
  backUp(options: {
    readonly signal: AbortSignal
    readonly onProgress: (progress: BackupProgress) => void
  }): Promise<BackupResult>
  list(): Promise<readonly CommitSummary[]>
  show(point: Point): Promise<ShownPoint>
  verify(point: Point, options: VerifyOptions): Promise<VaultCheck>
  /** Throws KdrError: unreachable, wrong-cluster. */
  compare(
    point: Point,
    options: { readonly signal: AbortSignal; readonly onProgress: (progress: VerifyProgress) => void },
  ): Promise<SourceCheck>
  /** Changes nothing before `execute`. Throws KdrError: usage without days, damaged. */
  prune(options: PruneOptions): Promise<OpenedPrune>
  /** Plain log segments, into an empty folder. Throws KdrError: not-empty, damaged, store-unreachable. */
  export(
    point: Point,
    dir: string,
    options: { readonly signal: AbortSignal; readonly onProgress: (progress: ExportProgress) => void },
  ): Promise<ExportResult & { readonly number: number }>
  cat(point: Point, options: CatOptions, onRecord: (record: CatRecord) => void): Promise<void>
}

export type RestoreOptions = {
  readonly set: string
  readonly point: Point
  /** A cluster of the config. */
  readonly to: string
  readonly choice: Choice
  /** Of a point: the log as it stood, every transaction whole, or a filter by timestamps. */
  readonly cut: 'as-of' | 'consistent' | 'by-timestamp'
  /** ACLs, quotas: as fits what is restored, of single topics too, or none. */
  readonly rights: 'fitting' | 'asked' | 'none'
  /** Topics of which retention would take records at once stay without it. */
  readonly keepsRetention: boolean
  readonly signal: AbortSignal
  readonly log: Log
  readonly onProgress: (progress: RestoreProgress) => void
  readonly onStep: (step: 'groups' | 'verify' | 'done') => void
}

export type RestoreProgress = {
  readonly offsets: number
  readonly offsetsLeft: number
  readonly records: number
  readonly bytes: number
}

export const NOT_EMPTY_HINT =
  'Restore it beside that one, `--rename TOPIC=NEW`; delete it at the target; leave it out by naming the others with `--topic`; or restore into another cluster.'

export type RestorePlan = {
  readonly set: string
  readonly commit: number
  readonly point: string
  /** ms since 1970. */
  readonly asOf: number
  readonly target: string
  /** `records` and `bytes`: at most; those of aborted transactions, and below the log start, are counted too. */
  readonly topics: readonly {
    readonly name: string
    readonly partitions: number
    readonly offsets: number
    readonly records: number
    readonly bytes: number
  }[]
  /** What stands in the way. */
  readonly conflicts: readonly { readonly topic: string; readonly what: string }[]
  /** At most, by what an ordinary machine does. */
  readonly expectedMs: number
  /** The commit whose speed that was taken from; null: a guess, of an ordinary machine. */
  readonly expectedBy: { readonly commit: number; readonly bytesPerMs: number } | null
  readonly groups: number
  /** Those with members at the target: they are left alone. */
  readonly groupsOccupied: readonly string[]
  /** Of the commit: what it could not take. */
  readonly notes: readonly Note[]
  /** What retention would take at its first look. `value`: what the topic had of its own; null: nothing. */
  readonly retention: readonly {
    readonly topic: string
    readonly config: 'retention.ms' | 'retention.bytes'
    readonly value: string | null
    readonly records: number
  }[]
  readonly keepsRetention: boolean
  /** Undefined: they are left out. `cannot`: what cannot be given, and why. */
  readonly rights:
    | {
        readonly acls: number
        readonly quotas: number
        readonly usersMissing: readonly string[]
        readonly cannot: readonly string[]
      }
    | undefined
  /** With `--consistent`: how far. */
  readonly wentBack: readonly {
    readonly topic: string
    readonly partition: number
    readonly from: number
    readonly to: number
  }[]
  readonly remarks: readonly string[]
  /** Goes on with what the same restore has left. */
  readonly isResumed: boolean
}

export type RestoreReport = {
  readonly records: number
  readonly bytes: number
  readonly groups: number
  readonly groupsLeft: readonly { readonly group: string; readonly what: string }[]
  readonly rightsLeft: readonly string[]
  /** Of topics that have them, and that the target, of another version, does not know. */
  readonly configsLeft: readonly string[]
  readonly verified: boolean
  readonly problems: readonly string[]
}

export type OpenedRestore = {
  readonly plan: RestorePlan
  /** Throws KdrError: not-empty, unfinished, unreachable, other-controller while another one does the same. */
  execute(): Promise<RestoreReport>
}
