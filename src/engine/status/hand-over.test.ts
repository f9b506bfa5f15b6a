// What a link says of itself while its topics are handed over to another one, and after that.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeClock, FakeStore } from '../../../test/support/fenced-cluster.ts'
import type { LinkSettings } from '../../model/link-settings.ts'
import { forgottenKey, holdKey, linkKey, toRecord } from '../../model/state-records.ts'
import type { LogReader } from '../../ports/cluster.ts'
import { type LinkStatus, observeStatus } from './status.ts'

const nobody = { offsets: async () => await Promise.resolve([]) } as unknown as LogReader

async function statusOf(hold: object, topics: readonly string[] = ['*']): Promise<LinkStatus> {
  const store = new FakeStore()
  const link = { generation: 1, sourceClusterId: 'E', targetClusterId: 'W', slots: 2 }
  await store.put(linkKey('region'), toRecord('link', link))
  await store.put(holdKey('region'), toRecord('hold', { run: 'r1', at: 1, generation: 1, ...hold }))
  const forgotten = { targetTopicId: 'p', at: 1, by: 'ann@host' }
  await store.put(forgottenKey('region', 'pay-1'), toRecord('forgotten', forgotten))
  const settings = { name: 'region', source: 'east', target: 'west', topics, groups: ['*'] }
  return await observeStatus({
    settings: settings as unknown as LinkSettings,
    isHome: true,
    stale: [],
    source: nobody,
    sourceProblem: undefined,
    target: nobody,
    store,
    clock: new FakeClock(),
  })
}

describe('a link that is held', () => {
  test('by a run names that; by a command what it is, and that it is to be repeated', async () => {
    assert.match((await statusOf({})).sentence, /being moved by run r1; see: kdr runs show r1$/)
    const { state, sentence } = await statusOf({ resume: 'kdr link hand-over region pay' })
    assert.equal(state, 'paused')
    assert.match(
      sentence,
      /being handed over; if that was interrupted, repeat it: kdr link hand-over region pay$/,
    )
  })
})

describe('topics that kdr leaves alone', () => {
  test('are named as long as the link takes them', async () => {
    assert.deepEqual(
      (await statusOf({})).forgotten.map(({ topic }) => topic),
      ['pay-1'],
    )
    assert.deepEqual((await statusOf({}, ['*', '!pay-*'])).forgotten, [])
  })
})
