import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Troubles } from './troubles.ts'

test('a trouble of several loops is told once, in other words once a minute, and its end when none has it any more', () => {
  let now = 0
  const said: string[] = []
  const troubles = new Troubles({
    clock: { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() },
    log: { event: (level, message) => said.push(`${level} ${message}`) },
    link: 'l',
    clusters: [],
    well: 'all well',
  })
  // Given one loop that goes well all the time, and two that do not, for ten minutes.
  for (; now < 600_000; now += 1_000) {
    troubles.tell('beat', undefined)
    troubles.tell('discover', 'no answer')
    troubles.tell('trim', 'refused')
    assert.equal(troubles.sentence, 'no answer')
  }
  troubles.tell('discover', undefined)
  assert.equal(troubles.sentence, 'refused')
  const during = said.splice(0)
  assert.equal(during[0], 'warn no answer')
  assert.ok(during.length <= 11, during.join('\n'))
  // When the last one is well again.
  troubles.tell('trim', undefined)
  assert.deepEqual(said, ['info all well'])
  assert.equal(troubles.sentence, undefined)
})

test('a trouble with the other cluster is told at once', () => {
  const said: string[] = []
  const troubles = new Troubles({
    clock: { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() },
    log: { event: (_level, message) => said.push(message) },
    link: 'l',
    clusters: ['east', 'west'],
    well: 'all well',
  })
  for (const sentence of [
    'cluster "east": no answer',
    'cluster "east": refused',
    'broker "west" b:1 does not answer',
    'cluster "west": no answer',
  ])
    troubles.tell('discover', sentence)
  assert.deepEqual(said, ['cluster "east": no answer', 'broker "west" b:1 does not answer'])
})
