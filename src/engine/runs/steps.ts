// The steps of a run, in one table: how they follow on each other stands in model/runs.ts.
import { canary } from './canary.ts'
import { catchUp } from './catch-up.ts'
import { drain } from './drain.ts'
import { endTransactions } from './end-transactions.ts'
import { exportTails } from './export.ts'
import { fenceApplications } from './fence-applications.ts'
import { fenceStep } from './fence-step.ts'
import { finalSync } from './final-sync.ts'
import { freezeGroups } from './freeze-groups.ts'
import { preflight } from './preflight.ts'
import { promote } from './promote.ts'
import { redirect } from './redirect.ts'
import { fenceReturned } from './returned.ts'
import { reverse } from './reverse.ts'
import type { Steps } from './run.ts'

export const RUN_STEPS: Steps = {
  'fence-returned': async context => await fenceReturned(context),
  export: exportTails,
  reverse,
  'catch-up': catchUp,
  preflight,
  'freeze-groups': async context => await freezeGroups(context),
  'fence-applications': async context => await fenceApplications(context),
  'end-transactions': async context => await endTransactions(context),
  drain,
  'final-sync': finalSync,
  'fence-link': fenceStep,
  promote,
  redirect,
  canary,
}
