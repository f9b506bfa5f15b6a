// Denials on mirrors against a cluster whose authorizer is a map: super users pass by rules, others do not.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordCodec } from '../../kafka/records.ts'
import { readDenied } from '../../model/denied.ts'
import { KdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import { aclKey, type AclRule, readRights } from '../../model/rights.ts'
import { linkKey, topicKey, toRecord } from '../../model/state-records.ts'
import type { AppendAnswer, ClusterView } from '../../ports/cluster.ts'
import type { StateRecord, StateStore } from '../../ports/state.ts'
import { type GuardSide, WriteGuard } from './guard.ts'
import { GUARD_TOPIC, guardRules, proofRule } from './guard-plan.ts'

const BROKERS = [1, 2, 3]
const OPERATIONS = 4

class Authorized {
  readonly name = 'west'
  readonly rules = new Map<string, AclRule>()
  readonly calls: string[] = []
  /** Brokers where kdr is a super user. */
  superAt: readonly number[] = BROKERS
  leaders: readonly number[] = BROKERS
  hasTopic = false
  aclCode: number = KafkaCode.NONE
  changeCode: number = KafkaCode.NONE
  topicCode: number = KafkaCode.NONE
  probeCode: number = KafkaCode.CORRUPT_MESSAGE
  /** Told when rules have been made. */
  onCreated = (): void => undefined

  side(): GuardSide {
    return {
      name: this.name,
      describe: async () => await Promise.resolve(this.#view()),
      createTopics: async topics => {
        this.calls.push(
          `createTopics ${topics.map(({ name, partitions }) => `${name}/${partitions}`).join()}`,
        )
        this.hasTopic = this.topicCode === KafkaCode.NONE
        return await Promise.resolve(topics.map(() => ({ code: this.topicCode, id: 'guard-id' })))
      },
      describeAcls: async () =>
        await Promise.resolve({ code: this.aclCode, rules: [...this.rules.values()] }),
      createAcls: async rules => {
        this.calls.push(`createAcls ${rules.length}`)
        if (this.changeCode === KafkaCode.NONE) for (const rule of rules) this.rules.set(aclKey(rule), rule)
        this.onCreated()
        return await Promise.resolve(rules.map(() => ({ code: this.changeCode })))
      },
      deleteAcls: async rules => {
        this.calls.push(`deleteAcls ${rules.length}`)
        if (this.changeCode === KafkaCode.NONE) for (const rule of rules) this.rules.delete(aclKey(rule))
        return await Promise.resolve(rules.map(() => ({ code: this.changeCode })))
      },
      openAppendLane: async broker =>
        await Promise.resolve({
          broker,
          isClosed: false,
          close: async () => {
            await Promise.resolve()
          },
          append: async entries =>
            await Promise.resolve(
              entries.map(
                ({ topic, partition }): AppendAnswer => ({
                  topic,
                  partition,
                  code: this.#codeOf(broker, topic),
                  baseOffset: -1,
                }),
              ),
            ),
        }),
    }
  }

  #codeOf(broker: number, topic: string): number {
    const isDenied = [...this.rules.values()].some(
      ({ name, operation }) => name === topic && operation === 'WRITE',
    )
    return isDenied && !this.superAt.includes(broker) ? KafkaCode.TOPIC_AUTHORIZATION_FAILED : this.probeCode
  }

  #view(): ClusterView {
    const partitions = this.leaders.map(leader => ({ leader }))
    const topics = this.hasTopic ? [[GUARD_TOPIC, { id: 'guard-id', partitions }] as const] : []
    return { brokers: BROKERS.map(id => ({ id })), topics: new Map(topics) } as unknown as ClusterView
  }
}

function world(topics: readonly string[] = ['orders', 'pay']) {
  const records = new Map<string, StateRecord>()
  const store: StateStore = {
    position: 0,
    refresh: async () => {},
    get: key => records.get(key),
    entries: prefix => [...records].filter(([key]) => key.startsWith(prefix)),
    put: async (key, record) => {
      if (record === undefined) records.delete(key)
      else records.set(key, JSON.parse(JSON.stringify(record)) as StateRecord)
      await Promise.resolve()
    },
  }
  const mirror = (link: string, topic: string): void => {
    const record = {
      phase: 'mirroring',
      sourceTopicId: 's',
      targetTopicId: 't',
      applied: {},
      adoptedUpTo: [],
    }
    records.set(topicKey(link, topic), toRecord('topic', record))
  }
  const lead = (link: string): void => {
    const record = { generation: 1, sourceClusterId: 'east-id', targetClusterId: 'west-id', slots: 1 }
    records.set(linkKey(link), toRecord('link', record))
  }
  lead('l')
  for (const topic of topics) mirror('l', topic)
  const cluster = new Authorized()
  const said: string[] = []
  const time = { now: 0 }
  const control = { isHeld: true }
  const guardOf = (link: string, isWanted = true, elsewhere: readonly string[] = []) =>
    new WriteGuard({
      link,
      store,
      isWanted,
      target: cluster.side(),
      codec: recordCodec,
      clock: { now: () => time.now, monotonic: () => time.now, sleep: async () => {} },
      assertControl: async () => {
        if (!control.isHeld) throw new KdrError('other-controller', 'another worker does it')
        await Promise.resolve()
      },
      mayStill: () => true,
      log: { event: (_level: string, message: string) => void said.push(message) },
      elsewhere: () => new Set(elsewhere),
    })
  /** Until the rule has reached every broker, and once more. */
  const settle = async (guard: WriteGuard): Promise<void> => {
    for (let round = 0; round < 4; round++) {
      await guard.round()
      time.now += 11_000
    }
  }
  const known = (link = 'l') => readDenied(store, { link, clusterId: 'west-id', isGuard: true })
  const deniedTopics = () => [...new Set([...cluster.rules.values()].map(({ name }) => name))].toSorted()
  const report = (link = 'l') => readRights(store, link, 'guard')
  return {
    records,
    store,
    cluster,
    said,
    time,
    control,
    guardOf,
    settle,
    known,
    deniedTopics,
    report,
    mirror,
    lead,
  }
}

