// How much memory a worker needs when a thousand partitions are far behind: what is fetched and not yet acknowledged is
// bounded for the whole link, so it does not grow with their number.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectCluster } from '../../src/kafka/cluster.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { stampBatch } from '../../src/model/batch.ts'
import type { AppendEntry, Cluster } from '../../src/ports/cluster.ts'
import { freshTopic, waitFor, withLab } from '../support/lab.ts'
import { makeLink } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const TOPICS = 100
const PARTITIONS = 10
/** 1.6 MB in each partition, 1.6 GB in all: sixteen times what the link may buffer. */
const BATCHES = 8
const BATCH_BYTES = 200_000
const PEAK_MB = 400
const AT_ONCE = 20
const clock = { now: () => Date.now(), monotonic: () => performance.now(), sleep: (ms: number) => sleep(ms) }

const context = withLab(suite === 'short' ? [] : [{ name: 'east' }, { name: 'west' }])

test(`${TOPICS * PARTITIONS} partitions far behind take at most ${PEAK_MB} MB`, {
  skip: suite === 'short' && 'in make test-full',
}, async t => {
  const [source, target] = [context.cluster('east'), context.cluster('west')]
  const prefix = freshTopic('deep')
  const { bootstrap } = source
  const cluster = await connectCluster({ name: 'east', bootstrap, clientId: 'writer', clock })
  t.after(() => cluster.close())
  await fill(cluster, prefix)

  const link = makeLink({ source, target, settings: { topics: [`${prefix}-*`] } })
  const run = link.start('run', '--once', '--json')
  let peakMb = 0
  while (!run.hasEnded) {
    peakMb = Math.max(peakMb, peakOf(run.pid))
    await sleep(100)
  }
  const { code, stderr, ms } = await run.ended
  t.diagnostic(`peak memory ${peakMb} MB, ${(ms / 1000).toFixed(1)} s`)
  assert.equal(code, 0, stderr)
  assert.ok(peakMb > 0 && peakMb <= PEAK_MB, `peak memory ${peakMb} MB`)
  await assertCopied(cluster, target.bootstrap, prefix)
})

async function fill(cluster: Cluster, prefix: string): Promise<void> {
  const names = Array.from({ length: TOPICS }, (_none, i) => `${prefix}-${i}`)
  const made = await cluster.createTopics(
    names.map(name => ({ name, partitions: PARTITIONS, replicationFactor: 1, configs: {} })),
  )
  for (const { code, message } of made) assert.equal(code, 0, message)
  const all = partitionsOf(names)
  const view = await waitFor(
    async () => {
      const found = await cluster.describe()
      const ends = await cluster.offsets(all, 'logEnd')
      return ends.every(end => end.code === 0) && found
    },
    { what: 'the topics to be served' },
  )
  const lane = await cluster.openAppendLane(view.brokers[0]!.id)
  const batch = aBatch()
  for (let round = 0; round < BATCHES; round++) {
    for (let first = 0; first < all.length; first += AT_ONCE) {
      const entries = all
        .slice(first, first + AT_ONCE)
        .map((at): AppendEntry => ({ ...at, topicId: view.topics.get(at.topic)!.id, batch }))
      const answers = await lane.append(entries, 20_000)
      assert.ok(answers.every(answer => answer.code === 0))
    }
  }
}

function partitionsOf(names: readonly string[]): { topic: string; partition: number }[] {
  return names.flatMap(topic =>
    Array.from({ length: PARTITIONS }, (_none, partition) => ({ topic, partition })),
  )
}

/** Of a hundred records; a plain producer's. */
function aBatch(): Buffer {
  const records = Array.from({ length: 100 }, (_none, offset) => ({
    offset,
    timestamp: clock.now(),
    key: Buffer.from(`k${offset}`),
    value: Buffer.alloc(BATCH_BYTES / 100, offset),
    headers: [],
  }))
  const bytes = recordCodec.encode({ codec: 'none', records })
  stampBatch(bytes, { producerId: -1n, producerEpoch: -1 }, -1)
  return bytes
}

async function assertCopied(source: Cluster, bootstrap: string, prefix: string): Promise<void> {
  const target = await connectCluster({ name: 'west', bootstrap, clientId: 'reader', clock })
  const all = partitionsOf(Array.from({ length: TOPICS }, (_none, i) => `${prefix}-${i}`))
  const ends = await Promise.all([source, target].map(cluster => cluster.offsets(all, 'logEnd')))
  await target.close()
  assert.deepEqual(
    ends[1]!.map(({ offset }) => offset),
    ends[0]!.map(({ offset }) => offset),
  )
  assert.ok(ends[1]!.every(({ offset }) => offset === BATCHES * 100))
}

function peakOf(pid: number): number {
  try {
    const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return Math.round(Number(found?.[1] ?? 0) / 1024)
  } catch {
    // It has just ended.
    return 0
  }
}
