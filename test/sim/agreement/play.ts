// Does an operation on one side, simulated or real, and brings its answer into words that both sides have in common:
// symbols for ids, names and producers that a broker has chosen, no messages, no times of a broker's clock.
import { recordCodec } from '../../../src/kafka/records.ts'
import { BATCH_HEADER_BYTES, readBatchHeader, splitBatches, stampBatch } from '../../../src/model/batch.ts'
import { crc32c } from '../../../src/model/crc32c.ts'
import {
  type AppendLane,
  type Cluster,
  type ClusterView,
  type FetchedPartition,
  type FetchLane,
  NO_TOPIC_ID,
  type ProducerState,
} from '../../../src/ports/cluster.ts'
import { assertNever } from '../../../src/model/errors.ts'
import type { At, BatchSpec, Broker, FetchOf, IdSymbol, Operation } from './operations.ts'

const NOBODYS_ID = '3f1c9a52-7d0e-4b6a-9c58-2e4d6f8a0b'
const TIMEOUT_MS = 5_000
const REQUEST_BYTES = 1_000_000

/** What an application does with transactions, for which the port has no words. */
export interface Applications {
  init(transaction: string): Promise<Initialized>
  /** Adds the partition to the transaction, then sends. */
  send(of: { transaction: string; producer: Initialized; at: At; batch: Buffer }): Promise<Appended>
  /** Resolves when the markers are in the logs. */
  end(of: { transaction: string; producer: Initialized; isCommit: boolean }): Promise<number>
}
export type Initialized = {
  readonly code: number
  readonly producerId: bigint
  readonly producerEpoch: number
}
export type Appended = { readonly code: number; readonly baseOffset: number }

/** One cluster as a history sees it. */
export type Side = {
  readonly port: Cluster
  readonly applications: Applications
  /** Of topics, groups, transactional ids. */
  readonly nameOf: (symbol: string) => string
  /** The broker ids, in order. */
  readonly brokers: readonly number[]
  /** Wall clock at which ages are zero, the same on both sides. */
  readonly beganAt: number
  readonly known: Known
}

export type Known = {
  view: ClusterView | undefined
  readonly ids: Map<IdSymbol, string>
  readonly producers: Map<string, Initialized>
  readonly appendLanes: Map<number, AppendLane>
  readonly fetchLanes: Map<number, FetchLane>
}

export function nothingKnown(): Known {
  return {
    view: undefined,
    ids: new Map(),
    producers: new Map(),
    appendLanes: new Map(),
    fetchLanes: new Map(),
  }
}

