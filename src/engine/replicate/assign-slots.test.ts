import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { assignSlots } from './assign-slots.ts'

const shares = (slots: number, members: Record<string, number[]>) =>
  assignSlots(
    slots,
    Object.entries(members).map(([id, held]) => ({ id, held })),
  )
const moved = (
  before: ReadonlyMap<string, readonly number[]>,
  after: ReadonlyMap<string, readonly number[]>,
) => [...after].flatMap(([id, slots]) => slots.filter(slot => before.get(id)?.includes(slot) !== true)).length

describe('slots', () => {
  test('a lone member holds all', () => {
    assert.deepEqual(shares(4, { a: [] }).get('a'), [0, 1, 2, 3])
  })

  test('every slot is dealt once, in shares that differ by one at most', () => {
    for (const count of [1, 2, 3, 5, 7, 64, 70]) {
      const members = Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, []]))
      const dealt = shares(64, members)
      assert.deepEqual(
        [...dealt.values()].flat().toSorted((a, b) => a - b),
        Array.from({ length: 64 }, (_, slot) => slot),
      )
      const sizes = [...dealt.values()].map(share => share.length)
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1)
    }
  })

  test('a member that joins takes its share and moves nothing else', () => {
    const before = shares(64, { a: [], b: [], c: [] })
    const after = shares(64, { ...Object.fromEntries(before), d: [] })
    assert.equal(moved(before, after), 16)
    assert.equal(after.get('a')?.[0], before.get('a')?.[0])
  })

  test('the slots of one that left go to the others, who keep theirs', () => {
    const before = shares(64, { a: [], b: [], c: [], d: [] })
    const { b: _, ...rest } = Object.fromEntries(before)
    const after = shares(64, rest)
    assert.equal(moved(before, after), 16)
  })

  test('a slot that two say they hold is dealt to one', () => {
    const dealt = shares(2, { a: [0, 1], b: [0, 1] })
    assert.deepEqual(
      [...dealt.values()].flat().toSorted((a, b) => a - b),
      [0, 1],
    )
  })
})
