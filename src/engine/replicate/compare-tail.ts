// Steps 3 and 4 of an anchor: the last data batch at the target, and the markers above it, held against the source.
import { type RawBatch, splitBatches, stampedCrc } from '../../model/batch.ts'
import { lossAt } from '../../model/ledger.ts'
import type { Fault } from '../../model/link.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import type { FetchedPartition } from '../../ports/cluster.ts'
import type { DecodedRecord } from '../../ports/records.ts'
import { type PlannedOp, planAppend } from '../log/plan-append.ts'
import { isSameRecord } from '../log/records.ts'
import type { AnchorResult, Tail } from './anchor.ts'
import type { LinkContext } from './context.ts'
import { differs, landedLate, overfilled } from './faults.ts'
import type { PartitionCopy } from './partition.ts'

const wait = (cause: string, code?: number): AnchorResult => ({
  kind: 'wait',
  cause,
  ...(code === undefined ? {} : { code }),
})
const fault = (what: Fault): AnchorResult => ({ kind: 'fault', fault: what })

/** As far as the source still holds, and already shows, what would tell. */
export async function compareTail(
  context: LinkContext,
  copy: PartitionCopy,
  { end, tail, sourceStart }: { end: number; tail: Tail; sourceStart: number },
): Promise<AnchorResult | { readonly kind: 'compared'; readonly upTo: number }> {
  const { reads, codec } = context
  const { last } = tail
  const from = Math.max(sourceStart, last?.header.baseOffset ?? tail.seenFrom)
  const of = {
    topic: copy.topic,
    topicId: copy.sourceTopicId,
    partition: copy.partition,
    isolation: 'committed',
  } as const
  const found = { isWhole: last === undefined, offsets: new Set<number>() }
  const expected: Expected = { last, end, codec, records: decodeOnce(last, codec), found }
  let offset = from
  while (offset < end) {
    const lost = lossAt(copy.ledger, offset)
    if (lost !== undefined) {
      offset = lost.to
      continue
    }
    const answer = await reads.peek('source', { ...of, offset })
    if (answer.code !== KafkaCode.NONE)
      return wait(`the source answers ${codeName(answer.code)}`, answer.code)
    const batches = splitBatches(answer.records).filter(batch => !isLost(copy, batch))
    const ops = planAppend(offset, batches, answer.aborted, codec)
    for (const op of ops) {
      if (op.kind === 'gap' || op.base >= end) continue
      const difference = compareOp(copy, op, expected)
      if (difference !== undefined) return fault(difference)
    }
    const next = ops.at(-1)?.next ?? emptyUpTo(offset, answer)
    if (next <= offset) break
    offset = next
  }
  // Markers beyond what is stable at the source may stand where a record will be: the plan begins there, and finds out.
  const dataEnd = last === undefined ? 0 : last.header.lastOffset + 1
  if (offset < dataEnd)
    return wait(`the source shows its records only up to ${offset}, and ${dataEnd} were copied`)
  const missing = found.isWhole
    ? []
    : [...expected.records().values()].filter(
        record => record.offset >= from && !found.offsets.has(record.offset),
      )
  const origin = await findFurtherOn(context, copy, missing)
  if (typeof origin === 'object') return origin
  return origin === undefined
    ? { kind: 'compared', upTo: offset }
    : fault(landedLate(copy, origin, missing[0]!.offset))
}

/**
 * Records that the source does not hold at their offsets: its cleaner has removed them since, or they landed elsewhere than
 * they belong, and whoever was told so, or was never answered, is gone. Then they stand at the source a little further on, all
 * at the same distance. Answers where the first one stands there.
 */
async function findFurtherOn(
  { reads, codec }: LinkContext,
  { topic, sourceTopicId: topicId, partition }: PartitionCopy,
  missing: readonly DecodedRecord[],
): Promise<number | AnchorResult | undefined> {
  const [first] = missing
  if (first === undefined) return undefined
  const answer = await reads.peek('source', {
    topic,
    topicId,
    partition,
    isolation: 'committed',
    offset: first.offset,
  })
  if (answer.code !== KafkaCode.NONE) return wait(`the source answers ${codeName(answer.code)}`, answer.code)
  const further = splitBatches(answer.records)
    .filter(({ header }) => !header.isControl)
    .flatMap(batch => codec.decode(batch))
  const at = new Map(further.map(record => [record.offset, record]))
  return further.find(({ offset }) => {
    const distance = offset - first.offset
    return (
      distance > 0 &&
      missing.every(record => {
        const other = at.get(record.offset + distance)
        return other !== undefined && isSameRecord(record, other)
      })
    )
  })?.offset
}

/**
 * An answer without a byte: up to the last stable offset there is nothing left to compare. The cleaner may have removed
 * all that stood right below an open transaction, and no batch behind shows that before the transaction has ended.
 */
function emptyUpTo(offset: number, { records, lastStable }: FetchedPartition): number {
  return records.length === 0 ? Math.max(offset, lastStable) : offset
}

/** What was accepted as lost is filled, whatever the source still has of it. */
function isLost({ ledger }: PartitionCopy, { header }: RawBatch): boolean {
  const lost = lossAt(ledger, header.baseOffset)
  return lost !== undefined && header.lastOffset < lost.to
}

type Expected = {
  readonly last: RawBatch | undefined
  readonly end: number
  readonly codec: LinkContext['codec']
  /** Of `last`, by offset. */
  readonly records: () => ReadonlyMap<number, DecodedRecord>
  /** Of `last`, at the source: the batch as it is, or records at these offsets. */
  readonly found: { isWhole: boolean; readonly offsets: Set<number> }
}

/** A coalesced batch is held against many of the source's. */
function decodeOnce(batch: RawBatch | undefined, codec: LinkContext['codec']): Expected['records'] {
  let records: ReadonlyMap<number, DecodedRecord> | undefined
  return () => {
    records ??= new Map((batch === undefined ? [] : codec.decode(batch)).map(each => [each.offset, each]))
    return records
  }
}

function compareOp(
  copy: PartitionCopy,
  op: PlannedOp & { readonly kind: 'batch' },
  { last, end, codec, records, found }: Expected,
): Fault | undefined {
  const dataEnd = last === undefined ? 0 : last.header.lastOffset + 1
  if (op.base >= dataEnd) return overfilled(copy, op.base, end)
  if (last === undefined || op.next <= last.header.baseOffset) return undefined
  if (op.base === last.header.baseOffset && stampedCrc(op.bytes, last.header) === last.header.crc) {
    found.isWhole = true
    return undefined
  }
  // Framed otherwise (coalesced, re-encoded, cleaned, cut): what counts is the records that both hold.
  const [raw] = splitBatches(withBase(op.bytes, op.base))
  for (const source of raw === undefined ? [] : codec.decode(raw)) {
    const copied = records().get(source.offset)
    if (copied !== undefined && !isSameRecord(source, copied)) return differs(copy, source.offset)
    found.offsets.add(source.offset)
  }
  return op.next > dataEnd && end > dataEnd ? overfilled(copy, dataEnd, end) : undefined
}

function withBase(bytes: Buffer, base: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeBigInt64BE(BigInt(base), 0)
  return copy
}
