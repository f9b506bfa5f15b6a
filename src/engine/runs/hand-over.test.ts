// What goes along when topics are handed over, what is refused, and that whoever is killed at any of its writes leaves what the same
// command ends. With workers, over simulated clusters: test/sim/hand-over.test.ts.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeClock, type FakeStore, Killed, MortalStore } from '../../../test/support/fenced-cluster.ts'
import { type JournalEntry, readJournal, writeJournal } from '../../model/journal.ts'
import { pauseKey, readPauses } from '../../model/pauses.ts'
import {
  commandKey,
  holdKey,
  leavingKey,
  linkKey,
  readCommands,
  readForgotten,
  readHold,
  readLink,
  readSlots,
  readTopics,
  slotKey,
  topicKey,
  toRecord,
} from '../../model/state-records.ts'
import { type HandingOver, handOver, handOverCommand, observeHandOver } from './hand-over.ts'
import { notMovable } from './plan.ts'

const link = (name: string, topics: readonly string[]) =>
  ({ name, source: 'east', target: 'west', topics }) as unknown as HandingOver['from']
const mirror = (targetTopicId: string) =>
  toRecord('topic', {
    phase: 'mirroring',
    sourceTopicId: 's',
    targetTopicId,
    applied: { a: 'b' },
    adoptedUpTo: [],
  })
const slot = (producerId: string, generation: number) =>
  toRecord('slot', { owner: 'w', generation, mode: 'markers', producerId, producerEpoch: 0, isClean: true })
const lineage = toRecord('partition', { epochs: [{ epoch: 3, offset: 0 }], origin: 0 })

async function world(): Promise<HandingOver & { readonly store: MortalStore }> {
  const store = new MortalStore()
  const ways = { sourceClusterId: 'E', targetClusterId: 'W', slots: 2, upstream: ['X'] }
  const records = {
    [linkKey('region')]: toRecord('link', { ...ways, generation: 4, run: 'r1', movedAt: 7 }),
    [topicKey('region', 'orders')]: mirror('o'),
    [topicKey('region', 'pay-1')]: mirror('p'),
    'partition/region/pay-1/0': lineage,
    'ledger/region/pay-1/0': toRecord('ledger', { ranges: [] }),
    'report/region/pay-1/0.0': toRecord('report', { partitions: [] }),
    'partition/region/orders/0': lineage,
    [pauseKey('region', { topic: 'pay-1' })]: toRecord('pause', { at: 1, by: 'ann' }),
    [slotKey('region', 0)]: { ...slot('77', 9), producers: ['76', '77'] },
    [slotKey('region', 1)]: { ...slot('77', 5), producers: ['77'] },
  }
  for (const [key, record] of Object.entries(records)) await store.put(key, record)
  return {
    from: link('region', ['*', '!pay-*']),
    to: link('pay', ['pay-*']),
    store,
    clock: new FakeClock(),
    by: 'ann@host',
    guard: async () => await Promise.resolve(),
    progress: () => undefined,
  }
}

function assertGiven({ store }: { readonly store: FakeStore }, what: string): void {
  assert.deepEqual([...readTopics(store, 'region').keys()], ['orders'], what)
  assert.deepEqual([...readTopics(store, 'pay')], [['pay-1', mirror('p')]], what)
  assert.deepEqual(
    store
      .entries('')
      .map(([key]) => key)
      .filter(key => /^[^/]+\/(region|pay)\/pay-1/.test(key))
      .toSorted(),
    ['forgotten/region', 'ledger/pay', 'partition/pay', 'pause/pay', 'topic/pay'].map(key =>
      /ledger|partition/.test(key)
        ? `${key}/pay-1/0`
        : key.startsWith('pause')
          ? `${key}/pay-1/`
          : `${key}/pay-1`,
    ),
    what,
  )
  assert.equal(readForgotten(store, 'region').get('pay-1')?.targetTopicId, 'p', what)
  assert.deepEqual(store.get('partition/pay/pay-1/0'), lineage, what)
  assert.equal(readPauses(store, 'pay')[0]?.by, 'ann', what)
  assert.deepEqual([readHold(store, 'region'), readHold(store, 'pay')], [undefined, undefined], what)
}

