// Vaults and sets of the config.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isSameWatch, watchSnapshotsOf } from './same.ts'
import { parseConfig } from './load.ts'

const of = (text: string) => parseConfig(`clusters: { east: { bootstrap: "e:1" } }\n${text}`, 'kdr.yaml')
const withSet = (set: string) =>
  of(`vaults: { main: { url: "file:///v" } }\nsets: { all: { cluster: east, vault: main, ${set} } }`).sets[
    'all'
  ]

describe('a set of the config', () => {
  test('is backed up every so long, at times of the day, one commit after the other, or by hand', () => {
    assert.deepEqual(withSet('every: 15m')?.every, {
      text: '15m',
      schedule: { kind: 'interval', ms: 900_000 },
    })
    assert.deepEqual(withSet('every: continuous')?.every?.schedule, { kind: 'continuous' })
    assert.equal(withSet('every: "0 3 * * *"')?.every?.schedule.kind, 'cron')
    assert.equal(withSet('topics: "*"')?.every, undefined)
    assert.equal(withSet('maxBytesPerSecond: 50MB')?.maxBytesPerSecond, 50_000_000)
  })

  test('is verified and pruned by `kdr run` where it says so, and only with what that needs', () => {
    const set = withSet('every: 1h, verify: 7d, keep: { days: 35, prune: auto }')
    assert.deepEqual([set?.verifyMs, set?.keepDays, set?.isPruned], [7 * 86_400_000, 35, true])
    assert.equal(withSet('every: 1h, keep: { days: 35 }')?.isPruned, false)
    for (const [text, message] of [
      [
        'every: 1h, keep: { days: 35, prune: auto }',
        /sets\.all\.keep\.prune: `auto` needs `verify:` of at most 7d/,
      ],
      ['every: 1h, verify: 8d, keep: { days: 35, prune: auto }', /needs `verify:` of at most 7d/],
      ['every: 1h, verify: 1d, keep: { prune: auto }', /`auto` needs `days:`/],
      ['verify: 1d', /sets\.all\.verify: goes with `every:`/],
      ['keep: { days: 35, prune: yes }', /expected `by-hand` or `auto`/],
    ] as const)
      assert.throws(() => withSet(text), { message })
  })

  test('another schedule is refused with what it may be', () => {
    for (const every of ['often', '"0 25 * * *"', '0s'])
      assert.throws(() => withSet(`every: ${every}`), {
        message: /^kdr\.yaml:3:\d+: sets\.all\.every: "[^"]*" is not a duration such as `15m`, `continuous`/,
      })
  })
})

describe('a vault of the config', () => {
  test('locks what is in a bucket', () => {
    const { vaults } = of(
      'vaults: { main: { url: "s3://b", encryption: aws:kms, kmsKey: k, lock: { mode: compliance, days: 35 } } }',
    )
    assert.deepEqual(vaults['main']?.lock, { mode: 'compliance', days: 35 })
    assert.equal(vaults['main'].kmsKey, 'k')
  })

  test('what does not go together is refused', () => {
    assert.throws(() => of('vaults: { main: { url: "file:///v", lock: { mode: governance, days: 1 } } }'), {
      message: /vaults\.main\.lock: only a bucket can lock/,
    })
    assert.throws(() => of('vaults: { main: { url: "s3://b", kmsKey: k } }'), { message: /aws:kms/ })
    assert.throws(() => of('vaults: { main: { url: "s3://b", lock: { mode: legal, days: 1 } } }'))
    assert.throws(() => of('vaults: { main: { url: "s3://b", lock: { mode: governance, days: 0 } } }'), {
      message: /must be more than 0/,
    })
  })
})

test('nothing is served without the key `server`', () => {
  assert.equal(of('').server, undefined)
  assert.equal(of('server: {}').server?.listen, '127.0.0.1:9464')
})

test('clusters are watched every ten seconds, over ten minutes, or as `monitor:` says', () => {
  assert.deepEqual(of('').monitor, { everyMs: 10_000, windowMs: 600_000, groups: ['*'], checkMs: 3_600_000 })
  assert.deepEqual(
    of('monitor: { every: 30s, window: 1h, groups: ["*", "!console-*"], check: 2h }').monitor,
    {
      everyMs: 30_000,
      windowMs: 3_600_000,
      groups: ['*', '!console-*'],
      checkMs: 7_200_000,
    },
  )
  assert.throws(() => of('monitor: { every: 5m }'), {
    message: /monitor\.window: must be three times `every` at least/,
  })
  assert.equal(of('monitor: { check: never }').monitor.checkMs, undefined)
  assert.throws(() => of('monitor: { check: 30s }'), { message: /monitor\.check: must be a minute at least/ })
  assert.throws(() => of('monitor: { check: off }'), {
    message: /monitor\.check: "off" is neither `never` nor a duration/,
  })
})

test('how often all is checked is nothing that a watch of a cluster begins anew for', () => {
  const watches = (yaml: string) => watchSnapshotsOf(of(yaml))
  const [before, checked, other] = ['', 'monitor: { check: never }', 'monitor: { every: 20s }'].map(
    yaml => watches(yaml)[0] ?? assert.fail(),
  )
  assert.ok(before !== undefined && checked !== undefined && other !== undefined)
  assert.deepEqual([isSameWatch(before, checked), isSameWatch(before, other)], [true, false])
})
