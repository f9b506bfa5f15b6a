// Batches and vaults as tests make them.
import type { RawBatch } from '../../src/model/batch.ts'
import { readBatchHeader } from '../../src/model/batch.ts'
import type { Compression, PartitionDelta, Segment, TopicDelta } from '../../src/model/vault.ts'
import type { ObjectStore } from '../../src/ports/store.ts'
import type { CommitDraft, NamedAborted, PartOf, SetWriter } from '../../src/ports/vault.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { initVault } from '../../src/vault/vault.ts'
import { openSetWriter, type WriterOptions } from '../../src/vault/writer.ts'

export const SET = 'all'
export const TOPIC_ID = '6f2f4d2e-0000-4000-8000-000000000001'

export type MadeBatch = {
  readonly from: number
  readonly values: readonly string[]
  readonly timestamp?: number
  readonly epoch?: number
}

/** Record i has key `k<offset>`, and the timestamp plus i. */
export function madeBatch({ from, values, timestamp = 1_000, epoch = 0 }: MadeBatch): RawBatch {
  const bytes = recordCodec.encode({
    codec: 'none',
    baseOffset: from,
    records: values.map((value, i) => ({
      offset: from + i,
      timestamp: timestamp + i,
      key: Buffer.from(`k${from + i}`),
      value: Buffer.from(value),
      headers: [],
    })),
  })
  bytes.writeInt32BE(epoch, 12)
  return { bytes, header: readBatchHeader(bytes) }
}

let count = 0
export const unique = (): string => `made${String(count++).padStart(8, '0')}`

export async function madeVault(store: ObjectStore = new MemoryStore()): Promise<ObjectStore> {
  await initVault(store, { vault: 'made', createdAt: '2026-01-01T00:00:00.000Z', by: 'kdr test' })
  return store
}

export async function writerOf(
  store: ObjectStore,
  options: {
    readonly compression?: Compression
    readonly now?: number
    readonly lateAt?: WriterOptions['lateAt']
  } = {},
): Promise<SetWriter> {
  const { compression, now = 0, lateAt } = options
  return await openSetWriter({ store, set: SET, by: 'kdr test', unique, now: () => now, compression, lateAt })
}

export async function writeBatches(
  writer: SetWriter,
  batches: readonly RawBatch[],
  {
    topic = 't',
    topicId = TOPIC_ID,
    partition = 0,
    aborted = [],
  }: Partial<PartOf> & { readonly aborted?: readonly NamedAborted[] } = {},
): Promise<Segment> {
  const part = writer.open({ topic, topicId, partition })
  await part.add(batches, aborted)
  return await part.close()
}

export function madeTopic(partitions: readonly PartitionDelta[], name = 't', id = TOPIC_ID): TopicDelta {
  return { name, id, replicationFactor: 1, configs: {}, count: partitions.length, partitions }
}

export function madeDraft(topics: readonly TopicDelta[], more: Partial<CommitDraft> = {}): CommitDraft {
  return {
    groupsAt: new Date(0).toISOString(),
    endsAt: new Date(0).toISOString(),
    cluster: { name: 'east', id: 'east-id' },
    topics,
    topicsGone: [],
    groups: [],
    groupsGone: [],
    rights: null,
    notes: [],
    ...more,
  }
}

/** Backs up batches of partition 0 of topic `t`, each call in a commit of its own. */
export async function commitBatches(
  store: ObjectStore,
  batches: readonly RawBatch[],
  options: Parameters<typeof writerOf>[1] &
    Partial<PartitionDelta> & { readonly draft?: Partial<CommitDraft> } = {},
): Promise<number> {
  const writer = await writerOf(store, options)
  const segments = batches.length === 0 ? [] : [await writeBatches(writer, batches)]
  const before = writer.state?.topics.get('t')?.partitions[0]
  const end = batches.at(-1)?.header.lastOffset
  const delta: PartitionDelta = {
    partition: 0,
    start: options.start ?? before?.start ?? 0,
    end: options.end ?? (end === undefined ? (before?.end ?? 0) : end + 1),
    ...(options.clip !== undefined && { clip: options.clip }),
    segments,
  }
  return (await writer.commit(madeDraft([madeTopic([delta])], options.draft))).number
}
