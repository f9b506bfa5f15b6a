// Comparing two logs in memory. Real brokers are in test/lab/verify.test.ts; here stands what they do not show at will.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { recordCodec } from '../../kafka/records.ts'
import { BATCH_HEADER_BYTES, type CodecName, readBatchHeader } from '../../model/batch.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import { EMPTY_LEDGER, type Ledger } from '../../model/ledger.ts'
import type { FetchedPartition } from '../../ports/cluster.ts'
import type { DecodedRecord } from '../../ports/records.ts'
import { comparePartition } from './compare.ts'
import type { LogSource } from './sides.ts'

const OF = { topic: 't', partition: 0 }

function record(
  offset: number,
  key: string | null = `k${offset}`,
  value: string | null = `v${offset}`,
): DecodedRecord {
  const bytes = (text: string | null) => (text === null ? null : Buffer.from(text))
  return { offset, timestamp: 1_000 + offset, key: bytes(key), value: bytes(value), headers: [] }
}

const batch = (records: readonly DecodedRecord[], codec: CodecName = 'none'): Buffer =>
  recordCodec.encode({ codec, records, baseOffset: records[0]!.offset })

/** Runs of neighbouring offsets, each a batch. */
function batches(records: readonly DecodedRecord[], codec: CodecName = 'none'): Buffer[] {
  const runs: DecodedRecord[][] = []
  for (const each of records) {
    const run = runs.at(-1)
    if (run?.at(-1)?.offset === each.offset - 1) run.push(each)
    else runs.push([each])
  }
  return runs.map(run => batch(run, codec))
}

type MemoryLog = {
  readonly batches: readonly Buffer[]
  readonly logStart?: number
  readonly perFetch?: number
}

/** Answers at most `perFetch` batches at a time. */
function logOf(log: MemoryLog, end: number): LogSource {
  return {
    fetch: (of, offset): Promise<FetchedPartition> => {
      const logStart = log.logStart ?? 0
      const isBelow = offset < logStart
      const from = log.batches.filter(bytes => readBatchHeader(bytes).lastOffset >= offset)
      return Promise.resolve({
        ...of,
        code: isBelow ? KafkaCode.OFFSET_OUT_OF_RANGE : KafkaCode.NONE,
        highWatermark: end,
        lastStable: end,
        logStart,
        aborted: [],
        records: isBelow ? Buffer.alloc(0) : Buffer.concat(from.slice(0, log.perFetch ?? 2)),
      })
    },
  }
}

async function compare(
  source: MemoryLog,
  target: MemoryLog,
  end: number,
  isCompacted = false,
  ledger: Ledger = EMPTY_LEDGER,
) {
  return await comparePartition({
    of: OF,
    ranges: [{ from: 0, to: end }],
    sides: { source: logOf(source, end), target: logOf(target, end) },
    ends: { source: end, target: end },
    isCompacted,
    ledger,
    codec: recordCodec,
  })
}

describe('comparing a partition', () => {
  test('gives back the memory of answers, but of those whose records were looked at', async () => {
    const long = 'x'.repeat(50_000)
    const held = (count: number, value: string): Buffer[] =>
      Array.from({ length: count }, (_none, i) =>
        batch([record(i, `k${i}`, `${i === 2 ? value : ''}${long}`)]),
      )
    const answers: Buffer[] = []
    const noted = (log: LogSource): LogSource => ({
      fetch: async (of, offset) => {
        const answer = await log.fetch(of, offset)
        answers.push(answer.records)
        return answer
      },
    })
    const source = noted(logOf({ batches: held(6, 'a') }, 6))
    const target = noted(logOf({ batches: held(6, 'b') }, 6))
    const sides = { source, target }
    const ranges = [{ from: 0, to: 6 }]
    const tally = await comparePartition({
      of: OF,
      ranges,
      sides,
      ends: { source: 6, target: 6 },
      isCompacted: false,
      codec: recordCodec,
    })
    assert.deepEqual([tally.records, tally.different], [6, 1])
    assert.deepEqual(
      answers.map(({ length }) => length > 0),
      [false, false, true, true, false, false],
    )
  })

  test('finds exactly what was planted, whatever the batches', async () => {
    const held = fc.array(fc.constantFrom('both', 'source', 'target', 'neither', 'differs'), {
      minLength: 1,
      maxLength: 40,
    })
    const framing = fc.record({
      perFetch: fc.integer({ min: 1, max: 4 }),
      cut: fc.integer({ min: 1, max: 7 }),
    })
    await fc.assert(
      fc.asyncProperty(held, framing, framing, async (offsets, a, b) => {
        const on = (side: 'source' | 'target') =>
          offsets.flatMap((who, offset) =>
            who === 'both' || who === side
              ? [record(offset)]
              : who === 'differs'
                ? [record(offset, 'k', side)]
                : [],
          )
        const cut = (records: DecodedRecord[], every: number) =>
          Array.from({ length: Math.ceil(records.length / every) }, (_, i) =>
            batches(records.slice(i * every, (i + 1) * every)),
          ).flat()

        const tally = await compare(
          { batches: cut(on('source'), a.cut), perFetch: a.perFetch },
          { batches: cut(on('target'), b.cut), perFetch: b.perFetch },
          offsets.length,
        )

        const count = (what: string) => offsets.filter(each => each === what).length
        assert.equal(tally.records, count('both') + count('differs'))
        assert.equal(tally.different, count('differs'))
        assert.equal(tally.onlySource, count('source'))
        assert.equal(tally.onlyTarget, count('target'))
        assert.equal(tally.unexplained, count('source') + count('target'))
        const first = offsets.findIndex(each => each !== 'both' && each !== 'neither')
        assert.equal(tally.first?.offset, first < 0 ? undefined : first)
      }),
    )
  })

  test('a byte that a disk has changed is found, though the checksum still stands', async () => {
    const good = batch([record(0), record(1), record(2)])
    const rotten = Buffer.from(good)
    rotten[rotten.length - 2]! ^= 1

    const { first } = await compare({ batches: [good] }, { batches: [rotten] }, 3)

    assert.deepEqual(first, { offset: 2, what: 'value differs' })
  })

  test('what cannot be decoded is a difference, and what follows is still compared', async () => {
    const good = batch([record(0), record(1), record(2)], 'gzip')
    const rotten = Buffer.from(good)
    rotten.fill(0xff, BATCH_HEADER_BYTES + 12)
    const after = batch([record(3)])
    const other = batch([record(3, 'k', 'other')])

    const tally = await compare({ batches: [good, after] }, { batches: [rotten, other] }, 4)

    assert.deepEqual(tally.first, { offset: 0, what: 'cannot be decoded at the target' })
    assert.deepEqual([tally.different, tally.records, tally.onlySource], [2, 1, 0])
  })

  test('what retention takes while it runs is explained', async () => {
    const all = Array.from({ length: 10 }, (_, offset) => record(offset))

    const tally = await compare(
      { batches: batches(all) },
      { batches: batches(all.slice(4)), logStart: 4 },
      10,
    )

    assert.deepEqual([tally.isIdentical, tally.records, tally.onlySource], [true, 6, 0])
  })

  test('an end that the cleaner has emptied is no end to wait for', async () => {
    const tally = await compare({ batches: batches([record(0)]) }, { batches: batches([record(0)]) }, 9)

    assert.deepEqual([tally.isIdentical, tally.records], [true, 1])
  })
})

