// Histories over sources in which a bug is planted, beside those that are as they are: whatever such a history loads of the sources
// that vary is another module, of a changed text. A process for each would take longer to start than its histories take.
import { registerHooks } from 'node:module'
import type { PlantedBug } from './bugs.ts'
import { changed } from './plant.ts'

/** `varied`: beginnings of the paths that are loaded anew: where bugs stand, and all that leads there from the entry. */
export type Variation = { readonly entry: string; readonly varied: readonly string[] }

/** The histories of the simulated world. */
export const ENGINE: Variation = { entry: 'test/sim/history.ts', varied: ['src/', 'test/sim/'] }

const ROOT = new URL('../../../', import.meta.url).href
const SOURCES = 'src/'

type Planted = { readonly bug: PlantedBug; readonly varied: readonly string[] }

const planted = new Map<string, Planted>()
let isHooked = false

/** What the entry exports, with the bug. */
export async function withBug(bug: PlantedBug, { entry, varied }: Variation): Promise<unknown> {
  for (const { file } of bug.changes)
    if (!isVaried(`${ROOT}${SOURCES}${file}`, varied))
      throw new Error(`planted bug "${bug.name}": ${file} is not loaded anew`)
  planted.set(bug.name, { bug, varied })
  if (!isHooked) hook()
  isHooked = true
  return await import(`${ROOT}${entry}?bug=${bug.name}`)
}

const isVaried = (url: string, varied: readonly string[]): boolean =>
  varied.some(each => url.startsWith(`${ROOT}${each}`))

/** By the address of a module. */
function plantedIn(url: string | undefined): Planted | undefined {
  const name = url === undefined ? null : new URL(url).searchParams.get('bug')
  return name === null ? undefined : planted.get(name)
}

function hook(): void {
  registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context)
      const found = plantedIn(context.parentURL)
      if (found === undefined || !isVaried(resolved.url, found.varied)) return resolved
      return { ...resolved, url: `${resolved.url}?bug=${found.bug.name}` }
    },
    load(url, context, next) {
      const loaded = next(url, context)
      const found = plantedIn(url)
      const [path = ''] = url.split('?')
      if (found === undefined || !path.startsWith(`${ROOT}${SOURCES}`)) return loaded
      const file = path.slice(`${ROOT}${SOURCES}`.length)
      const source = changed(file, Buffer.from(loaded.source as Uint8Array).toString(), found.bug)
      return { ...loaded, source }
    },
  })
}
