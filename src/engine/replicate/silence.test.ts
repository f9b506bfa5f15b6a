import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KdrError } from '../../model/errors.ts'
import { LagRing } from './lag.ts'
import type { PartitionCopy } from './partition.ts'
import { BrokerSilence } from './silence.ts'

const GONE = new KdrError('unreachable', 'no answer in time')

/** `seenAgoMs`: when the cluster answered last. */
function silence(seenAgoMs = 0) {
  let now = 1_000_000
  const lines: string[] = []
  const copy = { lag: new LagRing() } as PartitionCopy
  const context = {
    clock: { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() },
    log: { event: (level: string, message: string) => lines.push(`${level} ${message}`) },
    source: { name: 'east' },
    sourceWatch: {
      get seenAt() {
        return now - seenAgoMs
      },
    },
    link: 'l',
  }
  const it = new BrokerSilence(context as unknown as ConstructorParameters<typeof BrokerSilence>[0], 3)
  return {
    copy,
    lines,
    fail: (atMs: number, error: unknown = GONE) => {
      now = 1_000_000 + atMs
      it.failed(error, [copy])
    },
    answer: () => it.answered([copy]),
    lagMs: () => copy.lag.lagMs(0, now),
  }
}

describe('a broker that gives nothing', () => {
  test('is waited for; then its partitions say so, once, and their lag counts from the first failure', () => {
    const { copy, lines, fail, lagMs } = silence()
    for (const atMs of [0, 9_999]) fail(atMs)
    assert.deepEqual([copy.lag.unread, lagMs(), lines], [undefined, 0, []])
    for (const atMs of [10_000, 60_000]) fail(atMs)
    const sentence = 'broker 3 of "east" gives nothing: no answer in time; trying again'
    assert.deepEqual(copy.lag.unread?.fault, { reason: 'unreachable', sentence })
    assert.deepEqual([lagMs(), lines], [60_000, [`warn ${sentence}`]])
  })

  test('that lets kdr sign in no more is a matter of rights', () => {
    const { copy, fail } = silence()
    for (const atMs of [0, 10_000]) fail(atMs, new KdrError('not-allowed', 'refused the credentials'))
    assert.equal(copy.lag.unread?.fault.reason, 'no-rights')
  })

  test('that answers again has its partitions read', () => {
    const { copy, lines, fail, answer, lagMs } = silence()
    for (const atMs of [0, 10_000]) fail(atMs)
    answer()
    assert.deepEqual([copy.lag.unread, lagMs()], [undefined, 0])
    assert.equal(lines.at(-1), 'info broker 3 of "east" answers again')
    fail(20_000)
    assert.equal(copy.lag.unread, undefined)
  })

  test('while its whole cluster is dark is no news: when that was seen last says it', () => {
    const { copy, fail } = silence(10_001)
    for (const atMs of [0, 60_000]) fail(atMs)
    assert.equal(copy.lag.unread, undefined)
  })
})