/** The answer, as data that can be compared. */
export async function play(side: Side, operation: Operation): Promise<unknown> {
  const { port, nameOf, known } = side
  const named = <P extends At>(partitions: readonly P[]): P[] =>
    partitions.map(at => ({ ...at, topic: nameOf(at.topic) }))
  switch (operation.do) {
    case 'describe':
      known.view = await port.describe()
      return viewOf(side, known.view)
    case 'create':
      return await create(side, operation)
    case 'delete':
      return code(await port.deleteTopic(nameOf(operation.topic)))
    case 'addPartitions':
      return code(await port.addPartitions(nameOf(operation.topic), operation.total))
    case 'alter':
      return code(await port.alterTopicConfigs(nameOf(operation.topic), operation.changes))
    case 'configs':
      return await configs(side, operation.topics)
    case 'append':
      return await append(side, operation)
    case 'markers': {
      const { epoch, coordinatorEpoch, fills } = operation
      const producer = { producerId: BigInt(operation.producerId), producerEpoch: epoch, coordinatorEpoch }
      const answers = await port.writeMarkers(
        brokerFor(side, operation.broker, fills[0]!),
        producer,
        named(fills),
      )
      return answers.map(answer => answer.code)
    }
    case 'trim':
      return (await port.deleteRecords(named(operation.targets))).map(codeAndOffset)
    case 'offsets':
      return (await port.offsets(named(operation.partitions), operation.point)).map(answer => ({
        ...codeAndOffset(answer),
        leaderEpoch: answer.leaderEpoch,
      }))
    case 'times':
      return (
        await port.offsetsForTime(
          named(operation.partitions).map(({ ageMs, ...at }) => ({
            ...at,
            timestamp: side.beganAt - ageMs,
          })),
        )
      ).map(codeAndOffset)
    case 'epochEnds':
      return (await port.epochEnds(named(operation.partitions))).map(answer => ({
        ...codeAndOffset(answer),
        epoch: answer.epoch,
      }))
    case 'producers':
      return (await port.producers(named(operation.partitions))).map(answer => ({
        code: answer.code,
        producers: answer.producers.map(state => producerOf(side, state)).sort(),
      }))
    case 'fetch':
      return await fetch(side, operation)
    case 'init':
      return await init(side, operation.transaction)
    case 'empty': {
      const { producerId, producerEpoch } = identityOf(side, operation.transaction)
      const producer = {
        transactionalId: nameOf(operation.transaction),
        producerId: operation.isStranger ? producerId + 1_000_000n : producerId,
        producerEpoch: producerEpoch + operation.epoch,
      }
      return code(await port.emptyTransaction(producer, named(operation.partitions)))
    }
    case 'send': {
      const producer = identityOf(side, operation.transaction)
      const { at, batch } = operation
      const bytes = batchBytes(side, {
        ...batch,
        producerId: String(producer.producerId),
        epoch: producer.producerEpoch,
      })
      const transaction = nameOf(operation.transaction)
      const sent = { transaction, producer, at: { ...at, topic: nameOf(at.topic) }, batch: bytes }
      return await side.applications.send(sent)
    }
    case 'end': {
      const producer = identityOf(side, operation.transaction)
      const transaction = nameOf(operation.transaction)
      return await side.applications.end({ transaction, producer, isCommit: operation.isCommit })
    }
    case 'commitOffsets':
      return code(await port.commitGroupOffsets(nameOf(operation.group), named(operation.offsets)))
    case 'groupOffsets': {
      const [answer] = await port.groupOffsets([nameOf(operation.group)])
      return { ...code(answer!), offsets: answer!.offsets.map(each => JSON.stringify(each)).sort() }
    }
    case 'groups': {
      const own = nameOf('')
      const listed = await port.listGroups()
      return listed
        .filter(({ group }) => group.startsWith(own))
        .map(each => JSON.stringify({ ...each, group: each.group.slice(own.length) }))
        .sort()
    }
    default:
      return assertNever(operation)
  }
}

const code = (answer: { readonly code: number }): { code: number } => ({ code: answer.code })
const codeAndOffset = (answer: { readonly code: number; readonly offset: number }) => ({
  code: answer.code,
  offset: answer.offset,
})

function viewOf(side: Side, view: ClusterView): unknown {
  const own = side.nameOf('')
  return [...view.topics.values()]
    .filter(({ name }) => name.startsWith(own))
    .map(({ name, id, partitions }) => ({
      topic: name.slice(own.length),
      id: [...side.known.ids].find(each => each[1] === id)?.[0] ?? 'unknown',
      partitions: partitions.map(({ leader, leaderEpoch }) => [side.brokers.indexOf(leader), leaderEpoch]),
    }))
    .sort((a, b) => (a.topic < b.topic ? -1 : 1))
}

async function create(side: Side, operation: Operation & { do: 'create' }): Promise<unknown> {
  const { topic, partitions, replicationFactor } = operation
  const [created] = await side.port.createTopics([
    { name: side.nameOf(topic), partitions, replicationFactor, configs: operation.configs },
  ])
  const { id, ...answer } = created!
  const made = [...side.known.ids.keys()].filter(each => each.startsWith(`${topic}#`)).length
  if (answer.code === 0) side.known.ids.set(`${topic}#${made + 1}`, id)
  return { ...code(answer), hasId: id !== NO_TOPIC_ID }
}

async function configs(side: Side, topics: readonly string[]): Promise<unknown> {
  const answers = await side.port.topicConfigs(topics.map(topic => side.nameOf(topic)))
  return topics.map(topic => {
    const answer = answers.get(side.nameOf(topic))
    const overrides = [...(answer?.entries ?? [])].filter(entry => entry[1].isOverride)
    return {
      code: answer?.code,
      overrides: overrides.map(([key, { value }]) => `${key}=${value ?? 'null'}`).sort(),
    }
  })
}

