// --by-timestamp is a filter: held against the records themselves, with clocks that go wrong, in transactions and out of them.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SET } from '../../test/vault/made.ts'
import { SimSource } from '../../test/vault/sim-source.ts'
import { recordCodec } from '../kafka/records.ts'
import { splitBatches } from '../model/batch.ts'
import { systemClock } from '../wiring/system.ts'
import { readUpTo } from './by-timestamp.ts'
import { vaultCluster } from './source.ts'

describe('records up to a timestamp', () => {
  test('are all of those, at their offsets, and no others', async () => {
    let inMiddle = 0
    for (let seed = 1; seed <= 20; seed++) {
      const source = new SimSource(seed)
      await source.init()
      const { random } = source
      const [at] = source.topic('t')
      source.produce(at!)
      await source.backUp()
      const begun = source.clock.now()
      for (let step = 0; step < 30; step++) {
        await source.run(async () => await source.clock.sleep(random.between(1, 20)))
        const skew = random.chance(0.3) ? random.between(-300, 300) : 0
        const producer = random.chance(0.4) ? source.newProducer() : undefined
        source.produce(at!, random.between(1, 4), producer, skew)
        if (producer !== undefined) source.end(at!, producer, random.chance(0.6))
      }
      await source.backUp()
      for (let looks = 0; looks < 5; looks++) {
        const moment = random.between(begun, source.clock.now() + 50)
        const found = await readUpTo(source.store, SET, moment, recordCodec)
        const { end } = found.state.topics.get('t')!.partitions[0]!
        const expected = at!.log.entries
          .filter(({ header }) => !header.isControl)
          .flatMap(({ header, bytes }) => recordCodec.decode({ header, bytes }))
          .filter(({ timestamp }) => timestamp <= moment)
          .map(({ offset }) => offset)
        assert.equal(end, (expected.at(-1) ?? -1) + 1, `seed ${seed}`)
        const cluster = vaultCluster({
          name: 'v',
          clusterId: 'v',
          store: source.store,
          set: SET,
          point: found,
          codec: recordCodec,
          clock: systemClock,
        })
        const lane = await cluster.openFetchLane(0)
        const seen: number[] = []
        for (let offset = 0; offset < end; ) {
          const of = { topic: 't', topicId: '', partition: 0, offset, leaderEpoch: -1, lastFetchedEpoch: -1 }
          const [answer] = await lane.fetch({
            isolation: 'committed',
            maxWaitMs: 0,
            maxBytes: 300,
            partitions: [{ ...of, maxBytes: 300 }],
          })
          const batches = splitBatches(answer!.records)
          assert.ok(batches.length > 0)
          for (const batch of batches) {
            // Whatever was aborted must be told by its own producer still.
            const isAborted = answer!.aborted.some(
              ({ producerId, firstOffset }) =>
                batch.header.producerId === producerId && firstOffset <= batch.header.baseOffset,
            )
            const own = recordCodec.decode(batch)
            assert.ok(
              isAborted || batch.header.isControl || own.every(({ timestamp }) => timestamp <= moment),
            )
            if (!batch.header.isControl)
              seen.push(...own.filter(({ timestamp }) => timestamp <= moment).map(record => record.offset))
          }
          offset = batches.at(-1)!.header.lastOffset + 1
        }
        assert.deepEqual(seen, expected, `seed ${seed}, up to ${moment}`)
        if (expected.some((offset, i) => i > 0 && offset > expected[i - 1]! + 2)) inMiddle++
      }
    }
    assert.ok(inMiddle > 20, `${inMiddle} with records left out in the middle`)
  })

  test('come with the group offsets of then, but for topics that were made again since', async () => {
    const source = new SimSource(1)
    await source.init()
    for (const name of ['t', 'again']) source.produce(source.topic(name)[0]!, 5)
    source.cluster.groups.set(
      'g',
      new Map([
        ['t/0', 2],
        ['again/0', 4],
      ]),
    )
    await source.backUp()
    const moment = source.clock.now()
    await source.pass(1_000)
    source.cluster.deleteTopic('again')
    source.produce(source.topic('again')[0]!, 9, undefined, -60_000)
    source.cluster.groups.set('g', new Map([['t/0', 5]]))
    await source.backUp()
    const { state } = await readUpTo(source.store, SET, moment, recordCodec)
    assert.equal(state.topics.get('again')!.partitions[0]!.end, 9)
    assert.deepEqual(
      state.groups.get('g')!.offsets.map(([topic, partition, offset]) => [topic, partition, offset]),
      [['t', 0, 2]],
    )
  })
})
