// Where a second standby can go on from the first, and that whoever is killed while it is made so leaves nothing half.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeClock, FakeStore, Killed, MortalStore } from '../../../test/support/fenced-cluster.ts'
import { makeRecord, makeStep } from '../../../test/support/runs.ts'
import { writeRun, writeStep } from '../../model/run-records.ts'
import {
  linkKey,
  readForgotten,
  readHold,
  readLink,
  readTopics,
  topicKey,
  toRecord,
} from '../../model/state-records.ts'
import type { Cluster } from '../../ports/cluster.ts'
import { type Following, follow } from './fan-out.ts'
import { type FanOutInput, planFanOut } from './plan-fan-out.ts'

const topics = (ids: Readonly<Record<string, string>>, partitions = 2) =>
  new Map(
    Object.entries(ids).map(([name, id]) => [
      name,
      { id, partitions: Array.from({ length: partitions }, (_none, partition) => ({ partition })) },
    ]),
  )

const mirror = (sourceTopicId: string, targetTopicId: string) =>
  ({ phase: 'mirroring', sourceTopicId, targetTopicId, applied: {}, adoptedUpTo: [] }) as const

/** Of topic `t`: `a` is its id at the cluster that is lost, `b` at the one that is active, `c` at the second standby. */
function decide(
  changes: Partial<FanOutInput> & { ends?: readonly number[]; cuts?: readonly number[] } = {},
): string {
  const { ends = [10, 7], cuts = [10, 9], ...rest } = changes
  const [only] = planFanOut({
    mirrors: new Map([['t', mirror('a', 'c')]]),
    target: {
      name: 'C',
      topics: topics({ t: 'c' }),
      ends: new Map(ends.map((end, index) => [`t/${index}`, end])),
    },
    source: {
      name: 'B',
      topics: topics({ t: 'b' }),
      starts: new Map([
        ['t/0', 0],
        ['t/1', 0],
      ]),
    },
    histories: [
      {
        topic: 't',
        sourceTopicId: 'a',
        targetTopicId: 'b',
        cuts: new Map(cuts.map((cut, index) => [index, cut])),
      },
    ],
    unsound: new Map(),
    ...rest,
  })
  return only === undefined ? 'nothing' : `${only.state}: ${only.why}`
}

describe('a second standby', () => {
  test('goes on where it has nothing that the new active has not', () => {
    assert.equal(decide(), 'goes-on: 2 partition(s)')
    assert.equal(decide({ ends: [0, 0] }), 'goes-on: 2 partition(s)')
  })

  test('says where it has more, partition by partition', () => {
    assert.equal(
      decide({ ends: [11, 9] }),
      'differs: t/0: "C" has 1 offset(s) that "B" has not, from 10 to 10',
    )
    assert.equal(
      decide({ ends: [12, 10] }),
      'differs: t/0: "C" has 2 offset(s) that "B" has not, from 10 to 11; t/1: "C" has 1 offset(s) that "B" has not, from 9 to 9',
    )
    // A partition that no run has cut was never copied to the new active.
    assert.match(decide({ ends: [1, 1], cuts: [5] }), /^differs: t\/1: "C" has 1 offset/)
  })

  test('does not take for equal what cannot be told', () => {
    const source = {
      name: 'B',
      topics: topics({ t: 'b' }),
      starts: new Map([
        ['t/0', 0],
        ['t/1', 8],
      ]),
    }
    assert.match(decide({ source }), /^differs: t\/1: "B" begins at 8, "C" ends at 7$/)
    assert.match(decide({ histories: [] }), /^differs: "B" was no mirror of what "C" has copied$/)
    const other = [
      {
        topic: 't',
        sourceTopicId: 'x',
        targetTopicId: 'b',
        cuts: new Map([
          [0, 99],
          [1, 99],
        ]),
      },
    ]
    assert.match(decide({ histories: other }), /was no mirror/)
    assert.match(decide({ unsound: new Map([['t/1', 'it has stopped']]) }), /^differs: t\/1: it has stopped$/)
    assert.match(decide({ source: { ...source, topics: topics({}) } }), /^left: "B" has no such topic$/)
    assert.match(decide({ source: { ...source, topics: topics({ t: 'b' }, 1) } }), /has 1 partitions of 2/)
    assert.equal(decide({ mirrors: new Map([['t', mirror('a', 'old')]]) }), 'nothing')
  })
})

