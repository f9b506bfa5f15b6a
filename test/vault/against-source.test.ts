// A set held against the cluster that it was taken from, in the simulated world.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SourceCheck } from '../../src/cli/app-vault.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { findKdrError } from '../../src/model/errors.ts'
import { readPoint } from '../../src/vault/point.ts'
import { compareWithSource } from '../../src/wiring/compare-source.ts'
import { SET } from './made.ts'
import { SimSource } from './sim-source.ts'

async function given(): Promise<SimSource> {
  const source = new SimSource(3)
  await source.init()
  for (const at of source.topic('t', 2)) {
    for (let i = 0; i < 5; i++) source.produce(at, 2)
    const producer = source.newProducer()
    source.produce(at, 2, producer)
    source.end(at, producer, false)
  }
  await source.backUp()
  return source
}

async function compare(source: SimSource): Promise<SourceCheck> {
  return await source.run(async () => {
    const point = await readPoint(source.store, SET, { kind: 'latest' }, recordCodec)
    const { store, clock, port: cluster } = source
    const signal = new AbortController().signal
    return await compareWithSource({
      store,
      set: SET,
      point,
      cluster,
      clock,
      signal,
      onProgress: () => undefined,
    })
  })
}

describe('a set against its source', () => {
  test('is equal, whatever has come since', async () => {
    const source = await given()
    for (const at of source.topic('t')) source.produce(at, 3)
    source.cluster.addPartitions(source.cluster.topics.get('t')!, 3)
    const { partitions, skipped } = await compare(source)
    assert.deepEqual(
      partitions.map(({ records, identical }) => [records, identical]),
      [
        [10, true],
        [10, true],
      ],
    )
    assert.deepEqual(skipped, [])
  })

  test('what retention has taken since is explained', async () => {
    const source = await given()
    source.topic('t')[0]!.log.trim(6)
    const [first] = (await compare(source)).partitions
    assert.deepEqual([first!.identical, first!.records, first!.from], [true, 4, 6])
  })

  test('what the source took back is a difference, at its offset', async () => {
    const source = await given()
    const [at] = source.topic('t')
    source.loseEnd(at!, 4)
    for (let i = 0; i < 6; i++) source.produce(at!, 2)
    const [first, second] = (await compare(source)).partitions
    assert.deepEqual([first!.identical, first!.firstDifference?.offset, second!.identical], [false, 4, true])
    assert.ok(first!.different > 1)
  })

  test('a source that ends below the set is a difference', async () => {
    const source = await given()
    source.loseEnd(source.topic('t')[0]!, 4)
    const [first] = (await compare(source)).partitions
    assert.equal(first!.identical, false)
    assert.match(first!.firstDifference!.what, /in the vault/)
  })

  test('a topic that is gone or new is not compared, and said', async () => {
    const source = await given()
    source.cluster.deleteTopic('t')
    assert.match((await compare(source)).skipped[0]!.what, /does not have it any more/)
    source.topic('t')
    assert.match((await compare(source)).skipped[0]!.what, /created again/)
  })

  test('another cluster is refused', async () => {
    const source = await given()
    Object.assign(source.cluster.options, { clusterId: 'other-id' })
    await assert.rejects(compare(source), error => findKdrError(error)?.code === 'wrong-cluster')
  })
})
