// Who waits for whom: a topic that keeps up with its source never for one that is far behind, whatever it is that they
// share; and of those that are behind, the one with the higher priority goes first.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Line, openLines } from '../../src/lab/lab.ts'
import type { At, LagReport } from '../support/judge.ts'
import { freshTopic, patience, withLab } from '../support/lab.ts'
import { makeLink } from '../support/link.ts'
import { suite } from '../support/suite.ts'

/** Of records of 1 KB that hardly compress. */
const DEEP_MB = 200
const PARTITIONS = 6
const RECORDS_PER_SECOND = 10
const SECONDS = 8
const LAG_MS = 1_000

const skip = suite === 'short' && 'in make test-full'
const context = withLab(skip === false ? [{ name: 'east' }, { name: 'west', hasLines: true }] : [])
let lines: Line[] = []

/** The source; the target as kdr sees it; the target without a line. */
function sides() {
  const [source, target] = [context.cluster('east'), context.cluster('west')]
  const addresses = target.lines.map(({ advertisedPort }) => `localhost:${advertisedPort}`)
  return {
    source,
    target: { name: target.name, bootstrap: addresses.join(',') },
    sourceAt: { bootstrap: source.bootstrap },
    targetAt: { bootstrap: target.bootstrap },
  }
}

async function fill(at: At, topic: string, megabytes: number): Promise<number> {
  const count = megabytes * 1_000
  await context.judge.createTopic({ ...at, topic, partitions: PARTITIONS })
  await context.judge.produce({ ...at, topic, count, sizeBytes: 1_000, batchBytes: 200_000 })
  return count
}

/** The lag of a topic with little to do, while the link has much to do elsewhere. */
async function lagOfSmall(topic: string) {
  const { judge } = context
  const { sourceAt, targetAt } = sides()
  const { workload } = await judge.startWorkload({
    ...sourceAt,
    topic,
    rate: RECORDS_PER_SECOND,
    sizeBytes: 100,
  })
  const { lag } = await judge.startLag({ source: sourceAt, target: targetAt, topic, workload })
  // What came before its consumers had joined does not count.
  await sleep(2_000)
  const { sent: from } = await judge.workload({ workload })
  await sleep(SECONDS * 1_000)
  const { sent: to } = await judge.workload({ workload })
  await sleep(2 * LAG_MS)
  const report = await judge.stopLag({ lag, from, to })
  await judge.stopWorkload({ workload })
  return report
}

/** A busy machine makes a few late, and not most. */
function assertOnTime({ p50, p99, missing }: LagReport): void {
  assert.equal(missing, 0)
  assert.ok(p50 <= LAG_MS, `p50 ${p50} ms`)
  assert.ok(p99 <= patience(LAG_MS), `p99 ${p99} ms`)
}

/** Until the link is at work. */
async function begun(topic: string): Promise<void> {
  const look = { ...sides().targetAt, topic, sum: 1, timeoutMs: patience(30_000) }
  assert.ok((await context.judge.awaitEnds(look)).sum > 0, `nothing of "${topic}" was copied in time`)
}

const copiedOf = async (topic: string): Promise<number> =>
  (await context.judge.awaitEnds({ ...sides().targetAt, topic, sum: 0 })).sum

// One after the other: they share the line.
describe('while much is to be caught up with', { concurrency: 1, skip }, () => {
  before(async () => {
    lines = await openLines(context.cluster('west'))
  })
  after(async () => {
    for (const line of lines) await line.close()
  })

  test('a topic that keeps up does not wait for one that is far behind, over a slow line to the target', async t => {
    const { source, target, sourceAt } = sides()
    const [small, deep] = [freshTopic('small'), freshTopic('deep')]
    await context.judge.createTopic({ ...sourceAt, topic: small, partitions: 1 })
    const count = await fill(sourceAt, deep, DEEP_MB)
    // Of 100 KB each in 20 ms: what is sent takes seconds to be acknowledged.
    for (const line of lines) line.shape({ delayMs: 10, windowBytes: 100_000 })
    t.after(() => lines.forEach(line => line.shape({ delayMs: 0, windowBytes: Infinity })))
    const link = makeLink({ name: deep, source, target, settings: { topics: [small, deep], groups: [] } })

    const run = link.start('run')
    await begun(deep)
    const lag = await lagOfSmall(small)
    const copied = await copiedOf(deep)
    run.signal('SIGTERM')
    await run.ended

    t.diagnostic(
      `p50 ${lag.p50} ms, p99 ${lag.p99} ms; ${copied} of ${count} records of the other copied by then`,
    )
    assert.ok(copied < count, 'the other topic had caught up before the end')
    assertOnTime(lag)
  })

  test('of two topics that are behind, the one of higher priority is copied first, and a third one is on time', async t => {
    const { source, target, sourceAt, targetAt } = sides()
    const [small, high, low] = [freshTopic('small'), freshTopic('pay'), freshTopic('log')]
    await context.judge.createTopic({ ...sourceAt, topic: small, partitions: 1 })
    const count = await fill(sourceAt, high, 60)
    await fill(sourceAt, low, 60)
    const settings = {
      topics: [small, high, low],
      groups: [],
      priorities: [{ topics: 'pay-*', priority: 'high' }],
      maxBytesPerSecond: '5MB',
    }
    const link = makeLink({ name: high, source, target, settings })

    const run = link.start('run')
    await begun(high)
    const lag = await lagOfSmall(small)
    const { sum } = await context.judge.awaitEnds({
      ...targetAt,
      topic: high,
      sum: count,
      timeoutMs: patience(60_000),
    })
    const copiedOfLow = await copiedOf(low)
    run.signal('SIGTERM')
    await run.ended

    t.diagnostic(`p99 ${lag.p99} ms; ${copiedOfLow} of ${count} records of the other copied by then`)
    assert.equal(sum, count)
    assert.ok(copiedOfLow <= count / 4, `${copiedOfLow} of ${count} were copied before their turn`)
    assertOnTime(lag)
  })
})
