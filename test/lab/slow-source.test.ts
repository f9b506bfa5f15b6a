// A source that becomes slow while kdr catches up: it takes less from it, says so, and goes on as before when that is over.
import { test } from 'node:test'
import { openLines } from '../../src/lab/lab.ts'
import { freshTopic, patience, withLab } from '../support/lab.ts'
import { adminOf, assertIdentical, makeLink } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full'
const context = withLab(skip === false ? [{ name: 'east', hasLines: true }, { name: 'west' }] : [])

test('a source that becomes slow is given rests until it has recovered', { skip }, async t => {
  const [east, west] = [context.cluster('east'), context.cluster('west')]
  const lines = await openLines(east)
  for (const line of lines) t.after(() => line.close())
  const { judge } = context
  const topic = freshTopic()
  await judge.createTopic({ ...adminOf(east), topic, partitions: 1 })
  const count = 60_000
  await judge.produce({ ...adminOf(east), topic, count, sizeBytes: 1_000, batchBytes: 20_000 })
  const bootstrap = east.lines.map(({ advertisedPort }) => `localhost:${advertisedPort}`).join(',')
  // So slowly that there is something to copy for as long as the test lasts.
  const settings = { topics: [topic], maxBytesPerSecond: '2MB' }
  const link = makeLink({ source: { name: 'east', bootstrap }, target: west, settings })
  const daemon = link.start('run')
  try {
    await judge.awaitEnds({ ...adminOf(west), topic, sum: count / 4, timeoutMs: patience(60_000) })
    for (const line of lines) line.shape({ delayMs: 300 })
    await daemon.says(/broker \d of "east" has become slow: fetches wait \d+ ms for its answers, and usually/)
    for (const line of lines) line.shape({ delayMs: 0 })
    await daemon.says(/broker \d of "east" answers as fast as usual again/)
    await judge.awaitEnds({ ...adminOf(west), topic, sum: count, timeoutMs: patience(120_000) })
    await assertIdentical(judge, { source: east, target: west }, [topic])
  } finally {
    daemon.signal('SIGTERM')
    t.diagnostic(`kdr said:\n${(await daemon.ended).stderr}`)
  }
})
