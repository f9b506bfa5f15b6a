// A source far away: what is behind comes in stripes, over many connections, in order; what is current costs few.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openLines } from '../../src/lab/lab.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import { adminOf, assertIdentical, makeLink } from '../support/link.ts'
import { suite } from '../support/suite.ts'

// In the short suite test/sim/long-line.test.ts has it, in virtual time.
const skip = suite === 'short' && 'in make test-full'
const context = withLab(skip === false ? [{ name: 'east', hasLines: true }, { name: 'west' }] : [])

test('over a long line a partition comes over many connections at once, and few are left when it is there', {
  skip,
}, async t => {
  const [line] = await openLines(context.cluster('east'))
  assert.ok(line !== undefined)
  t.after(() => line.close())
  const { judge } = context
  const [east, west] = [adminOf(context.cluster('east')), adminOf(context.cluster('west'))]
  const topic = freshTopic()
  await judge.createTopic({ ...east, topic, partitions: 2 })
  const transactions = { transactionalId: topic, perTransaction: 700 } as const
  const records = { sizeBytes: 1_000, batchBytes: 20_000 }
  for (const more of [{}, transactions])
    await judge.produce({ ...east, topic, count: 10_000, ...records, ...more })
  await judge.produce({ ...east, topic, count: 300, ...transactions, end: 'abort' })

  line.shape({ delayMs: 20, windowBytes: 100 * 1024 })
  const port = context.cluster('east').lines[0]?.advertisedPort ?? 0
  const source = { name: 'east', bootstrap: `localhost:${port}` }
  const link = makeLink({ source, target: context.cluster('west'), settings: { topics: [topic] } })
  let most = 0
  const counting = setInterval(() => {
    most = Math.max(most, line.open)
  }, 5)
  const daemon = link.start('run')
  try {
    const ends = await judge.ends({ ...east, topics: [topic] })
    const sum = ends.reduce((all, [, , end]) => all + end, 0)
    const seen = await judge.awaitEnds({ ...west, topic, sum, timeoutMs: patience(60_000) })
    assert.equal(seen.sum, sum)
    const sides = { source: context.cluster('east'), target: context.cluster('west') }
    await assertIdentical(judge, sides, [topic])
    assert.ok(most >= 16, `${most} connections at most`)
    // Of those that fetch the session alone; the others are for control and for looks.
    await waitFor(() => line.open <= 5, {
      what: 'idle connections to be closed',
      timeoutMs: patience(30_000),
    })
  } finally {
    clearInterval(counting)
    daemon.signal('SIGTERM')
    await daemon.ended
  }
})
