// How much memory a worker needs when a thousand partitions are far behind and the target is slow: what is fetched and not
// yet acknowledged is bounded for the whole link, so it does not grow with their number.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectCluster } from '../../src/kafka/cluster.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { stampBatch } from '../../src/model/batch.ts'
import type { AppendEntry, Cluster } from '../../src/ports/cluster.ts'
import { faultRow } from '../support/fault-rows.ts'
import { freshTopic, waitFor, withLab } from '../support/lab.ts'
import { adminOf, assertIdentical, makeLink } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const TOPICS = 100
const PARTITIONS = 10
/** 0.8 MB in each partition, 0.8 GB in all: 25 times what the link may buffer. */
const BATCHES = 4
const BATCH_BYTES = 200_000
const PEAK_MB = 400
/** The target takes this much in a second: a quarter of what it could. */
const QUOTA_BYTES = 16_000_000
const AT_ONCE = 20
const clock = { now: () => Date.now(), monotonic: () => performance.now(), sleep: (ms: number) => sleep(ms) }

const context = withLab(suite === 'short' ? [] : [{ name: 'east' }, { name: 'west' }])

const what = `${TOPICS * PARTITIONS} partitions far behind, and a slow target`
faultRow('P12', what, { suite: 'full' }, async (row, t) => {
  const { judge } = context
  const [source, target] = [context.cluster('east'), context.cluster('west')]
  const prefix = freshTopic('deep')
  const { bootstrap } = source
  const cluster = await connectCluster({ name: 'east', bootstrap, clientId: 'writer', clock })
  t.after(() => cluster.close())
  row.did(
    `wrote 0.8 MB into each of ${TOPICS * PARTITIONS} partitions at the source; the target takes ${QUOTA_BYTES / 1e6} MB a second from kdr (a quota)`,
  )
  await fill(cluster, prefix)
  await judge.setQuota({
    ...adminOf(target),
    clientId: 'kdr',
    quotas: { producer_byte_rate: QUOTA_BYTES },
  })

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
  assert.ok(ms > ((TOPICS * PARTITIONS * BATCHES * BATCH_BYTES) / QUOTA_BYTES) * 500, `not slow: ${ms} ms`)
  row.saw(`kdr never takes more than ${PEAK_MB} MB of memory`)
  await assertCopied(cluster, target.bootstrap, prefix)
  await assertIdentical(judge, { source, target }, [`${prefix}-0`])
  row.saw('every partition is copied to its end; those that were compared are identical')
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
