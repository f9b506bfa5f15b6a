// The config as the rest of kdr sees it: checked, complete (every default filled in) and frozen.

import type { LinkSettings } from '../model/link-settings.ts'
import type { Objectives, PlanShape } from '../model/plan-runs.ts'
import type { ConsumersPolicy } from '../model/runs.ts'
import type { Schedule } from '../model/schedule.ts'
import type { SecretRef } from './secrets.ts'

export type TlsConfig = {
  /** undefined: the system's. */
  readonly ca?: SecretRef | undefined
  readonly cert?: SecretRef | undefined
  readonly key?: SecretRef | undefined
  /** The name that every broker's certificate must hold; undefined: the one that it is reached by. */
  readonly serverName?: string | undefined
  /** undefined: 1.2. */
  readonly minVersion?: '1.2' | '1.3' | undefined
}

export type SaslConfig =
  | {
      readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
      readonly username: string
      readonly password: SecretRef
    }
  | { readonly mechanism: 'OAUTHBEARER'; readonly token: SecretRef }

export type ClusterConfig = {
  readonly name: string
  /** `host:port`, at least one. */
  readonly bootstrap: readonly string[]
  readonly rack: string | undefined
  /** undefined: plain text. */
  readonly tls: TlsConfig | undefined
  readonly sasl: SaslConfig | undefined
}

/** A SCRAM user that is to be at the target. */
export type UserConfig = {
  readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly password: SecretRef
}

/** One of the ways applications are led to the other cluster. */
export type RedirectConfig =
  | {
      readonly kind: 'dns'
      /** `host:port`. */
      readonly server: string
      readonly zone: string
      /** In the zone, or in full. */
      readonly record: string
      readonly tsig: SecretRef | undefined
      /** By cluster, of both of the link: addresses, or one name. */
      readonly values: Readonly<Record<string, readonly string[]>>
    }
  | {
      readonly kind: 'command'
      readonly apply: string
      readonly verify: string | undefined
      readonly undo: string | undefined
    }
  /** Absolute paths. */
  | { readonly kind: 'template'; readonly from: string; readonly to: string }

export type LinkConfig = LinkSettings & {
  /** Names at the target, by those at the source. */
  readonly principals: Readonly<Record<string, string>>
  /** By name. */
  readonly users: Readonly<Record<string, UserConfig>>
  /** In the order in which they are taken. */
  readonly redirects: readonly RedirectConfig[]
  /** Nobody but super users may write to the mirrors. */
  readonly denyWrites: boolean
  readonly fence: FenceConfig
  readonly consumers: ConsumersPolicy
}

/** How the writers at the old active are stopped. */
export type FenceConfig = {
  /** Where there is an authorizer. */
  readonly acl: boolean
  readonly command: string | undefined
  /** An application's credentials, to prove it with. */
  readonly probe: SaslConfig | undefined
}

/** Links that move together. */
export type PlanConfig = PlanShape & {
  /** Of all stages, in their order. */
  readonly links: readonly string[]
  /** For the runbook. */
  readonly decides: string | undefined
}

/** Credentials of a bucket come from where the AWS tools have theirs. */
export type VaultConfig = {
  readonly name: string
  readonly url: string
  readonly region?: string | undefined
  readonly endpoint?: string | undefined
  readonly pathStyle?: boolean | undefined
  readonly encryption?: 'AES256' | 'aws:kms' | undefined
  readonly kmsKey?: string | undefined
  /** Undefined: what is written can be deleted. */
  readonly lock?: LockConfig | undefined
}

/** Nobody can delete what a commit needs within so many days; with `compliance` no administrator either. */
export type LockConfig = { readonly mode: 'governance' | 'compliance'; readonly days: number }

/** What is backed up. */
export type SetConfig = {
  readonly name: string
  /** Names in the config. */
  readonly cluster: string
  readonly vault: string
  /** Patterns; compile with compilePatterns(topics, 'topics'). */
  readonly topics: readonly string[]
  /** Undefined: by hand. */
  readonly every?: SetEvery | undefined
  readonly maxBytesPerSecond?: number | undefined
  /** For how many days every moment stays restorable, once pruned; undefined: nothing is pruned. */
  readonly keepDays: number | undefined
  /** `kdr run` drops what is older. */
  readonly isPruned?: boolean
  /** How often `kdr run` verifies it in full; undefined: by hand. */
  readonly verifyMs?: number | undefined
}

/** What to achieve where `for` matches. */
export type ObjectiveConfig = Objectives & { readonly for: string }

/** A finding of `kdr check` that does not count. */
export type AcceptConfig = {
  readonly finding: string
  /** Undefined: anywhere. */
  readonly where: string | undefined
  /** From then on it counts again, ms since 1970; undefined: never. */
  readonly until: number | undefined
  readonly why: string
}

export type SetEvery = { readonly text: string; readonly schedule: Schedule }

/** How clusters are watched. */
export type MonitorConfig = {
  readonly everyMs: number
  /** What the state of a group is judged by. */
  readonly windowMs: number
  /** Patterns; compile with compilePatterns(groups, 'groups'). */
  readonly groups: readonly string[]
  /** How often all is checked (`kdr check`); undefined: never. */
  readonly checkMs: number | undefined
}

export type ServerConfig = {
  readonly listen: string
  readonly token: SecretRef | undefined
  /** Metrics of each partition; else they are summed up by topic. */
  readonly perPartition: boolean
}

/** Whom `kdr run` tells of alerts. */
export type AlertsConfig = {
  readonly webhook: SecretRef | undefined
  readonly command: string | undefined
  readonly deadMan: { readonly url: SecretRef; readonly everyMs: number } | undefined
  readonly silences: readonly SilenceConfig[]
}

/** An alert that is not told. */
export type SilenceConfig = {
  /** A name, or `*`. */
  readonly alert: string
  /** Undefined: anywhere. */
  readonly where: string | undefined
  /** From then on it is told, ms since 1970; undefined: never. */
  readonly until: number | undefined
  readonly why: string
}

/** Something in the file that is right but worth saying. */
export type ConfigNote = { readonly line: number; readonly column: number; readonly message: string }

export type Config = {
  /** The file it was read from. */
  readonly path: string
  readonly clusters: Readonly<Record<string, ClusterConfig>>
  readonly links: Readonly<Record<string, LinkConfig>>
  /** By name. */
  readonly plans: Readonly<Record<string, PlanConfig>>
  /** By name. */
  readonly vaults: Readonly<Record<string, VaultConfig>>
  readonly sets: Readonly<Record<string, SetConfig>>
  /** The first that matches wins. */
  readonly objectives: readonly ObjectiveConfig[]
  readonly accept: readonly AcceptConfig[]
  /** Undefined: nothing is watched for it. */
  readonly alerts: AlertsConfig | undefined
  readonly monitor: MonitorConfig
  /** Undefined: nothing is served. */
  readonly server: ServerConfig | undefined
  readonly notes: readonly ConfigNote[]
}
