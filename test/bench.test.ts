// How the bench counts and judges; what it measures needs brokers.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CASES, type CopyCase, type MoveCase } from '../bench/cases.ts'
import { judgeGoals } from '../bench/goals.ts'
import { cpuAt, median, sampleOf } from '../bench/measure.ts'
import type { CaseReport, MoveFigures } from '../bench/report.ts'
import { writeResults } from '../bench/results.ts'
import { takeTurns } from '../bench/rounds.ts'
import { readSettings } from '../bench/settings.ts'

describe('figures', () => {
  test('CPU at a moment lies in a straight line between the samples around it', () => {
    const samples = [
      { atMs: 1_000, cpuSeconds: 2, peakMb: 1 },
      { atMs: 2_000, cpuSeconds: 4, peakMb: 1 },
    ]
    assert.deepEqual(
      [500, 1_000, 1_250, 2_000, 9_000].map(atMs => cpuAt(samples, atMs)),
      [2, 2, 2.5, 4, 4],
    )
  })

  test('a process that is there has used CPU and memory; one that is not has no sample', () => {
    const own = sampleOf(process.pid)
    assert.ok(own !== undefined && own.cpuSeconds > 0 && own.peakMb > 10)
    assert.equal(sampleOf(2 ** 22 + 1), undefined)
  })

  test('the median of an even number is the mean of the middle two, and that of nothing is not a number', () => {
    assert.equal(median([4, 1, 3, 2]), 2.5)
    assert.ok(Number.isNaN(median([])))
  })
})

describe('rounds', () => {
  test('another contender begins in each round, and one that fails holds nobody up', async () => {
    const order: string[] = []
    const attempts = await takeTurns(
      ['kdr', 'follower'],
      { rounds: 2, say: () => {} },
      async (contender, round) => {
        order.push(`${contender} ${round}`)
        if (contender === 'kdr') throw new Error('it broke')
        return { seconds: 1 }
      },
    )
    assert.deepEqual(order, ['kdr 1', 'follower 1', 'follower 2', 'kdr 2'])
    assert.deepEqual(
      attempts.map(each => ('failure' in each ? each.failure : each.figures.seconds)),
      ['it broke', 1, 1, 'it broke'],
    )
  })

  test('a case that does not exist is refused with the names of those that do', () => {
    assert.throws(() => readSettings({ CASE: 'lz5' }), /there is no case "lz5"; there are plain, lz4/)
    assert.throws(() => readSettings({ ROUNDS: 'many' }), /ROUNDS=many/)
    assert.deepEqual(readSettings({ CASE: 'lz4', ROUNDS: '1' }).cases, ['lz4'])
  })
})

describe('goals', () => {
  test('the worst case counts, and within 5 % is met', () => {
    const verdict = (lz4: number, zstd: number) =>
      resultOf('throughput, compressed', [copied('lz4', 1, lz4), copied('zstd', 1, zstd)])
    assert.deepEqual([verdict(9, 5.71).ratio, verdict(9, 5.71).verdict], [5.71, 'met'])
    assert.equal(verdict(9, 5.6).verdict, 'missed')
  })

  test('less is better for what is a share', () => {
    const memory = ['plain', 'lz4', 'zstd'].map(name => copied(name, 1, 1))
    assert.equal(resultOf('peak memory', memory).ratio, 0.5)
    assert.equal(resultOf('peak memory', memory).verdict, 'missed')
  })

  test('what somebody waits for is met or not, by the slowest case', () => {
    const verdict = (slow: number) =>
      resultOf('failover', [moved('move-100', 1), moved('move-1000', slow)]).verdict
    assert.deepEqual([verdict(10), verdict(10.1)], ['met', 'missed'])
  })

  test('nothing is met by a case that was not measured', () => {
    const lone = resultOf('throughput, compressed', [copied('lz4', 1, 9)])
    assert.deepEqual([lone.ratio, lone.verdict], [undefined, 'not measured'])
    const failed = copied('zstd', 1, 9, 'kdr')
    assert.equal(resultOf('throughput, compressed', [copied('lz4', 1, 9), failed]).verdict, 'not measured')
  })
})

describe('results', () => {
  test('a contender that failed is named, with its sentence', () => {
    const text = writeResults({
      settings: readSettings({}),
      surroundings: {
        commit: 'abc',
        kafkaVersion: '4.4.0',
        javaVersion: '17',
        loadAtStart: 0,
        startedAt: new Date(0),
        endedAt: undefined,
      },
      reports: [copied('lz4', 2, 8, 'mirrormaker')],
      pending: ['zstd'],
    })
    assert.match(text, /MirrorMaker 2 failed in round 1: it broke/)
    assert.match(text, /By round, seconds \(s\): kdr 2\.00; MirrorMaker 2 failed;/)
    assert.match(text, /Not run yet: zstd\./)
  })
})

function resultOf(what: string, reports: readonly CaseReport[]) {
  const found = judgeGoals(reports).find(({ goal }) => goal.what === what)
  assert.ok(found !== undefined)
  return found
}

function moved(name: string, seconds: number): CaseReport {
  const of = CASES.find(each => each.name === name) as MoveCase
  const figures: MoveFigures = {
    switchoverSeconds: seconds,
    watchSeconds: 0,
    switchoverOwnSeconds: seconds,
    switchoverCommandSeconds: seconds,
    failoverSeconds: seconds,
    failoverCommandSeconds: seconds,
  }
  return { kind: 'move', of, attempts: [{ contender: 'kdr', round: 1, figures }] }
}

/** One round; half as much memory for kdr. `broken` failed in it. */
function copied(name: string, kdr: number, rivals: number, broken?: string): CaseReport {
  const of = CASES.find(each => each.name === name) as CopyCase
  return {
    kind: 'copy',
    of,
    data: { topic: name, partitions: 6, records: 1, offsets: 1, bytes: 1e9 },
    attempts: of.contenders.map(contender => {
      const seconds = contender === 'kdr' ? kdr : rivals
      const peakMb = contender === 'kdr' ? 50 : 100
      if (contender === broken) return { contender, round: 1, failure: 'it broke' }
      return { contender, round: 1, figures: { seconds, wholeSeconds: seconds, cpuSeconds: 1, peakMb } }
    }),
  }
}
