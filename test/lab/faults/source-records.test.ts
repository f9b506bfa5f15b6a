// Topics of every kind, and the fault rows of what in them is hard to copy: they are made once and mirrored twice, without
// cluster rights at the target (gaps are filled by empty transactions) and with them (by markers); each row looks at its
// own topics. The same between other versions of Kafka: link-corpus.test.ts.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CorpusKind } from '../../support/corpus.ts'
import {
  type Corpus,
  giveClusterRights,
  givenCorpus,
  mirrorAndCompare,
  withCorpusLab,
} from '../../support/corpus-link.ts'
import { faultRow } from '../../support/fault-rows.ts'
import { b64, type ListedRecord } from '../../support/judge.ts'
import { freshTopic, waitFor } from '../../support/lab.ts'
import { adminOf, assertIdentical, type Link, makeLink } from '../../support/link.ts'

const context = withCorpusLab()
const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

let making: Promise<Corpus> | undefined
let mirroring: Promise<Link> | undefined

// Once for all; whichever test comes first makes them, for each may run alone.
const corpus = () => (making ??= givenCorpus(context))
const mirroredWithRights = () => (mirroring ??= mirrorWithRights())

async function mirrorWithRights(): Promise<Link> {
  const made = await corpus()
  await giveClusterRights(context)
  return await mirrorAndCompare(context, made, 'rights')
}

async function mirrored(...kinds: readonly CorpusKind[]): Promise<{ link: Link; topics: readonly string[] }> {
  const { byKind } = await corpus()
  return { link: await mirroredWithRights(), topics: kinds.map(kind => byKind.get(kind) ?? '') }
}

async function runOnce(link: Link): Promise<void> {
  const result = await link.run('run', '--once', '--timeout', '2m')
  assert.equal(result.code, 0, result.stderr + result.stdout)
}

describe('topics of every kind', () => {
  test('without cluster rights at the target both sides are identical', async () => {
    await mirrorAndCompare(context, await corpus(), 'bare')
  })

  test('with cluster rights at the target both sides are identical', async () => {
    await mirroredWithRights()
  })
})

