// The corpora are what they claim to be, on the oldest and the newest Kafka: a copy is only tested by what is there.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isWhole } from '../../src/model/batch.ts'
import { CORPUS_KINDS, CORPUS_PROPERTIES, createCorpus } from '../support/corpus.ts'
import { withLab } from '../support/lab.ts'
import { batchesOnDisk } from '../support/segments.ts'

const context = withLab([
  { name: 'oldest', version: '3.3', properties: CORPUS_PROPERTIES },
  { name: 'newest', version: '4.4', properties: CORPUS_PROPERTIES },
])

for (const name of ['oldest', 'newest']) {
  test(`every kind of topic can be made on the ${name} Kafka, and is read back`, async () => {
    const { judge } = context
    const cluster = context.cluster(name)
    const topics = await createCorpus({ judge, cluster, kinds: CORPUS_KINDS })
    const { bootstrap } = cluster
    const digests = async (kind: (typeof CORPUS_KINDS)[number]) =>
      judge.digest({ bootstrap, topic: topics.get(kind) ?? '' })

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

    const batches = batchesOnDisk(cluster, { topic: topics.get('compacted') ?? '' })
    assert.ok(batches.some(({ recordCount }) => recordCount === 0))
    assert.ok(batches.some(batch => batch.recordCount > 0 && !isWhole(batch)))
    const switched = batchesOnDisk(cluster, { topic: topics.get('switched') ?? '' })
    assert.deepEqual(new Set(switched.map(({ isLogAppendTime }) => isLogAppendTime)), new Set([false, true]))
    const codecs = [0, 1, 2, 3, 4].map(
      partition => batchesOnDisk(cluster, { topic: topics.get('codecs') ?? '', partition })[0]?.codec,
    )
    assert.deepEqual(codecs, ['none', 'gzip', 'snappy', 'lz4', 'zstd'])

    const side = { bootstrap }
    const all = await judge.compare({
      a: side,
      b: side,
      topics: [...topics.values()],
      isolation: 'uncommitted',
    })
    assert.equal(all.identical, true)
  })
}
