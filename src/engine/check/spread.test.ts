// Random clusters: a plan gives each partition what it should have, moves no more than it must, and is stable.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { clusterOf } from '../../../test/support/sights.ts'
import type { BrokerView } from '../../ports/cluster.ts'
import { mostPerRack, planMoves, spread } from './spread.ts'

const brokersOf = (racks: readonly number[]): BrokerView[] =>
  racks.flatMap((count, rack) =>
    Array.from({ length: count }, (_, index) => ({
      id: rack * 10 + index,
      host: 'h',
      port: 1,
      rack: `r${rack}`,
    })),
  )

const world = fc
  .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 })
  .map(brokersOf)
  .chain(brokers =>
    fc.record({
      brokers: fc.constant(brokers),
      replicas: fc.shuffledSubarray(
        brokers.map(({ id }) => id),
        { minLength: 1, maxLength: Math.min(4, brokers.length) },
      ),
      wanted: fc.integer({ min: 1, max: 4 }),
    }),
  )

describe('spread', () => {
  test('has as many replicas as wanted, each once, as far apart as racks allow, and keeps the leader', () => {
    fc.assert(
      fc.property(world, ({ brokers, replicas, wanted }) => {
        const to = spread({ replicas }, { brokers, wanted, load: new Map() })
        const count = Math.min(Math.max(wanted, replicas.length), brokers.length)
        assert.equal(to.length, count)
        assert.equal(new Set(to).size, count)
        assert.equal(to[0], replicas[0])
        const rackOf = new Map(brokers.map(({ id, rack }) => [id, rack ?? '']))
        const racks = Map.groupBy(brokers, ({ rack }) => rack ?? '')
        const most = mostPerRack(
          [...racks.values()].map(({ length }) => length),
          count,
        )
        const used = [...Map.groupBy(to, id => rackOf.get(id) ?? '').values()].map(({ length }) => length)
        assert.ok(Math.max(...used) <= most)
        // One more in a rack is never paid for with a rack that could have had one.
        assert.ok(used.length === Math.min(racks.size, count))
      }),
      { numRuns: 2_000 },
    )
  })

  test('what is as it should be stays', () => {
    fc.assert(
      fc.property(world, ({ brokers, replicas, wanted }) => {
        const room = { brokers, wanted, load: new Map<number, number>() }
        const once = spread({ replicas }, room)
        assert.deepEqual(spread({ replicas: once }, room), once)
      }),
    )
  })
})

describe('planMoves', () => {
  test('moves only what must move, and fills the brokers evenly', () => {
    const racks = { 1: 'a', 2: 'b', 3: 'c', 4: 'a', 5: 'b', 6: 'c' }
    const topics = {
      good: { replicas: [[1, 2, 3]] },
      weak: { replicas: [[1], [1], [1]] },
      together: { replicas: [[1, 4]] },
    }
    const moves = planMoves(clusterOf({ brokers: [1, 2, 3, 4, 5, 6], racks, topics }))
    assert.deepEqual(
      moves.map(({ topic, partition, to }) => `${topic}/${partition} ${to.join(',')}`),
      ['weak/0 1,5,6', 'weak/1 1,2,3', 'weak/2 1,5,6', 'together/0 1,2,3'],
    )
  })

  test('while a broker is away nobody knows what is lost: nothing is planned', () => {
    assert.deepEqual(planMoves(clusterOf({ brokers: [1, 2], topics: { a: { replicas: [[1], [3]] } } })), [])
  })
})
