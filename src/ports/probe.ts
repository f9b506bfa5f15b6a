// What only `kdr check --probe` writes with: one batch after the other, with `acks=all` or with `acks=1`. Rules as in ports/cluster.ts.
import type { AppendEntry, Outcome } from './cluster.ts'

/** `leader`: `acks=1`. */
export type Acks = 'all' | 'leader'

export interface ProbeLane {
  append(entry: AppendEntry, acks: Acks): Promise<Outcome>
  close(): Promise<void>
}

export interface ProbeWriter {
  /** A connection of its own to one broker. */
  open(broker: number): Promise<ProbeLane>
}
