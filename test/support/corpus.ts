// Topics of every kind that a real cluster may hold, written by Java's producer: what a copy must be identical to.

import { isAtLeast, type LabCluster } from '../../src/lab/lab.ts'
import { isWhole } from '../../src/model/batch.ts'
import { b64, type Codec, type Judge, type TestRecord } from './judge.ts'
import { freshTopic, waitFor } from './lab.ts'
import { batchesOnDisk } from './segments.ts'

/** Broker properties that the compacted kinds need: a cleaner that looks twice a second instead of every 15 s. */
export const CORPUS_PROPERTIES = { 'log.cleaner.backoff.ms': '500', 'log.segment.delete.delay.ms': '1000' }

const CODECS: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const ANY_TIME = '9223372036854775807'
/** With explicit flushes: what is sent between two of them is one batch. */
const ONE_BATCH = { lingerMs: 1000, batchBytes: 1_000_000 } as const

type Context = {
  readonly judge: Judge
  readonly cluster: LabCluster
  readonly topic: string
  readonly at: {
    readonly bootstrap: string
    readonly properties: Readonly<Record<string, string>>
    readonly topic: string
  }
  readonly now: number
}

type Maker = (context: Context) => Promise<void>

async function codecs({ judge, at }: Context): Promise<void> {
  await judge.createTopic({ ...at, partitions: CODECS.length + 1 })
  for (const [index, compression] of CODECS.entries()) {
    const some = { ...at, compression, lingerMs: 20, sizeBytes: 300, seed: index }
    await judge.produce({ ...some, partition: index, count: 2000 })
    // All of them in one partition, one after the other.
    await judge.produce({ ...some, partition: CODECS.length, count: 200 })
  }
}

/** No producer id in the batches, and each record a batch of its own. */
async function plain({ judge, at }: Context): Promise<void> {
  await judge.createTopic({ ...at, partitions: 2 })
  await judge.produce({ ...at, idempotent: false, acks: '1', batchBytes: 0, count: 300 })
}

async function odd({ judge, at, now }: Context): Promise<void> {
  await judge.createTopic(at)
  const parts = [null, b64(''), b64('x'), b64('ключ \u0000\uffff')] as const
  const headers: TestRecord['headers'][] = [
    [],
    [['', b64('')]],
    [['h', null]],
    [
      ['h', b64('1')],
      ['h', b64('2')],
      ['h', b64('1')],
      ['ü', b64(Uint8Array.of(0, 255, 128))],
    ],
  ]
  const records = parts.flatMap(key =>
    parts.flatMap(value => headers.map(each => ({ key, value, headers: each ?? [] }))),
  )
  for (const compression of CODECS) {
    const stamped = records.map((record, index) => ({ ...record, timestamp: now - 1000 + index }))
    await judge.produce({ ...at, compression, ...ONE_BATCH, records: stamped })
  }
}

async function large({ judge, at }: Context): Promise<void> {
  await judge.createTopic({ ...at, configs: { 'max.message.bytes': '12000000' } })
  await judge.produce({ ...at, count: 2, sizeBytes: 10_000_000 })
  await judge.produce({ ...at, compression: 'zstd', count: 1, sizeBytes: 10_000_000 })
  await judge.produce({ ...at, count: 10 })
}

async function times({ judge, at, now, cluster }: Context): Promise<void> {
  const isLimited = isAtLeast(cluster.version, '3.6')
  const limits = { 'message.timestamp.before.max.ms': ANY_TIME, 'message.timestamp.after.max.ms': ANY_TIME }
  await judge.createTopic({ ...at, configs: { 'retention.ms': '-1', ...(isLimited ? limits : {}) } })
  for (const timestamp of [
    now - 2 * DAY_MS,
    now - 3650 * DAY_MS,
    0,
    now,
    now + 30 * DAY_MS,
    now + 3650 * DAY_MS,
    now,
  ])
    await judge.produce({ ...at, count: 20, timestampBase: timestamp })
  // Out of order within one batch.
  const records = [5, 1, 9, 3].map(ms => ({ value: b64(`${ms}`), timestamp: now + ms }))
  await judge.produce({ ...at, ...ONE_BATCH, compression: 'lz4', records })
}

