// Runs as commands get them: the engine over both clusters of a link, and its journal.
import type { Services } from '../cli/app.ts'
import { KdrError } from '../model/errors.ts'

type Runs = Pick<Services, 'withRun' | 'listRuns' | 'readRun' | 'abortRun'>

const later = (): Promise<never> =>
  Promise.reject(new KdrError('not-available', 'runs are not available yet'))

export const withRun: Runs['withRun'] = later
export const listRuns: Runs['listRuns'] = later
export const readRun: Runs['readRun'] = later
export const abortRun: Runs['abortRun'] = later
