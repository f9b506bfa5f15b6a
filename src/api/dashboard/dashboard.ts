// One dashboard of Grafana over the metrics of metrics/table.ts: first whether one may sleep, then what is in the way. It asks for its
// data source when it is imported.
import { ROWS } from './panels.ts'
import type { Panel } from './panel.ts'

const ROW_HEIGHT = 1
const PANEL_HEIGHT = 7
const COLUMNS = 24
const SOURCE = { type: 'prometheus', uid: '${datasource}' }

export function dashboard(): Record<string, unknown> {
  return {
    title: 'kdr',
    uid: 'kdr-links',
    description: 'Made by `make docs` from src/api/dashboard/dashboard.ts.',
    tags: ['kafka', 'disaster-recovery'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-6h', to: 'now' },
    timezone: 'utc',
    templating: {
      list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' },
        {
          name: 'link',
          type: 'query',
          label: 'Link',
          datasource: SOURCE,
          query: { query: 'label_values(kdr_link_running, link)', refId: 'link' },
          refresh: 2,
          includeAll: true,
          multi: true,
          current: { text: 'All', value: '$__all' },
        },
      ],
    },
    panels: panels(),
  }
}

function panels(): Record<string, unknown>[] {
  const placed: Record<string, unknown>[] = []
  let y = 0
  for (const [title, row] of ROWS) {
    placed.push({
      id: placed.length + 1,
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: COLUMNS, h: ROW_HEIGHT },
    })
    y += ROW_HEIGHT
    let x = 0
    for (const panel of row) {
      if (x + panel.width > COLUMNS) {
        x = 0
        y += PANEL_HEIGHT
      }
      const gridPos = { x, y, w: panel.width, h: PANEL_HEIGHT }
      placed.push({ id: placed.length + 1, gridPos, ...panelOf(panel) })
      x += panel.width
    }
    y += PANEL_HEIGHT
  }
  return placed
}

function panelOf({ title, description, type, unit, red, queries }: Panel): Record<string, unknown> {
  const steps = [
    { color: 'green', value: null },
    ...(red === undefined ? [] : [{ color: 'red', value: red }]),
  ]
  return {
    type,
    title,
    description,
    datasource: SOURCE,
    fieldConfig: { defaults: { unit, min: 0, thresholds: { mode: 'absolute', steps } }, overrides: [] },
    options: type === 'stat' ? { reduceOptions: { calcs: ['lastNotNull'] }, textMode: 'value_and_name' } : {},
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: SOURCE,
      expr,
      legendFormat: legend,
      range: true,
    })),
  }
}
