// `kdr run --once` makes topics of every kind identical, as Java's consumer reads them: with cluster rights at the target
// (gaps are filled by markers) and without (by empty transactions).

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isAtLeast, type LabCluster } from '../../src/lab/lab.ts'
import { CORPUS_KINDS, CORPUS_PROPERTIES, createCorpus } from '../support/corpus.ts'
import type { Judge } from '../support/judge.ts'
import { freshTopic, type TestLab, withLab } from '../support/lab.ts'
import {
  adminOf,
  assertIdentical,
  BARE_TARGET_ACLS,
  makeLink,
  MARKER_ACL,
  OLD_MARKER_ACL,
  SOURCE_ACLS,
} from '../support/link.ts'
import { suite } from '../support/suite.ts'

/** A mirror must not be cleaned while it is compared: its segments roll elsewhere than the source's. */
const TARGET_PROPERTIES = { 'log.cleaner.backoff.ms': '3600000' }

const PAIRS: readonly (readonly [source: string, target: string])[] =
  suite === 'short'
    ? [['4.4.0', '4.4.0']]
    : [
        ['4.4.0', '4.4.0'],
        ['3.9.2', '4.4.0'],
        ['4.4.0', '3.9.2'],
        ['3.3.2', '4.4.0'],
        ['4.4.0', '3.7.2'],
      ]

for (const [source, target] of PAIRS) {
  describe(`topics of every kind, from ${source} to ${target}`, () => {
    const context = withLab([
      { name: 'east', version: source, security: 'acl', properties: CORPUS_PROPERTIES },
      { name: 'west', version: target, security: 'acl', properties: TARGET_PROPERTIES },
    ])
    let topics: string[] = []

    test('given a corpus at the source, and a principal that may read there and nothing more', async () => {
      const { judge } = context
      const east = context.cluster('east')
      await judge.createAcls({ ...adminOf(east), acls: SOURCE_ACLS })
      await judge.createAcls({ ...adminOf(context.cluster('west')), acls: BARE_TARGET_ACLS })
      const made = await createCorpus({
        judge,
        cluster: east,
        kinds: CORPUS_KINDS,
        properties: adminOf(east).properties ?? {},
      })
      topics = [...made.values(), ...(await trailingGaps(judge, east))]
    })

    test('without cluster rights at the target both sides are identical', async () => {
      await mirrorAndCompare(context, topics, 'bare')
    })

    test('with cluster rights at the target both sides are identical', async () => {
      const { judge } = context
      const west = context.cluster('west')
      for (const topic of topics) await judge.deleteTopic({ ...adminOf(west), topic })
      await judge.createAcls({
        ...adminOf(west),
        acls: [isAtLeast(target, '3.8') ? MARKER_ACL : OLD_MARKER_ACL],
      })
      await mirrorAndCompare(context, topics, 'rights')
    })
  })
}

async function mirrorAndCompare(
  context: TestLab,
  topics: readonly string[],
  name: 'bare' | 'rights',
): Promise<void> {
  const { judge } = context
  const sides = { source: context.cluster('east'), target: context.cluster('west') }
  const link = makeLink({ name, ...sides, settings: { topics: ['corpus-*', 'gap-*'] } })

  const result = await link.run('run', '--once', '--timeout', '2m', '-v')

  assert.equal(result.code, 0, result.stderr + result.stdout)
  assert.match(result.stderr, name === 'bare' ? /filled by empty transactions/ : /filled by markers/)
  await assertIdentical(judge, sides, topics)
  for (const topic of topics) {
    const of = async (cluster: LabCluster) =>
      await judge.describeConfigs({ ...adminOf(cluster), topic, all: true })
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