async function append(side: Side, { broker, entries }: Operation & { do: 'append' }): Promise<unknown> {
  const id = brokerFor(side, broker, entries[0]!)
  const { appendLanes } = side.known
  const lane = appendLanes.get(id) ?? (await side.port.openAppendLane(id))
  appendLanes.set(id, lane)
  const answers = await lane.append(
    entries.map(entry => ({
      topic: side.nameOf(entry.topic),
      topicId: idOf(side, entry),
      partition: entry.partition,
      batch: batchBytes(side, entry.batch),
    })),
    TIMEOUT_MS,
  )
  return answers.map(answer => ({ code: answer.code, baseOffset: answer.baseOffset }))
}

async function fetch(side: Side, operation: Operation & { do: 'fetch' }): Promise<unknown> {
  const { isolation, partitions } = operation
  const id = brokerFor(side, operation.broker, partitions[0]!)
  const { fetchLanes } = side.known
  const lane = fetchLanes.get(id) ?? (await side.port.openFetchLane(id))
  fetchLanes.set(id, lane)
  const answers = await lane.fetch({
    isolation,
    maxWaitMs: 0,
    maxBytes: REQUEST_BYTES,
    partitions: partitions.map(of => ({
      topic: side.nameOf(of.topic),
      partition: of.partition,
      topicId: idOf(side, of),
      offset: of.offset,
      leaderEpoch: epochOf(side, of),
      lastFetchedEpoch: of.lastFetchedEpoch,
      maxBytes: of.maxBytes,
    })),
  })
  const at = (of: At): number =>
    partitions.findIndex(each => side.nameOf(each.topic) === of.topic && each.partition === of.partition)
  return [...answers].sort((a, b) => at(a) - at(b)).map(answer => fetched(side, answer))
}

function fetched(side: Side, answer: FetchedPartition): unknown {
  const batches = splitBatches(answer.records)
  const end = (batches.at(-1)?.header.lastOffset ?? -1) + 1
  // How many later ones are listed depends on the broker's sparse index; a reader of these batches needs none of them.
  const aborted = answer.aborted.filter(each => each.firstOffset < end)
  return {
    code: answer.code,
    highWatermark: answer.highWatermark,
    lastStable: answer.lastStable,
    logStart: answer.logStart,
    diverging: answer.diverging,
    aborted: aborted.map(each => `${symbolOf(side, each.producerId)} from ${each.firstOffset}`).sort(),
    batches: batches.map(batch => {
      const { header } = batch
      // A marker holds the time of its broker; a checksum of the whole, the producer id that it has chosen.
      const time = header.maxTimestamp - side.beganAt
      const content = !header.isControl
        ? `time ${time} ${header.codec} ${crc32c(batch.bytes.subarray(BATCH_HEADER_BYTES))} ${recordCodec.isIntact(batch) ? 'intact' : 'broken'}`
        : recordCodec.isAbortMarker(batch)
          ? 'abort'
          : 'commit'
      const producer = `${symbolOf(side, header.producerId)} epoch ${header.producerEpoch}`
      return `${header.baseOffset}-${header.lastOffset} ${producer} sequence ${header.baseSequence} leader ${header.leaderEpoch}${header.isTransactional ? ' transactional' : ''} ${content}`
    }),
  }
}

function producerOf(side: Side, state: ProducerState): string {
  const { producerId, producerEpoch, lastSequence, lastTimestamp, coordinatorEpoch } = state
  const symbol = symbolOf(side, producerId)
  const isOwn = symbol === String(producerId)
  // Whatever is younger than the run is a broker's own time, or one that the history has put into the future.
  const time = lastTimestamp >= side.beganAt ? 'since' : String(lastTimestamp - side.beganAt)
  // The epoch of a real coordinator is that of the leader of its log.
  const coordinator = isOwn || coordinatorEpoch < 0 ? String(coordinatorEpoch) : 'some'
  return `${symbol} epoch ${producerEpoch} sequence ${lastSequence} time ${time} coordinator ${coordinator} open ${state.transactionStart}`
}

