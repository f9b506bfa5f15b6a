// Each rule, run by Prometheus's own tool and by kdr itself: what makes it fire, and what does not.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { CASES as LINK_CASES } from '../../../test/support/alert-cases.ts'
import { CLUSTER_CASES } from '../../../test/support/alert-cases-clusters.ts'
import {
  type Case,
  LINK,
  type Labels,
  type Series,
  checked,
  finding,
  lag,
  rpo,
  series,
  set,
  stopped,
} from '../../../test/support/alert-series.ts'
import { isThere, promtool } from '../../../test/support/promtool.ts'
import { AlertStates, isFiring } from './alert-states.ts'
import { ALERTS, rulesText } from './alerts.ts'
import type { Sample } from '../metrics/metrics.ts'
import type { Samples } from '../metrics/table.ts'
import { toldOf } from './notification.ts'

const skip = !isThere && 'promtool is not installed: apt-get install --no-install-recommends prometheus'
const dir = mkdtempSync(join(tmpdir(), 'kdr-alerts-'))
after(() => rmSync(dir, { recursive: true, force: true }))
writeFileSync(join(dir, 'alerts.yaml'), rulesText())

const CASES = [...LINK_CASES, ...CLUSTER_CASES]

/** As promtool wants it; JSON is YAML. */
function unitTest({ alert, given, at, fires: expected }: Case): object {
  const rule = ALERTS.find(({ name }) => name === alert)
  assert.ok(rule !== undefined, alert)
  const { severity, action: description } = rule
  return {
    interval: '1m',
    input_series: given,
    alert_rule_test: [
      {
        eval_time: `${at}m`,
        alertname: alert,
        exp_alerts:
          expected === undefined
            ? []
            : [
                {
                  exp_labels: { severity, ...expected.labels },
                  exp_annotations: { summary: expected.summary, description },
                },
              ],
      },
    ],
  }
}

function run(tests: readonly object[]): void {
  const file = { rule_files: ['alerts.yaml'], evaluation_interval: '1m', tests }
  writeFileSync(join(dir, 'test.yaml'), JSON.stringify(file))
  const { code, output } = promtool(['test', 'rules', 'test.yaml'], '', dir)
  assert.equal(code, 0, output)
}

describe('alert rules', { skip }, () => {
  test('are rules to Prometheus', () => {
    const { code, output } = promtool(['check', 'rules', 'alerts.yaml'], '', dir)
    assert.equal(code, 0, output)
    assert.match(output, new RegExp(`SUCCESS: ${ALERTS.length} rules found`))
  })

  for (const { name } of ALERTS)
    test(name, () => {
      const cases = CASES.filter(({ alert }) => alert === name)
      assert.ok(
        cases.some(each => each.fires !== undefined),
        'nothing makes it fire',
      )
      run(cases.map(unitTest))
    })

  test('none fires while all is well, but the one that always does', () => {
    const given = [
      series('kdr_build_info', '1x200', { version: '1' }),
      series('kdr_link_running', '1x200'),
      series('kdr_link_control', '1x200'),
      series('kdr_link_source_seen_timestamp_seconds', '0+60x200'),
      series('kdr_group_sync_timestamp_seconds', '0+60x200'),
      series('kdr_link_lost_offsets', '0x200'),
      rpo(2),
      ...lag('0+100x200'),
      ...Object.entries({ seeding: 0, mirroring: 9, faulted: 0 }).map(([state, count]) =>
        series('kdr_partitions', `${count}x200`, { ...LINK, state }),
      ),
      stopped('foreign-write', '0x200'),
      stopped('gap-too-large', '0x200'),
      set('kdr_backup_late', '0x200'),
      set('kdr_backup_failing', '0x200'),
      set('kdr_backup_last_commit_timestamp_seconds', '0+60x200'),
      set('kdr_backup_verified_timestamp_seconds', '0x200'),
      series('kdr_cluster_up', '1x200', { cluster: 'east' }),
      series('kdr_cluster_controller_up', '1x200', { cluster: 'east' }),
      series('kdr_cluster_partitions_under_replicated', '0x200', { cluster: 'east' }),
      series('kdr_broker_up', '1x200', { cluster: 'east', broker: '3' }),
      series('kdr_broker_disk_free_ratio', '0.5x200', { cluster: 'east', broker: '3' }),
      series('kdr_group_state', '1x200', { cluster: 'east', group: 'app', state: 'ok' }),
      finding('C018', 'warning', '2x200'),
      ...checked({ failing: '0x200', ended: '0+60x200' }),
    ]
    const quiet = ALERTS.filter(({ name }) => name !== 'KdrDeadMan')
    // One world for all of them: promtool evaluates every rule over all of its time, for each world anew.
    const none = quiet.map(({ name }) => ({ eval_time: '80m', alertname: name, exp_alerts: [] }))
    run([{ interval: '1m', input_series: given, alert_rule_test: none }])
  })
})

/** Notation of promtool: `3x2 _ 1+2x3` are 3 3 3, nothing, 1 3 5 7. */
function valuesOf(notation: string): (number | undefined)[] {
  return notation.split(' ').flatMap(each => {
    const [, first = '', step = '0', times = '0'] = /^(_|-?[\d.]+)(?:\+(\d+))?(?:x(\d+))?$/.exec(each) ?? []
    if (first === '_') return Array.from({ length: Math.max(1, Number(times)) }, () => undefined)
    return Array.from({ length: Number(times) + 1 }, (_none, index) => Number(first) + index * Number(step))
  })
}

/** What kdr would have at that minute. */
function samplesAt(given: readonly Series[], minute: number): Samples {
  const samples: Record<string, Sample[]> = {}
  const histograms = new Map<string, { labels: Labels; upTo: [number, number][] }>()
  for (const { series: text = '', values = '' } of given) {
    const [, name = '', inside = ''] = /^(\w+)\{(.*)\}$/.exec(text) ?? []
    const { le, ...labels } = Object.fromEntries(
      [...inside.matchAll(/(\w+)="(.*?)"/g)].map(([, label = '', value = '']) => [label, value] as const),
    )
    const value = valuesOf(values)[minute]
    if (value === undefined) continue
    if (le === undefined) (samples[name] ??= []).push({ labels, value })
    else {
      const at = histograms.get(name) ?? { labels, upTo: [] }
      histograms.set(name, at)
      at.upTo.push([Number(le.replace('+Inf', 'Infinity')), value])
    }
  }
  for (const [name, { labels, upTo }] of histograms)
    samples[name.replace(/_bucket$/, '')] = [
      { labels, value: { upTo: upTo.slice(0, -1), count: upTo.at(-1)?.[1] ?? 0, sumSeconds: 0 } },
    ]
  return samples
}

describe('kdr itself says the same', () => {
  for (const { alert, what, given, at, fires: expected } of CASES)
    test(`${alert}: ${what}`, () => {
      const states = new AlertStates(ALERTS.filter(({ name }) => name === alert))
      for (let minute = 0; minute <= at; minute++) states.look(samplesAt(given, minute), minute * 60_000)
      const firing = states.active.filter(isFiring).map(each => ({
        labels: each.labels,
        summary: toldOf({ alert: each, status: 'firing' }, at * 60_000).annotations.summary,
      }))
      assert.deepEqual(firing, expected === undefined ? [] : [expected])
    })
})
