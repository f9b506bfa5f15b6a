// That rules which were held back, and denials, go with the topics that are handed over: whoever moves these must find them.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  denial,
  FakeClock,
  FakeStore,
  Killed,
  MortalStore,
  rule,
} from '../../../test/support/fenced-cluster.ts'
import { deniedRecords, readDenied } from '../../model/denied.ts'
import { aclBuckets, aclKey, type AclRule, readAcls } from '../../model/rights.ts'
import { linkKey, readLink, topicKey, toRecord } from '../../model/state-records.ts'
import { type HandingOver, handOver } from './hand-over.ts'

const KDR = 'User:kdr'
const PAY = denial('User:pay', { name: 'pay-', pattern: 'PREFIXED' })
const PAY_ID = denial('User:pay', { type: 'TRANSACTIONAL_ID', name: 'pay', operation: 'WRITE' })
const ORDERS = denial('User:app')
const OWN_PAY = denial(KDR, { name: 'pay-1' })
const OWN_ORDERS = denial(KDR)
const EAST = { link: 'region', clusterId: 'E' }
const WEST = { link: 'region', clusterId: 'W' }
const HELD = rule({ name: 'pay-1' })

const link = (name: string, topics: readonly string[]) =>
  ({ name, source: 'east', target: 'west', topics }) as unknown as HandingOver['from']

async function deny(store: FakeStore, of: typeof EAST, rules: readonly AclRule[]): Promise<void> {
  for (const [key, record] of deniedRecords(of, rules)) await store.put(key, record)
}

/** From east to west, after a move: both clusters remember both sides' denials. */
async function world() {
  const [store, sourceStore] = [new MortalStore(), new FakeStore()]
  await store.put(
    linkKey('region'),
    toRecord('link', { sourceClusterId: 'E', targetClusterId: 'W', slots: 1, generation: 3 }),
  )
  for (const topic of ['orders', 'pay-1'])
    await store.put(
      topicKey('region', topic),
      toRecord('topic', { phase: 'mirroring', sourceTopicId: 's', targetTopicId: topic, applied: {} }),
    )
  for (const each of [store, sourceStore]) {
    await deny(each, WEST, [PAY, PAY_ID, ORDERS])
    await deny(each, EAST, [OWN_PAY, OWN_ORDERS])
  }
  const held = new Map([[aclKey(HELD), { rule: HELD, why: 'writes-to-mirrors' as const }]])
  for (const [n, bucket] of aclBuckets({ applied: new Map(), held }))
    await store.put(`acls/region/${n}`, toRecord('acls', bucket))
  const input: HandingOver = {
    from: link('region', ['*', '!pay-*']),
    to: link('pay', ['pay-*']),
    store,
    sourceStore,
    clock: new FakeClock(),
    by: 'ann@host',
    guard: async () => await Promise.resolve(),
    progress: () => undefined,
  }
  return { input, store, sourceStore }
}

const keys = (rules: readonly AclRule[]): string[] => rules.map(aclKey).toSorted()

describe('rights of topics that are handed over', () => {
  test('what was held back is released by the link that has them, though it has never run and the source is dark', async () => {
    const { input, store } = await world()
    for (const [key] of store.entries('denied/region/')) await store.put(key, undefined)
    await handOver({ ...input, sourceStore: undefined })
    assert.deepEqual([...readAcls(store, 'pay').held.keys()], [aclKey(HELD)])
  })

  test('denials are lifted by the link that has them, and by no other, whoever is killed on the way', async () => {
    for (let lives = 0; ; lives++) {
      const { input, store, sourceStore } = await world()
      store.lives = lives
      const isKilled = await handOver(input).then(
        () => false,
        (error: unknown) => {
          if (error instanceof Killed) return true
          throw error
        },
      )
      store.lives = Infinity
      if (isKilled && store.entries('topic/region/').length === 2) await handOver(input)
      for (const each of [store, sourceStore]) {
        const of = (name: string, { clusterId }: typeof EAST) => readDenied(each, { link: name, clusterId })
        assert.deepEqual(keys(of('pay', WEST)), keys([PAY, PAY_ID]), `${lives}`)
        assert.deepEqual(keys(of('region', WEST)), keys([ORDERS]), `${lives}`)
        assert.deepEqual(keys(of('pay', EAST)), keys([OWN_PAY]), `${lives}`)
        assert.deepEqual(keys(of('region', EAST)), keys([OWN_ORDERS]), `${lives}`)
      }
      if (!isKilled) break
    }
  })

  test('a source that dies meanwhile holds nothing up: no link could be moved', async () => {
    const { input, store } = await world()
    store.lives = 2
    await assert.rejects(handOver(input), Killed)
    store.lives = Infinity
    await handOver({ ...input, sourceStore: undefined })
    assert.deepEqual(keys(readDenied(store, { link: 'pay', clusterId: 'W' })), keys([PAY, PAY_ID]))
  })

  test('a source that keeps which way links lead learns of the new one', async () => {
    const { input, store, sourceStore } = await world()
    await handOver(input)
    assert.equal(readLink(sourceStore, 'pay'), undefined, 'it keeps nothing of that')
    const other = await world()
    await other.sourceStore.put(linkKey('region'), other.store.get(linkKey('region')))
    await handOver(other.input)
    for (const name of ['region', 'pay'])
      assert.deepEqual(readLink(other.sourceStore, name), readLink(other.store, name))
    assert.notEqual(readLink(store, 'pay'), undefined)
  })

  test('a denial for topics of both parts them not, nor does one that a dark source remembers', async () => {
    const { input, store } = await world()
    await assert.rejects(
      handOver({ ...input, sourceStore: undefined }),
      /"east" cannot be asked, and it too remembers what kdr has denied/,
    )
    await deny(store, WEST, [denial('User:all', { name: '*' })])
    await assert.rejects(
      handOver(input),
      /denial of kdr's for "User:all".* is for topics of both "region" and "pay"/,
    )
  })
})
