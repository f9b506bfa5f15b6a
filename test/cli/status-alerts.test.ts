// Alerts of a link that fire, as `kdr status` shows them.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { LinkStatus } from '../../src/engine/status/status.ts'
import { makeTestApp, runForTest } from '../support/app.ts'
import { linkStatusOf, NOW } from '../support/standing.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-status-alerts-'))
after(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'kdr.yaml')
writeFileSync(
  path,
  'clusters: { a: { bootstrap: "a:1" }, b: { bootstrap: "b:1" } }\nlinks: { ew: { source: a, target: b } }\n',
)

test('kdr status shows what fires, since when, and what of it is silenced', async () => {
  const alerts: LinkStatus['alerts'] = [
    {
      alert: 'KdrSourceUnreachable',
      labels: { link: 'ew' },
      value: 75,
      firesSince: new Date(NOW - 60_000).toISOString(),
      isTold: true,
    },
    {
      alert: 'KdrNoRights',
      labels: { link: 'ew' },
      value: 4,
      firesSince: new Date(NOW).toISOString(),
      isTold: false,
    },
    { alert: 'OfALaterKdr', labels: {}, value: 1, firesSince: new Date(NOW).toISOString(), isTold: true },
  ]
  const services = {
    ...makeTestApp().services,
    readLinkStatus: () => Promise.resolve(linkStatusOf('ew', { alerts })),
  }
  const clock = { now: () => NOW, monotonic: () => 0, sleep: () => Promise.resolve() }
  const { stdout } = await runForTest(['status', '--config', path], { services, clock })
  assert.deepEqual(
    stdout.split('\n').filter(line => /^[✗·] /.test(line)),
    [
      '✗ KdrSourceUnreachable for 1m 00s: the source of link ew was seen 1m 15s ago',
      '· KdrNoRights for 0 ms (silenced): kdr may not copy 4 partition(s) of link ew',
      '✗ OfALaterKdr for 0 ms',
    ],
  )
})
