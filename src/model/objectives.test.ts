import assert from 'node:assert/strict'
import { test } from 'node:test'
import { objectiveFor } from './objectives.ts'

const objectives = [
  { for: 'link:east-west topic:pay-*', rpoMs: 5_000 },
  { for: 'link:east-*', rpoMs: 30_000 },
  { for: '*', rpoMs: 60_000 },
]

for (const [place, expected] of [
  ['link:east-west topic:pay-in', 5_000],
  ['link:east-west topic:orders', 30_000],
  ['link:east-west', 30_000],
  ['link:north-south', 60_000],
] as const)
  test(`${place} has ${expected} ms`, () => {
    assert.equal(objectiveFor(objectives, place)?.rpoMs, expected)
  })

test('without any that matches there is none', () => {
  assert.equal(objectiveFor(objectives.slice(0, 1), 'link:east-west'), undefined)
})
