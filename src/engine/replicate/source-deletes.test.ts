// When a topic that is missing at the source counts as deleted, and since when.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KafkaCode } from '../../model/kafka-codes.ts'
import { pauseKey } from '../../model/pauses.ts'
import { linkKey, readTopics, toRecord, topicKey } from '../../model/state-records.ts'
import type { StateRecord } from '../../ports/state.ts'
import type { LinkContext } from './context.ts'
import { SourceDeletes } from './source-deletes.ts'

function world() {
  const records = new Map<string, StateRecord>([
    [linkKey('l'), toRecord('link', { sourceClusterId: 'c' })],
    [topicKey('l', 't'), toRecord('topic', { sourceTopicId: 's', targetTopicId: 'm' })],
  ])
  const now = { wall: 1_000, monotonic: 0, code: KafkaCode.UNKNOWN_TOPIC_ID as number, clusterId: 'c' }
  const deleted: string[] = []
  const context = {
    link: 'l',
    clock: { now: () => now.wall, monotonic: () => now.monotonic },
    store: {
      get: (key: string) => records.get(key),
      entries: (prefix: string) => [...records].filter(([key]) => key.startsWith(prefix)),
      put: (key: string, record: StateRecord | undefined) => {
        if (record === undefined) records.delete(key)
        else records.set(key, record)
        return Promise.resolve()
      },
    },
    source: {
      topicsById: () => Promise.resolve({ clusterId: now.clusterId, topics: [{ code: now.code }] }),
    },
    target: {
      deleteTopic: (topic: string, id?: string) => {
        deleted.push(`${topic} ${id ?? ''}`)
        return Promise.resolve({ code: 0 })
      },
    },
    targetWatch: { topic: () => ({ id: 'm' }) },
    assertControl: () => Promise.resolve(),
    slots: { hasControl: true },
    log: { event: () => undefined },
  } as unknown as LinkContext
  const deletes = new SourceDeletes(context)
  const since = () => readTopics(context.store, 'l').get('t')?.sourceDeletedAt
  const look = async (topics: readonly string[] = []) => {
    const view = { clusterId: 'c', brokers: [], topics: new Map(topics.map(name => [name, {} as never])) }
    return (await deletes.observe(view, () => true)).get('t')
  }
  const pass = (ms: number): void => {
    now.wall += ms
    now.monotonic += ms
  }
  const deleteMirror = async () => await deletes.deleteMirror('t', () => Promise.resolve())
  return { now, deleted, look, since, pass, deleteMirror, records }
}

describe('a topic that is missing at the source', () => {
  test('counts as deleted since the source first said so; a second look does not move that', async () => {
    const { look, since, pass } = world()
    assert.equal(await look(), 'deleted')
    pass(5_000)
    await look()
    assert.equal(since(), 1_000)
  })

  test('does not when the right is missing, when the source does not say, or when another cluster answers', async () => {
    const { now, look, since } = world()
    now.code = KafkaCode.TOPIC_AUTHORIZATION_FAILED
    assert.equal(await look(), 'hidden')
    now.code = KafkaCode.UNKNOWN_SERVER_ERROR
    assert.equal(await look(), 'unknown')
    now.code = KafkaCode.UNKNOWN_TOPIC_ID
    now.clusterId = 'another'
    assert.equal(await look(), 'unknown')
    assert.equal(since(), undefined)
  })

  test('that is there again was never gone', async () => {
    const { look, since } = world()
    await look()
    await look(['t'])
    assert.equal(since(), undefined)
  })

  test('waits anew when the clock was set, forwards or back', async () => {
    const { now, look, since, pass } = world()
    await look()
    now.wall += 30 * 86_400_000
    await look()
    assert.equal(since(), now.wall)
    now.wall = 500
    await look()
    assert.equal(since(), 500)
    pass(1_000)
    await look()
    assert.equal(since(), 500)
  })

  test('keeps its mirror when the source takes its word back at the last moment', async () => {
    const { now, look, deleteMirror, deleted, records } = world()
    await look()
    now.code = KafkaCode.NONE
    assert.equal(await deleteMirror(), false)
    assert.deepEqual(deleted, [])
    now.code = KafkaCode.UNKNOWN_TOPIC_ID
    assert.equal(await deleteMirror(), true)
    assert.deepEqual(deleted, ['t m'])
    const [entry, ...others] = [...records].filter(([key]) => key !== linkKey('l'))
    assert.equal(others.length, 0)
    assert.equal(entry?.[1]['verb'], 'delete')
    assert.equal(entry[1]['state'], 'done')
  })

  test('keeps its mirror while somebody has paused it', async () => {
    const { look, deleteMirror, deleted, records } = world()
    await look()
    records.set(pauseKey('l', { topic: 't' }), toRecord('pause', { at: 0, by: 'me@here' }))
    assert.equal(await deleteMirror(), false)
    records.delete(pauseKey('l', { topic: 't' }))
    assert.equal(await deleteMirror(), true)
    assert.deepEqual(deleted, ['t m'])
  })
})
