// Topics of tiny batches on real brokers: the mirror has few batches in the place of many, and Java's consumer reads the
// same records from it; what else depends on batches (anchor, log start, verify) is not led astray.

import assert from 'node:assert/strict'
import { suite } from '../support/suite.ts'
import { describe, test } from 'node:test'
import type { Codec, TestRecord } from '../support/judge.ts'
import { freshTopic, withLab } from '../support/lab.ts'
import { adminOf, assertIdentical, type Link, makeLink } from '../support/link.ts'
import { batchesOnDisk } from '../support/segments.ts'

/** One after the other in each topic, so that neighbours differ too. */
const RUNS: readonly Codec[] = ['none', 'lz4', 'none', 'snappy', 'gzip', 'zstd', 'lz4']
const RUN_RECORDS = 300
const START = 1_700_000_000_000

const b64 = (text: string): string => Buffer.from(text).toString('base64')

/** Null keys, null values, headers, and timestamps that go back and far ahead of each other. */
function oddRecords(seed: number): TestRecord[] {
  return Array.from({ length: RUN_RECORDS }, (_none, i) => ({
    key: i % 3 === 0 ? null : b64(`key-${i % 17}`),
    value: i % 11 === 0 ? null : b64(`value ${seed} ${i} `.repeat(1 + (i % 5))),
    headers: i % 4 === 0 ? [['origin', b64(`h${i}`)] as const, ['empty', null] as const] : [],
    timestamp: START + seed * 1_000 + (i % 7) * 250 - (i % 5) * (i % 50 === 0 ? 86_400_000 : 1),
  }))
}

async function once(link: Link): Promise<{ records: number }> {
  const { code, object, stderr } = await link.json('run', '--once', '--timeout', '2m')
  assert.equal(code, 0, stderr + JSON.stringify(object))
  const [result] = object['links'] as { records: number }[]
  return result!
}

describe('topics of tiny batches', () => {
  const context = withLab([{ name: 'east' }, { name: 'west' }])
  const topic = freshTopic('tiny')
  const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
  const at = () => ({ ...adminOf(context.cluster('east')), topic })
  const produce = async (seed: number, codecs = RUNS) => {
    for (const [i, compression] of codecs.entries()) {
      const records = oddRecords(seed + i)
      await context.judge.produce({ ...at(), partition: 0, records, compression, batchBytes: 1, lingerMs: 0 })
    }
  }
  let link: Link

  test('records are the same as Java reads them, in a few batches', async () => {
    const { judge } = context
    await judge.createTopic({ ...at(), partitions: 1, configs: { 'retention.ms': '-1' } })
    await produce(0)
    link = makeLink({ name: 'tiny', ...sides(), settings: { topics: [topic] } })

    await once(link)

    await assertIdentical(judge, sides(), [topic])
    const [source, target] = [
      batchesOnDisk(sides().source, { topic }),
      batchesOnDisk(sides().target, { topic }),
    ]
    for (const codec of ['none', 'lz4', 'snappy'] as const) {
      const count = (all: typeof source): number => all.filter(each => each.codec === codec).length
      const [before, after] = [count(source), count(target)]
      assert.ok(
        before > RUN_RECORDS / 2 && after <= before / 10,
        `${codec}: ${before} batches became ${after}`,
      )
    }
  })

  test('verify finds both sides identical', async () => {
    const { code, object, stderr } = await link.json('verify', 'tiny')
    assert.equal(code, 0, stderr + JSON.stringify(object))
    assert.equal(object['identical'], true)
  })

  const skip = suite === 'short' && 'in make test-full'
  test('a log start inside what became one batch is followed, and the copy goes on from such a batch', {
    skip,
  }, async () => {
    const { judge } = context
    await produce(50, ['none'])
    await once(link)
    const start = 117
    await judge.deleteRecords({ ...at(), partition: 0, before: start })
    await produce(60, ['lz4', 'none'])

    await once(link)

    const { partitions } = await assertIdentical(judge, sides(), [topic])
    assert.deepEqual(partitions[0]?.logStart, [start, start])
  })

  test('a mirror that takes no large batches gets small ones', { skip }, async () => {
    const { judge } = context
    const west = adminOf(context.cluster('west'))
    await judge.alterConfigs({ ...west, topic, configs: { 'max.message.bytes': '2000' } })
    await produce(70, ['none', 'lz4'])

    await once(link)

    await assertIdentical(judge, sides(), [topic])
  })
})
