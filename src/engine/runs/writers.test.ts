// Writers are stopped, and that is proven, on a cluster that answers as told: what is refused, claimed, taken back and said.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  APP,
  contextOf,
  denial,
  EVERYBODY,
  FakeStore,
  OF,
  rule,
  TOPIC,
  type World,
  world,
} from '../../../test/support/fenced-cluster.ts'
import { readDenied, readDeniedByAll } from '../../model/denied.ts'
import { KdrError } from '../../model/errors.ts'
import type { LinkSettings } from '../../model/link-settings.ts'
import { aclKey } from '../../model/rights.ts'
import { linkKey, topicKey, toRecord } from '../../model/state-records.ts'
import type { ListedGroup, ProducerState, TransactionView } from '../../ports/cluster.ts'
import type { StateStore } from '../../ports/state.ts'
import { endTransactions } from './end-transactions.ts'
import { fenceApplications, unfence } from './fence-applications.ts'
import { freezeGroups } from './freeze-groups.ts'

const isNotFenced =
  (message: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof KdrError)
    assert.equal(error.exit, 15)
    assert.match(error.message, message)
    return true
  }

describe('applications are fenced', () => {
  test('proven: the probe could write before and cannot any more, and nothing is written', async () => {
    const it = world()
    const { what, data } = await fenceApplications(contextOf(it))
    assert.equal(data.state, 'proven')
    assert.deepEqual(data.denied, [denial(APP)])
    assert.equal(data.probed, 1)
    assert.deepEqual(data.left, [])
    assert.match(what, /denied 1 principal\(s\).*every leader refuses User:app.*nothing was written/)
    assert.deepEqual(it.knownAtCreation, [denial(APP)], 'remembered before it is done')
    assert.deepEqual([...readDeniedByAll(it.store, OF.clusterId)], [aclKey(denial(APP))])
    await unfence(contextOf(it), data.denied)
    assert.deepEqual(it.rules, [rule({})])
    assert.deepEqual([...it.store.records.keys()], [topicKey('ew', TOPIC)])
  })

  test('what it denies is remembered at both sides; a side that fails does not hold it up', async () => {
    const it = world()
    const both = new FakeStore()
    const failing: StateStore = {
      position: 0,
      refresh: async () => {},
      get: () => undefined,
      entries: () => [],
      put: async () => await Promise.reject(new KdrError('unreachable', 'gone')),
    }
    await fenceApplications(contextOf(it, { sourceStore: both }))
    assert.deepEqual(readDenied(both, OF), [denial(APP)])
    const { data } = await fenceApplications(contextOf(world(), { sourceStore: failing }))
    assert.equal(data.state, 'proven')
  })

  test('not without denials that reach the brokers: the application may still write', async () => {
    const it = world()
    it.dropsCreations = true
    await assert.rejects(
      fenceApplications(contextOf(it)),
      isNotFenced(/User:app may still write to "orders\/0".*super user/),
    )
  })

  test('not of a super user', async () => {
    const it = world()
    it.isAppSuper = true
    await assert.rejects(fenceApplications(contextOf(it)), isNotFenced(/may be a super user/))
  })

  test('not while something is still written', async () => {
    const it = world()
    it.clock.from(0, () => it.end++)
    await assert.rejects(
      fenceApplications(contextOf(it)),
      isNotFenced(/the ends of "orders\/0" at "east" have not stood still for 4500 ms/),
    )
  })

  test('what could not be written before either proves nothing, and nothing is done', async () => {
    const it = world()
    it.rules = [rule({ principal: 'User:other' })]
    await assert.rejects(
      fenceApplications(contextOf(it)),
      isNotFenced(/may not write to any mirrored topic even before the fence/),
    )
    assert.deepEqual(it.rules, [rule({ principal: 'User:other' })])
  })

  test('without a probe: configured, and only by the ends', async () => {
    const { what, data } = await fenceApplications(contextOf(world(), { probe: undefined }))
    assert.equal(data.state, 'configured')
    assert.match(what, /not proven, as there is no `fence.probe`/)
  })

  test('not where no rule lets anybody write, and no probe shows that nobody does', async () => {
    const it = world()
    it.rules = [rule({ operation: 'READ' })]
    await assert.rejects(
      fenceApplications(contextOf(it, { probe: undefined })),
      isNotFenced(/there is nobody to deny: .* a super user, or everybody may/),
    )
  })

  test('without authorizer and command: no fence, unless that is accepted', async () => {
    const it = world()
    it.hasAuthorizer = false
    await assert.rejects(
      fenceApplications(contextOf(it)),
      isNotFenced(/"east" has no authorizer, and the config has no `fence.command`/),
    )
    const off = { fence: { acl: false, command: undefined } }
    await assert.rejects(fenceApplications(contextOf(world(), off)), isNotFenced(/`fence.acl` is off/))
    const { what, data } = await fenceApplications(contextOf(it, { options: { acceptSplitBrain: true } }))
    assert.equal(data.state, 'none')
    assert.match(what, /went on without a fence at "east", as was accepted/)
  })

  test('by a command alone', async () => {
    const it = world()
    it.hasAuthorizer = false
    const { data } = await fenceApplications(
      contextOf(it, { probe: undefined, fence: { acl: true, command: 'halt' } }),
    )
    assert.equal(data.state, 'configured')
    assert.deepEqual(it.ran, ['halt'])
  })

  test('a cluster that is dark is not fenced, and that is said', async () => {
    const { what, data, isSkipped } = await fenceApplications(contextOf(world(), { source: undefined }))
    assert.equal(data.state, 'registered')
    assert.equal(isSkipped, true)
    assert.match(what, /is not fenced\. When it answers again before this run is over, it is fenced first/)
  })

  test('again: what it had put there is still its own, what others had is not', async () => {
    const it = world()
    const theirs = denial('User:other')
    it.rules.push(rule({ principal: 'User:other' }), theirs)
    const first = await fenceApplications(contextOf(it))
    const second = await fenceApplications(contextOf(it))
    assert.deepEqual(second.data.denied, first.data.denied)
    assert.equal(second.data.state, 'proven')
    await unfence(contextOf(it), second.data.denied)
    assert.ok(it.rules.some(each => aclKey(each) === aclKey(theirs)))
  })

  test('everybody is denied where kdr turns out to be a super user', async () => {
    const it = world()
    it.rules.push(rule({ principal: EVERYBODY }))
    it.isKdrSuper = true
    const { data } = await fenceApplications(contextOf(it))
    assert.equal(data.state, 'proven')
    assert.deepEqual(data.denied.map(({ principal }) => principal).toSorted(), [EVERYBODY, APP])
  })

  test('and where it would stop kdr that is taken back at once', async () => {
    for (const probe of [world().probe, undefined]) {
      const it = world()
      it.rules.push(rule({ principal: EVERYBODY }))
      await assert.rejects(
        fenceApplications(contextOf(it, probe === undefined ? { probe } : {})),
        isNotFenced(/everybody may write to mirrored topics of "east"/),
      )
      assert.ok(!it.rules.some(each => each.principal === EVERYBODY && each.permission === 'DENY'))
      assert.deepEqual(readDenied(it.store, OF), [denial(APP)])
      await unfence(contextOf(it))
      assert.deepEqual(it.rules, [rule({}), rule({ principal: EVERYBODY })], 'of a step that has failed too')
    }
  })
})

