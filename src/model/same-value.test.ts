import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSameValue } from './same-value.ts'

test('values are the same when their JSON would be', () => {
  const report = { cursor: 7, offsets: { records: 7 }, of: [{ at: 1 }, null], sentence: 'x' }
  assert.ok(isSameValue(report, structuredClone(report)))
  assert.ok(isSameValue({ a: 1, b: undefined }, { a: 1 }))
  assert.ok(isSameValue({ a: 1 }, { a: 1, b: undefined }))
  for (const [a, b] of [
    [report, { ...report, cursor: 8 }],
    [report, { ...report, offsets: { records: 8 } }],
    [report, { ...report, of: [{ at: 1 }] }],
    [{ a: 1 }, { a: 1, b: 2 }],
    [{ a: 1, b: 2 }, { a: 1 }],
    [{ a: null }, { a: {} }],
    [[], {}],
    [{}, []],
    [
      [1, 2],
      [2, 1],
    ],
    [[1, 2], { 0: 1, 1: 2, length: 2 }],
    [undefined, {}],
  ])
    assert.ok(!isSameValue(a, b), JSON.stringify([a, b]))
})
