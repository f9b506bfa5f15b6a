// Random histories of a set: every commit that counts at any moment gives back what the source held when it was made.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { suite } from '../support/suite.ts'
import { vaultHistory } from './history.ts'

const HISTORIES = { short: 12, full: 200, soak: 10_000 }[suite]

describe('in random histories of a set', () => {
  test('every commit that counts reads back as the source was', { timeout: 7_200_000 }, async context => {
    const happened = new Map<string, number>()
    for (let seed = 1; seed <= HISTORIES; seed++) {
      try {
        for (const [what, times] of await vaultHistory(seed, { steps: 120 }))
          happened.set(what, (happened.get(what) ?? 0) + times)
      } catch (error) {
        throw new Error(`history ${seed}`, { cause: error })
      }
    }
    context.diagnostic([...happened].map(([what, times]) => `${what}: ${times}`).join(', '))
    for (const what of [
      'backup',
      'backup killed',
      'prune',
      'prune killed',
      'verification',
      'upkeep killed',
      'a verification that was due',
      'a prune by itself',
      'one of two writers went on',
    ])
      assert.ok((happened.get(what) ?? 0) > 0, `${what} never came`)
  })
})
