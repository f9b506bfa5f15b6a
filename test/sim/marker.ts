// Control batches as a coordinator writes them (EndTransactionMarker.java): one record, its key says abort or commit.
import { crc32c } from '../../src/model/crc32c.ts'
import { recordCodec } from '../../src/kafka/records.ts'

const CONTROL = 0x20
const TRANSACTIONAL = 0x10

export type Marker = {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly isCommit: boolean
  readonly now: number
}

export function controlBatch({ producerId, producerEpoch, isCommit, now }: Marker): Buffer {
  const key = Buffer.from([0, 0, 0, isCommit ? 1 : 0])
  const bytes = recordCodec.encode({
    codec: 'none',
    records: [{ offset: 0, timestamp: now, key, value: Buffer.alloc(6), headers: [] }],
    producer: { producerId, producerEpoch },
    baseSequence: -1,
  })
  return withAttributes(bytes, CONTROL | TRANSACTIONAL)
}

export function transactional(bytes: Buffer): Buffer {
  return withAttributes(bytes, TRANSACTIONAL)
}

/** Sets attribute bits and mends the checksum. */
function withAttributes(bytes: Buffer, bits: number): Buffer {
  bytes.writeInt16BE(bytes.readInt16BE(21) | bits, 21)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}
