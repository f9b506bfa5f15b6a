// The histories of plans over sources in which a bug is planted, beside those that are as they are: whatever such a history loads of
// the engine is another module, of a changed text. A process for each would take longer to start than its histories take.
import { registerHooks } from 'node:module'
import type { PlantedBug } from '../planted/bugs.ts'
import { changed } from '../planted/plant.ts'
import type * as Histories from './history.ts'

const ROOT = new URL('../../../', import.meta.url).href
/** What is loaded anew: where bugs stand, and all that leads there from the histories. */
const VARIED = [
  'test/sim/plans/',
  'src/engine/plans/',
  'src/engine/runs/',
  'src/wiring/plan-journal.ts',
  'src/model/runs.ts',
]
const SOURCES = 'src/'

const planted = new Map<string, PlantedBug>()
let isHooked = false

export async function withBug(bug: PlantedBug): Promise<typeof Histories> {
  for (const { file } of bug.changes)
    if (!VARIED.some(each => `${SOURCES}${file}`.startsWith(each)))
      throw new Error(`planted bug "${bug.name}": ${file} is not loaded anew (VARIED)`)
  planted.set(bug.name, bug)
  if (!isHooked) hook()
  isHooked = true
  return (await import(`./history.ts?bug=${bug.name}`)) as typeof Histories
}

const bugOf = (url: string | undefined): string | null =>
  url === undefined ? null : new URL(url).searchParams.get('bug')

function hook(): void {
  registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context)
      const bug = bugOf(context.parentURL)
      const isVaried = VARIED.some(each => resolved.url.startsWith(`${ROOT}${each}`))
      if (bug === null || !isVaried) return resolved
      return { ...resolved, url: `${resolved.url}?bug=${bug}` }
    },
    load(url, context, next) {
      const loaded = next(url, context)
      const bug = planted.get(bugOf(url) ?? '')
      const [path = ''] = url.split('?')
      if (bug === undefined || !path.startsWith(`${ROOT}${SOURCES}`)) return loaded
      const file = path.slice(`${ROOT}${SOURCES}`.length)
      return { ...loaded, source: changed(file, Buffer.from(loaded.source as Uint8Array).toString(), bug) }
    },
  })
}