describe('groups are frozen', () => {
  const group = (state: string, name = 'g'): ListedGroup => ({ group: name, type: 'classic', state })
  const reading = rule({ type: 'GROUP', name: '*', operation: 'READ' })

  test('left to themselves by default, and in a failover', async () => {
    const it = world()
    it.groups = [group('Stable')]
    const { data, isSkipped } = await freezeGroups(contextOf(it))
    assert.equal(isSkipped, true)
    assert.deepEqual(data, { policy: 'leave', groups: [{ group: 'g', members: -1 }], denied: [] })
    const record = { kind: 'failover' } as const
    assert.equal((await freezeGroups(contextOf(it, { consumers: 'stop', record }))).isSkipped, true)
  })

  test('stopped by a command, or by hand; named while they have members', async () => {
    const it = world()
    it.groups = [group('Stable'), { ...group('Stable', 's'), type: 'share' }]
    await assert.rejects(freezeGroups(contextOf(it, { consumers: { stop: 'halt' } })), {
      code: 'not-ready',
      message: /group\(s\) "g" at "east" still have members after 60000 ms/,
    })
    it.clock.from(5_000, () => (it.groups = [group('Empty')]))
    const { data } = await freezeGroups(contextOf(it, { consumers: 'stop' }))
    assert.deepEqual(data.groups, [{ group: 'g', members: 0 }])
    assert.deepEqual(it.ran, ['halt'])
  })

  test('but for those that read topics of another link alone, which stays', async () => {
    const it = world()
    it.groups = [group('Empty'), group('Stable', 'other')]
    const way = { generation: 1, sourceClusterId: OF.clusterId, targetClusterId: 'W', slots: 1 }
    for (const name of ['ew', 'part']) await it.store.put(linkKey(name), toRecord('link', way))
    await it.store.put(topicKey('part', 'theirs'), toRecord('topic', { phase: 'mirroring' }))
    const offset = (topic: string) => ({ topic, partition: 0, offset: 1 })
    const source = {
      ...it.source,
      groupOffsets: async (groups: readonly string[]) =>
        await Promise.resolve(
          groups.map(each => ({
            code: 0,
            pending: [],
            offsets: [offset(each === 'g' ? TOPIC : 'theirs')],
          })),
        ),
    } as unknown as typeof it.source
    const settings = { name: 'ew', topics: ['*'], groups: ['*'] } as unknown as LinkSettings
    const frozen = async (together: readonly string[]) =>
      await freezeGroups(contextOf({ ...it, source }, { consumers: 'stop', settings, record: { together } }))
    assert.deepEqual((await frozen([])).data.groups, [{ group: 'g', members: 0 }])
    await assert.rejects(frozen(['part']), /group\(s\) "other" at "east" still have members/)
  })

  test('fenced: readers are denied what they may read as', async () => {
    const it = world()
    it.rules.push(reading)
    it.groups = [group('Stable')]
    it.clock.from(1_000, () => (it.groups = [group('Empty')]))
    const { data } = await freezeGroups(contextOf(it, { consumers: 'fence' }))
    assert.deepEqual(data.denied, [{ ...reading, permission: 'DENY' }])
    assert.ok(readDeniedByAll(it.store, OF.clusterId).has(aclKey(data.denied[0]!)))
  })
})

