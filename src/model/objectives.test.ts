import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isLagKnown, linkObjective, type Measured, objectiveFor } from './objectives.ts'

const objectives = [
  { for: 'link:east-west topic:pay-*', rpoMs: 5_000 },
  { for: 'link:east-*', rpoMs: 30_000 },
  { for: '*', rpoMs: 60_000 },
]

for (const [place, expected] of [
  ['link:east-west topic:pay-in', 5_000],
  ['link:east-west topic:orders', 30_000],
  ['link:east-west', 30_000],
  ['link:north-south', 60_000],
] as const)
  test(`${place} has ${expected} ms`, () => {
    assert.equal(objectiveFor(objectives, place)?.rpoMs, expected)
  })

test('without any that matches there is none', () => {
  assert.equal(objectiveFor(objectives.slice(0, 1), 'link:east-west'), undefined)
})

describe('a link against what concerns it', () => {
  const wanted = {
    objectives,
    plans: { region: { links: ['north-south'], objectives: { rpoMs: 20_000 } } },
  }
  type Partition = Measured['topics'][number]['partitions'][number]
  const partition = (of: Partial<Partition>): Partition => ({
    state: 'mirroring',
    lagRecords: 0,
    lagMs: 0,
    ...of,
  })
  const holding = (...partitions: readonly Partition[]): Measured['topics'] => [
    { name: 'orders', partitions },
    { name: 'other', partitions: [partition({})] },
  ]
  const link = (
    name: string,
    lags: Readonly<Record<string, number>>,
    more: Partial<Measured> = {},
  ): Measured => {
    const lagMs = Math.max(0, ...Object.values(lags))
    const topics = Object.entries(lags).map(([topic, ms]) => ({
      name: topic,
      partitions: [partition({}), partition({ lagMs: ms, lagRecords: ms })],
    }))
    return {
      name,
      state: 'mirroring',
      lagMs,
      rpoMs: lagMs,
      sourceSeenAt: '2026-03-01T10:00:00.000Z',
      topics,
      ...more,
    }
  }
  const of = (measured: Measured) => {
    const found = linkObjective(wanted, measured)
    return (
      found && [found.rpoObjectiveMs, found.rpoObjectiveState, found.beyondObjective.map(each => each.topic)]
    )
  }

  for (const [what, measured, expected] of [
    ['each topic within its own', link('east-west', { 'pay-in': 4_000, orders: 29_000 }), [5_000, 'met', []]],
    [
      'one beyond its own',
      link('east-west', { 'pay-in': 6_000, orders: 29_000 }),
      [5_000, 'missed', ['pay-in']],
    ],
    [
      'the time since the source was seen counts for all, the worst first',
      link('east-west', { 'pay-in': 4_000, orders: 29_000 }, { rpoMs: 39_000 }),
      [5_000, 'missed', ['pay-in', 'orders']],
    ],
    [
      'a topic of which nobody has told anything, however well the others stand',
      link('east-west', { orders: 0 }, { unreported: ['other'] }),
      [30_000, 'unknown', []],
    ],
    [
      'the objective of a topic of which nobody has told anything',
      link('east-west', { orders: 29_000 }, { unreported: ['pay-in'] }),
      [5_000, 'unknown', []],
    ],
    [
      'one beyond its own is, whatever nobody has told of others',
      link('east-west', { orders: 31_000 }, { unreported: ['other'] }),
      [30_000, 'missed', ['orders']],
    ],
    ['a topic that the strict one is not about', link('east-west', { orders: 6_000 }), [30_000, 'met', []]],
    ['a plan that is stricter', link('north-south', { orders: 21_000 }), [20_000, 'missed', ['orders']]],
    ['a link without topics', link('other', {}, { rpoMs: 61_000 }), [60_000, 'missed', []]],
    ['a standby that is dark', link('other', {}, { lagMs: null, rpoMs: null }), [60_000, 'unknown', []]],
    [
      'a source that was never seen',
      link('other', { a: 0 }, { sourceSeenAt: null }),
      [60_000, 'unknown', []],
    ],
    [
      'a topic that has stopped, however short its lag seems',
      link('other', {}, { topics: holding(partition({ state: 'faulted', lagRecords: 1e6 })), rpoMs: 2_000 }),
      [60_000, 'unknown', []],
    ],
    [
      'one that stopped because the target has something else',
      link('other', {}, { topics: holding(partition({ state: 'faulted' })) }),
      [60_000, 'unknown', []],
    ],
    [
      'one that waits with records to copy',
      link('other', {}, { topics: holding(partition({}), partition({ state: 'waiting', lagRecords: 1 })) }),
      [60_000, 'unknown', []],
    ],
    [
      'one that waits for nothing',
      link('other', {}, { topics: holding(partition({ state: 'waiting' })) }),
      [60_000, 'met', []],
    ],
    ['a topic without partitions', link('other', {}, { topics: holding() }), [60_000, 'unknown', []]],
    [
      'one beyond it, whatever the others are',
      link(
        'other',
        {},
        {
          topics: [...holding(), { name: 'late', partitions: [partition({ lagMs: 61_000, lagRecords: 1 })] }],
        },
      ),
      [60_000, 'missed', ['late']],
    ],
    ['a link that has never run', link('other', {}, { state: 'stopped' }), [60_000, 'unknown', []]],
  ] as const)
    test(what, () => assert.deepEqual(of(measured), expected))

  test('without any there is nothing to say', () => {
    assert.equal(linkObjective({ objectives: [], plans: {} }, link('east-west', { a: 9e9 })), undefined)
  })
})

for (const [state, lagRecords, isAnchored, expected] of [
  ['mirroring', 5, true, true],
  ['paused', 5, false, true],
  ['waiting', 0, true, true],
  ['waiting', 5, true, false],
  ['waiting', 0, false, false],
  ['faulted', 0, true, false],
] as const)
  test(`the lag of a ${isAnchored ? '' : 'never begun '}${state} partition, ${lagRecords} behind, is ${expected ? '' : 'not '}known`, () => {
    assert.equal(isLagKnown({ state, lagRecords, isAnchored }), expected)
  })
