// One worker's connection to a simulated cluster: the Cluster port, with every call over the network.
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import * as port from '../../src/ports/cluster.ts'
import type { SimCluster, SimPartition } from './cluster.ts'
import { openAppendLane, openFetchLane, openFetchSession, refusedAppend } from './lanes.ts'
import type { SimNetwork, SimProcess } from './network.ts'
import { checkTransaction, initProducer } from './coordinator.ts'
import { configCode } from './rules.ts'
import type { PortObserver } from './observer.ts'

const POLL_MS = 5
/** DeleteRecords: up to the high watermark. */
const END = -1

export function simPort(
  cluster: SimCluster,
  network: SimNetwork,
  process: SimProcess,
  observer?: PortObserver,
): port.Cluster {
  const { clock, options } = cluster
  const namesTopicsById = options.namesTopicsById ?? true
  const call = <T>(what: string, effect: () => T | Promise<T>, isWrite = false): Promise<T> =>
    network.call(process, `cluster "${options.name}" ${what}`, effect, isWrite)
  /** As metadata was at the last describe: requests go to the leader that the worker knows. */
  let known: port.ClusterView | undefined
  const each = <Of extends port.TopicPartition, Answer>(
    what: string,
    items: readonly Of[],
    one: (at: SimPartition, of: Of) => Answer,
    failed: (code: number) => Answer,
    sendsEpoch = true,
  ): Promise<Answer[]> =>
    call(what, () =>
      items.map(of => {
        if (cluster.denies('describe', of.topic)) return failed(KafkaCode.TOPIC_AUTHORIZATION_FAILED)
        const at = cluster.partition(of)
        const believed = known?.topics.get(of.topic)?.partitions[of.partition]
        if (believed === undefined) return failed(KafkaCode.UNKNOWN_TOPIC_OR_PARTITION)
        const code = cluster.leaderCode(believed.leader, at)
        if (code !== KafkaCode.NONE) return failed(code)
        const epoch = at!.log.leaderEpoch
        if (sendsEpoch && believed.leaderEpoch !== epoch)
          return failed(
            believed.leaderEpoch < epoch ? KafkaCode.FENCED_LEADER_EPOCH : KafkaCode.UNKNOWN_LEADER_EPOCH,
          )
        return one(at!, of)
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
    for (;;) {
      if (at.log.leaderEpoch !== epoch) return KafkaCode.NOT_LEADER_OR_FOLLOWER
      if (at.isBelowMin) return KafkaCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
      if (at.log.highWatermark >= end) return KafkaCode.NONE
      if (clock.monotonic() >= deadline) return KafkaCode.REQUEST_TIMED_OUT
      if (!at.isUnderReplicated) at.log.advance()
      else await clock.sleep(POLL_MS)
    }
  }

  const appendOne = async (
    broker: number,
    entry: port.AppendEntry,
    timeoutMs: number,
  ): Promise<port.AppendAnswer> => {
    const { topic, partition } = entry
    const at = cluster.partition(entry)
    const refused = (code: number): port.AppendAnswer => refusedAppend(entry, code)
    if (cluster.denies('write', topic)) return refused(KafkaCode.TOPIC_AUTHORIZATION_FAILED)
    const isOther = cluster.topics.get(topic)?.id !== entry.topicId
    if (isOther && namesTopicsById && entry.topicId !== port.NO_TOPIC_ID)
      return refused(KafkaCode.UNKNOWN_TOPIC_ID)
    const code = cluster.leaderCode(broker, at)
    if (code !== KafkaCode.NONE) return refused(code)
    if (at!.isBelowMin) return refused(KafkaCode.NOT_ENOUGH_REPLICAS)
    const before = at!.log.end
    const result = cluster.append(topic, at!, entry.batch)
    if (result.code !== KafkaCode.NONE) return refused(result.code)
    if (at!.log.end > before) observer?.appended(process, entry, at!, result.base)
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
        topics: ids.map(id => {
          const found = [...cluster.topics.values()].find(topic => topic.id === id)
          if (found === undefined) return { code: KafkaCode.UNKNOWN_TOPIC_ID }
          const isHidden = cluster.denies('describe', found.name)
          return { code: isHidden ? KafkaCode.TOPIC_AUTHORIZATION_FAILED : KafkaCode.NONE }
        }),
      })),
    topicConfigs: topics =>
      call(
        'configs',
        () =>
          new Map(
            topics.map(name => [
              name,
              {
                code: cluster.denies('describe', name)
                  ? KafkaCode.TOPIC_AUTHORIZATION_FAILED
                  : cluster.topics.has(name)
                    ? KafkaCode.NONE
                    : KafkaCode.UNKNOWN_TOPIC_OR_PARTITION,
                entries: entriesOf(cluster, name),
              },
            ]),
          ),
      ),
    brokerConfigs: () =>
      call(
        'broker configs',
        () =>
          new Map([
            ['producer.id.expiration.ms', String(options.producerExpirationMs)],
            ...Object.entries(options.brokerConfigs ?? {}),
          ]),
      ),
    logDirs: () => call('log dirs', () => []),
    createTopics: topics =>
      call('create', () =>
        topics.map(topic => {
          const code = creationCode(topic, cluster)
          const id =
            code === KafkaCode.NONE
              ? cluster.createTopic(topic.name, topic.partitions, topic.configs).id
              : port.NO_TOPIC_ID
          return { code, id }
        }),
      ),
    addPartitions: (name, totalCount) =>
      call('add partitions', () => {
        const topic = cluster.topics.get(name)
        if (topic === undefined) return { code: KafkaCode.UNKNOWN_TOPIC_OR_PARTITION }
        if (cluster.isBeyondQuota) return { code: KafkaCode.THROTTLING_QUOTA_EXCEEDED }
        if (topic.partitions.length >= totalCount) return { code: KafkaCode.INVALID_PARTITIONS }
        cluster.addPartitions(topic, totalCount)
        return { code: 0 }
      }),
    alterTopicConfigs: (name, changes) =>
      call('alter', () => {
        const topic = cluster.topics.get(name)
        const refused = configCode(changes)
        if (refused !== KafkaCode.NONE) return { code: refused }
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
        (at, { topic, partition, before }) => {
          if (cluster.denies('delete', topic))
            return { code: KafkaCode.TOPIC_AUTHORIZATION_FAILED, offset: -1 }
          if (cluster.topics.get(topic)?.configs.get('cleanup.policy') === 'compact')
            return { code: KafkaCode.POLICY_VIOLATION, offset: -1 }
          const to = before === END ? at.log.highWatermark : before
          if (to < 0 || to > at.log.highWatermark) return { code: KafkaCode.OFFSET_OUT_OF_RANGE, offset: -1 }
          observer?.trimming({ topic, partition }, at, to)
          return { code: 0, offset: at.log.trim(to) }
        },
        code => ({ code, offset: -1 }),
        false,
      ),
    deleteTopic: (name, id) =>
      call('delete topic', () => {
        if (id !== undefined && cluster.topics.get(name)?.id !== id)
          return { code: KafkaCode.UNKNOWN_TOPIC_ID }
        if (cluster.isBeyondQuota) return { code: KafkaCode.THROTTLING_QUOTA_EXCEEDED }
        if (cluster.denies('delete', name)) return { code: KafkaCode.TOPIC_AUTHORIZATION_FAILED }
        return { code: cluster.deleteTopic(name) ? 0 : KafkaCode.UNKNOWN_TOPIC_OR_PARTITION }
      }),
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
          return { code: 0, offset, leaderEpoch: point === 'logStart' ? log.startEpoch : log.leaderEpoch }
        },
        code => ({ code, offset: -1, leaderEpoch: -1 }),
      ),
    offsetsForTime: partitions =>
      each(
        'times',
        partitions,
        ({ log }, { timestamp }) => ({ code: 0, offset: log.findTime(timestamp) }),
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
        false,
      ),
    transactionsOf: () => call('transactions', () => ({ isComplete: false, transactions: [] })),
    openAppendLane: broker => openAppendLane({ cluster, network, process, broker, appendOne, observer }),
    mayWriteMarkers: () => call('rights', () => options.mayWriteMarkers && !cluster.denied.has('cluster')),
    writeMarkers: (broker, producer, fills) =>
      call(
        'markers',
        async () =>
          Promise.all(
            fills.map(async fill => {
              const { topic, partition } = fill
              const at = cluster.partition(fill)
              if (cluster.denied.has('cluster'))
                return { topic, partition, code: KafkaCode.CLUSTER_AUTHORIZATION_FAILED }
              // Nothing is asked for it.
              if (fill.count === 0) return { topic, partition, code: KafkaCode.NONE }
              // A broker that does not lead it knows of no such log.
              if (cluster.leaderCode(broker, at) !== KafkaCode.NONE)
                return { topic, partition, code: KafkaCode.UNKNOWN_TOPIC_OR_PARTITION }
              if (at!.isBelowMin) return { topic, partition, code: KafkaCode.NOT_ENOUGH_REPLICAS }
              let result: number = KafkaCode.NONE
              for (let i = 0; i < fill.count && result === KafkaCode.NONE; i++) {
                result = cluster.appendMarker(at!.log, producer, producer.coordinatorEpoch)
                if (result === KafkaCode.NONE) observer?.marked(fill, at!, producer.producerId)
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
        true,
      ),
    slotGroup: group => cluster.workers.open(group, call),
    initProducer: transactionalId => call('init producer', () => initProducer(cluster, transactionalId)),
    emptyTransaction: (producer, partitions) =>
      call('empty transaction', async () => {
        const code = checkTransaction(cluster, producer, partitions)
        if (code !== KafkaCode.NONE) return { code }
        for (const of of partitions) {
          const at = cluster.partition(of)
          if (at === undefined) continue
          if (cluster.denies('write', of.topic)) return { code: KafkaCode.TOPIC_AUTHORIZATION_FAILED }
          const isRepeated = cluster.markersRepeat > 0 && options.random.chance(cluster.markersRepeat)
          const times = isRepeated && network.chaos.strikes('a coordinator writes a marker twice') ? 2 : 1
          for (let i = 0; i < times; i++)
            if (cluster.appendMarker(at.log, producer, 0) === KafkaCode.NONE)
              observer?.marked(of, at, producer.producerId)
          await replicated(at, at.log.end, 30_000, at.log.leaderEpoch)
        }
        return { code: 0 }
      }),
    listGroups: () =>
      call('groups', () =>
        [...cluster.groups.keys()].map(group => ({
          group,
          type: 'classic',
          state: cluster.occupied.has(group) ? 'Stable' : 'Empty',
        })),
      ),
    groupOffsets: groups =>
      call('group offsets', () =>
        groups.map(group => ({
          code: KafkaCode.NONE,
          offsets: [...(cluster.groups.get(group) ?? [])].map(([at, offset]) => {
            const [topic, partition] = at.split('/')
            return { topic: topic!, partition: Number(partition), offset, metadata: '' }
          }),
          pending: [],
        })),
      ),
    // Without an authorizer, quotas and users.
    describeAcls: () => call('ACLs', () => ({ code: KafkaCode.SECURITY_DISABLED, rules: [] })),
    createAcls: rules => call('create ACLs', () => rules.map(() => ({ code: KafkaCode.SECURITY_DISABLED }))),
    deleteAcls: rules => call('delete ACLs', () => rules.map(() => ({ code: KafkaCode.SECURITY_DISABLED }))),
    describeQuotas: () => call('quotas', () => ({ code: KafkaCode.NONE, quotas: [] })),
    alterQuotas: changes => call('alter quotas', () => changes.map(() => ({ code: KafkaCode.NONE }))),
    describeScramUsers: () => call('users', () => ({ code: KafkaCode.NONE, users: [] })),
    alterScramUser: () => call('alter user', () => ({ code: KafkaCode.NONE })),
    commitGroupOffsets: (group, offsets) =>
      call('commit', () => {
        if (cluster.occupied.has(group)) return { code: KafkaCode.UNKNOWN_MEMBER_ID }
        observer?.committing(process, group, offsets)
        const committed = cluster.groups.get(group) ?? new Map<string, number>()
        const isKnown = (of: port.TopicPartition): boolean => cluster.partition(of) !== undefined
        if (offsets.some(isKnown)) cluster.groups.set(group, committed)
        for (const { offset, ...of } of offsets.filter(isKnown))
          committed.set(`${of.topic}/${of.partition}`, offset)
        return { code: offsets.every(isKnown) ? KafkaCode.NONE : KafkaCode.UNKNOWN_TOPIC_OR_PARTITION }
      }),
    deleteGroupOffsets: (group, partitions) =>
      call('delete offsets', () => {
        const committed = cluster.groups.get(group)
        if (committed === undefined) return { code: KafkaCode.GROUP_ID_NOT_FOUND }
        if (cluster.occupied.has(group)) return { code: KafkaCode.GROUP_SUBSCRIBED_TO_TOPIC }
        const isKnown = (of: port.TopicPartition): boolean => cluster.partition(of) !== undefined
        for (const of of partitions.filter(isKnown)) committed.delete(`${of.topic}/${of.partition}`)
        return { code: partitions.every(isKnown) ? KafkaCode.NONE : KafkaCode.UNKNOWN_TOPIC_OR_PARTITION }
      }),
    deleteGroup: group =>
      call('delete group', () => {
        if (!cluster.groups.has(group)) return { code: KafkaCode.GROUP_ID_NOT_FOUND }
        if (cluster.occupied.has(group)) return { code: KafkaCode.NON_EMPTY_GROUP }
        cluster.groups.delete(group)
        return { code: KafkaCode.NONE }
      }),
  }
}

function entriesOf({ options, topics }: SimCluster, name: string): Map<string, port.ConfigEntry> {
  const own = topics.get(name)?.configs ?? new Map<string, string>()
  const entry = (value: string, isOverride: boolean): port.ConfigEntry => ({
    value,
    isOverride,
    isReadOnly: false,
    isSensitive: false,
  })
  return new Map([
    ...Object.entries(options.topicDefaults ?? {}).map(([key, value]) => [key, entry(value, false)] as const),
    ...[...own].map(([key, value]) => [key, entry(value, true)] as const),
  ])
}

function creationCode(topic: port.NewTopic, cluster: SimCluster): number {
  if (cluster.isBeyondQuota) return KafkaCode.THROTTLING_QUOTA_EXCEEDED
  if (cluster.topics.has(topic.name)) return KafkaCode.TOPIC_ALREADY_EXISTS
  const code = configCode(topic.configs)
  if (code !== KafkaCode.NONE) return code
  if (topic.partitions < 1) return KafkaCode.INVALID_PARTITIONS
  return topic.replicationFactor > cluster.options.brokers
    ? KafkaCode.INVALID_REPLICATION_FACTOR
    : KafkaCode.NONE
}
