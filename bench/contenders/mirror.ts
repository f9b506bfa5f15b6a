// What a program that mirrors from one cluster to another is to the bench.

import type { At, Codec } from '../../src/lab/judge.ts'
import type { Program } from '../program.ts'

export type MirrorJob = {
  /** Unlike that of any other job: nothing is left of an earlier round. */
  readonly label: string
  readonly source: At
  readonly target: At
  /** Signs kdr in at the target, when that wants it. */
  readonly targetSasl?: Readonly<Record<string, string>>
  /** One topic, or all that begin with this when it ends with `*`. */
  readonly topics: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly compression: Codec
  /** What matters: bytes a second, or that a record is there soon. */
  readonly aim: 'throughput' | 'lag'
  /** For configs and logs. */
  readonly dir: string
  /** Processes of kdr. */
  readonly workers: number
  /** Of kdr; undefined: its default. */
  readonly connectionsPerBroker?: number
  readonly isProfiled: boolean
}

export interface Mirror {
  readonly name: 'kdr' | 'mirrormaker' | 'produce'
  /** `copy`: a backlog; a program that can ends by itself when that is done. `follow`: until it is stopped. */
  start(job: MirrorJob, purpose: 'copy' | 'follow'): Promise<readonly Program[]>
  /** Offsets of the target's log when all is copied: the marker of a transaction takes one too, where it is kept. */
  endOf(data: { readonly records: number; readonly offsets: number }): number
  /** Called when its programs have ended, to show what a profile says. */
  explain(job: MirrorJob): string
}
