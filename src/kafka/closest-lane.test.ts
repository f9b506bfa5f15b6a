// Records from a replica, everything else from the leader, whatever the replica says or does.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KdrError } from '../model/errors.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { FetchLane, FetchPartition, FetchRequest } from '../ports/cluster.ts'
import { openClosestLane } from './closest-lane.ts'
import { ClosestReplicas } from './closest-replicas.ts'
import type { ClusterContext } from './context.ts'
import type { RawFetchAnswer, RawFetched, RawFetchRequest } from './raw/fetch.ts'

const LEADER = 1
const NEAR = 2
const EPOCH = 7

/** A whole batch, as far as the lane looks: a length, and that many bytes. */
function batch(text: string): Buffer {
  const bytes = Buffer.alloc(12 + text.length)
  bytes.writeInt32BE(text.length, 8)
  bytes.write(text, 12)
  return bytes
}

type Said = Partial<Omit<RawFetched, 'records'>> & { readonly text?: string }
type Broker = (asked: FetchPartition, request: RawFetchRequest) => Said | Promise<Said>

/** What a leader says that holds up to 100, 90 of it stable, and names a replica to whoever says in which rack it is. */
const leaderSays =
  (preferredReplica = NEAR, said: Said = {}): Broker =>
  (_, { rack }) => {
    const ends = { highWatermark: 100, lastStable: 90, logStart: 3 }
    return rack === undefined ? { ...ends, text: 'leader', ...said } : { ...ends, preferredReplica, ...said }
  }
/** One that lags behind, and began later. */
const nearSays: Broker = () => ({ highWatermark: 60, lastStable: 50, logStart: 30, text: 'near' })

/** A policy that nobody may see. */
const HIDDEN = 'hidden'

function world(policy = 'delete') {
  let now = 0
  const sleeping = new Set<{ readonly until: number; readonly wake: () => void }>()
  const clock = {
    now: () => now,
    monotonic: () => now,
    sleep: async (ms: number, signal?: AbortSignal) => {
      await new Promise<void>(wake => {
        sleeping.add({ until: now + ms, wake })
        signal?.addEventListener('abort', () => wake())
      })
    },
  }
  let nearThrottleMs = 0
  const brokers: Record<number, Broker> = { [LEADER]: leaderSays(), [NEAR]: nearSays }
  const asked: string[] = []
  const answer = async (broker: number, request: RawFetchRequest): Promise<RawFetchAnswer> => {
    const { rack, maxWaitMs, partitions } = request
    asked.push(`${broker === LEADER ? 'leader' : 'near'} ${rack ?? '-'} ${maxWaitMs}ms`)
    const throttleMs = broker === NEAR ? nearThrottleMs : 0
    if (throttleMs > 0) return { code: 0, throttleMs, sessionId: 0, partitions: [] }
    return {
      code: 0,
      throttleMs,
      sessionId: 0,
      partitions: await Promise.all(
        partitions.map(async each => {
          const { text, ...said } = await brokers[broker]!(each, request)
          const { topicId, partition } = each
          const none = { code: 0, highWatermark: -1, lastStable: -1, logStart: -1, diverging: undefined }
          const records = text === undefined ? Buffer.alloc(0) : batch(text)
          return { topicId, partition, ...none, aborted: [], preferredReplica: -1, ...said, records }
        }),
      ),
    }
  }
  const open = async (broker: number) => {
    if (brokers[broker] === undefined) throw new KdrError('unreachable', 'connection refused')
    return await Promise.resolve({
      firstByteMs: 1,
      receivedBytes: 0,
      versions: { need: () => 17 },
      callAlone: async (_api: unknown, _held: unknown, request: RawFetchRequest) =>
        await answer(broker, request),
    })
  }
  const context = {
    clock,
    pool: { openOwn: open, closeOwn: () => Promise.resolve() },
    view: () => ({ brokers: [LEADER, NEAR].map(id => ({ id, rack: `rack-${id}` })) }),
  } as unknown as ClusterContext
  const entry = { value: policy, isOverride: false, isReadOnly: false, isSensitive: false }
  const replicas = new ClosestReplicas(clock, topics =>
    policy === HIDDEN
      ? Promise.reject(new KdrError('not-allowed', 'not allowed'))
      : Promise.resolve(
          new Map(topics.map(topic => [topic, { code: 0, entries: new Map([['cleanup.policy', entry]]) }])),
        ),
  )
  return {
    brokers,
    asked,
    /** As a broker does for a quota's sake. */
    holdBack: (ms: number) => (nearThrottleMs = ms),
    /** Moves the clock, and lets everything happen that was waiting for it. */
    pass: async (ms: number) => {
      now += ms
      for (const each of sleeping) if (each.until <= now) each.wake()
      await new Promise(resolve => setImmediate(resolve))
    },
    lane: async (rack = `rack-${NEAR}`) => await openClosestLane(context, LEADER, { rack, replicas }),
  }
}

