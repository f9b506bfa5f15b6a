// Which pause holds which partition.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { covers, pauseKey, pauseOf, readPauses, type Scope } from './pauses.ts'

const SCOPES: readonly Scope[] = [{}, { topic: 't' }, { topic: 't', partition: 3 }]

describe('pauses', () => {
  test('a pause of a link, a topic or a partition is found again by its key', () => {
    const records = SCOPES.map(scope => [pauseKey('l', scope), { at: 1, by: 'ann@host' }] as const)
    assert.deepEqual(
      readPauses({ entries: prefix => records.filter(([key]) => key.startsWith(prefix)) }, 'l').map(
        ({ scope }) => scope,
      ),
      SCOPES,
    )
  })

  test('the widest one that holds a partition counts', () => {
    const pauses = SCOPES.map(scope => ({ scope, at: 1, by: 'ann@host' }))
    const scopeFor = (topic: string, partition: number, from: number) =>
      pauseOf(pauses.slice(from), { topic, partition })?.scope
    assert.deepEqual(scopeFor('t', 3, 0), {})
    assert.deepEqual(scopeFor('t', 3, 1), { topic: 't' })
    assert.deepEqual(scopeFor('t', 4, 1), { topic: 't' })
    assert.deepEqual(scopeFor('t', 3, 2), { topic: 't', partition: 3 })
    assert.equal(scopeFor('t', 4, 2), undefined)
    assert.equal(scopeFor('u', 3, 1), undefined)
  })

  test('a scope covers what is in it', () => {
    const table = SCOPES.map(outer => SCOPES.map(inner => covers(outer, inner)))
    assert.deepEqual(table, [
      [true, true, true],
      [false, true, true],
      [false, false, true],
    ])
  })
})
