import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Pace } from './pace.ts'
import type { PartitionCopy } from './partition.ts'
import { Turns } from './turns.ts'

function copy(
  name: string,
  of: { isBehind?: boolean; priority?: number; isKnown?: boolean; wantsData?: boolean } = {},
): PartitionCopy {
  const pace = new Pace()
  pace.priority = of.priority ?? 1
  if (of.isKnown !== false) pace.saw(of.isBehind === true ? 1_000 : 0, 0)
  return { name, pace, wantsData: of.wantsData ?? true } as PartitionCopy
}

function turnsOf(...copies: PartitionCopy[]): Turns {
  const turns = new Turns()
  for (const each of copies) turns.add(each)
  return turns
}

const namesOf = (copies: readonly PartitionCopy[]): string[] => copies.map(({ name }) => name)

test('those that keep up never go with those that are behind', () => {
  const turns = turnsOf(copy('a', { isBehind: true }), copy('b'), copy('c', { isBehind: true }), copy('d'))
  assert.deepEqual(namesOf(turns.takeCurrent()), ['b', 'd'])
  assert.deepEqual(namesOf(turns.takeCurrent()), [])
  assert.deepEqual(namesOf(turns.takeBehind()), ['a', 'c'])
})

test('of those that are behind the most urgent go, and the others keep their turn', () => {
  const turns = turnsOf(
    copy('low', { isBehind: true, priority: 2 }),
    copy('high 1', { isBehind: true, priority: 0 }),
    copy('normal', { isBehind: true }),
    copy('high 2', { isBehind: true, priority: 0 }),
  )
  assert.deepEqual(namesOf(turns.takeBehind()), ['high 1', 'high 2'])
  assert.deepEqual(namesOf(turns.takeBehind()), ['normal'])
  assert.deepEqual(namesOf(turns.takeBehind()), ['low'])
  assert.deepEqual(namesOf(turns.takeBehind()), [])
})

test('those of which nothing is known go before all that are behind: they may be at their end', () => {
  const turns = turnsOf(
    copy('high', { isBehind: true, priority: 0 }),
    copy('new', { isKnown: false, priority: 2 }),
  )
  assert.deepEqual(namesOf(turns.takeBehind()), ['new'])
  assert.deepEqual(namesOf(turns.takeBehind()), ['high'])
})

test('one that wants nothing now holds nobody up', () => {
  const full = copy('full', { isBehind: true, priority: 0, wantsData: false })
  assert.deepEqual(namesOf(turnsOf(full, copy('low', { isBehind: true, priority: 2 })).takeBehind()), ['low'])
})

test('whoever was added last comes last', () => {
  const [a, b] = [copy('a'), copy('b')]
  assert.deepEqual(namesOf(turnsOf(a, b, a).takeCurrent()), ['b', 'a'])
})