const at = (offset: number, more: Partial<FetchPartition> = {}): FetchPartition => ({
  topic: 't',
  topicId: 'id',
  partition: 0,
  offset,
  leaderEpoch: EPOCH,
  lastFetchedEpoch: EPOCH,
  maxBytes: 1_000,
  ...more,
})
const request = (...partitions: FetchPartition[]): FetchRequest => ({
  isolation: 'committed',
  maxWaitMs: 100,
  maxBytes: 1_000,
  partitions,
})

async function read(lane: FetchLane, ...partitions: FetchPartition[]) {
  const answers = await lane.fetch(request(...partitions))
  return answers.map(({ code, highWatermark, lastStable, logStart, records, replica }) => {
    const from = records.length === 0 ? 'nothing' : records.subarray(12).toString()
    return `${from} ${logStart}..${lastStable}..${highWatermark} code ${code}${replica === undefined ? '' : ` by ${replica}`}`
  })
}

/** The first round finds out whether the topic may be read elsewhere. */
async function started(policy?: string) {
  const all = world(policy)
  const lane = await all.lane()
  assert.deepEqual(await read(lane, at(10)), ['leader 3..90..100 code 0'])
  await all.pass(0)
  await read(lane, at(11))
  all.asked.length = 0
  return { ...all, lane, another: all.lane }
}

