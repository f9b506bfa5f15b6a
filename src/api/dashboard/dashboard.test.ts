// Alerts and the dashboard read what the table of metrics has; the dashboard is one that can be drawn, and asked of Prometheus.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { isThere, promtool } from '../../../test/support/promtool.ts'
import { ALERTS } from '../alerts/alerts.ts'
import { dashboard } from './dashboard.ts'
import { ROWS } from './panels.ts'
import { METRICS } from '../metrics/table.ts'
import { metricsIn as metricsOf, promqlOf } from '../alerts/rules.ts'

const skip = !isThere && 'promtool is not installed: apt-get install --no-install-recommends prometheus'
const dir = mkdtempSync(join(tmpdir(), 'kdr-dashboard-'))
after(() => rmSync(dir, { recursive: true, force: true }))

const metricsIn = (expr: string): string[] =>
  [...expr.matchAll(/\b(?:kdr|process)_\w+/g)].map(([name]) => name.replace(/_bucket$/, ''))

const queries = ROWS.flatMap(([, panels]) => panels.flatMap(panel => panel.queries))

test('alerts and the dashboard read what the table has, and say which', () => {
  const rules = ALERTS.map(({ when }) => ({ expr: promqlOf(when), metrics: metricsOf(when) }))
  for (const { expr, metrics } of [...rules, ...queries]) {
    const read = new Set(metricsIn(expr))
    assert.deepEqual([...read].toSorted(), [...metrics].toSorted(), expr)
    for (const name of read) assert.ok(name in METRICS, `${name} is not served`)
  }
})

describe('the dashboard', () => {
  type Place = { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  const panels = dashboard()['panels'] as {
    readonly id: number
    readonly title: string
    readonly gridPos: Place
  }[]

  test('has panels that do not cover each other, each with an id of its own', () => {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    const taken = new Map<string, string>()
    for (const {
      title,
      gridPos: { x, y, w, h },
    } of panels) {
      assert.ok(x + w <= 24, title)
      for (let column = x; column < x + w; column++)
        for (let line = y; line < y + h; line++) {
          const cell = `${column}/${line}`
          assert.equal(taken.get(cell), undefined, `${title} covers another panel`)
          taken.set(cell, title)
        }
    }
  })

  test('asks what Prometheus can answer', { skip }, () => {
    const rules = queries.map(({ expr }, index) => ({
      record: `panel_${index}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$link', '.*'),
    }))
    const path = join(dir, 'panels.yaml')
    writeFileSync(path, JSON.stringify({ groups: [{ name: 'panels', rules }] }))
    const { code, output } = promtool(['check', 'rules', path])
    assert.equal(code, 0, output)
  })
})
