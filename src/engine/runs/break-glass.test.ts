import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { Cluster, ConfigEntry, TopicView } from '../../ports/cluster.ts'
import type { Lowered } from '../../model/runs.ts'
import { breakGlass, putBack, weakSentence, weakTopics } from './break-glass.ts'

const SETTING = 'min.insync.replicas'

/** Topics with so many replicas in sync, and how many a write needs. */
function cluster(
  topics: Readonly<Record<string, { isr: number; min: string }>>,
  code = 0,
): Pick<Cluster, 'name' | 'describe' | 'topicConfigs' | 'alterTopicConfigs'> & { readonly set: string[] } {
  const set: string[] = []
  const views = Object.entries(topics).map(([name, { isr }]): [string, TopicView] => {
    const replicas = Array.from({ length: isr }, (_, index) => index + 1)
    const partition = { partition: 0, leader: 1, leaderEpoch: 0, replicas, isr: replicas }
    return [name, { name, id: name, isInternal: false, partitions: [partition] }]
  })
  const entry = (value: string): ConfigEntry => ({
    value,
    isOverride: true,
    isReadOnly: false,
    isSensitive: false,
  })
  return {
    name: 'west',
    set,
    describe: async () => ({ clusterId: 'c', brokers: [], topics: new Map(views) }),
    topicConfigs: async names =>
      new Map(
        names.map(name => [name, { code: 0, entries: new Map([[SETTING, entry(topics[name]!.min)]]) }]),
      ),
    alterTopicConfigs: async (topic, changes) => {
      set.push(`${topic}=${changes[SETTING] ?? ''}`)
      return { code }
    },
  }
}

const WEAK = {
  '_kdr.state': { isr: 1, min: '2' },
  '_kdr.journal': { isr: 2, min: '2' },
  orders: { isr: 1, min: '2' },
}

describe('break-glass', () => {
  test("weak is what takes no writes, of kdr's own topics; one that is not there yet is made with what is there", async () => {
    const weak = await weakTopics(cluster(WEAK))
    assert.deepEqual(weak, [{ topic: '_kdr.state', inSync: 1, wanted: 2 }])
    assert.equal(
      weakSentence(weak, 'west'),
      '"west" cannot keep the journal of a run: too few replicas are in sync (_kdr.state has 1 of 2)',
    )
    assert.deepEqual(await weakTopics(cluster({})), [])
  })

  const broken = async (it: ReturnType<typeof cluster>) => {
    const lowered: Lowered[] = []
    await breakGlass(it, await weakTopics(it), each => lowered.push(each))
    return lowered
  }

  test('lowers those to what is in sync, and says what they were', async () => {
    const it = cluster(WEAK)
    assert.deepEqual(await broken(it), [{ topic: '_kdr.state', was: 2 }])
    assert.deepEqual(it.set, ['_kdr.state=1'])
  })

  test('a topic without any replica is told before anything is changed; a refused change too', async () => {
    const lost = cluster({ '_kdr.state': { isr: 1, min: '2' }, '_kdr.journal': { isr: 0, min: '1' } })
    await assert.rejects(broken(lost), /_kdr.journal of "west" has no replica that is in sync/)
    assert.deepEqual(lost.set, [])
    await assert.rejects(
      broken(cluster(WEAK, KafkaCode.TOPIC_AUTHORIZATION_FAILED)),
      /min.insync.replicas of _kdr.state at "west" cannot be set to 1: TOPIC_AUTHORIZATION_FAILED/,
    )
  })

  test('puts back what has its replicas again, and leaves the rest', async () => {
    const it = cluster({ '_kdr.state': { isr: 2, min: '1' }, '_kdr.journal': { isr: 1, min: '1' } })
    const lowered = [
      { topic: '_kdr.state', was: 2 },
      { topic: '_kdr.journal', was: 2 },
    ]
    assert.deepEqual(await putBack(it, lowered), [{ topic: '_kdr.journal', was: 2 }])
    assert.deepEqual(it.set, ['_kdr.state=2'])
  })
})
