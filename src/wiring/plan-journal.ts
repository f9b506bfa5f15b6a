// The journal of a plan's runs, beside those of its links: what is written carries the number of the claim, and only while that
// counts.
import type { PlanJournal } from '../engine/plans/world.ts'
import type { Journal } from '../engine/runs/journal.ts'
import { keysOfPlanRun, planRunKey, planStepKey, readPlanRuns } from '../model/plan-runs.ts'
import { toRecord } from '../model/state-records.ts'
import type { StateStore } from '../ports/state.ts'

/** The newest are kept. */
const RUNS_KEPT = 50

/** Whose claim it is, among those of links: no link is called so. */
export const claimOf = (plan: string): string => `plan:${plan}`

export function planJournalOf(store: StateStore, journal: Journal): PlanJournal {
  const guarded = journal.guarding(store)
  return {
    writeRun: async record => {
      await guarded.put(planRunKey(record.run, journal.number), toRecord('plan-run', record))
      for (const { run } of readPlanRuns(store).slice(RUNS_KEPT))
        for (const key of keysOfPlanRun(store, run)) await guarded.put(key, undefined)
      await journal.beat()
    },
    writeStep: async (run, step) => {
      await guarded.put(planStepKey(run, step.index, journal.number), toRecord('plan-step', step))
      await journal.beat()
    },
  }
}
