// A replay of stranded records in the simulated world: killed at any of its calls, with answers lost and requests that take effect late, and
// other applications writing to the same topics meanwhile: each record stands there once, in its order, and says where it came from.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Into, replayTopic, type ReplayPartition } from '../../src/engine/runs/replay.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { findKdrError } from '../../src/model/errors.ts'
import type { Cluster } from '../../src/ports/cluster.ts'
import type { DecodedRecord } from '../../src/ports/records.ts'
import { JOURNAL_TOPIC, openTopicStore } from '../../src/state/topic-store.ts'
import { suite } from '../support/suite.ts'
import { Chaos } from './chaos.ts'
import { SimClock } from './clock.ts'
import { SimCluster } from './cluster.ts'
import { type NetworkFaults, SimNetwork, SimProcess } from './network.ts'
import { simPort } from './port.ts'
import { Random } from './random.ts'
import { PartitionWorkload } from './workload.ts'
import { START } from './world.ts'

const TOPIC = 'orders'
const PARTITIONS = 2
/** Of each partition: three batches. */
const RECORDS = 1_200
const LIMIT_MS = 3_000_000
/** Whatever is not answered ends a try: of 400 seeds one takes more than 20, none more than 22. */
const TRIES = 60
/** Of calls at which a process is killed. */
const STEP = suite === 'short' ? 3 : 1

function stranded(partition: number): ReplayPartition {
  async function* records(): AsyncIterable<DecodedRecord> {
    for (let n = 0; n < RECORDS; n++)
      yield await Promise.resolve({
        offset: 500 + 2 * n,
        timestamp: START - 100_000_000 + n,
        key: Buffer.from(`key-${n}`),
        value: Buffer.from(`stranded ${partition} ${n}`),
        headers: [[Buffer.from('own'), null]] as const,
      })
  }
  return { topic: TOPIC, partition, keys: [], records }
}

type Options = {
  readonly seed?: number
  readonly into?: Into
  readonly diesAt?: number
  readonly faults?: Partial<NetworkFaults>
  /** What a test changes, to see whether this finds it. */
  readonly planted?: (target: Cluster) => Cluster
  /** Before each repetition. */
  readonly between?: (cluster: SimCluster) => void
  /** So often it is repeated when it is done. */
  readonly repeats?: number
  readonly elsewhere?: ReadonlyMap<string, unknown>
}
type Replayed = {
  readonly wrong: string[]
  readonly calls: number
  readonly tries: number
  readonly cluster: SimCluster
  /** Of each time that it was done: how many records were said to stand there. */
  readonly counts: readonly number[]
}

async function replay({
  seed = 1,
  into = 'original',
  diesAt,
  faults,
  planted,
  between = () => undefined,
  repeats = 0,
  elsewhere,
}: Options): Promise<Replayed> {
  const clock = new SimClock(START)
  const random = new Random(seed)
  const cluster = new SimCluster({
    name: 'target',
    clusterId: 'id-target',
    brokers: 2,
    clock,
    random: random.stream('target'),
    mayWriteMarkers: true,
    producerExpirationMs: 86_400_000,
    brokerConfigs: {},
    topicDefaults: {},
  })
  const network = new SimNetwork(clock, random.stream('net'), new Chaos(new Set(), () => undefined))
  Object.assign(network.faults, faults)
  const { partitions } = cluster.createTopic(TOPIC, PARTITIONS, {})
  const others = partitions.map(
    (at, partition) =>
      new PartitionWorkload(at, {
        clock,
        random: random.stream(`others ${partition}`),
        ageMs: 0,
        producers: 1,
        firstProducer: 10 * partition,
        prefix: `other.${partition}`,
      }),
  )
  for (let n = 0; n < 20; n++) for (const each of others) each.step()
  let calls = 0
  let tries = 0
  let isDone = false
  let writers = 0n
  const counts: number[] = []
  let first: SimProcess | undefined
  const attempt = async (process: SimProcess): Promise<void> => {
    const port = simPort(cluster, network, process)
    const store = await openTopicStore(port, recordCodec, clock, {
      create: true,
      topic: JOURNAL_TOPIC,
      writer: 2n ** 50n + ++writers,
    })
    await store.refresh()
    const input = {
      run: 'back-1',
      into,
      clusterId: 'EAST',
      target: planted?.(port) ?? port,
      store,
      elsewhere: elsewhere && { get: (key: string) => elsewhere.get(key) as never },
      guard: async () => await Promise.resolve(),
      clock,
      codec: recordCodec,
      progress: () => undefined,
    }
    counts.push(
      await replayTopic(
        input,
        TOPIC,
        Array.from({ length: PARTITIONS }, (_none, n) => stranded(n)),
      ),
    )
    isDone = counts.length > repeats
  }
  const again = async (): Promise<void> => {
    while (!isDone && tries < TRIES) {
      const process = new SimProcess()
      if (tries > 0) between(cluster)
      first ??= process
      if (tries++ === 0 && diesAt !== undefined)
        process.crashAt = { call: diesAt, isBefore: diesAt % 2 === 0 }
      const ended = attempt(process).catch((error: unknown) => {
        if (findKdrError(error)?.code !== 'unreachable') throw error
      })
      await Promise.race([ended, process.death])
      calls = first.calls
    }
  }
  const writing = (async () => {
    while (!isDone) {
      await clock.sleep(300)
      for (const each of others) each.step()
      // By the times of these records: no sequence number guards anything.
      cluster.expireProducers()
    }
  })()
  let failed: Error | undefined
  const working = again().catch((error: unknown) => {
    failed = error instanceof Error ? error : new Error(String(error))
    isDone = true
  })
  await clock.run(() => isDone, LIMIT_MS)
  await Promise.race([working, Promise.resolve()])
  writing.catch(() => undefined)
  if (failed !== undefined) throw failed
  return {
    wrong: isDone ? judge(cluster, into) : ['it does not come to an end'],
    calls,
    tries,
    cluster,
    counts,
  }
}