describe('records that are hard to copy', () => {
  faultRow('S12', 'holes, thinned and empty batches keep every offset', { suite: 'full' }, async row => {
    const { judge } = context
    const { link, topics } = await mirrored('compacted', 'compactedAndTrimmed')
    row.did(
      "wrote keys again and again, waited until the source's cleaner had thinned and emptied batches, copied",
    )
    await assertIdentical(judge, sides(), topics)
    row.saw(
      'every record stands at its offset, and the ends are the same; the holes are markers that no reader sees',
    )

    const [topic = ''] = topics
    row.did('wrote the same keys again, copied that, and let the source compact what had been copied')
    await judge.alterConfigs({ ...east(), topic, configs: { 'segment.ms': COMPACT['segment.ms'] } })
    for (const value of ['later', 'last']) {
      await writeKeys(topic, value)
      await sleep(Number(COMPACT['segment.ms']) + 200)
    }
    await runOnce(link)
    await cleanedAgain(topic)
    await runOnce(link)
    const verified = await link.json('verify', link.name, '--topic', topic)
    assert.equal(verified.code, 0, JSON.stringify(verified.object))
    const [partition] = verified.object['partitions'] as { onlyTarget: number; unexplained: number }[]
    assert.equal(partition?.unexplained, 0)
    assert.ok((partition?.onlyTarget ?? 0) > 0, 'the source has compacted nothing since')
    row.saw(
      'kdr verify: identical; what the source has compacted since is explained, and nothing is unexplained',
    )
  })

  faultRow('S13', 'tombstones that the source drops later', { suite: 'full' }, async row => {
    const { judge } = context
    const topic = freshTopic('tombstones')
    row.did(
      'wrote keys and tombstones to a compacted topic, copied them, and waited until the source had dropped the tombstones',
    )
    await judge.createTopic({ ...east(), topic, configs: COMPACT })
    await writeKeys(topic, 'first')
    await writeKeys(topic, null, ['a', 'b'])
    const own = makeLink({ name: 'tombstones', ...sides(), settings: { topics: [topic] } })
    await runOnce(own)
    await writeKeys(topic, 'last', ['c'])
    const tombstones = async () =>
      (await judge.list({ ...east(), topic })).filter(({ value }) => value === null).length
    assert.equal((await judge.list({ ...west(), topic })).filter(({ value }) => value === null).length, 2)
    await waitFor(
      async () => {
        // A log that is clean is not looked at again: each round makes some of it dirty.
        await writeKeys(topic, 'roll', ['z'])
        return (await tombstones()) === 0
      },
      { what: 'the tombstones to go', everyMs: 1000, timeoutMs: 120_000 },
    )
    await runOnce(own)
    assert.deepEqual(
      latest(await judge.list({ ...west(), topic })),
      latest(await judge.list({ ...east(), topic })),
    )
    row.saw('the mirror keeps the tombstones; the latest value of each key is the same on both sides')
    const verified = await own.json('verify', own.name)
    assert.equal(verified.code, 0, JSON.stringify(verified.object))
    row.saw('kdr verify: identical, nothing unexplained')
  })

  faultRow('S15', 'aborted transactions', async row => {
    const { judge } = context
    const { topics } = await mirrored('transactions')
    row.did(
      'wrote with three transactional producers over three partitions, every third transaction aborted; copied',
    )
    await assertIdentical(judge, sides(), topics)
    const [topic = ''] = topics
    const read = async (at: ReturnType<typeof east>, isolation: 'committed' | 'uncommitted') =>
      (await judge.list({ ...at, topic, isolation })).length
    const committed = await read(east(), 'committed')
    assert.ok((await read(east(), 'uncommitted')) > committed, 'nothing was aborted')
    assert.equal(await read(west(), 'uncommitted'), committed)
    row.saw(
      'committed records stand at their offsets; not even a read_uncommitted reader of the target sees an aborted one',
    )
  })

  faultRow('S19', 'batches of 10 MB', async row => {
    const { judge } = context
    const { topics } = await mirrored('large')
    row.did(
      'wrote records of 10 MB, plain and compressed, to a topic with max.message.bytes=12000000; copied',
    )
    await assertIdentical(judge, sides(), topics)
    const configs = await judge.describeConfigs({ ...west(), topic: topics[0] ?? '' })
    assert.ok(Number(configs['max.message.bytes']) >= 12_000_000)
    row.saw('identical; the mirror takes batches of 100 MB, whatever the limit at the source')
  })

  faultRow('S21', 'timestamps of the append', async row => {
    const { judge } = context
    const { topics } = await mirrored('appendTime', 'switched')
    row.did(
      'wrote to a topic with LogAppendTime in every compression, and to one that was switched to it and back; copied',
    )
    await assertIdentical(judge, sides(), topics)
    const times = async (at: ReturnType<typeof east>) =>
      (await judge.list({ ...at, topic: topics[1] ?? '' })).map(({ offset, timestamp }) => [
        offset,
        timestamp,
      ])
    assert.deepEqual(await times(west()), await times(east()))
    row.saw("a consumer of the target reads the source's append times")
  })

  faultRow('S22', 'timestamps ten years ago, ten years ahead, and 0', async row => {
    const { judge } = context
    const { topics } = await mirrored('times')
    row.did(
      'wrote records with timestamps of 1970, ten years ago, and ten years ahead, in and out of order; copied',
    )
    await assertIdentical(judge, sides(), topics)
    const configs = await judge.describeConfigs({ ...west(), topic: topics[0] ?? '', all: true })
    assert.equal(configs['retention.ms'], '-1')
    row.saw('identical; retention.ms is -1 at the mirror, so that nothing old is deleted there by its age')
  })
})

const COMPACT = {
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': '0.01',
  'delete.retention.ms': '0',
  'segment.ms': '1000',
}
const KEYS = ['a', 'b', 'c', 'd']

async function writeKeys(topic: string, value: string | null, keys = KEYS): Promise<void> {
  const records = keys.map(key => ({ key: b64(key), value: value === null ? null : b64(value) }))
  await context.judge.produce({ ...east(), topic, lingerMs: 200, records })
}

/** Until the source's cleaner has removed some of what stands there now. */
async function cleanedAgain(topic: string): Promise<void> {
  const { judge } = context
  const [[, , to] = []] = await judge.ends({ ...east(), topics: [topic] })
  const count = async () => (await judge.list({ ...east(), topic, to: to ?? 0 })).length
  const before = await count()
  await waitFor(
    async () => {
      // Rolls the segment: only what is closed can be cleaned.
      await writeKeys(topic, 'roll', ['z'])
      return (await count()) < before
    },
    { what: 'the cleaner', everyMs: 1200, timeoutMs: 120_000 },
  )
}

function latest(records: readonly ListedRecord[]): Record<string, unknown> {
  const found = new Map(records.map(({ key, value }) => [String(key), value]))
  for (const [key, value] of found) if (value === null) found.delete(key)
  return Object.fromEntries(found)
}
