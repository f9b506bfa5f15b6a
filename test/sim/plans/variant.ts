// The histories of plans with a planted bug.
import type { PlantedBug } from '../planted/bugs.ts'
import { type Variation, withBug } from '../planted/variant.ts'
import type * as Histories from './history.ts'

const PLANS: Variation = {
  entry: 'test/sim/plans/history.ts',
  varied: [
    'test/sim/plans/',
    'src/engine/plans/',
    'src/engine/runs/',
    'src/wiring/plan-journal.ts',
    'src/model/runs.ts',
  ],
}

export const plansWith = async (bug: PlantedBug): Promise<typeof Histories> =>
  (await withBug(bug, PLANS)) as typeof Histories
