// Three brokers in three racks, and a kdr in one of them: what it reads comes from there, and from the leaders when that is gone.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { FETCH_BYTES } from '../../src/engine/replicate/limits.ts'
import { openLines } from '../../src/lab/lab.ts'
import { freshTopic, patience, withLab } from '../support/lab.ts'
import { adminOf, assertIdentical, type Link, makeLink } from '../support/link.ts'
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
const RECORDS = 60_000
const BYTES = 1_000
const ROUNDS = 24
const PER_ROUND = 1_200

type Reading = { readonly link: Link; readonly received: number[] }

/** A link that reads through lines: `received` has the bytes that came from each broker, the one of kdr's rack first. */
async function linkOf(t: TestContext, topic: string): Promise<Reading> {
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
  const bootstrap = east.lines.map(({ advertisedPort }) => `localhost:${advertisedPort}`).join(',')
  const source = { name: 'east', bootstrap, login: { rack: 'here' } }
  return { link: makeLink({ name: topic, source, target: west, settings: { topics: [topic] } }), received }
}

async function copied(topic: string): Promise<void> {
  const [east, west] = [context.cluster('east'), context.cluster('west')]
  const ends = await context.judge.ends({ ...adminOf(east), topics: [topic] })
  const sum = ends.reduce((all, [, , end]) => all + end, 0)
  const seen = await context.judge.awaitEnds({ ...adminOf(west), topic, sum, timeoutMs: patience(90_000) })
  assert.equal(seen.sum, sum)
}

/**
 * A third is led there. Of the rest only what came before it was known that a replica may be asked, and which: an answer of each other
 * broker, which may be as large as any. Two thirds would come from them otherwise, more than twice as much.
 */
function assertFromHere(t: TestContext, [here = 0, ...others]: readonly number[], bytes: number): void {
  const elsewhere = others.reduce((sum, each) => sum + each, 0)
  t.diagnostic(`bytes from each broker: ${[here, ...others].join(', ')}`)
  const first = 1.1 * FETCH_BYTES * others.length
  assert.ok(first < bytes / 3)
  assert.ok(elsewhere < first, `${here} bytes from the rack of kdr, ${elsewhere} from others`)
  assert.ok(here + elsewhere > bytes)
}

test('transactions that were aborted come from there too, and readers of what is committed see the same', {
  skip,
}, async t => {
  const { judge } = context
  const [east, west] = [context.cluster('east'), context.cluster('west')]
  const topic = freshTopic('transactions')
  const records = { ...adminOf(east), topic, sizeBytes: BYTES, batchBytes: 20_000 }
  await judge.createTopic({ ...adminOf(east), topic, partitions: 6, rf: 3 })
  // It stays open while the others end, and is aborted when its producer begins anew: its marker stands behind all of them.
  await judge.produce({ ...records, transactionalId: 'long', count: 600, end: 'open' })
  for (let round = 0; round < ROUNDS; round++) {
    const end = round % 2 === 0 ? 'abort' : 'commit'
    await judge.produce({ ...records, transactionalId: `tx-${round % 3}`, count: PER_ROUND, end })
    await judge.produce({ ...records, count: PER_ROUND })
  }
  await judge.produce({ ...records, transactionalId: 'long', count: 6, end: 'commit' })

  const { link, received } = await linkOf(t, topic)
  const daemon = link.start('run')
  try {
    await copied(topic)
    assertFromHere(t, received, (600 + 2 * ROUNDS * PER_ROUND) * BYTES)
    await assertIdentical(judge, { source: east, target: west }, [topic])
    const seen = async (cluster: typeof east, isolation: 'committed' | 'uncommitted') =>
      await judge.digest({ ...adminOf(cluster), topic, isolation })
    const [there, here] = [await seen(east, 'committed'), await seen(west, 'committed')]
    assert.deepEqual(here, there)
    const countOf = (all: typeof here) => all.reduce((sum, { count }) => sum + count, 0)
    assert.equal(countOf(here), 1.5 * ROUNDS * PER_ROUND + 6)
    // What was aborted came along, and is no part of a mirror: markers stand there.
    assert.equal(countOf(await seen(east, 'uncommitted')), 600 + 2 * ROUNDS * PER_ROUND + 6)
    assert.equal(countOf(await seen(west, 'uncommitted')), countOf(here))
    const verified = await link.json('verify', link.name)
    assert.deepEqual([verified.code, verified.object['identical']], [0, true])
  } finally {
    daemon.signal('SIGTERM')
    await daemon.ended
  }
})

test('records come from the rack that kdr is in, and from the leaders when its broker is gone', {
  skip,
}, async t => {
  const [east, west] = [context.cluster('east'), context.cluster('west')]
  const { judge } = context
  const topic = freshTopic()
  const records = { topic, sizeBytes: BYTES, batchBytes: 20_000 }
  // By each broker as many are led.
  await judge.createTopic({ ...adminOf(east), topic, partitions: 6, rf: 3 })
  await judge.produce({ ...adminOf(east), ...records, count: RECORDS })

  const { link, received } = await linkOf(t, topic)
  const daemon = link.start('run')
  try {
    await copied(topic)
    assertFromHere(t, received, RECORDS * BYTES)

    const gone = east.brokers[0]?.id ?? 0
    await east.kill(gone)
    await judge.produce({ ...adminOf(east), ...records, count: RECORDS })
    await copied(topic)
    await assertIdentical(judge, { source: east, target: west }, [topic])
    const verified = await link.json('verify', link.name)
    assert.deepEqual([verified.code, verified.object['identical']], [0, true])
  } finally {
    daemon.signal('SIGTERM')
    const { stderr } = await daemon.ended
    t.diagnostic(`kdr said:\n${stderr}`)
  }
})
