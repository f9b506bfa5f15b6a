// Plants one bug: the texts of its source files are replaced as the modules are loaded. Call before anything that is to
// be changed is imported.
import { registerHooks } from 'node:module'
import { PLANTED, type PlantedBug } from './bugs.ts'

const SOURCES = new URL('../../../src/', import.meta.url).href

export function findBug(name: string): PlantedBug {
  const bug = PLANTED.find(each => each.name === name)
  if (bug === undefined) throw new Error(`no planted bug is called "${name}"`)
  return bug
}

/** Throws when a text that is to be replaced does not stand in its file exactly once. */
export function changed(file: string, source: string, { name, changes }: PlantedBug): string {
  let text = source
  for (const change of changes) {
    if (change.file !== file) continue
    const found = text.split(change.find).length - 1
    if (found !== 1)
      throw new Error(`planted bug "${name}": its text stands ${found} times in src/${file}: ${change.find}`)
    text = text.replace(change.find, () => change.put)
  }
  return text
}

export const plant = (name: string): void => plantBug(findBug(name))

export function plantBug(bug: PlantedBug): void {
  const files = new Set(bug.changes.map(({ file }) => file))
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      const file = url.startsWith(SOURCES) ? url.slice(SOURCES.length) : ''
      if (!files.has(file)) return loaded
      return { ...loaded, source: changed(file, Buffer.from(loaded.source as Uint8Array).toString(), bug) }
    },
  })
}