async function appendTime({ judge, at }: Context): Promise<void> {
  await judge.createTopic({ ...at, partitions: 2, configs: { 'message.timestamp.type': 'LogAppendTime' } })
  for (const compression of CODECS)
    await judge.produce({ ...at, compression, lingerMs: 20, count: 200, timestampBase: 5 })
}

/** CreateTime, LogAppendTime, CreateTime. */
async function switched({ judge, at }: Context): Promise<void> {
  await judge.createTopic(at)
  for (const type of ['CreateTime', 'LogAppendTime', 'CreateTime']) {
    await judge.alterConfigs({ ...at, configs: { 'message.timestamp.type': type } })
    await waitFor(
      async () => {
        const { offsets } = await judge.produce({ ...at, lingerMs: 20, compression: 'snappy', count: 20 })
        const [first] = await judge.list({ ...at, from: offsets[0] ?? 0, to: (offsets[0] ?? 0) + 1 })
        return first?.timestampType === type
      },
      { what: `${type} to hold` },
    )
    await judge.produce({ ...at, lingerMs: 20, compression: 'gzip', count: 100 })
  }
}

/** Three producers at once, over three partitions; every third transaction is aborted. */
async function transactions({ judge, at, topic }: Context): Promise<void> {
  await judge.createTopic({ ...at, partitions: 3 })
  const producers = []
  for (const id of [1, 2, 3])
    producers.push(await judge.openProducer({ ...at, transactionalId: `${topic}-${id}`, compression: 'lz4' }))
  for (let round = 0; round < 6; round++) {
    for (const producer of producers) await judge.begin(producer)
    for (const [index, producer] of [...producers, ...producers].entries())
      await judge.send({ ...producer, topic, count: 3 + ((round + index) % 4), seed: round * 10 + index })
    for (const [index, producer] of producers.entries()) {
      const isAbort = (round + index) % 3 === 2
      if (isAbort) await judge.abort(producer)
      else await judge.commit(producer)
      // Outside of any transaction, between the ends of two.
      await judge.produce({ ...at, partition: index, count: 2 })
    }
  }
  for (const producer of producers) await judge.closeProducer(producer)
}

/** Its last stable offset stays where the open transaction begins, until the broker aborts it after ten minutes. */
async function openTransaction({ judge, at, topic }: Context): Promise<void> {
  await judge.createTopic(at)
  await judge.produce({ ...at, count: 10 })
  const properties = { ...at.properties, 'transaction.timeout.ms': '600000' }
  await judge.produce({ ...at, properties, transactionalId: topic, end: 'open', count: 5 })
  await judge.produce({ ...at, count: 10 })
}

const COMPACT = {
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': '0.01',
  'delete.retention.ms': '0',
  // Segments roll by the time of the records, which the corpus makes up.
  'segment.ms': '60000',
}

/** Batches that are thinned, gone, and kept although empty (the last of a producer). */
async function compacted(context: Context): Promise<void> {
  const { judge, at } = context
  await judge.createTopic({ ...at, configs: COMPACT })
  await writeCompactable(context)
  await untilCleaned(context)
}

/** Begins as `delete`, is trimmed, becomes `compact`: a compacted log that does not begin at 0. */
async function compactedAndTrimmed(context: Context): Promise<void> {
  const { judge, at } = context
  await judge.createTopic({ ...at, configs: { 'segment.ms': COMPACT['segment.ms'], 'retention.ms': '-1' } })
  await judge.produce({
    ...at,
    ...ONE_BATCH,
    count: 100,
    keys: 10,
    timestampBase: context.now - 10 * HOUR_MS,
  })
  await judge.deleteRecords({ ...at, partition: 0, before: 57 })
  await judge.alterConfigs({ ...at, configs: COMPACT })
  await writeCompactable(context)
  await untilCleaned(context)
}

