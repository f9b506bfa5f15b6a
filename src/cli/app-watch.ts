// What `App` can do for those who watch: clusters that are looked at, and whom alerts are told.
import type { Config, SecretRef } from '../config/index.ts'
import type { WatchedCluster } from '../engine/monitor/sight.ts'

export type AlertChannels = {
  /**
   * A POST with this JSON; without, a GET. The address is read anew each time. Throws KdrError('unreachable'), which says nothing of the
   * address but how it is read.
   */
  request(url: SecretRef, json?: string): Promise<void>
  /** By the shell, in the folder of the config. Throws KdrError('not-ready') when it does not end with 0. */
  run(config: Config, command: string, given: CommandInput): Promise<void>
}

export type CommandInput = {
  readonly env: Readonly<Record<string, string>>
  readonly stdin: string
}

export type WatchOptions = {
  /** Whether it is this process that watches it now: otherwise nothing is asked. */
  readonly isMine: () => boolean
  /** After each look. */
  readonly onRound: (seen: WatchedCluster) => void
}

/** A cluster that this process watches, or may have to. */
export type ClusterWatch = {
  /** Undefined: another process watches it. */
  readonly sight: WatchedCluster | undefined
  /** Until `signal` aborts. Rejects only with what is a bug. */
  run(signal: AbortSignal): Promise<void>
}
