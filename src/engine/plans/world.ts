// What a run of a plan asks of the world: runs of single links, somebody who can be asked, commands, and a journal of its own.
import type { GateStep, PlanRunRecord, PlanStep } from '../../model/plan-runs.ts'
import type { Plan, RunReport, StepRecord } from '../../model/runs.ts'
import type { Clock } from '../../ports/clock.ts'
import type { CommandEnd } from '../../ports/outside.ts'

/** A run of one link, open: nothing changes before `execute`. */
export type LinkRun = {
  readonly plan: Plan
  readonly report: RunReport
  execute(onStep: (step: StepRecord) => void): Promise<RunReport>
}

export type LinkRunOf = {
  readonly link: string
  /** All of the link when empty. */
  readonly topics: readonly string[]
  /** The run that goes on. */
  readonly resume?: string
}

export type Links = {
  /** Open while `act` decides on it. Throws KdrError: what keeps it from being opened. */
  withRun<T>(of: LinkRunOf, act: (run: LinkRun) => Promise<T>): Promise<T>
  /** Whether applications write where the config says, and the link copies from there. */
  isAtHome(link: string): Promise<boolean>
  /** Undefined: no cluster that answers knows it. */
  read(run: string): Promise<RunReport | undefined>
}

export type PlanJournal = {
  /** Each is durable when it resolves, and this controller still the one that counts. */
  writeRun(record: PlanRunRecord): Promise<void>
  writeStep(run: string, step: PlanStep): Promise<void>
}

export type PlanWorld = {
  readonly links: Links
  readonly journal: PlanJournal
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Undefined: there is nobody to ask. */
  ask(question: string): Promise<boolean | undefined>
  command(command: string, before: PlanStep): Promise<CommandEnd>
  /** Told when a gate or a link begins, and when it has ended. */
  onStep(step: PlanStep): void
  onLinkStep(link: string, step: StepRecord): void
  /** Told while a gate waits. */
  onWait(step: GateStep): void
}