function judge(cluster: SimCluster, into: Into): string[] {
  const wrong: string[] = []
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const topic = into === 'original' ? TOPIC : `${TOPIC}.stranded`
    const { entries } = cluster.partition({ topic, partition })!.log
    const found = entries
      .filter(({ header, bytes }) => !header.isControl && bytes.length > 0)
      .flatMap(({ header, bytes }) => recordCodec.decode({ header, bytes }))
      .filter(({ value }) => value?.toString().startsWith('stranded') === true)
    const values = found.map(({ value }) => value!.toString())
    const wanted = Array.from({ length: RECORDS }, (_none, n) => `stranded ${partition} ${n}`)
    if (values.join() !== wanted.join()) {
      const twice = values.length - new Set(values).size
      wrong.push(`${topic}/${partition} has ${values.length} of ${RECORDS}, ${twice} of them twice`)
    }
    for (const [n, { headers, timestamp }] of found.entries()) {
      const of: Record<string, string> = Object.fromEntries(
        headers.map(([name, value]) => [name.toString(), value?.toString() ?? '']),
      )
      const said = (name: string): string => of[`kdr.stranded.${name}`] ?? 'nothing'
      const from = `${said('cluster')} ${said('topic')}/${said('partition')}`
      if (from !== `EAST ${TOPIC}/${partition}` || !('own' in of) || timestamp !== START - 100_000_000 + n)
        wrong.push(`record ${n} says ${JSON.stringify(of)}`)
      if (said('offset') !== String(500 + 2 * n))
        wrong.push(`record ${n} says that it was at ${said('offset')}`)
    }
  }
  return wrong
}

/** Of a batch (docs of the protocol, record batch). */
const RECORD_COUNT_AT = 57

/** Retention, and nobody has written since. */
function trimAll(cluster: SimCluster, only?: number): void {
  for (const { topic, partition, at } of cluster.all())
    if (topic === TOPIC && (only ?? partition) === partition) at.log.trim(at.log.end)
}

/** Batches that a replay has brought. */
function bringers(cluster: SimCluster, only?: number) {
  return cluster
    .all()
    .filter(({ topic, partition }) => topic === TOPIC && (only ?? partition) === partition)
    .flatMap(({ at }) => at.log.entries)
    .filter(({ header }) => header.producerId > 2n ** 60n && header.producerId < 2n ** 61n)
}