async function writeCompactable({ judge, at, now }: Context): Promise<void> {
  const write = (hoursAgo: number, compression: Codec, keys: readonly string[], value: string | null = 'v') =>
    judge.produce({
      ...at,
      ...ONE_BATCH,
      compression,
      records: keys.map((key, index) => ({
        key: b64(key),
        value: value === null ? null : b64(`${value} ${key} ${hoursAgo}`),
        timestamp: now - hoursAgo * HOUR_MS + index,
      })),
    })
  await write(9, 'zstd', ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
  await write(8, 'none', ['x', 'y', 'z'])
  await write(7, 'gzip', ['b', 'd', 'h', 'b'])
  await write(6, 'lz4', ['x', 'y', 'z', 'a'])
  await write(5, 'snappy', ['x', 'y', 'z'], null)
  await write(4, 'zstd', ['m', 'n', 'm', 'n', 'm'])
  await write(3, 'none', ['o'])
  // Rolls: what is before it can be cleaned.
  await write(0, 'none', ['end'])
}

async function untilCleaned({ judge, at, cluster, topic }: Context): Promise<void> {
  const broker = (await judge.describeTopic(at)).partitions[0]?.leader ?? 1
  await waitFor(
    () => {
      const batches = batchesOnDisk(cluster, { broker, topic })
      return (
        batches.some(batch => batch.recordCount === 0) &&
        batches.some(batch => batch.recordCount > 0 && !isWhole(batch))
      )
    },
    { what: `the cleaner to thin and empty batches of "${topic}"`, timeoutMs: 120_000 },
  )
}

/** Log starts in the middle of a batch, between two, and at the end of the log. */
async function trimmed({ judge, at }: Context): Promise<void> {
  await judge.createTopic({ ...at, partitions: 3 })
  for (const [partition, before] of [250, 200, 300].entries()) {
    for (let batch = 0; batch < 3; batch++)
      await judge.produce({ ...at, ...ONE_BATCH, compression: 'zstd', partition, count: 100, seed: batch })
    await judge.deleteRecords({ ...at, partition, before })
  }
}

async function empty({ judge, at }: Context): Promise<void> {
  await judge.createTopic({ ...at, partitions: 2 })
}

const MAKERS = {
  codecs,
  plain,
  odd,
  large,
  times,
  appendTime,
  switched,
  transactions,
  openTransaction,
  compacted,
  compactedAndTrimmed,
  trimmed,
  empty,
} satisfies Record<string, Maker>

export type CorpusKind = keyof typeof MAKERS
export const CORPUS_KINDS = Object.keys(MAKERS) as readonly CorpusKind[]

export type CorpusOptions = {
  readonly judge: Judge
  /** Started with CORPUS_PROPERTIES, if compacted kinds are wanted. */
  readonly cluster: LabCluster
  /** Default: all but `openTransaction`. */
  readonly kinds?: readonly CorpusKind[]
  /** Java client properties of an admin. */
  readonly properties?: Readonly<Record<string, string>>
}

/** Makes one topic of each kind and returns their names by kind. What needs the cleaner is waited for. */
export async function createCorpus({
  judge,
  cluster,
  kinds = CORPUS_KINDS.filter(kind => kind !== 'openTransaction'),
  properties = {},
}: CorpusOptions): Promise<Map<CorpusKind, string>> {
  const made = new Map(kinds.map(kind => [kind, freshTopic(`corpus-${kind}`)] as const))
  await Promise.all(
    [...made].map(async ([kind, topic]) => {
      const at = { bootstrap: cluster.bootstrap, properties, topic }
      await MAKERS[kind]({ judge, cluster, topic, at, now: Date.now() })
    }),
  )
  return made
}
