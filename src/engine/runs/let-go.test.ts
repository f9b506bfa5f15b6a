// What was let go of in one direction is let go of in the other.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeStore } from '../../../test/support/fenced-cluster.ts'
import { forgottenKey, readForgotten, toRecord } from '../../model/state-records.ts'
import type { ClusterView } from '../../ports/cluster.ts'
import { keepLetGo } from './let-go.ts'

describe('topics that were let go of', () => {
  test('are left alone at the other cluster too, by their ids there; one that it has not is copied, and one that was taken back', async () => {
    const store = new FakeStore()
    const topics = new Map([['own', { id: 'own at east' }]])
    const view = { topics } as unknown as ClusterView
    const letGo = { at: 1, by: 'ann@host', reason: 'ours' }
    const before = toRecord('forgotten', { ...letGo, targetTopicId: 'taken back at east' })
    await store.put(forgottenKey('l', 'taken-back'), before)
    await keepLetGo(
      { store, link: 'l', view },
      new Map([
        ['own', { ...letGo, targetTopicId: 'own at west' }],
        ['west-only', { ...letGo, targetTopicId: 'at west' }],
      ]),
    )

    const kept = [...readForgotten(store, 'l')].map(([topic, { targetTopicId, by, reason }]) => [
      topic,
      targetTopicId,
      by,
      reason,
    ])
    assert.deepEqual(kept, [['own', 'own at east', 'ann@host', 'ours']])
  })
})
