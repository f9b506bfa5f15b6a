// The corpus at a source, and a link that must make its mirrors identical: shared by the pairs of versions
// (link-corpus.test.ts) and by the fault rows of records (faults/source-records.test.ts).

import assert from 'node:assert/strict'
import { isAtLeast, type LabCluster } from '../../src/lab/lab.ts'
import { isWhole } from '../../src/model/batch.ts'
import { CORPUS_KINDS, CORPUS_PROPERTIES, type CorpusKind, createCorpus } from './corpus.ts'
import type { Judge } from './judge.ts'
import { freshTopic, type TestLab, withLab } from './lab.ts'
import {
  adminOf,
  assertIdentical,
  BARE_TARGET_ACLS,
  type Link,
  makeLink,
  MARKER_ACL,
  OLD_MARKER_ACL,
  SOURCE_ACLS,
} from './link.ts'
import { batchesOnDisk } from './segments.ts'

/** A mirror must not be cleaned while it is compared: its segments roll elsewhere than the source's. */
const TARGET_PROPERTIES = { 'log.cleaner.backoff.ms': '3600000' }

export type Corpus = {
  readonly byKind: ReadonlyMap<CorpusKind, string>
  /** Those, and topics that end in gaps. */
  readonly topics: readonly string[]
}

export function withCorpusLab(source?: string, target?: string): TestLab {
  return withLab([
    { name: 'east', version: source, security: 'acl', properties: CORPUS_PROPERTIES },
    { name: 'west', version: target, security: 'acl', properties: TARGET_PROPERTIES },
  ])
}

/** Topics of every kind at `east`, and what kdr needs to read there and, without cluster rights, to write at `west`. */
export async function givenCorpus(lab: TestLab): Promise<Corpus> {
  const { judge } = lab
  const [east, west] = [lab.cluster('east'), lab.cluster('west')]
  await judge.createAcls({ ...adminOf(east), acls: SOURCE_ACLS })
  await judge.createAcls({ ...adminOf(west), acls: BARE_TARGET_ACLS })
  const properties = adminOf(east).properties ?? {}
  const byKind = await createCorpus({ judge, cluster: east, kinds: CORPUS_KINDS, properties })
  await assertCorpus(judge, east, byKind)
  return { byKind, topics: [...byKind.values(), ...(await trailingGaps(judge, east))] }
}

/** Removes what was mirrored without them. */
export async function giveClusterRights(lab: TestLab): Promise<void> {
  const { judge } = lab
  const west = lab.cluster('west')
  const mirrors = (await judge.listTopics(adminOf(west))).filter(name => /^(corpus|gap)-/.test(name))
  for (const topic of mirrors) await judge.deleteTopic({ ...adminOf(west), topic })
  const acl = isAtLeast(west.version, '3.8') ? MARKER_ACL : OLD_MARKER_ACL
  await judge.createAcls({ ...adminOf(west), acls: [acl] })
}

/** `bare`: without cluster rights at the target gaps are filled by empty transactions. */
export async function mirrorAndCompare(
  lab: TestLab,
  { topics }: Corpus,
  name: 'bare' | 'rights',
): Promise<Link> {
  const { judge } = lab
  const sides = { source: lab.cluster('east'), target: lab.cluster('west') }
  const link = makeLink({ name, ...sides, settings: { topics: ['corpus-*', 'gap-*'] } })

  const result = await link.start('run', '--once', '--timeout', '2m', '-v').ended

  assert.equal(result.code, 0, result.stderr + result.stdout)
  assert.match(result.stderr, name === 'bare' ? /filled by empty transactions/ : /filled by markers/)
  await assertIdentical(judge, sides, topics)
  for (const topic of topics) {
    const of = async (side: LabCluster) => await judge.describeConfigs({ ...adminOf(side), topic, all: true })
    const [source, mirror] = [await of(sides.source), await of(sides.target)]
    assert.equal(mirror['cleanup.policy'], source['cleanup.policy'], `cleanup.policy of ${topic}`)
    assert.equal(mirror['retention.ms'], '-1', `retention.ms of ${topic}`)
  }
  const verified = await link.json('verify', name)
  assert.equal(verified.code, 0, verified.stderr + JSON.stringify(verified.object))
  assert.equal(verified.object['identical'], true)
  // A second run finds nothing to do, and takes over at once after a clean end.
  const again = await link.json('run', '--once', '--timeout', '1m')
  assert.equal(again.code, 0, again.stderr)
  const [once] = again.object['links'] as { records: number; faulted: unknown[] }[]
  assert.deepEqual([once?.records, once?.faulted], [0, []])
  await assertIdentical(judge, sides, topics)
  return link
}

/** The corpus is what it claims to be: a copy is only tested by what is there. */
async function assertCorpus(
  judge: Judge,
  cluster: LabCluster,
  byKind: ReadonlyMap<CorpusKind, string>,
): Promise<void> {
  const topicOf = (kind: CorpusKind) => byKind.get(kind) ?? ''
  const digests = async (kind: CorpusKind) => judge.digest({ ...adminOf(cluster), topic: topicOf(kind) })
  assert.deepEqual(
    (await digests('trimmed')).map(({ logStart, end, count }) => [logStart, end, count]),
    [
      [250, 300, 50],
      [200, 300, 100],
      [300, 300, 0],
    ],
  )
  const [large] = await digests('large')
  assert.ok((large?.bytes ?? 0) > 30_000_000)
  const [open] = await digests('openTransaction')
  assert.deepEqual([open?.count, open?.end], [10, 10])
  const [late] = await digests('compactedAndTrimmed')
  assert.equal(late?.logStart, 57)
  for (const { count, end } of await digests('transactions')) assert.ok(count > 0 && count < end)

  const batchesOf = (kind: CorpusKind, partition = 0) =>
    batchesOnDisk(cluster, { topic: topicOf(kind), partition })
  const compacted = batchesOf('compacted')
  assert.ok(compacted.some(({ recordCount }) => recordCount === 0))
  assert.ok(compacted.some(batch => batch.recordCount > 0 && !isWhole(batch)))
  const switched = batchesOf('switched').map(({ isLogAppendTime }) => isLogAppendTime)
  assert.deepEqual(new Set(switched), new Set([false, true]))
  const codecs = [0, 1, 2, 3, 4].map(partition => batchesOf('codecs', partition)[0]?.codec)
  assert.deepEqual(codecs, ['none', 'gzip', 'snappy', 'lz4', 'zstd'])
}

/** Logs that end in a gap, or hold nothing but gaps. */
async function trailingGaps(judge: Judge, cluster: LabCluster): Promise<string[]> {
  const [aborted, markers, mixed] = [
    freshTopic('gap-aborted'),
    freshTopic('gap-markers'),
    freshTopic('gap-mixed'),
  ]
  const admin = adminOf(cluster)
  for (const topic of [aborted, markers, mixed]) await judge.createTopic({ ...admin, topic, partitions: 2 })
  // Nothing but aborted records and markers.
  for (const id of [1, 2])
    await judge.produce({
      ...admin,
      topic: aborted,
      transactionalId: `${aborted}-${id}`,
      count: 20,
      end: 'abort',
    })
  // Ends in a commit marker.
  await judge.produce({ ...admin, topic: markers, transactionalId: markers, count: 11, end: 'commit' })
  // Ends in aborted records and a marker, after records outside of any transaction.
  await judge.produce({ ...admin, topic: mixed, count: 7, compression: 'zstd' })
  await judge.produce({ ...admin, topic: mixed, transactionalId: mixed, count: 9, end: 'abort' })
  return [aborted, markers, mixed]
}
