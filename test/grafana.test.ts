// The dashboard as Grafana's own types have it (`@grafana/schema`, generated from the schema that Grafana itself loads dashboards by):
// its JSON is put into a file as a literal and compiled, so that a name or a value that Grafana does not know is an error.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { dashboard } from '../src/api/dashboard/dashboard.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
// Within the project: the compiler looks for the types from there on.
const dir = mkdtempSync(join(root, 'node_modules', '.kdr-grafana-'))
after(() => rmSync(dir, { recursive: true }))

/** Plain: as JSON has it, the words of an enum instead of its members. A panel has the options of its kind. */
const typed = (json: unknown): string => `
import type { Dashboard, Panel, RowPanel } from '@grafana/schema'
import type { Options as Stat } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen'
import type { Options as TimeSeries, FieldConfig } from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen'
type Plain<T> = T extends string ? \`\${T}\` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T
type Drawn<Type extends string, Options, Fields> =
  Omit<Plain<Panel<Partial<Options>, Partial<Fields>>>, 'type' | 'options'> & {
    type: Type
    options?: Plain<Partial<Options>>
  }
type Row = Omit<Plain<RowPanel>, 'type' | 'panels'> & { type: 'row'; panels: [] }
type Whole = Omit<Plain<Dashboard>, 'panels'> & { panels: (Row | Drawn<'stat', Stat, {}> | Drawn<'timeseries', TimeSeries, FieldConfig>)[] }
export const it: Whole = ${JSON.stringify(json, null, 2)}
`

function compile(json: unknown): string {
  const file = join(dir, 'dashboard.ts')
  writeFileSync(file, typed(json))
  const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022']
  const { stdout, stderr } = spawnSync(
    join(root, 'node_modules/.bin/tsc'),
    [...flags, '--ignoreConfig', file],
    {
      cwd: dir,
      encoding: 'utf8',
    },
  )
  return `${stdout}${stderr}`
}

test('Grafana knows every name and value of the dashboard', () => {
  assert.equal(compile(dashboard()), '')
})

test('and one that it does not know is found', () => {
  const wrong = (change: (panel: Record<string, unknown>) => void): string => {
    const json = structuredClone(dashboard())
    const panels = json['panels'] as Record<string, unknown>[]
    change(panels.find(({ type }) => type === 'timeseries')!)
    return compile(json)
  }
  assert.match(
    wrong(panel => Object.assign(panel, { gridPos: { x: 0, y: 0, w: 'wide', h: 8 } })),
    /'string' is not assignable to type 'number'/,
  )
  assert.match(
    wrong(panel => Object.assign(panel, { type: 'time-series' })),
    /time-series/,
  )
  assert.match(
    wrong(panel => Object.assign(panel, { heading: 'Lag' })),
    /"heading"' does not exist/,
  )
})
