// Alerts of a link that fire, as `kdr status` shows them.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { LinkStatus } from '../../src/engine/status/status.ts'
import { makeTestApp, runForTest } from '../support/app.ts'
import { linkStatusOf, NOW, setStatusOf } from '../support/standing.ts'

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

test('kdr status shows how the RPO was, where that is kept', async () => {
  const day = { day: '2026-02-28', worstRpoMs: 65_000, withinRatio: 0.99999, knownMs: 1, withinMs: 1 }
  const shown = async (history: LinkStatus['history']): Promise<string | undefined> => {
    const status = linkStatusOf('ew', history && { history })
    const services = { ...makeTestApp().services, readLinkStatus: () => Promise.resolve(status) }
    const { stdout } = await runForTest(['status', '--config', path], { services })
    return stdout
      .split('\n')
      .find(line => line.includes('at worst') || line.includes('within its objectives'))
  }
  const worst = { worstRpoHourMs: 12_000, worstRpoDayMs: 65_000 }
  assert.equal(
    await shown({ ...worst, withinRatio: 0.99999, days: [day, day] }),
    'RPO at worst 12.0 s in the last hour, 1m 05s in the last day; within its objectives for 99.99 % of 2 days',
  )
  assert.equal(
    await shown({ ...worst, worstRpoHourMs: null, withinRatio: null, days: [day] }),
    'RPO at worst 1m 05s in the last day',
  )
  assert.equal(
    await shown({ worstRpoHourMs: null, worstRpoDayMs: null, withinRatio: 1, days: [day] }),
    'within its objectives for 100 % of the day',
  )
  assert.equal(await shown(undefined), undefined)
})

test('kdr status shows how old the newest commit of a set was, where that is kept', async () => {
  const withSet = join(dir, 'with-set.yaml')
  const config = {
    clusters: { a: { bootstrap: 'a:1' } },
    vaults: { main: { url: 'file:///nowhere' } },
    sets: { all: { cluster: 'a', vault: 'main', every: '15m' } },
  }
  writeFileSync(withSet, JSON.stringify(config))
  const day = { day: '2026-02-28', worstRpoMs: 1_260_000, withinRatio: 0.75, knownMs: 4, withinMs: 3 }
  const history = { worstRpoHourMs: 900_000, worstRpoDayMs: 1_260_000, withinRatio: 0.75, days: [day] }
  const shown = async (more: Parameters<typeof setStatusOf>[1]): Promise<string | undefined> => {
    const services = {
      ...makeTestApp().services,
      readSetStatus: () => Promise.resolve(setStatusOf('all', more)),
    }
    const { stdout } = await runForTest(['status', '--config', withSet], { services })
    return stdout.split('\n').find(line => line.startsWith('all: '))
  }
  assert.equal(
    await shown({ history }),
    'all: age at worst 15m 00s in the last hour, 21m 00s in the last day; within its schedule for 75 % of the day',
  )
  assert.equal(await shown({}), undefined)
})
