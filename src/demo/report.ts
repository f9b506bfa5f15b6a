// What the demo tells while it runs, and what it says at its end.
import type { RunReport } from '../model/runs.ts'
import type { Break } from './breaks.ts'
import type { HomeReport } from './home.ts'
import type { LagRow } from './observe.ts'
import type { Problem, Verdict } from './verdict.ts'

/** Who shows it. A stage begins with what it does, and ends with what came of it. */
export interface Watcher {
  begin(text: string): void
  update(text: string): void
  /** What may take a minute, the first time. */
  note(text: string): void
  lag(rows: readonly LagRow[]): void
  end(text: string, ms: number): void
}

export type DemoOptions = {
  readonly watcher: Watcher
  readonly signal: AbortSignal
  /** What to break on purpose. */
  readonly breaking?: Break | undefined
}

export type DemoReport = Verdict & {
  readonly kafka: string
  /** What the group has read at each cluster. */
  readonly group: { readonly name: string; readonly atSource: number; readonly atTarget: number }
  /** How long each stage took; `firstRecord` and `groupAtEnd` count from the kill. */
  readonly seconds: Readonly<Partial<Record<StageName, number>>> & {
    readonly firstRecord: number
    readonly groupAtEnd: number
    readonly total: number
  }
  /** What `kdr failover` says of itself. */
  readonly run: RunReport
  /** The way back; not told when something was broken on purpose. */
  readonly home?: HomeReport
  /** What was broken on purpose. */
  readonly broken?: Omit<Problem, 'what'>
}

export type StageName =
  | 'clusters'
  | 'backlog'
  | 'mirror'
  | 'group'
  | 'groupCopied'
  | 'kill'
  | 'sabotage'
  | 'failover'
  | 'consumersMove'
  | 'compare'
  | 'returned'
  | 'failback'
  | 'home'
