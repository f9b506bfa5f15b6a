// Three brokers in three racks, and a kdr in one of them: what it reads comes from there, and from the leaders when that is gone.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openLines } from '../../src/lab/lab.ts'
import { freshTopic, patience, withLab } from '../support/lab.ts'
import { adminOf, assertIdentical, makeLink } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full: three brokers'
const properties = {
  'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
}
const context = withLab(
  skip === false
    ? [
        { name: 'east', brokers: 3, racks: ['here', 'there', 'yonder'], hasLines: true, properties },
        { name: 'west' },
      ]
    : [],
)
const RECORDS = 48_000
const BYTES = 1_000

test('records come from the rack that kdr is in, and from the leaders when its broker is gone', {
  skip,
}, async t => {
  const [east, west] = [context.cluster('east'), context.cluster('west')]
  const lines = await openLines(east)
  const received = lines.map(() => 0)
  lines.forEach((line, index) => {
    t.after(() => line.close())
    line.tap((direction, bytes) => {
      if (direction === 'down') received[index]! += bytes.length
      return bytes
    })
  })
  const { judge } = context
  const topic = freshTopic()
  const records = { topic, sizeBytes: BYTES, batchBytes: 20_000 }
  // By each broker as many are led.
  await judge.createTopic({ ...adminOf(east), topic, partitions: 6, rf: 3 })
  await judge.produce({ ...adminOf(east), ...records, count: RECORDS })

  const bootstrap = east.lines.map(({ advertisedPort }) => `localhost:${advertisedPort}`).join(',')
  const source = { name: 'east', bootstrap, login: { rack: 'here' } }
  const link = makeLink({ source, target: west, settings: { topics: [topic] } })
  const daemon = link.start('run')
  const copied = async () => {
    const ends = await judge.ends({ ...adminOf(east), topics: [topic] })
    const sum = ends.reduce((all, [, , end]) => all + end, 0)
    const seen = await judge.awaitEnds({ ...adminOf(west), topic, sum, timeoutMs: patience(90_000) })
    assert.equal(seen.sum, sum)
  }
  try {
    await copied()
    const [here = 0, ...others] = received
    const elsewhere = others.reduce((sum, each) => sum + each, 0)
    t.diagnostic(`bytes from each broker: ${received.join(', ')}`)
    // A third is led there; of the rest only what came before the leaders had named that replica does not come from there.
    assert.ok(here > RECORDS * BYTES * 0.8, `${here} bytes from the rack of kdr, ${elsewhere} from others`)
    assert.ok(elsewhere < RECORDS * BYTES * 0.2, `${elsewhere} bytes from other racks`)

    const gone = east.brokers[0]?.id ?? 0
    await east.kill(gone)
    await judge.produce({ ...adminOf(east), ...records, count: RECORDS })
    await copied()
    await assertIdentical(judge, { source: east, target: west }, [topic])
    const verified = await link.json('verify', link.name)
    assert.deepEqual([verified.code, verified.object['identical']], [0, true])
  } finally {
    daemon.signal('SIGTERM')
    const { stderr } = await daemon.ended
    t.diagnostic(`kdr said:\n${stderr}`)
  }
})