async function init(side: Side, transaction: string): Promise<unknown> {
  const name = side.nameOf(transaction)
  const isApplication = transaction.startsWith('T')
  const answer = isApplication ? await side.applications.init(name) : await side.port.initProducer(name)
  const { producerId, producerEpoch } = answer
  const before = side.known.producers.get(transaction)
  side.known.producers.set(transaction, { code: answer.code, producerId, producerEpoch })
  const isSame = before === undefined || before.producerId === producerId
  return { ...code(answer), epoch: producerEpoch, isSame }
}

function identityOf(side: Side, transaction: string): Initialized {
  return side.known.producers.get(transaction) ?? { code: 0, producerId: 7n, producerEpoch: 0 }
}

function symbolOf(side: Side, producerId: bigint): string {
  for (const [symbol, known] of side.known.producers) if (known.producerId === producerId) return symbol
  return String(producerId)
}

function idOf(side: Side, { topic, id }: { readonly topic: string; readonly id: IdSymbol }): string {
  if (id === 'none') return NO_TOPIC_ID
  // One for each topic, as an answer names only ids.
  return side.known.ids.get(id) ?? `${NOBODYS_ID}${topic.charCodeAt(0).toString(16)}`
}

function brokerFor(side: Side, which: Broker, at: At): number {
  const leader =
    side.known.view?.topics.get(side.nameOf(at.topic))?.partitions[at.partition]?.leader ?? side.brokers[0]!
  const index = Math.max(0, side.brokers.indexOf(leader))
  return side.brokers[which === 'leader' ? index : (index + 1) % side.brokers.length]!
}

function epochOf(side: Side, of: FetchOf): number {
  if (of.leaderEpoch === undefined) return -1
  const known = side.known.view?.topics.get(side.nameOf(of.topic))?.partitions[of.partition]?.leaderEpoch
  return Math.max(-1, (known ?? 0) + of.leaderEpoch)
}

/** The same bytes on both sides, but for the producers that the broker has chosen. */
export function batchBytes(side: Side, spec: BatchSpec): Buffer {
  const records = Array.from({ length: spec.count }, (_none, offset) => ({
    offset,
    timestamp: side.beganAt - spec.ageMs + offset,
    key: spec.hasKeys ? Buffer.from(`k${offset % 3}`) : null,
    value: Buffer.alloc(spec.valueBytes, offset),
    headers: [],
  }))
  if (spec.flaw === 'deltas') for (const record of records) record.offset += 1
  const bytes = recordCodec.encode({ codec: spec.codec, records, baseOffset: 0 })
  const isPlain = spec.producerId === undefined
  const producer = { producerId: BigInt(spec.producerId ?? -1), producerEpoch: isPlain ? -1 : spec.epoch }
  stampBatch(bytes, producer, isPlain || spec.flaw === 'sequence' ? -1 : spec.sequence)
  switch (spec.flaw) {
    case 'baseOffset':
      bytes.writeBigInt64BE(3n, 0)
      break
    case 'checksum':
      bytes[bytes.length - 1]! ^= 0xff
      break
    case 'control':
      withHeader(bytes, () => bytes.writeInt16BE(bytes.readInt16BE(21) | 0x20, 21))
      break
    case 'transactional':
      withHeader(bytes, () => bytes.writeInt16BE(bytes.readInt16BE(21) | 0x10, 21))
      break
    case 'recordCount':
      withHeader(bytes, () => bytes.writeInt32BE(readBatchHeader(bytes).recordCount + 1, 23))
      break
    case 'maxTimestamp':
      withHeader(bytes, () => bytes.writeBigInt64BE(BigInt(readBatchHeader(bytes).maxTimestamp + 5), 35))
      break
    case 'deltas':
      // As many offsets as records.
      withHeader(bytes, () => bytes.writeInt32BE(spec.count - 1, 23))
      break
    case 'sequence':
    case undefined:
      break
    default:
      assertNever(spec.flaw)
  }
  return bytes
}

function withHeader(bytes: Buffer, change: () => void): void {
  change()
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
}
