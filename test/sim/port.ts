// One worker's connection to a simulated cluster: the Cluster port, with every call over the network.
import { codeName, KafkaCode } from '../../src/model/kafka-codes.ts'
import * as port from '../../src/ports/cluster.ts'
import type { SimCluster, SimPartition } from './cluster.ts'
import { type SimNetwork, type SimProcess, unreachable } from './network.ts'

const POLL_MS = 5

export function simPort(cluster: SimCluster, network: SimNetwork, process: SimProcess): port.Cluster {
  const { clock, options } = cluster
  const call = <T>(what: string, effect: () => T | Promise<T>): Promise<T> =>
    network.call(process, `cluster "${options.name}" ${what}`, effect)
  /** As metadata was at the last describe: requests go to the leader that the worker knows. */
  let known: port.ClusterView | undefined
  const each = <Of extends port.TopicPartition, Answer>(
    what: string,
    items: readonly Of[],
    one: (at: SimPartition, of: Of) => Answer,
    failed: (code: number) => Answer,
  ): Promise<Answer[]> =>
    call(what, () =>
      items.map(of => {
        const at = cluster.partition(of)
        const believed = known?.topics.get(of.topic)?.partitions[of.partition]
        const code = cluster.leaderCode(believed?.leader ?? -1, at)
        // The adapter sends the leader epoch that it knows.
        if (code === KafkaCode.NONE && believed?.leaderEpoch !== at?.log.leaderEpoch)
          return failed(KafkaCode.FENCED_LEADER_EPOCH)
        return code === KafkaCode.NONE ? one(at!, of) : failed(code)
      }),
    )

  /** acks=all: waits until the followers have it. */
  const replicated = async (
    at: SimPartition,
    end: number,
    timeoutMs: number,
    epoch: number,
  ): Promise<number> => {
    const deadline = clock.monotonic() + timeoutMs
    while (at.log.highWatermark < end) {
      if (at.log.leaderEpoch !== epoch) return KafkaCode.NOT_LEADER_OR_FOLLOWER
      if (clock.monotonic() >= deadline) return KafkaCode.REQUEST_TIMED_OUT
      if (!at.isUnderReplicated) at.log.advance()
      else await clock.sleep(POLL_MS)
    }
    return KafkaCode.NONE
  }

  const appendOne = async (
    broker: number,
    entry: port.AppendEntry,
    timeoutMs: number,
  ): Promise<port.AppendAnswer> => {
    const { topic, partition } = entry
    const at = cluster.partition(entry)
    const refused = (code: number): port.AppendAnswer => ({
      topic,
      partition,
      code,
      baseOffset: -1,
      message: codeName(code),
    })
    const isOther =
      at !== undefined && cluster.topics.get(topic)?.id !== entry.topicId && !topic.startsWith('_kdr.')
    if (isOther) return refused(KafkaCode.UNKNOWN_TOPIC_ID)
    const code = cluster.leaderCode(broker, at)
    if (code !== KafkaCode.NONE) return refused(code)
    const result = at!.log.append(entry.batch)
    if (result.code !== KafkaCode.NONE) return refused(result.code)
    const epoch = at!.log.leaderEpoch
    const replicatedCode = await replicated(at!, at!.log.end, timeoutMs, epoch)
    return replicatedCode === KafkaCode.NONE
      ? { topic, partition, code: 0, baseOffset: result.base }
      : refused(replicatedCode)
  }

  return {
    name: options.name,
    close: () => Promise.resolve(),
    async describe() {
      known = await call('describe', () => cluster.view())
      return known
    },
    topicsById: ids =>
      call('topics by id', () => ({
        clusterId: options.clusterId,
        topics: ids.map(id => ({
          code: [...cluster.topics.values()].some(topic => topic.id === id)
            ? KafkaCode.NONE
            : KafkaCode.UNKNOWN_TOPIC_ID,
        })),
      })),
    topicConfigs: topics =>
      call(
        'configs',
        () =>
          new Map(
            topics.map(name => [
              name,
              {
                code: cluster.topics.has(name) ? KafkaCode.NONE : KafkaCode.UNKNOWN_TOPIC_OR_PARTITION,
                entries: new Map(
                  [...(cluster.topics.get(name)?.configs ?? [])].map(([key, value]) => [
                    key,
                    { value, isOverride: true, isReadOnly: false, isSensitive: false },
                  ]),
                ),
              },
            ]),
          ),
      ),
    brokerConfigs: () =>
      call(
        'broker configs',
        () => new Map([['producer.id.expiration.ms', String(options.producerExpirationMs)]]),
      ),
    createTopic: topic =>
      call('create', () => {
        if (cluster.topics.has(topic.name))
          return { code: KafkaCode.TOPIC_ALREADY_EXISTS, id: port.NO_TOPIC_ID }
        return { code: 0, id: cluster.createTopic(topic.name, topic.partitions, topic.configs).id }
      }),
    addPartitions: (name, totalCount) =>
      call('add partitions', () => {
        const topic = cluster.topics.get(name)
        if (topic === undefined) return { code: KafkaCode.UNKNOWN_TOPIC_OR_PARTITION }
        if (topic.partitions.length >= totalCount) return { code: KafkaCode.INVALID_PARTITIONS }
        cluster.addPartitions(topic, totalCount)
        return { code: 0 }
      }),
    alterTopicConfigs: (name, changes) =>
      call('alter', () => {
        const topic = cluster.topics.get(name)
        if (topic === undefined) return { code: KafkaCode.UNKNOWN_TOPIC_OR_PARTITION }
        for (const [key, value] of Object.entries(changes)) {
          if (value === null) topic.configs.delete(key)
          else topic.configs.set(key, value)
        }
        return { code: 0 }
      }),
    deleteRecords: targets =>
      each(
        'delete records',
        targets,
        (at, { before }) =>
          before > at.log.highWatermark
            ? { code: KafkaCode.OFFSET_OUT_OF_RANGE, offset: -1 }
            : { code: 0, offset: at.log.trim(before) },
        code => ({ code, offset: -1 }),
      ),
    deleteTopic: name =>
      call('delete topic', () => ({
        code: cluster.topics.delete(name) ? 0 : KafkaCode.UNKNOWN_TOPIC_OR_PARTITION,
      })),
    openFetchLane: broker => openFetchLane(cluster, call, broker),
    openFetchSession: broker => openFetchSession(cluster, call, broker),
    offsets: (partitions, point) =>
      each(
        'offsets',
        partitions,
        ({ log }) => {
          const offset = {
            logStart: log.logStart,
            logEnd: log.end,
            highWatermark: log.highWatermark,
            lastStable: log.lastStable,
          }[point]
          return { code: 0, offset, leaderEpoch: log.leaderEpoch }
        },
        code => ({ code, offset: -1, leaderEpoch: -1 }),
      ),
    offsetsForTime: partitions =>
      each(
        'times',
        partitions,
        () => ({ code: 0, offset: -1 }),
        code => ({ code, offset: -1 }),
      ),
    epochEnds: partitions =>
      each(
        'epochs',
        partitions,
        ({ log }, { epoch }) => ({ code: 0, ...log.epochEnd(epoch) }),
        code => ({ code, epoch: -1, offset: -1 }),
      ),
    producers: partitions =>
      each(
        'producers',
        partitions,
        ({ log }) => ({ code: 0, producers: log.describeProducers() }),
        code => ({ code, producers: [] }),
      ),
    transactionsOf: () => call('transactions', () => ({ isComplete: false, transactions: [] })),
    openAppendLane: broker => openAppendLane({ cluster, network, process, broker, appendOne }),
    mayWriteMarkers: () => call('rights', () => options.mayWriteMarkers),
    writeMarkers: (broker, producer, fills) =>
      call('markers', async () =>
        Promise.all(
          fills.map(async fill => {
            const { topic, partition } = fill
            const at = cluster.partition(fill)
            const code = cluster.leaderCode(broker, at)
            if (code !== KafkaCode.NONE) return { topic, partition, code }
            let result: number = KafkaCode.NONE
            for (let i = 0; i < fill.count && result === KafkaCode.NONE; i++) {
              result = cluster.appendMarker(at!.log, producer, producer.coordinatorEpoch)
            }
            if (result === KafkaCode.NONE)
              result = await replicated(at!, at!.log.end, 30_000, at!.log.leaderEpoch)
            if (result !== KafkaCode.NONE) return { topic, partition, code: result }
            // The second request of the connection comes a little later: the leader may have moved by then.
            await clock.sleep(options.random.between(0, 2))
            const later = cluster.leaderCode(broker, cluster.partition(fill))
            return { topic, partition, code: result, end: { code: later, offset: at!.log.end } }
          }),
        ),
      ),
    slotGroup: group => cluster.workers.open(group, call),
    initProducer: transactionalId =>
      call('init producer', () => {
        const before = cluster.coordinated.get(transactionalId)
        const now = before ?? { producerId: cluster.newProducerId(), producerEpoch: -1 }
        now.producerEpoch++
        cluster.coordinated.set(transactionalId, now)
        return { code: 0, ...now }
      }),
    emptyTransaction: (producer, partitions) =>
      call('empty transaction', async () => {
        const held = cluster.coordinated.get(producer.transactionalId)
        if (held === undefined || held.producerEpoch !== producer.producerEpoch)
          return { code: KafkaCode.PRODUCER_FENCED }
        for (const of of partitions) {
          const at = cluster.partition(of)
          if (at === undefined) return { code: KafkaCode.UNKNOWN_TOPIC_OR_PARTITION }
          const times = options.random.chance(cluster.markersRepeat) ? 2 : 1
          for (let i = 0; i < times; i++) cluster.appendMarker(at.log, producer, 0)
          await replicated(at, at.log.end, 30_000, at.log.leaderEpoch)
        }
        return { code: 0 }
      }),
    listGroups: () => Promise.resolve([]),
    groupOffsets: () => Promise.resolve({ code: 0, offsets: [] }),
    commitGroupOffsets: () => Promise.resolve({ code: 0 }),
  }
}