const cluster = (name: string, id: string, ids: Readonly<Record<string, string>>, ends: number): Cluster =>
  ({
    name,
    describe: async () => await Promise.resolve({ clusterId: id, topics: topics(ids) }),
    offsets: async (all: readonly unknown[], point: string) =>
      await Promise.resolve(all.map(() => ({ code: 0, offset: point === 'logEnd' ? ends : 0 }))),
  }) as unknown as Cluster

async function world(): Promise<Following & { store: MortalStore; sourceStore: FakeStore }> {
  const [store, sourceStore, sourceJournal] = [new MortalStore(), new FakeStore(), new FakeStore()]
  const link = { generation: 1, sourceClusterId: 'A', targetClusterId: 'C', slots: 4, upstream: [] }
  await store.put(linkKey('ac'), toRecord('link', link))
  for (const topic of ['t', 'gone'])
    await store.put(topicKey('ac', topic), toRecord('topic', mirror('a', 'c')))
  await store.put('partition/ac/t/0', toRecord('partition', { epochs: [], origin: 0 }))
  await store.put('slot/ac/0', toRecord('slot', { owner: '' }))
  const promoted = { ...link, generation: 2, sourceClusterId: 'B', targetClusterId: 'A', run: 'r1' }
  await sourceStore.put(linkKey('ab'), toRecord('link', promoted))
  await sourceStore.put(topicKey('ab', 't'), toRecord('topic', mirror('a', 'b')))
  const record = makeRecord({ link: 'ab', standbyClusterId: 'B', kind: 'failover' })
  await writeRun(sourceJournal, record, 1)
  const cuts = [0, 1].map(partition => ({ topic: 't', partition, cut: 10 }))
  await writeStep(sourceJournal, 'r1', makeStep('fence-link', [0, 1], { data: { cuts } }), 1)
  await writeStep(sourceJournal, 'r1', makeStep('promote', [1, 1]), 1)
  return {
    settings: { name: 'ac', source: 'a', target: 'c' } as Following['settings'],
    source: cluster('b', 'B', { t: 'b' }, 20),
    target: cluster('c', 'C', { t: 'c', gone: 'c' }, 8),
    store,
    sourceStore,
    sourceJournal,
    clock: new FakeClock(),
    run: 'f1',
    by: 'ann@host',
    guard: async () => await Promise.resolve(),
    progress: () => undefined,
  }
}

describe('a link that follows another cluster', () => {
  test('has its mirrors adopted at their ends, whoever is killed on the way and repeats it', async () => {
    for (let lives = 0; ; lives++) {
      const input = await world()
      input.store.lives = lives
      const isKilled = await follow(input).then(
        () => false,
        (error: unknown) => {
          if (error instanceof Killed) return true
          throw error
        },
      )
      if (isKilled) {
        const { generation, sourceClusterId } = readLink(input.store, 'ac')!
        // Until it counts, nobody copies: the hold stands as soon as anything was changed.
        if (generation === 1 && lives > 0) assert.ok(readHold(input.store, 'ac') !== undefined, `${lives}`)
        assert.ok(generation === 2 || sourceClusterId === 'A')
        input.store.lives = Infinity
        if (generation === 1) await follow({ ...input, run: 'f2' })
      }
      const link = readLink(input.store, 'ac')
      assert.deepEqual([link?.generation, link?.sourceClusterId, link?.source], [2, 'B', 'b'], `${lives}`)
      assert.deepEqual(
        [...readTopics(input.store, 'ac')],
        [['t', toRecord('topic', { ...mirror('b', 'c'), adoptedUpTo: [8, 8] })]],
      )
      assert.deepEqual([...readForgotten(input.store, 'ac').keys()], ['gone'])
      assert.deepEqual(input.store.entries('partition/ac/'), [])
      assert.equal(readHold(input.store, 'ac'), undefined)
      if (!isKilled) break
    }
  })

  test('changes nothing where nothing can go on', async () => {
    const input = { ...(await world()), target: cluster('c', 'C', { t: 'c' }, 11) }
    const before = JSON.stringify([...input.store.records])
    await assert.rejects(follow(input), /nothing of link "ac" can go on from "b"/)
    assert.equal(JSON.stringify([...input.store.records]), before)
  })

  test('follows only a cluster that a run has made active', async () => {
    const input = await world()
    const still = { generation: 1, sourceClusterId: 'A', targetClusterId: 'B', slots: 4 }
    await input.sourceStore.put(linkKey('ab'), toRecord('link', still))
    await assert.rejects(follow(input), /no run has made "b" active/)
  })
})
