// Control batches as a coordinator writes them (EndTransactionMarker.java): one record, its key says abort or commit.
import { crc32c } from '../../src/kafka/crc.ts'
import { recordCodec } from '../../src/kafka/records.ts'

const CONTROL = 0x20
const TRANSACTIONAL = 0x10
const BASE_TIMESTAMP_AT = 27
const MAX_TIMESTAMP_AT = 35
const PRODUCER_ID_AT = 43
const PRODUCER_EPOCH_AT = 51

export type Marker = {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly isCommit: boolean
  readonly now: number
}

export function controlBatch({ producerId, producerEpoch, isCommit, now }: Marker): Buffer {
  const bytes = Buffer.from(isCommit ? COMMIT : ABORT)
  bytes.writeBigInt64BE(BigInt(now), BASE_TIMESTAMP_AT)
  bytes.writeBigInt64BE(BigInt(now), MAX_TIMESTAMP_AT)
  bytes.writeBigInt64BE(producerId, PRODUCER_ID_AT)
  bytes.writeInt16BE(producerEpoch, PRODUCER_EPOCH_AT)
  return withAttributes(bytes, CONTROL | TRANSACTIONAL)
}

const [ABORT, COMMIT] = [0, 1].map(type =>
  recordCodec.encode({
    codec: 'none',
    records: [
      { offset: 0, timestamp: 0, key: Buffer.from([0, 0, 0, type]), value: Buffer.alloc(6), headers: [] },
    ],
    baseSequence: -1,
  }),
) as [Buffer, Buffer]

export function transactional(bytes: Buffer): Buffer {
  return withAttributes(bytes, TRANSACTIONAL)
}

/** Sets attribute bits and mends the checksum. */
function withAttributes(bytes: Buffer, bits: number): Buffer {
  bytes.writeInt16BE(bytes.readInt16BE(21) | bits, 21)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}