type Call = <T>(what: string, effect: () => T | Promise<T>) => Promise<T>

async function openFetchLane(cluster: SimCluster, call: Call, broker: number): Promise<port.FetchLane> {
  const { clock } = cluster
  let isClosed = false
  await call('connect', () => undefined)
  return {
    broker,
    async close() {
      isClosed = true
      return Promise.resolve()
    },
    fetch: request =>
      call('fetch', async () => {
        const deadline = clock.monotonic() + request.maxWaitMs
        for (;;) {
          const answers = request.partitions.map(of => fetchOne(cluster, broker, request.isolation, of))
          const hasNews = answers.some(
            answer => answer.code !== 0 || answer.records.length > 0 || answer.diverging !== undefined,
          )
          if (hasNews || isClosed || clock.monotonic() >= deadline) return answers
          await clock.sleep(Math.min(20, Math.max(1, request.maxWaitMs)))
        }
      }),
  }
}

/** What has nothing new is left out; nothing is ever forgotten by the broker. */
async function openFetchSession(cluster: SimCluster, call: Call, broker: number): Promise<port.FetchSession> {
  const lane = await openFetchLane(cluster, call, broker)
  const asked = new Map<string, port.FetchPartition>()
  const seen = new Map<string, string>()
  const keyOf = ({ topicId, partition }: port.FetchPartition): string => `${topicId}/${partition}`
  return {
    broker,
    close: () => lane.close(),
    ask: of => {
      asked.set(keyOf(of), of)
      seen.delete(keyOf(of))
    },
    forget: of => void asked.delete(keyOf(of)),
    async next(request) {
      const partitions = [...asked.values()]
      const answers = await lane.fetch({ ...request, partitions })
      return answers.filter((answer, index) => {
        const key = keyOf(partitions[index]!)
        const state = `${answer.highWatermark} ${answer.logStart}`
        const isNews =
          answer.code !== 0 ||
          answer.records.length > 0 ||
          answer.diverging !== undefined ||
          seen.get(key) !== state
        seen.set(key, state)
        return isNews && asked.has(key)
      })
    },
  }
}

