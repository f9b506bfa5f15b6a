// Which part of a point is restored, under which names, and up to where.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SimSource } from '../../test/vault/sim-source.ts'
import { SET } from '../../test/vault/made.ts'
import { recordCodec } from '../kafka/records.ts'
import type { SetState, VaultOffset } from '../model/vault.ts'
import { type Choice, parseRename, parseUntilOffset } from '../model/choice.ts'
import { choose, endBefore } from './choose.ts'
import { readPoint, type SetPoint } from './point.ts'

const WHOLE: Choice = { topics: [], partitions: [], renames: [], untilOffsets: [], withGroups: true }

function pointOf(
  names: readonly string[],
  groups: Readonly<Record<string, readonly VaultOffset[]>>,
): SetPoint {
  const partitions = [0, 1, 2].map(partition => ({ partition, start: 5, end: 9, segments: [] }))
  const topic = (name: string) => ({
    name,
    id: `id of ${name}`,
    replicationFactor: 1,
    configs: {},
    partitions,
  })
  const state: Partial<SetState> = {
    number: 4,
    topics: new Map(names.map(name => [name, topic(name)])),
    groups: new Map(
      Object.entries(groups).map(([group, offsets]) => [group, { group, type: 'classic', offsets }]),
    ),
  }
  return { state: state as SetState, asOf: undefined }
}

const point = pointOf(['orders', 'pay-a', 'pay-b'], {
  one: [
    ['orders', 0, 6, null],
    ['pay-a', 1, 7, 'meta'],
  ],
  two: [['pay-b', 2, 8, null]],
})
const chosen = (change: Partial<Choice>): SetState => choose(point, { ...WHOLE, ...change }, 'all').state

describe('what of a point is restored', () => {
  test('topics, with those offsets of groups that are in them', () => {
    const { topics, groups } = chosen({ topics: ['orders'] })
    assert.deepEqual([...topics.keys()], ['orders'])
    assert.deepEqual(
      [...groups].map(([name, { offsets }]) => [name, offsets]),
      [['one', [['orders', 0, 6, null]]]],
    )
    assert.equal(chosen({ withGroups: false }).groups.size, 0)
  })

  test('partitions: the others are there, and empty', () => {
    const { topics, groups } = chosen({ partitions: [1] })
    assert.deepEqual(
      topics.get('orders')?.partitions.map(({ start, end }) => [start, end]),
      [
        [0, 0],
        [5, 9],
        [0, 0],
      ],
    )
    assert.deepEqual([...groups.keys()], ['one'])
    assert.throws(() => chosen({ partitions: [3] }), /has 3 partition\(s\), and none/)
  })

  test('new names, of topics and in groups', () => {
    const { topics, groups } = chosen({ renames: ['pay-*=old-*', 'orders=o'].map(parseRename) })
    assert.deepEqual([...topics.keys()], ['o', 'old-a', 'old-b'])
    assert.ok([...topics].every(([name, topic]) => topic.name === name))
    assert.deepEqual(groups.get('one')?.offsets, [
      ['o', 0, 6, null],
      ['old-a', 1, 7, 'meta'],
    ])
  })

  test('names that are taken, or meet nothing, are refused', () => {
    assert.throws(
      () => chosen({ renames: [parseRename('orders=pay-a')] }),
      /two topics would be called "pay-a"/,
    )
    assert.throws(() => chosen({ renames: [parseRename('order=x')] }), /meets no topic/)
    assert.throws(() => chosen({ topics: ['nope'] }), /has no topic "nope"/)
    for (const text of ['orders', '=x', 'a=', 'a*=b', 'a=b*', 'a=b c', 'a=..'])
      assert.throws(() => parseRename(text), /does not say how/, text)
    for (const text of ['orders=5', 'orders/x=5', 'orders/0=', 'orders/0'])
      assert.throws(() => parseUntilOffset(text), /is no place/, text)
  })
})

describe('up to an offset', () => {
  test('goes back to before what is not complete there', async () => {
    const source = new SimSource(3)
    await source.init()
    const [at] = source.topic('t')
    source.produce(at!, 3)
    const producer = source.newProducer()
    source.produce(at!, 2, producer)
    source.produce(at!, 1)
    source.end(at!, producer, true)
    source.produce(at!, 1)
    await source.backUp()
    const whole = await readPoint(source.store, SET, { kind: 'latest' }, recordCodec)
    const of = { store: source.store, set: SET }
    const ends: number[] = []
    for (let offset = 0; offset <= 8; offset++) {
      const { state } = await endBefore(whole, [{ topic: 't', partition: 0, offset }], of)
      ends.push(state.topics.get('t')!.partitions[0]!.end)
    }
    // 0 to 2 records, 3 and 4 of the transaction, 5 a record, 6 its marker, 7 a record.
    assert.deepEqual(ends, [0, 1, 2, 3, 3, 3, 3, 7, 8])
    await assert.rejects(endBefore(whole, [{ topic: 't', partition: 0, offset: 9 }], of), /0 to 8/)
    await assert.rejects(endBefore(whole, [{ topic: 't', partition: 1, offset: 0 }], of), /no partition 1/)
  })
})