describe('denials on mirrors', () => {
  test('a super user denies everybody on its mirrors, after it has proven that it is one', async () => {
    const { cluster, guardOf, time, deniedTopics, report, known } = world()
    const guard = guardOf('l')
    await guard.round()
    assert.deepEqual(cluster.calls, ['createAcls 1', `createTopics ${GUARD_TOPIC}/3`])
    await guard.round()
    time.now += 9_000
    await guard.round()
    assert.deepEqual(deniedTopics(), [GUARD_TOPIC], 'a broker may not have learned of the rule')
    time.now += 2_000
    await guard.round()
    assert.deepEqual(deniedTopics(), [GUARD_TOPIC, 'orders', 'pay'])
    assert.equal(cluster.rules.size, 1 + 2 * OPERATIONS)
    assert.equal(known().length, cluster.rules.size)
    assert.deepEqual({ state: report()?.state, topics: report()?.topics }, { state: 'followed', topics: 2 })
    assert.ok(
      [...cluster.rules.values()].every(each => each.permission === 'DENY' && each.principal === 'User:*'),
    )
    const calls = cluster.calls.length
    await guard.round()
    assert.equal(cluster.calls.length, calls, 'nothing is done twice')
  })

  test('where one broker refuses it nobody is denied; that is said once, and it looks again after a while', async () => {
    const { cluster, guardOf, settle, report, said, known, time, deniedTopics } = world()
    cluster.superAt = [1, 3]
    const guard = guardOf('l')
    await settle(guard)
    assert.deepEqual(deniedTopics(), [])
    assert.deepEqual(known(), [])
    assert.equal(report()?.state, 'refused')
    assert.match(report()?.sentence ?? '', /kdr is no super user of "west".*super\.users/)
    assert.equal(said.filter(each => each.includes('no super user')).length, 1)
    const calls = cluster.calls.length
    await settle(guard)
    assert.equal(cluster.calls.length, calls)
    cluster.superAt = BROKERS
    time.now += 600_000
    await settle(guard)
    assert.deepEqual(deniedTopics(), [GUARD_TOPIC, 'orders', 'pay'])
  })

  test('who may not make the topic of the proof, or does not see it, is no super user', async () => {
    for (const spoil of ['create', 'see'] as const) {
      const { cluster, guardOf, settle, report, deniedTopics } = world()
      cluster.topicCode =
        spoil === 'create' ? KafkaCode.TOPIC_AUTHORIZATION_FAILED : KafkaCode.TOPIC_ALREADY_EXISTS
      await settle(guardOf('l'))
      assert.deepEqual(deniedTopics(), [], spoil)
      assert.match(report()?.sentence ?? '', /no super user/, spoil)
    }
  })

  test('without ALTER, or without an authorizer, it says what is missing', async () => {
    const { cluster, guardOf, settle, report, known } = world()
    cluster.changeCode = KafkaCode.CLUSTER_AUTHORIZATION_FAILED
    await settle(guardOf('l'))
    assert.match(report()?.sentence ?? '', /kdr may not change the ACLs of "west": it needs ALTER/)
    assert.deepEqual(known(), [])
    cluster.aclCode = KafkaCode.SECURITY_DISABLED
    await settle(guardOf('l'))
    assert.match(report()?.sentence ?? '', /"west" has no authorizer/)
  })

  test('who is a super user no more takes all away', async () => {
    const { cluster, guardOf, settle, deniedTopics, known, report } = world()
    const guard = guardOf('l')
    await settle(guard)
    cluster.superAt = [1, 2]
    cluster.changeCode = KafkaCode.CLUSTER_AUTHORIZATION_FAILED
    await guard.round()
    assert.equal(known().length, 1 + 2 * OPERATIONS, 'what still stands is remembered')
    assert.match(report()?.sentence ?? '', /it needs ALTER/)
    cluster.changeCode = KafkaCode.NONE
    await guard.round()
    assert.deepEqual(deniedTopics(), [])
    assert.deepEqual(known(), [])
    assert.equal(report()?.topics, 0)
  })

  test('what is not known keeps what stands, and denies nothing more', async () => {
    const { cluster, guardOf, settle, deniedTopics, mirror, records, report } = world()
    const guard = guardOf('l')
    await settle(guard)
    mirror('l', 'new')
    records.delete(topicKey('l', 'pay'))
    cluster.leaders = [1, 1, 2]
    cluster.rules.delete(aclKey(guardRules(['orders'])[0]!))
    await guard.round()
    assert.deepEqual(deniedTopics(), [GUARD_TOPIC, 'orders'])
    assert.equal(cluster.rules.size, OPERATIONS, 'what somebody has taken away waits too')
    assert.match(report()?.sentence ?? '', /broker 3 of "west" leads no partition of _kdr\.guard/)
    cluster.leaders = BROKERS
    cluster.probeCode = KafkaCode.REQUEST_TIMED_OUT
    await guard.round()
    assert.deepEqual(deniedTopics(), [GUARD_TOPIC, 'orders'])
    cluster.probeCode = KafkaCode.CORRUPT_MESSAGE
    await guard.round()
    assert.deepEqual(deniedTopics(), [GUARD_TOPIC, 'new', 'orders'])
    assert.equal(report()?.state, 'followed')
  })

  test('a topic that is forgotten is let go of; another worker goes on with what is remembered', async () => {
    const { guardOf, settle, deniedTopics, records, known } = world()
    await settle(guardOf('l'))
    records.delete(topicKey('l', 'pay'))
    await settle(guardOf('l'))
    assert.deepEqual(deniedTopics(), [GUARD_TOPIC, 'orders'])
    assert.equal(known().length, 1 + OPERATIONS)
  })

  test('switched off, all go; a rule that somebody else had put there stays', async () => {
    const { cluster, guardOf, settle, deniedTopics, known, report } = world()
    const [first] = guardRules(['orders'])
    cluster.rules.set(aclKey(first!), first!)
    await settle(guardOf('l'))
    assert.equal(cluster.rules.size, 1 + 2 * OPERATIONS)
    await guardOf('l', false).round()
    assert.deepEqual([...cluster.rules.keys()], [aclKey(first!)])
    assert.deepEqual(known(), [])
    assert.deepEqual(deniedTopics(), ['orders'])
    assert.equal(report()?.state, 'off')
    const calls = cluster.calls.length
    await guardOf('l', false).round()
    assert.equal(cluster.calls.length, calls)
  })

  test('a topic that another link has taken over stays denied, and becomes its own', async () => {
    const { guardOf, settle, deniedTopics, records, mirror, lead, known } = world()
    const giver = guardOf('l', true, ['pay'])
    await settle(giver)
    lead('m')
    records.delete(topicKey('l', 'pay'))
    mirror('m', 'pay')
    await giver.round()
    assert.deepEqual(deniedTopics(), [GUARD_TOPIC, 'orders', 'pay'])
    assert.ok(
      known('l').some(({ name }) => name === 'pay'),
      'until the taker has it',
    )
    await settle(guardOf('m', true, ['orders']))
    await giver.round()
    assert.ok(!known('l').some(({ name }) => name === 'pay'))
    assert.equal(known('m').filter(({ name }) => name === 'pay').length, OPERATIONS)
    await guardOf('m', false).round()
    assert.ok(!deniedTopics().includes('pay'))
  })

  test('a worker that stood still while the mirrors were promoted takes back what it has just put there', async () => {
    const { cluster, guardOf, settle, control, deniedTopics, mirror, said } = world([])
    const guard = guardOf('l')
    await settle(guard)
    mirror('l', 'orders')
    cluster.onCreated = () => void (control.isHeld = false)
    await assert.rejects(guard.round(), { code: 'other-controller' })
    assert.deepEqual(deniedTopics(), [GUARD_TOPIC])
    assert.ok(said.every(each => !each.includes('4 added')))
  })

  test('what is about to be denied is remembered first', async () => {
    const { cluster, guardOf, known } = world()
    let before = 0
    cluster.onCreated = () => void (before = known().length)
    await guardOf('l').round()
    assert.equal(before, 1)
    assert.deepEqual(known(), [proofRule()])
  })

  test('a thousand mirrors are denied in few requests, and cost little when nothing changes', async () => {
    const { cluster, guardOf, settle } = world(Array.from({ length: 1_000 }, (_, index) => `topic-${index}`))
    const guard = guardOf('l')
    await settle(guard)
    assert.equal(cluster.rules.size, 1 + 1_000 * OPERATIONS)
    assert.ok(cluster.calls.filter(call => call.startsWith('createAcls')).length < 12)
    const begun = process.cpuUsage()
    await guard.round()
    const { user } = process.cpuUsage(begun)
    assert.ok(user < 500_000, `${user} µs`)
  })
})