function fetchOne(
  cluster: SimCluster,
  broker: number,
  isolation: 'committed' | 'uncommitted',
  of: port.FetchPartition,
): port.FetchedPartition {
  const { topic, partition, offset } = of
  const at = cluster.partition(of)
  const empty = {
    topic,
    partition,
    highWatermark: -1,
    lastStable: -1,
    logStart: -1,
    aborted: [],
    records: Buffer.alloc(0),
  }
  if (at !== undefined && cluster.topics.get(topic)?.id !== of.topicId)
    return { ...empty, code: KafkaCode.UNKNOWN_TOPIC_ID }
  const code = cluster.leaderCode(broker, at)
  if (code !== KafkaCode.NONE) return { ...empty, code }
  const { log } = at!
  if (of.leaderEpoch >= 0 && of.leaderEpoch !== log.leaderEpoch) {
    return {
      ...empty,
      code: of.leaderEpoch < log.leaderEpoch ? KafkaCode.FENCED_LEADER_EPOCH : KafkaCode.UNKNOWN_LEADER_EPOCH,
    }
  }
  const state = {
    ...empty,
    code: 0,
    highWatermark: log.highWatermark,
    lastStable: log.lastStable,
    logStart: log.logStart,
  }
  if (of.lastFetchedEpoch >= 0) {
    const end = log.epochEnd(of.lastFetchedEpoch)
    if (end.offset < 0) return { ...state, code: KafkaCode.OFFSET_OUT_OF_RANGE }
    if (end.epoch < of.lastFetchedEpoch || end.offset < offset)
      return { ...state, diverging: { epoch: end.epoch, endOffset: end.offset } }
  }
  if (offset < log.logStart || offset > log.end) return { ...state, code: KafkaCode.OFFSET_OUT_OF_RANGE }
  const upTo = isolation === 'committed' ? log.lastStable : log.highWatermark
  const aborted =
    isolation === 'committed'
      ? log.aborted
          .filter(each => each.markerOffset >= offset && each.firstOffset < upTo)
          .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
      : []
  return { ...state, aborted, records: log.read(offset, upTo, of.maxBytes) }
}