describe('topics that are handed over', () => {
  test('take along all that is known of them, whoever is killed on the way and repeats it', async () => {
    for (let lives = 0; ; lives++) {
      const input = await world()
      input.store.lives = lives
      const isKilled = await handOver(input).then(
        () => false,
        (error: unknown) => {
          if (error instanceof Killed) return true
          throw error
        },
      )
      input.store.lives = Infinity
      if (isKilled) {
        const isHeld = ['region', 'pay'].some(name => readHold(input.store, name) !== undefined)
        const isOver = (readLink(input.store, 'region')?.generation ?? 0) > 4
        // As soon as anything was changed, one of the two is held until it is repeated, and says so.
        assert.ok(isHeld || isOver || lives === 0, `${lives}`)
        if (!isOver) await handOver(input)
      }
      assertGiven(input, `${lives}`)
      const [region, pay] = ['region', 'pay'].map(name => readLink(input.store, name))
      assert.equal(region?.generation, 5)
      assert.ok((pay?.generation ?? 0) >= 5, `${lives}`)
      assert.deepEqual([region?.run, pay?.run, pay?.slots, pay?.upstream], ['r1', undefined, 2, ['X']])
      if (!isKilled) break
    }
  })

  test('are written under the same producer, above all generations, by a link that has no mirrors of its own', async () => {
    const input = await world()
    await input.store.put(slotKey('pay', 0), { ...slot('99', 20), producers: ['99'] })
    await handOver(input)
    const slots = [...readSlots(input.store, 'pay').values()]
    assert.deepEqual(
      slots.map(({ producerId, generation, owner, isClean }) => [producerId, generation, owner, isClean]),
      [
        ['77', 21, '', true],
        ['77', 21, '', true],
      ],
    )
    assert.deepEqual(slots[0]?.producers.toSorted(), ['76', '77', '99'])
    assert.equal(readJournal(input.store, 'pay')[0]?.verb, 'hand-over')
  })

  test('a link that has mirrors writes on as itself, and knows who has written before', async () => {
    const input = await world()
    await input.store.put(topicKey('pay', 'pay-9'), mirror('q'))
    await input.store.put(slotKey('pay', 0), { ...slot('99', 20), producers: ['99'] })
    await handOver(input)
    const slots = readSlots(input.store, 'pay')
    // Where it has never written it takes over from the one that has.
    assert.deepEqual([slots.get(0)?.producerId, slots.get(1)?.producerId], ['99', '77'])
    assert.deepEqual(slots.get(0)?.producers.toSorted(), ['76', '77', '99'])
  })

  test('a link that was moved, and has not run since, knows who has written before', async () => {
    const input = await world()
    await input.store.put(topicKey('pay', 'pay-9'), mirror('q'))
    await handOver(input)
    const [slot] = [...readSlots(input.store, 'pay').values()]
    assert.deepEqual(slot?.producers.toSorted(), ['76', '77'])
  })

  test('what is asked of one while the links are held is refused, and holds up nothing', async () => {
    const input = await world()
    input.store.lives = 3
    await assert.rejects(handOver(input), Killed)
    input.store.lives = Infinity
    const asked = {
      id: 'x',
      at: 1,
      by: 'ann',
      verb: 'recopy',
      topic: 'pay-1',
      what: 'anew',
      state: 'recorded',
    }
    await writeJournal(input.store, 'region', asked as JournalEntry)
    await input.store.put(commandKey('region', 'x'), toRecord('command', { verb: 'recopy', topic: 'pay-1' }))
    await input.store.put(leavingKey('region', 'pay-1'), toRecord('leaving', {}))
    await handOver(input)
    assertGiven(input, 'asked')
    assert.equal(readCommands(input.store, 'region').size, 0)
    const entry = readJournal(input.store, 'region').find(({ id }) => id === 'x')
    assert.deepEqual(
      [entry?.state, entry?.outcome],
      ['refused', 'link "pay" has topic "pay-1" by now: ask it'],
    )
  })

  test('stay paused where the link is paused as a whole', async () => {
    const input = await world()
    await input.store.put(pauseKey('region', { topic: 'pay-1' }), undefined)
    await input.store.put(pauseKey('region', {}), toRecord('pause', { at: 2, by: 'bob' }))
    await handOver(input)
    assert.deepEqual(
      readPauses(input.store, 'pay').map(({ scope, by }) => ({ scope, by })),
      [{ scope: { topic: 'pay-1' }, by: 'bob' }],
    )
    assert.equal(readPauses(input.store, 'region').length, 1)
  })

  test('come back by the same command in the other order', async () => {
    const input = await world()
    await handOver(input)
    const back = { ...input, from: link('pay', ['other']), to: link('region', ['*']) }
    await handOver(back)
    assert.deepEqual([...readTopics(input.store, 'region').keys()].toSorted(), ['orders', 'pay-1'])
    assert.deepEqual([...readTopics(input.store, 'pay').keys()], [])
    assert.deepEqual([...readForgotten(input.store, 'region').keys()], [])
    assert.deepEqual([...readForgotten(input.store, 'pay').keys()], ['pay-1'])
  })

  test('what was interrupted says what ends it, and no run begins before', async () => {
    const input = await world()
    input.store.lives = 3
    await assert.rejects(handOver(input), Killed)
    assert.match(
      notMovable({ settings: input.from, store: input.store }) ?? '',
      /are being handed over; if that was interrupted, first: kdr link hand-over region pay$/,
    )
    assert.equal((await observeHandOver(input)).isUnfinished, true)
  })
})

