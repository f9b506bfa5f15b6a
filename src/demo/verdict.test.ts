import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LedgerAudit } from '../lab/judge.ts'
import { judge } from './verdict.ts'

const WHOLE: LedgerAudit = {
  partition: 0,
  end: 100,
  acknowledged: 100,
  present: 100,
  superseded: 0,
  lost: 0,
  firstLostAckMs: -1,
  unacknowledged: 0,
  problems: 0,
  firstProblems: [],
}

describe('the verdict of the demo', () => {
  test('all is there', () => {
    const verdict = judge([{ topic: 'orders', audits: [WHOLE] }], { repeated: 0, lastAckMs: 5000 })

    assert.equal(verdict.ok, true)
    assert.deepEqual(verdict.lost, { records: 0, ms: 0, partitions: [] })
  })

  test('a lost tail is lost, and well; its time is that of its first record', () => {
    const tail = { ...WHOLE, present: 97, lost: 3, firstLostAckMs: 4959 }
    const later = { ...WHOLE, partition: 1, present: 99, lost: 1, firstLostAckMs: 4990 }
    const verdict = judge([{ topic: 'orders', audits: [WHOLE, tail, later] }], {
      repeated: 0,
      lastAckMs: 5000,
    })

    assert.equal(verdict.ok, true)
    assert.equal(verdict.lost.records, 4)
    assert.equal(verdict.lost.ms, 41)
    assert.equal(verdict.acknowledged, verdict.present + verdict.lost.records)
  })

  test('a hole before the tail is not well, and is named', () => {
    const hole = { offset: 40, what: 'was acknowledged, and is not there' }
    const audit = { ...WHOLE, partition: 2, present: 99, problems: 1, firstProblems: [hole] }
    const verdict = judge([{ topic: 'orders', audits: [audit] }], { repeated: 0, lastAckMs: 5000 })

    assert.equal(verdict.ok, false)
    assert.deepEqual(verdict.firstProblems, [{ topic: 'orders', partition: 2, ...hole }])
  })

  test('what is delivered twice is not well', () => {
    const verdict = judge([{ topic: 'orders', audits: [WHOLE] }], { repeated: 1, lastAckMs: 5000 })

    assert.equal(verdict.ok, false)
  })
})
