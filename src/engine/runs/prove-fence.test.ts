// What the probe shows of several leaders, and what is made of brokers that do not answer.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { contextOf, TOPIC, world } from '../../../test/support/fenced-cluster.ts'
import { KdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { Cluster } from '../../ports/cluster.ts'
import type { WriterProbe } from '../../ports/outside.ts'
import { probeBefore, watchFence } from './prove-fence.ts'

const {
  CORRUPT_MESSAGE: WRITES,
  TOPIC_AUTHORIZATION_FAILED: REFUSED,
  NOT_LEADER_OR_FOLLOWER: MOVED,
} = KafkaCode

/** A topic with a partition for each of `leaders`. */
function ledBy(leaders: readonly number[]) {
  const it = world()
  const partitions = leaders.map((leader, partition) => ({
    partition,
    leader,
    leaderEpoch: 0,
    replicas: [1],
    isr: [1],
  }))
  const source: Cluster = {
    ...it.source,
    describe: async () => {
      const view = await it.source.describe()
      return { ...view, topics: new Map([[TOPIC, { ...view.topics.get(TOPIC)!, partitions }]]) }
    },
  }
  return { it, source, context: contextOf(it, { source }) }
}

/** Answers in turn, the last of them from then on. */
function answering(...rounds: readonly (readonly number[])[]): WriterProbe {
  let round = 0
  return {
    principal: 'User:app',
    probe: async () => {
      await Promise.resolve()
      return (rounds[round++] ?? rounds.at(-1)!).map(code => ({ code }))
    },
    close: async () => {},
  }
}

describe('the probe before a fence', () => {
  test('must be able to write to something on every leader', async () => {
    const { context, source } = ledBy([1, 2, 2])
    assert.deepEqual(await probeBefore(context, source, answering([WRITES, REFUSED, WRITES])), {
      couldWrite: 2,
    })
    const before = await probeBefore(context, source, answering([WRITES, REFUSED, REFUSED]))
    assert.match(
      'why' in before ? before.why : '',
      /some of the brokers lead \(broker 2 answers .*"orders\/1"\)/,
    )
  })

  test('asks again while leaders move', async () => {
    const { context, source } = ledBy([1, 2])
    const before = await probeBefore(context, source, answering([WRITES, MOVED], [WRITES, WRITES]))
    assert.deepEqual(before, { couldWrite: 2 })
  })
})

describe('a fence is watched', () => {
  const limits = { stillMs: 4_000, withinMs: 10_000 }

  test('until the last leader refuses', async () => {
    const { context, source } = ledBy([1, 2])
    const probe = answering(...Array.from({ length: 20 }, () => [REFUSED, WRITES]), [REFUSED, REFUSED])
    assert.deepEqual(await watchFence(context, source, { ...limits, probe }), {
      asked: 2,
      leaderless: 0,
      why: undefined,
    })
    const never = await watchFence(context, source, { ...limits, probe: answering([REFUSED, WRITES]) })
    assert.match(never.why ?? '', /User:app may still write to "orders\/1"/)
  })

  test('anew when a broker has not answered', async () => {
    const { it, context, source } = ledBy([1])
    let isDown = false
    it.clock.from(3_000, () => (isDown = it.clock.now() < 1_005_000))
    const shaky: Cluster = {
      ...source,
      offsets: async (partitions, point) => {
        if (isDown) throw new KdrError('unreachable', 'broker 1 is not reachable')
        return await source.offsets(partitions, point)
      },
    }
    const from = it.clock.monotonic()
    const watching = await watchFence(context, shaky, { ...limits, probe: undefined })
    assert.equal(watching.why, undefined)
    assert.ok(it.clock.monotonic() - from >= 9_000, 'the ends before that say nothing')
  })

  test('partitions without a leader are not asked, and counted', async () => {
    const { context, source } = ledBy([1, -1])
    const watching = await watchFence(context, source, { ...limits, probe: answering([REFUSED]) })
    assert.deepEqual(watching, { asked: 1, leaderless: 1, why: undefined })
  })
})
