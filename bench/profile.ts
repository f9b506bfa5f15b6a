// The functions that a V8 CPU profile spends its time in.

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { formatTable } from '../src/cli/table.ts'

type Profile = {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: {
      readonly functionName: string
      readonly url: string
      readonly lineNumber: number
    }
  }[]
  readonly samples: readonly number[]
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[]
}

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SHOWN = 20

/** A table of self time, over all profiles of a folder. */
export function topOfProfiles(dir: string): string {
  const files = readdirSync(dir).filter(name => name.endsWith('.cpuprofile'))
  const micros = new Map<string, number>()
  for (const file of files) addSelfTimes(JSON.parse(readFileSync(join(dir, file), 'utf8')) as Profile, micros)
  // What waits is not work.
  micros.delete('(idle)')
  const total = [...micros.values()].reduce((sum, each) => sum + each, 0)
  const rows = [...micros]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN)
    .map(([name, each]) => [`${((each / total) * 100).toFixed(1)} %`, (each / 1e6).toFixed(2), name])
  const columns = [
    { title: 'SELF', align: 'right' },
    { title: 'SECONDS', align: 'right' },
    { title: 'FUNCTION' },
  ] as const
  return formatTable(columns, rows)
}

function addSelfTimes({ nodes, samples, timeDeltas }: Profile, micros: Map<string, number>): void {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? '(unknown)'
    micros.set(name, (micros.get(name) ?? 0) + (timeDeltas[index] ?? 0))
  }
}

function nameOf({ functionName, url, lineNumber }: Profile['nodes'][number]['callFrame']): string {
  if (url === '') return functionName
  const file = url.startsWith('file:') ? relative(ROOT, fileURLToPath(url)) : url
  return `${functionName === '' ? '(anonymous)' : functionName} ${file}:${lineNumber + 1}`
}