describe('a simulated replay', () => {
  for (const into of ['original', 'stranded'] as const)
    test(`into ${into}: killed at a call, taken up again, each record is there once`, async () => {
      const undisturbed = await replay({ into })
      assert.deepEqual([undisturbed.wrong, undisturbed.tries], [[], 1])
      for (let call = 1; call <= undisturbed.calls; call += suite === 'short' ? 3 : 1) {
        const { wrong } = await replay({ into, diesAt: call })
        assert.deepEqual(wrong, [], `call ${call} of ${undisturbed.calls}`)
      }
    })

  test('answers that are lost, requests that take effect late or never', async () => {
    const faults = { lost: 0.05, answerLost: 0.08, late: 0.08, lateWrites: 0.1, hung: 0.02 }
    for (let seed = 1; seed <= (suite === 'short' ? 12 : 200); seed++)
      assert.deepEqual((await replay({ seed, faults, diesAt: 5 * seed })).wrong, [], `seed ${seed}`)
  })

  test('once it is done it is not done again, though retention has taken what it brought', async () => {
    const { counts, cluster } = await replay({ repeats: 1, between: trimAll })
    assert.deepEqual(counts, [PARTITIONS * RECORDS, PARTITIONS * RECORDS])
    assert.equal(bringers(cluster).length, 0)
  })

  test('a partition that was done is not done again, though the others were not', async () => {
    const { calls } = await replay({})
    let seen = 0
    for (let diesAt = 1; diesAt <= calls; diesAt += STEP) {
      let isOther = false
      const { counts, cluster } = await replay({
        diesAt,
        between: each => {
          // The second one is begun when the first one is done.
          isOther = bringers(each, 1).length > 0
          if (isOther) trimAll(each, 0)
        },
      })
      if (!isOther) continue
      seen++
      assert.deepEqual([counts, bringers(cluster, 0).length], [[PARTITIONS * RECORDS], 0], `call ${diesAt}`)
    }
    assert.ok(seen > 0)
  })

  test('what retention has taken before it was done is not guessed', async () => {
    const { calls } = await replay({})
    let seen = 0
    for (let diesAt = 1; diesAt <= calls; diesAt += STEP) {
      let brought = 0
      const error = await replay({
        diesAt,
        between: each => {
          brought = bringers(each, 0).length
          trimAll(each, 0)
        },
      }).then(
        ({ counts, cluster }) => {
          // It was done, or nothing had come yet.
          const again = bringers(cluster, 0).length
          assert.deepEqual([counts, brought === 0 || again === 0], [[PARTITIONS * RECORDS], true])
        },
        (refused: unknown) => findKdrError(refused)?.message,
      )
      if (error === undefined) continue
      seen++
      assert.match(error, /how much of it was replayed cannot be told/)
    }
    assert.ok(seen > 0)
  })

  test('of a batch that the cleaner has thinned all is counted', async () => {
    const { calls } = await replay({})
    for (let diesAt = 1; diesAt <= calls; diesAt += STEP) {
      const { cluster } = await replay({
        diesAt,
        between: each => {
          for (const { bytes } of bringers(each)) bytes.writeInt32BE(1, RECORD_COUNT_AT)
        },
      })
      for (const partition of [0, 1]) {
        const brought = bringers(cluster, partition)
        const records = brought.reduce(
          (sum, { header }) => sum + header.lastOffset - header.baseOffset + 1,
          0,
        )
        assert.equal(records, RECORDS, `call ${diesAt} of ${calls}`)
      }
    }
  })

  describe('that was begun at the other cluster, which was the active one', () => {
    const key = `replay/back-1/original/${TOPIC}`
    const there = { keys: [], topicId: 'another' }

    test('and ended there: the link has brought it', async () => {
      const { counts, cluster } = await replay({
        elsewhere: new Map([[key, { ...there, isDone: true, count: 77 }]]),
      })
      assert.deepEqual([counts, bringers(cluster).length], [[77], 0])
    })

    test('and not ended: it is not begun again', async () => {
      await assert.rejects(
        replay({ elsewhere: new Map([[key, there]]) }),
        /were replayed at the other cluster/,
      )
    })

    test('into a topic that was not brought here: it is done here', async () => {
      const elsewhere = new Map([
        [key.replace('original', 'stranded'), { ...there, isDone: true, count: 77 }],
      ])
      assert.deepEqual((await replay({ into: 'stranded', elsewhere })).wrong, [])
    })
  })

  test('a topic that is made for it keeps what it gets, however old', async () => {
    const { cluster } = await replay({ into: 'stranded' })
    const { configs } = cluster.topics.get(`${TOPIC}.stranded`)!
    assert.deepEqual(
      [configs.get('retention.ms'), configs.get('retention.bytes'), configs.get('cleanup.policy')],
      ['-1', '-1', 'delete'],
    )
  })

  test('one that does not see what stands there is found out', async () => {
    const blind = (target: Cluster): Cluster => ({
      ...target,
      openFetchLane: async broker => {
        const lane = await target.openFetchLane(broker)
        return {
          ...lane,
          close: async () => await lane.close(),
          fetch: async () => await Promise.resolve([]),
        }
      },
      offsets: async (partitions, point) =>
        (await target.offsets(partitions, point)).map(each => ({
          ...each,
          offset: point === 'logStart' ? 0 : 0,
        })),
    })
    const { calls } = await replay({})
    const found: string[] = []
    for (let call = 1; call <= calls && found.length === 0; call++)
      found.push(...(await replay({ diesAt: call, planted: blind })).wrong)
    assert.match(found.join(), /twice|has/)
  })
})
