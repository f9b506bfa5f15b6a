import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { overridesFor, priorityOf, whyNotOverridable } from './link-settings.ts'
import { parseDuration, parseSize, spellDuration } from './units.ts'
import { assertVersion } from './versioned.ts'

describe('units', () => {
  test('durations need a unit', () => {
    assert.equal(parseDuration('500ms'), 500)
    assert.equal(parseDuration('30s'), 30_000)
    assert.equal(parseDuration('1h30m'), 5_400_000)
    assert.equal(parseDuration('7d'), 604_800_000)
    for (const wrong of ['30', '', 's', '5 m', '-5s', '5M', 'soon'])
      assert.equal(parseDuration(wrong), undefined, wrong)
  })

  test('sizes are decimal, unless they say otherwise', () => {
    assert.equal(parseSize('50MB'), 50_000_000)
    assert.equal(parseSize('64KiB'), 65_536)
    assert.equal(parseSize('1.5gb'), 1_500_000_000)
    assert.equal(parseSize('1000'), 1000)
    for (const wrong of ['', 'MB', '5 apples', '-1']) assert.equal(parseSize(wrong), undefined, wrong)
  })

  test('a spelt duration is read back as it was', () => {
    fc.assert(fc.property(fc.nat(), ms => assert.equal(parseDuration(spellDuration(ms)), ms)))
  })
})

test('of several priorities for a topic the last one counts', () => {
  const priorities = [
    { topics: ['pay-*', '!pay-test'], priority: 'high' },
    { topics: ['*-archive'], priority: 'low' },
  ] as const

  assert.equal(priorityOf('pay-in', priorities), 'high')
  assert.equal(priorityOf('pay-test', priorities), 'normal')
  assert.equal(priorityOf('pay-archive', priorities), 'low')
})

describe('overrides', () => {
  test('later ones win, key by key', () => {
    const overrides = [
      { topics: ['*'], replicationFactor: 3, configs: { 'min.insync.replicas': '2', 'segment.bytes': '1' } },
      { topics: ['tmp-*'], replicationFactor: 1, configs: { 'min.insync.replicas': '1' } },
    ]

    assert.deepEqual(overridesFor('tmp-x', overrides), {
      replicationFactor: 1,
      configs: { 'min.insync.replicas': '1', 'segment.bytes': '1' },
    })
    assert.equal(overridesFor('_schemas', overrides).replicationFactor, 3)
  })

  test('what kdr holds cannot be overridden', () => {
    assert.match(whyNotOverridable('retention.ms') ?? '', /until the mirror is promoted/)
    assert.match(whyNotOverridable('remote.storage.enable') ?? '', /tiered/)
    assert.equal(whyNotOverridable('segment.bytes'), undefined)
  })
})

describe('versions', () => {
  test('a newer one is refused with a sentence', () => {
    assert.throws(() => assertVersion({ v: 2 }, 'the record "x"'), {
      code: 'newer-version',
      message: /the record "x" has version 2/,
    })
    assert.doesNotThrow(() => assertVersion({ v: 1 }, 'x'))
    assert.doesNotThrow(() => assertVersion({}, 'x'))
  })
})
