// What the worker saw, brought up to now.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Headroom, HoldingTransaction } from '../../model/link.ts'
import { headroomNow, warningsOf } from './warnings.ts'

const HOUR_MS = 3_600_000
const AT = 1_000 * HOUR_MS
const headroom: Headroom = {
  ms: 3 * HOUR_MS,
  basis: 'age',
  isAtMost: false,
  limitMs: 2 * HOUR_MS,
  isGrowing: true,
  at: AT,
}
const deletion = { afterMs: 10 * HOUR_MS, isBySize: false }

describe('headroom as of now', () => {
  const seen = { now: AT + 2 * HOUR_MS, aliveAt: AT, deletion }

  test('shrinks when nobody copies any more', () => {
    assert.equal(headroomNow({ headroom, lagRecords: 5 }, 5, { ...seen, isAlive: false })?.ms, HOUR_MS)
    assert.equal(headroomNow({ headroom, lagRecords: 5 }, 5, { ...seen, isAlive: true })?.ms, 3 * HOUR_MS)
  })

  test('what came after the last look of a worker that had copied all is younger than that look', () => {
    const idle = { ...seen, isAlive: false }
    assert.equal(headroomNow({ lagRecords: 0 }, 7, idle)?.ms, 8 * HOUR_MS)
    assert.equal(headroomNow({ lagRecords: 0 }, 7, { ...idle, deletion: undefined }), undefined)
    assert.equal(
      headroomNow({ lagRecords: 0 }, 7, { ...idle, deletion: { afterMs: null, isBySize: true } }),
      undefined,
    )
    assert.equal(headroomNow({ lagRecords: 0 }, 0, idle), undefined)
    // It was behind, and had not yet said by how much time.
    assert.equal(headroomNow({ lagRecords: 3 }, 7, idle), undefined)
  })
})

describe('warnings', () => {
  const of = { topic: 't', partition: 3, cursor: 42 }
  const none = { headroom: undefined, transaction: undefined, now: AT }
  const transaction: HoldingTransaction = {
    kind: 'open',
    producerId: '1',
    producerEpoch: 0,
    startOffset: 42,
    since: AT - 30_000,
    bootstrap: 'east-1:9092',
  }
  const kinds = (changes: Partial<Parameters<typeof warningsOf>[1]>) =>
    warningsOf(of, { ...none, ...changes }).map(({ kind }) => kind)

  test('of retention name partition, time, offset and what to do', () => {
    const [warning] = warningsOf(of, { ...none, headroom: { ...headroom, ms: HOUR_MS, isGrowing: false } })
    assert.equal(
      warning?.sentence,
      '"t/3": the source will delete in about 60 min what is not copied yet, from offset 42 on (retention.ms). ' +
        'Raise retention.ms and retention.bytes of "t" at the source until the copy has caught up',
    )
    assert.deepEqual(kinds({ headroom: { ...headroom, ms: HOUR_MS } }), [])
  })

  test('of transactions come at once when one hangs, and after a minute when it is open', () => {
    assert.deepEqual(kinds({ transaction }), [])
    assert.deepEqual(kinds({ transaction: { ...transaction, since: AT - 60_000 } }), ['open-transaction'])
    const hanging = { ...transaction, kind: 'hanging' as const }
    const [warning] = warningsOf(of, { ...none, transaction: hanging })
    assert.equal(warning?.kind, 'hanging-transaction')
    // A producer may give its records any timestamp.
    const [timeless] = warningsOf(of, { ...none, transaction: { ...hanging, since: 9e18 } })
    assert.match(timeless?.sentence ?? '', /last written at a time that its records do not tell/)
    assert.match(
      warning.sentence,
      /kafka-transactions\.sh --bootstrap-server east-1:9092 abort --topic t --partition 3 --start-offset 42$/,
    )
  })
})
