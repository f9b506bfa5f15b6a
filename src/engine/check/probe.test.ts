// A probe leaves nothing behind, whatever happens; what it measures is the median of writes in turn.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clusterOf, topicOf } from '../../../test/support/sights.ts'
import { KdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { Outcome, TopicView } from '../../ports/cluster.ts'
import type { Acks } from '../../ports/probe.ts'
import { median, PROBE_TOPIC, probe, type Probed } from './probe.ts'

const made = topicOf(PROBE_TOPIC, {
  replicas: [
    [1, 2, 3],
    [2, 3, 1],
  ],
})

type WorldSpec = {
  readonly took: (broker: number, acks: Acks) => number
  readonly topic: TopicView
  readonly creation: Outcome
  readonly code: number
  readonly stop: AbortController
}

/** `took`: ms of a write to a broker; throws what it likes. */
function world({
  took = (broker, acks) => (acks === 'all' ? 10 * broker : 2),
  topic = made,
  creation = { code: KafkaCode.NONE },
  code = KafkaCode.NONE,
  stop = new AbortController(),
}: Partial<WorldSpec> = {}) {
  let now = 0
  const did: string[] = []
  const { brokers } = clusterOf()
  const cluster: Probed = {
    name: 'east',
    describe: () => Promise.resolve({ clusterId: 'id', brokers, topics: new Map([[PROBE_TOPIC, topic]]) }),
    createTopics: wanted => {
      for (const { name, partitions, replicationFactor } of wanted)
        did.push(`made ${name} ${partitions}x${replicationFactor}`)
      return Promise.resolve([{ id: 'id', ...creation }])
    },
    deleteTopic: name => {
      did.push(`deleted ${name}`)
      return Promise.resolve({ code: KafkaCode.NONE })
    },
    probe: {
      open: broker =>
        Promise.resolve({
          append: (_entry, acks) => {
            now += took(broker, acks)
            return Promise.resolve({ code })
          },
          close: () => {
            did.push(`closed ${broker}`)
            return Promise.resolve()
          },
        }),
    },
  }
  const clock = {
    now: () => now,
    monotonic: () => now,
    sleep: (ms: number) => {
      now += ms
      return Promise.resolve()
    },
  }
  const run = async () => await probe(cluster, { clock, signal: stop.signal, batch: () => Buffer.alloc(61) })
  return { run, did, stop }
}

const MADE = `made ${PROBE_TOPIC} 3x3`
const DELETED = `deleted ${PROBE_TOPIC}`

describe('a probe', () => {
  test('tells of each leader what its followers add, and of the one that leads nothing why not', async () => {
    const { run, did } = world()
    const { leaders } = await run()
    assert.deepEqual(leaders, [
      { broker: 1, partition: 0, inSync: 3, acksOneMs: 2, acksAllMs: 10, differenceMs: 8 },
      { broker: 2, partition: 1, inSync: 3, acksOneMs: 2, acksAllMs: 20, differenceMs: 18 },
      { broker: 3, why: 'it leads no partition of the probe' },
    ])
    assert.deepEqual(did, [MADE, 'closed 1', 'closed 2', DELETED])
  })

  test('goes on behind a leader that goes away', async () => {
    const took = (broker: number): number => {
      if (broker === 1) throw new KdrError('unreachable', 'broker 1 is gone')
      return 5
    }
    const { run, did } = world({ took })
    const { leaders } = await run()
    assert.deepEqual(leaders[0], { broker: 1, why: 'broker 1 is gone' })
    assert.ok(leaders[1] !== undefined && 'acksAllMs' in leaders[1])
    assert.deepEqual(did, [MADE, 'closed 1', 'closed 2', DELETED])
  })

  test('says what a leader refuses', async () => {
    const { run } = world({ code: KafkaCode.NOT_ENOUGH_REPLICAS })
    const { leaders } = await run()
    assert.match(
      'why' in leaders[0]! ? leaders[0].why : '',
      /_kdr\.probe\/0" is refused: NOT_ENOUGH_REPLICAS/,
    )
  })

  test('takes over the topic that one before has left', async () => {
    const { run, did } = world({ creation: { code: KafkaCode.TOPIC_ALREADY_EXISTS } })
    assert.equal((await run()).leaders.length, 3)
    assert.equal(did.at(-1), DELETED)
  })

  test('deletes nothing where it may not make the topic', async () => {
    const creation = { code: KafkaCode.TOPIC_AUTHORIZATION_FAILED, message: '(kdr needs CREATE on it)' }
    const { run, did } = world({ creation })
    await assert.rejects(run(), {
      code: 'not-allowed',
      message: /TOPIC_AUTHORIZATION_FAILED .*kdr needs CREATE/,
    })
    assert.deepEqual(did, [MADE])
  })

  test('deletes the topic also where it does not come up, or is interrupted', async () => {
    const half = world({ topic: topicOf(PROBE_TOPIC, { replicas: [[1, 2, 3]], isr: [[1]] }) })
    await assert.rejects(half.run(), { code: 'not-ready', message: /does not come up whole/ })
    assert.deepEqual(half.did, [MADE, DELETED])
    const stop = new AbortController()
    const stopped = world({
      stop,
      took: () => {
        stop.abort(new KdrError('interrupted', 'stopped'))
        return 1
      },
    })
    await assert.rejects(stopped.run(), { code: 'interrupted' })
    assert.deepEqual(stopped.did, [MADE, 'closed 1', DELETED])
  })
})

test('the median is that of the middle, however wild the ends', () => {
  assert.deepEqual([median([5, 1, 900]), median([3])], [5, 3])
})