describe('open transactions are ended', () => {
  const producer = { producerId: 7n, producerEpoch: 3, transactionStart: 90, lastTimestamp: 0 }
  const open: TransactionView = {
    transactionalId: 'app-1',
    producerId: 7n,
    producerEpoch: 3,
    state: 'Ongoing',
    startedAt: 0,
    timeoutMs: 60_000,
    partitions: [{ topic: TOPIC, partition: 0 }],
  }
  const held = (transactions: readonly TransactionView[]): World =>
    Object.assign(world(), {
      lastStable: 90,
      producers: [producer as ProducerState],
      transactions: [...transactions],
    })

  test('nothing to do', async () => {
    assert.equal((await endTransactions(contextOf(world()))).what, 'no transaction was open')
  })

  test('those that end in time are let be', async () => {
    const it = held([open])
    it.clock.from(2_000, () => (it.lastStable = it.end))
    const { data } = await endTransactions(contextOf(it))
    assert.deepEqual(data.ended, [{ transactionalId: 'app-1', how: 'committed-or-aborted' }])
    assert.deepEqual(it.initialized, [])
  })

  test('the others through their coordinators', async () => {
    const it = held([open])
    const { data } = await endTransactions(contextOf(it))
    assert.deepEqual(data.ended, [{ transactionalId: 'app-1', how: 'aborted' }])
    assert.deepEqual(it.initialized, ['app-1'])
  })

  test('one that no coordinator knows is named, with the command; a failover goes on', async () => {
    const it = held([])
    await assert.rejects(endTransactions(contextOf(it)), {
      code: 'not-ready',
      message:
        /kafka-transactions.sh --bootstrap-server e1:9092 abort --topic orders --partition 0 --start-offset 90/,
    })
    const record = { kind: 'failover' } as const
    assert.match(
      (await endTransactions(contextOf(it, { record }))).what,
      /gave up on the rest .* counts as lost/s,
    )
    assert.deepEqual(it.initialized, [])
  })
})