type Change = (input: Awaited<ReturnType<typeof world>>) => Promise<void> | object

const REFUSED: readonly (readonly [what: string, change: Change, message: RegExp])[] = [
  ['a link that has never run', ({ store }) => store.put(linkKey('region'), undefined), /has never run/],
  ['topics that both take', () => ({ from: link('region', ['*']) }), /both take "pay-1"/],
  ['no topics', () => ({ to: link('pay', ['none']) }), /mirrors no topic that link "pay" takes/],
  [
    'links between other clusters',
    () => ({ to: { ...link('pay', ['pay-*']), target: 'north' } }),
    /do not lead from the same cluster/,
  ],
  [
    'a link that was moved',
    ({ store }) =>
      store.put(
        linkKey('pay'),
        toRecord('link', { generation: 2, sourceClusterId: 'W', targetClusterId: 'E', slots: 2 }),
      ),
    /do not lead from the same cluster/,
  ],
  [
    'a link that waits',
    ({ store }) => store.put(linkKey('region'), { ...store.get(linkKey('region'))!, isWaiting: true }),
    /link "region" waits since a failover/,
  ],
  [
    'a link that a run holds',
    ({ store }) => store.put(holdKey('pay'), toRecord('hold', { run: 'r7', at: 1 })),
    /link "pay" is being moved by run r7/,
  ],
  [
    'a topic of which something was asked',
    ({ store }) =>
      store.put(commandKey('region', 'x'), toRecord('command', { verb: 'recopy', topic: 'pay-1' })),
    /something was asked of topic "pay-1" of link "region"/,
  ],
  [
    'a topic to which both have copied',
    async ({ store }) => {
      await store.put(topicKey('pay', 'pay-1'), mirror('p'))
      await store.put('partition/pay/pay-1/0', toRecord('partition', { epochs: [], origin: 0 }))
    },
    /link "pay" has copied to topic "pay-1" too/,
  ],
  [
    'a topic of which the other knows another mirror',
    ({ store }) => store.put(topicKey('pay', 'pay-1'), mirror('old')),
    /link "pay" has copied to topic "pay-1" too/,
  ],
]

describe('topics are not handed over where it would not be safe:', () => {
  for (const [what, change, message] of REFUSED)
    test(what, async () => {
      const made = await world()
      const input = { ...made, ...(await change(made)) }
      const before = JSON.stringify([...input.store.records])
      await assert.rejects(handOver(input), message)
      assert.equal(JSON.stringify([...input.store.records]), before)
    })

  test('the command is named as it is typed', () => {
    assert.equal(handOverCommand({ from: link('a', []), to: link('b', []) }), 'kdr link hand-over a b')
  })
})