describe('compaction', () => {
  const missing = async (source: readonly DecodedRecord[], target: readonly DecodedRecord[]) =>
    await compare({ batches: batches(source) }, { batches: batches(target) }, 20, true)

  test('explains a record that a later one of its key replaces on the side that lacks it', async () => {
    const { isIdentical, onlySource } = await missing(
      [record(0, 'a'), record(1, 'b'), record(2, 'a')],
      [record(1, 'b'), record(2, 'a')],
    )

    assert.deepEqual([isIdentical, onlySource], [true, 1])
  })

  test('does not explain one whose successor is missing as well', async () => {
    const tally = await missing([record(0, 'a'), record(1, 'b'), record(2, 'a')], [record(1, 'b')])

    assert.deepEqual([tally.onlySource, tally.unexplained], [2, 2])
    assert.deepEqual(tally.first, { offset: 0, what: 'missing at the target' })
  })

  test('explains a tombstone that has expired, and what it had deleted', async () => {
    const { isIdentical, onlySource } = await missing(
      [record(0, 'a'), record(1, 'b'), record(2, 'a', null)],
      [record(1, 'b')],
    )

    assert.deepEqual([isIdentical, onlySource], [true, 2])
  })

  test('never explains a record without a key, or an earlier one of the same key', async () => {
    const tally = await missing([record(0, 'a'), record(1, null), record(2, 'a')], [record(0, 'a')])

    assert.deepEqual([tally.onlySource, tally.unexplained], [2, 2])
  })

  test('the ledger explains what the target was not given, and what fills that; nothing beyond its ranges', async () => {
    const lost: Ledger = {
      ranges: [{ from: 3, to: 6, cause: 'corrupt', by: 'ann@host', at: 1, why: 'a broken disk' }],
    }
    const all = [0, 1, 2, 3, 4, 5, 6].map(offset => record(offset))
    const without = (...gone: number[]) => all.filter(({ offset }) => !gone.includes(offset))
    const check = async (target: readonly DecodedRecord[], ledger = lost) =>
      await compare({ batches: batches(all) }, { batches: batches(target) }, 7, false, ledger)

    const explained = await check(without(3, 4, 5))
    assert.deepEqual([explained.isIdentical, explained.onlySource, explained.lost], [true, 3, 3])
    assert.equal((await check(without(3, 4, 5), EMPTY_LEDGER)).unexplained, 3)
    assert.deepEqual((await check(without(2, 3, 4, 5))).first, { offset: 2, what: 'missing at the target' })

    const filler = (offset: number) => record(offset, '_kdr.filler', null)
    const filled = await check(
      [...without(3, 4, 5), filler(3), filler(4), filler(5)].sort((a, b) => a.offset - b.offset),
    )
    assert.deepEqual([filled.isIdentical, filled.lost], [true, 3])
    const foreign = await check(all.map(each => (each.offset === 4 ? record(4, 'k4', 'other') : each)))
    assert.deepEqual(foreign.first, { offset: 4, what: 'value differs' })
  })

  test('a batch that cannot be decoded at the source is explained where it was accepted as lost', async () => {
    const broken = batch([record(3), record(4)], 'gzip')
    broken.fill(0xff, BATCH_HEADER_BYTES)
    const source = { batches: [batch([record(2)]), broken, batch([record(5)])] }
    const target = { batches: [batch([record(2)]), batch([record(5)])] }
    const lost: Ledger = { ranges: [{ from: 3, to: 5, cause: 'corrupt', by: 'ann@host', at: 1 }] }
    assert.equal((await compare(source, target, 6, false, lost)).isIdentical, true)
    assert.equal((await compare(source, target, 6)).isIdentical, false)
  })

  test('fillers that the target holds where the source has nothing are no records', async () => {
    const target = [record(0), record(1, '_kdr.filler', null), record(2)]
    const found = await compare({ batches: batches([record(0), record(2)]) }, { batches: batches(target) }, 3)
    assert.deepEqual([found.isIdentical, found.fillers, found.unexplained], [true, 1, 0])
  })
})