describe('a lane with a closer replica', () => {
  test('brings the records of the replica, and the leader’s word about the log', async () => {
    const { lane, asked } = await started()
    assert.deepEqual(await read(lane, at(20)), [`near 3..90..100 code 0 by ${NEAR}`])
    assert.deepEqual(asked, ['near - 100ms', 'leader rack-2 0ms'])
  })

  test('that has only read ahead brings them too; one for looks asks the leader alone', async () => {
    const { another, asked } = await started()
    const [ahead, looks] = [await another(), await another()]
    const far = at(40, { lastFetchedEpoch: -1 })
    const [first] = await ahead.fetch({ ...request(far), isAhead: true })
    assert.equal(first?.replica, NEAR)
    asked.length = 0
    assert.deepEqual(await read(looks, far), ['leader 3..90..100 code 0'])
    assert.deepEqual(asked, ['leader - 100ms'])
  })

  for (const [what, code] of Object.entries({
    OFFSET_OUT_OF_RANGE: KafkaCode.OFFSET_OUT_OF_RANGE,
    NOT_LEADER_OR_FOLLOWER: KafkaCode.NOT_LEADER_OR_FOLLOWER,
    OFFSET_NOT_AVAILABLE: 78,
    UNKNOWN_LEADER_EPOCH: KafkaCode.UNKNOWN_LEADER_EPOCH,
    FENCED_LEADER_EPOCH: KafkaCode.FENCED_LEADER_EPOCH,
    KAFKA_STORAGE_ERROR: 56,
  }))
    test(`whose replica answers ${what} is read from the leader, for a while`, async () => {
      const { lane, asked, brokers, pass } = await started()
      brokers[NEAR] = () => ({ code, text: 'not to be used' })
      assert.deepEqual(await read(lane, at(20)), ['leader 3..90..100 code 0'])
      brokers[NEAR] = nearSays
      asked.length = 0
      assert.deepEqual(await read(lane, at(21)), ['leader 3..90..100 code 0'])
      assert.deepEqual(asked, ['leader - 100ms'])
      await pass(10_000)
      assert.deepEqual(await read(lane, at(22)), [`near 3..90..100 code 0 by ${NEAR}`])
    })

  test('whose replica knows another history is read from the leader', async () => {
    const { lane, brokers } = await started()
    brokers[NEAR] = () => ({ diverging: { epoch: 6, endOffset: 12 }, text: 'of another history' })
    assert.deepEqual(await read(lane, at(20)), ['leader 3..90..100 code 0'])
  })

  test('whose replica is gone is read from the leader; it is tried again less and less often', async () => {
    const { lane, asked, brokers, pass } = await started()
    brokers[NEAR] = () => Promise.reject(new KdrError('unreachable', 'connection closed'))
    assert.deepEqual(await read(lane, at(20)), ['leader 3..90..100 code 0'])
    await pass(10_000)
    assert.deepEqual(await read(lane, at(21)), ['leader 3..90..100 code 0'])
    asked.length = 0
    await pass(10_000)
    brokers[NEAR] = nearSays
    assert.deepEqual(await read(lane, at(22)), ['leader 3..90..100 code 0'])
    assert.deepEqual(asked, ['leader - 100ms'])
    await pass(10_000)
    assert.deepEqual(await read(lane, at(23)), [`near 3..90..100 code 0 by ${NEAR}`])
  })

  test('and others whose replica is gone at the same moment make nobody wait longer for it', async () => {
    const { lane, another, brokers, pass } = await started()
    const lanes = [lane, await another(), await another()]
    brokers[NEAR] = () => Promise.reject(new KdrError('unreachable', 'connection closed'))
    await Promise.all(lanes.map(async each => await read(each, at(20))))
    brokers[NEAR] = nearSays
    await pass(10_000)
    assert.deepEqual(await read(lane, at(21)), [`near 3..90..100 code 0 by ${NEAR}`])
  })

  test('waits for a replica that keeps silent no longer than a little', async () => {
    const { lane, brokers, pass } = await started()
    brokers[NEAR] = () => new Promise<never>(() => undefined)
    const reading = read(lane, at(20))
    await pass(0)
    await pass(2_099)
    assert.equal(await Promise.race([reading, Promise.resolve('waiting')]), 'waiting')
    await pass(1)
    assert.deepEqual(await reading, ['leader 3..90..100 code 0'])
  })

  test('whose replica holds back for a quota’s sake does not get round that, and has more patience', async () => {
    const { lane, asked, brokers, holdBack, pass } = await started()
    holdBack(5_000)
    assert.deepEqual(await read(lane, at(20)), [])
    assert.deepEqual(asked, ['near - 100ms'])
    holdBack(0)
    const answer = Promise.withResolvers<Said>()
    brokers[NEAR] = () => answer.promise
    const reading = read(lane, at(20))
    await pass(0)
    await pass(5_000)
    answer.resolve({ text: 'near' })
    assert.deepEqual(await reading, [`near 3..90..100 code 0 by ${NEAR}`])
  })

  test('says nothing without the leader, whatever the replica has', async () => {
    const { lane, brokers } = await started()
    brokers[LEADER] = () => Promise.reject(new KdrError('unreachable', 'connection closed'))
    await assert.rejects(lane.fetch(request(at(20))), { code: 'unreachable' })
  })

  test('passes on the leader’s error, and no records with it', async () => {
    const { lane, brokers } = await started()
    const code = KafkaCode.FENCED_LEADER_EPOCH
    const none = { highWatermark: -1, lastStable: -1, logStart: -1 }
    brokers[LEADER] = () => ({ code, ...none })
    assert.deepEqual(await read(lane, at(20)), [`nothing -1..-1..-1 code ${code}`])
  })

  test('a replica without records where the leader has some is not believed', async () => {
    const { lane, asked, brokers } = await started()
    brokers[NEAR] = () => ({ highWatermark: 20, lastStable: 20, logStart: 3 })
    // Three times in a row, and it is left alone.
    for (const offset of [20, 21, 22])
      assert.deepEqual(await read(lane, at(offset)), ['leader 3..90..100 code 0'])
    asked.length = 0
    await read(lane, at(23))
    assert.deepEqual(asked, ['leader - 100ms'])
  })

  test('a replica that lags in one partition holds up no more than a round of it, while it serves others', async () => {
    const { lane, brokers, pass } = await started()
    const other = { partition: 1 }
    for (const offset of [12, 13]) await read(lane, at(offset), at(offset, other))
    await pass(0)
    brokers[NEAR] = ({ partition }) => (partition === 0 ? {} : { text: 'near' })
    assert.deepEqual(await read(lane, at(20), at(20, other)), [
      `near 3..90..100 code 0 by ${NEAR}`,
      'leader 3..90..100 code 0',
    ])
  })

  test('a replica that is stuck in one partition is left alone there, however much it gives of others behind it', async () => {
    const { lane, asked, brokers, pass } = await started()
    const other = { partition: 1 }
    for (const offset of [12, 13]) await read(lane, at(offset), at(offset, other))
    await pass(0)
    brokers[NEAR] = ({ partition }) => (partition === 0 ? {} : { text: 'x'.repeat(600) })
    for (const offset of [20, 21, 22]) {
      const answers = await read(lane, at(20), at(offset, other))
      assert.ok(answers.includes('leader 3..90..100 code 0'), answers.join())
    }
    asked.length = 0
    await read(lane, at(20), at(23, other))
    assert.ok(asked.includes('leader - 10ms'), asked.join())
  })

  test('where both have nothing, the leader says so', async () => {
    const { lane, asked, brokers } = await started()
    brokers[NEAR] = () => ({ highWatermark: 60, lastStable: 50, logStart: 30 })
    assert.deepEqual(await read(lane, at(90)), ['nothing 3..90..100 code 0'])
    assert.deepEqual(asked, ['near - 100ms', 'leader rack-2 0ms'])
  })

  test('records that are asked for a third time come from the leader: what was read ahead is thrown away now and then', async () => {
    const { lane } = await started()
    for (let time = 0; time < 2; time++)
      assert.deepEqual(await read(lane, at(20)), [`near 3..90..100 code 0 by ${NEAR}`])
    assert.deepEqual(await read(lane, at(20)), ['leader 3..90..100 code 0'])
    assert.deepEqual(await read(lane, at(21)), ['leader 3..90..100 code 0'])
  })

  test('what was said under one epoch counts for no other', async () => {
    const { lane, asked, brokers } = await started()
    const next = { leaderEpoch: EPOCH + 1 }
    brokers[LEADER] = leaderSays(-1)
    assert.deepEqual(await read(lane, at(20, next)), ['leader 3..90..100 code 0'])
    assert.deepEqual(asked, ['leader rack-2 0ms', 'leader - 100ms'])
    brokers[LEADER] = leaderSays()
    assert.deepEqual(await read(lane, at(21, { leaderEpoch: -1 })), ['leader 3..90..100 code 0'])
  })

  test('is none where the leader no longer names one, and asks again in a minute', async () => {
    const { lane, asked, brokers, pass } = await started()
    brokers[LEADER] = leaderSays(-1)
    assert.deepEqual(await read(lane, at(20)), [`near 3..90..100 code 0 by ${NEAR}`])
    brokers[LEADER] = leaderSays()
    asked.length = 0
    assert.deepEqual(await read(lane, at(21)), ['leader 3..90..100 code 0'])
    assert.deepEqual(asked, ['leader - 100ms'])
    await pass(60_001)
    asked.length = 0
    assert.deepEqual(await read(lane, at(22)), [`near 3..90..100 code 0 by ${NEAR}`])
    assert.deepEqual(asked, ['leader rack-2 0ms', 'near - 100ms', 'leader rack-2 0ms'])
  })

  test('what the leader has not said again for a minute counts no more', async () => {
    const { lane, asked, brokers, pass } = await started()
    brokers[LEADER] = (of, about) => (about.rack === undefined ? leaderSays()(of, about) : { code: 5 })
    await pass(60_001)
    assert.deepEqual(await read(lane, at(20)), ['leader 3..90..100 code 0'])
    assert.deepEqual(asked, ['leader rack-2 0ms', 'leader - 100ms'])
  })

  for (const policy of ['compact', 'compact,delete', HIDDEN])
    test(`a topic with the policy ${policy} is read from the leader`, async () => {
      const { lane, asked } = await started(policy)
      assert.deepEqual(await read(lane, at(20)), ['leader 3..90..100 code 0'])
      assert.deepEqual(asked, ['leader - 100ms'])
    })

  test('a look that follows no log is answered by the leader, whatever is known', async () => {
    const { lane: followed, another } = await started()
    await read(followed, at(20))
    const lane = await another()
    assert.deepEqual(await read(lane, at(30, { lastFetchedEpoch: -1 })), ['leader 3..90..100 code 0'])
  })

  test('a leader in the same rack is read alone', async () => {
    const { asked, ...all } = world()
    const lane = await all.lane(`rack-${LEADER}`)
    for (const offset of [10, 11, 12]) {
      assert.deepEqual(await read(lane, at(offset)), ['leader 3..90..100 code 0'])
      await all.pass(0)
    }
    assert.deepEqual([...new Set(asked)], ['leader - 100ms'])
  })

  test('nobody waits long for one broker while another may have something', async () => {
    const { lane, asked } = await started()
    await read(lane, at(20), at(5, { partition: 1, leaderEpoch: -1 }))
    assert.deepEqual(asked.slice(0, 2).toSorted(), ['leader - 10ms', 'near - 10ms'])
  })
})
