// What a broker refuses before it looks at producers: the order and the codes of UnifiedLog.analyzeAndValidateRecords and
// LogValidator; and which topic configs a controller takes.
import { crc32c } from '../../src/kafka/crc.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import type { BatchHeader } from '../../src/model/batch.ts'
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import type { DecodedRecord } from '../../src/ports/records.ts'

/** Of a topic, as its configs say. */
export type AppendRules = {
  readonly needsKeys: boolean
  readonly maxBytes: number
  /** Timestamps may be this much older and younger than the broker's clock. */
  readonly beforeMs: number
  readonly afterMs: number
  /** Wall clock of the broker. */
  readonly now: number
}

const CRC_AT = 17
const ATTRIBUTES_AT = 21
const MAX_TIMESTAMP_AT = 35
const MAX_BYTES = 1_048_588
const AFTER_MS = 3_600_000

export function rulesOf(configs: ReadonlyMap<string, string>, now: number): AppendRules {
  return {
    needsKeys: isCompacted(configs),
    maxBytes: Number(configs.get('max.message.bytes') ?? MAX_BYTES),
    beforeMs: Number(configs.get('message.timestamp.before.max.ms') ?? Number.POSITIVE_INFINITY),
    afterMs: Number(configs.get('message.timestamp.after.max.ms') ?? AFTER_MS),
    now,
  }
}

export function isCompacted(configs: ReadonlyMap<string, string>): boolean {
  return configs.get('cleanup.policy')?.includes('compact') === true
}

/** The records of a batch with which nothing is wrong; or Kafka's code for what is. */
export function check(
  batch: Buffer,
  header: BatchHeader,
  rules: AppendRules | undefined,
): readonly DecodedRecord[] | number {
  if (header.baseOffset !== 0) return KafkaCode.INVALID_RECORD
  if (rules !== undefined && batch.length > rules.maxBytes) return KafkaCode.MESSAGE_TOO_LARGE
  if (crc32c(batch.subarray(ATTRIBUTES_AT)) !== header.crc) return KafkaCode.CORRUPT_MESSAGE
  const spanned = header.lastOffset - header.baseOffset + 1
  if (header.recordCount <= 0 || header.recordCount !== spanned) return KafkaCode.INVALID_RECORD
  if (header.isControl) return KafkaCode.INVALID_RECORD
  if (header.producerId >= 0n && header.baseSequence < 0) return KafkaCode.INVALID_RECORD
  const records = recordCodec.decode({ header, bytes: batch })
  return refusedRecord(records, header, rules) ?? records
}

/** What is inside: a compressed batch is looked through, of another the records' offsets are taken on trust. */
function refusedRecord(
  records: readonly DecodedRecord[],
  header: BatchHeader,
  rules: AppendRules | undefined,
): number | undefined {
  if (rules?.needsKeys === true && records.some(({ key }) => key === null)) return KafkaCode.INVALID_RECORD
  if (rules !== undefined && records.some(record => isOutside(record, rules)))
    return KafkaCode.INVALID_TIMESTAMP
  // The broker throws, and says no more.
  const isInOrder = header.codec === 'none' || records.every(({ offset }, index) => offset === index)
  return isInOrder ? undefined : KafkaCode.UNKNOWN_SERVER_ERROR
}

function isOutside({ timestamp }: DecodedRecord, rules: AppendRules): boolean {
  return timestamp < rules.now - rules.beforeMs || timestamp > rules.now + rules.afterMs
}

/** A broker computes the latest timestamp itself. */
export function withLatest(batch: Buffer, header: BatchHeader, records: readonly DecodedRecord[]): Buffer {
  const latest = Math.max(...records.map(({ timestamp }) => timestamp))
  if (latest === header.maxTimestamp) return batch
  const bytes = Buffer.from(batch)
  bytes.writeBigInt64BE(BigInt(latest), MAX_TIMESTAMP_AT)
  bytes.writeUInt32BE(crc32c(bytes.subarray(ATTRIBUTES_AT)), CRC_AT)
  return bytes
}

const NUMBERS = [
  'delete.retention.ms',
  'file.delete.delay.ms',
  'flush.messages',
  'flush.ms',
  'index.interval.bytes',
  'local.retention.bytes',
  'local.retention.ms',
  'max.compaction.lag.ms',
  'max.message.bytes',
  'message.timestamp.after.max.ms',
  'message.timestamp.before.max.ms',
  'min.cleanable.dirty.ratio',
  'min.compaction.lag.ms',
  'min.insync.replicas',
  'retention.bytes',
  'retention.ms',
  'segment.bytes',
  'segment.index.bytes',
  'segment.jitter.ms',
  'segment.ms',
]
const TEXTS = [
  'cleanup.policy',
  'compression.gzip.level',
  'compression.lz4.level',
  'compression.type',
  'compression.zstd.level',
  'errors.deadletterqueue.topic.name',
  'follower.replication.throttled.replicas',
  'leader.replication.throttled.replicas',
  'message.timestamp.type',
  'preallocate',
  'remote.log.copy.disable',
  'remote.log.delete.on.disable',
  'remote.storage.enable',
  'unclean.leader.election.enable',
]

/** INVALID_CONFIG for a name that a topic does not have, or for a number that is none. `null` removes. */
export function configCode(changes: Readonly<Record<string, string | null>>): number {
  const isRight = ([name, value]: readonly [string, string | null]): boolean =>
    TEXTS.includes(name) || (NUMBERS.includes(name) && (value === null || !Number.isNaN(Number(value))))
  return Object.entries(changes).every(isRight) ? KafkaCode.NONE : KafkaCode.INVALID_CONFIG
}