type LaneParts = {
  readonly cluster: SimCluster
  readonly network: SimNetwork
  readonly process: SimProcess
  readonly broker: number
  readonly appendOne: (
    broker: number,
    entry: port.AppendEntry,
    timeoutMs: number,
  ) => Promise<port.AppendAnswer>
}

/** Requests are processed in the order sent. When the connection breaks, those that had arrived may still be processed. */
async function openAppendLane({
  cluster,
  network,
  process,
  broker,
  appendOne,
}: LaneParts): Promise<port.AppendLane> {
  const { clock, options } = cluster
  const what = `cluster "${options.name}" broker ${broker}`
  let isClosed = false
  let tail: Promise<unknown> = Promise.resolve()
  let afterClose = 0
  await network.call(process, `${what} connect`, () => undefined)
  const broken = Promise.withResolvers<never>()
  broken.promise.catch(() => {})
  const closeNow = (why: string): void => {
    isClosed = true
    broken.reject(unreachable(what, why))
  }
  return {
    broker,
    get isClosed() {
      return isClosed
    },
    async close() {
      closeNow('closed')
      return Promise.resolve()
    },
    async append(entries, timeoutMs) {
      await process.turn()
      if (isClosed) throw unreachable(what, 'closed')
      const copies = entries.map(entry => ({ ...entry, batch: Buffer.from(entry.batch) }))
      const isLost = options.random.chance(network.faults.lost) || network.isDown
      const delayMs = options.random.chance(network.faults.slow)
        ? options.random.between(50, 1_500)
        : options.random.between(0, 3)
      const arrivesAt = clock.monotonic() + delayMs
      const work = tail.then(async () => {
        await clock.sleep(Math.max(0, arrivesAt - clock.monotonic()))
        // A request behind a lost one is lost too: the connection is gone. Of those that had arrived when it broke, a
        // broker may still process one: it notices when it cannot send the answer.
        if (isLost) closeNow('the request is lost')
        if (isClosed && (afterClose++ > 0 || !options.random.chance(0.5))) throw unreachable(what, 'closed')
        return await Promise.all(copies.map(async entry => await appendOne(broker, entry, timeoutMs)))
      })
      tail = work.catch(() => {})
      const answers = await Promise.race([work, broken.promise])
      await clock.sleep(options.random.between(0, 2))
      await process.turn()
      if (network.isDown || options.random.chance(network.faults.answerLost)) {
        closeNow('the answer is lost')
        throw unreachable(what, 'the answer is lost')
      }
      return answers
    },
  }
}
