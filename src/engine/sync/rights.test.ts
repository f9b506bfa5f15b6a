// ACLs, quotas and users against clusters that are a few maps: what is remembered, and what happens when something is missing.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import { aclKey, type AclRule, readAcls, readQuotas, readRights } from '../../model/rights.ts'
import type { Quota, RightsAdmin, ScramMechanism } from '../../ports/rights.ts'
import type { StateRecord, StateStore } from '../../ports/state.ts'
import { NO_MIRRORS } from './acl-plan.ts'
import { AclSync } from './acls.ts'
import { mirrorsOf } from './mirror-names.ts'
import { planQuotas, QuotaSync } from './quotas.ts'
import { UserSync } from './users.ts'

class FakeCluster implements RightsAdmin {
  readonly name: string
  readonly rules = new Map<string, AclRule>()
  readonly users = new Map<string, ScramMechanism>()
  quotas: Quota[] = []
  code: number = KafkaCode.NONE
  changeCode: number = KafkaCode.NONE
  readonly calls: string[] = []
  crashes: string | undefined

  constructor(name: string) {
    this.name = name
  }

  describeAcls = async () => await Promise.resolve({ code: this.code, rules: [...this.rules.values()] })
  createAcls = async (rules: readonly AclRule[]) => {
    this.#act('createAcls', rules.length)
    if (this.changeCode === KafkaCode.NONE) for (const rule of rules) this.rules.set(aclKey(rule), rule)
    return await Promise.resolve(rules.map(() => ({ code: this.changeCode })))
  }
  deleteAcls = async (rules: readonly AclRule[]) => {
    this.#act('deleteAcls', rules.length)
    if (this.changeCode === KafkaCode.NONE) for (const rule of rules) this.rules.delete(aclKey(rule))
    return await Promise.resolve(rules.map(() => ({ code: this.changeCode })))
  }
  describeQuotas = async () => await Promise.resolve({ code: this.code, quotas: this.quotas })
  alterQuotas: RightsAdmin['alterQuotas'] = async changes => {
    this.#act('alterQuotas', changes.length)
    for (const { entity, values } of changes) {
      const key = JSON.stringify(entity)
      const before = this.quotas.find(each => JSON.stringify(each.entity) === key)?.values ?? {}
      const now = Object.entries({ ...before, ...values }).filter(
        (each): each is [string, number] => each[1] !== null,
      )
      this.quotas = this.quotas.filter(each => JSON.stringify(each.entity) !== key)
      if (now.length > 0) this.quotas.push({ entity, values: Object.fromEntries(now) })
    }
    return await Promise.resolve(changes.map(() => ({ code: this.changeCode })))
  }
  describeScramUsers = async () => {
    const users = [...this.users].map(([name, mechanism]) => ({ name, mechanisms: [mechanism] }))
    return await Promise.resolve({ code: this.code, users })
  }
  alterScramUser: RightsAdmin['alterScramUser'] = async ({ name, mechanism }) => {
    this.#act('alterScramUser', 1)
    if (this.changeCode === KafkaCode.NONE) this.users.set(name, mechanism)
    return await Promise.resolve({ code: this.changeCode })
  }

  #act(what: string, count: number): void {
    this.calls.push(`${what} ${count}`)
    if (this.crashes === what) throw new KdrError('unreachable', 'the line is cut')
  }
}

function world(settings: { principals?: Record<string, string> } = {}) {
  const records = new Map<string, StateRecord>()
  const puts: string[] = []
  const store: StateStore = {
    position: 0,
    refresh: async () => {},
    get: key => records.get(key),
    entries: prefix => [...records].filter(([key]) => key.startsWith(prefix)),
    put: async (key, record, mayStill) => {
      if (mayStill?.() === false) throw new KdrError('unreachable', 'it came too late')
      puts.push(key)
      if (record === undefined) records.delete(key)
      // What would be written, not the object.
      else records.set(key, JSON.parse(JSON.stringify(record)) as StateRecord)
      await Promise.resolve()
    },
  }
  const said: string[] = []
  const right = { isHeld: true }
  const source = new FakeCluster('east')
  const target = new FakeCluster('west')
  const shared = {
    link: 'l',
    store,
    assertControl: async () => {},
    mayStill: () => right.isHeld,
    log: { event: (_level: string, message: string) => void said.push(message) },
    source,
    target,
    principals: settings.principals ?? {},
    own: new Set(['User:kdr']),
    ownClientId: 'kdr',
  }
  const acls = () =>
    new AclSync({
      ...shared,
      fromElsewhere: () => Promise.resolve(new Set()),
      mirrors: () => mirrorsOf({ topics: new Set(['orders']), patterns: [], forgotten: new Set() }),
    })
  return { source, target, store, said, puts, records, shared, acls, right }
}

const rule = (operation: string, name = 'orders'): AclRule => ({
  type: 'TOPIC',
  pattern: 'LITERAL',
  name,
  principal: 'User:app',
  host: '*',
  operation,
  permission: 'ALLOW',
})
const put = (cluster: FakeCluster, ...rules: AclRule[]): void => {
  for (const each of rules) cluster.rules.set(aclKey(each), each)
}

describe('AclSync', () => {
  test('adds, takes away, holds back, and writes nothing while nothing changes', async () => {
    const { source, target, acls, store, puts, said } = world()
    put(source, rule('READ'), rule('WRITE'), rule('WRITE', 'other'))
    put(target, rule('DESCRIBE'))
    const sync = acls()
    await sync.round()
    assert.deepEqual(
      new Set(target.rules.keys()),
      new Set([rule('READ'), rule('WRITE', 'other'), rule('DESCRIBE')].map(aclKey)),
    )
    assert.deepEqual(sync.heldBack(), [{ rule: rule('WRITE'), why: 'writes-to-mirrors' }])
    assert.equal(readRights(store, 'l', 'acls')?.synced, 2)

    const [calls, written, lines] = [target.calls.length, puts.length, said.length]
    await sync.round()
    assert.deepEqual([target.calls.length, puts.length, said.length], [calls, written, lines])

    source.rules.delete(aclKey(rule('READ')))
    await acls().round()
    assert.deepEqual(
      new Set(target.rules.keys()),
      new Set([rule('WRITE', 'other'), rule('DESCRIBE')].map(aclKey)),
    )
  })

  test('a worker whose time is over remembers nothing, and so changes nothing', async () => {
    const { source, target, acls, records, right } = world()
    put(source, rule('READ'))
    right.isHeld = false
    await assert.rejects(acls().round())
    assert.deepEqual([target.calls, [...target.rules], [...records]], [[], [], []])
    right.isHeld = true
    await acls().round()
    assert.deepEqual([...target.rules.keys()], [aclKey(rule('READ'))])
  })

  test('a rule whose creation was cut off is known, and goes when the source drops it', async () => {
    const { source, target, acls, store } = world()
    put(source, rule('READ'))
    target.crashes = 'createAcls'
    await assert.rejects(acls().round(), { code: 'unreachable' })
    // It had landed all the same.
    put(target, rule('READ'))
    target.crashes = undefined
    source.rules.clear()
    await acls().round()
    assert.equal(target.rules.size, 0)
    assert.equal(readAcls(store, 'l').applied.size, 0)
  })

  test('a missing right is told once and changes nothing; what is in force stays so', async () => {
    const { source, target, acls, store, said } = world()
    put(source, rule('READ'))
    const sync = acls()
    await sync.round()
    source.code = KafkaCode.CLUSTER_AUTHORIZATION_FAILED
    await sync.round()
    await sync.round()
    const report = readRights(store, 'l', 'acls')
    assert.deepEqual([report?.state, report?.synced], ['refused', 1])
    assert.match(
      report?.sentence ?? '',
      /kdr may not read the ACLs of "east": it needs DESCRIBE on the cluster/,
    )
    assert.equal(said.filter(each => each.includes('may not read')).length, 1)
    assert.equal(target.rules.size, 1)
    source.code = KafkaCode.NONE
    target.changeCode = KafkaCode.CLUSTER_AUTHORIZATION_FAILED
    put(source, rule('DESCRIBE'))
    await sync.round()
    assert.match(readRights(store, 'l', 'acls')?.sentence ?? '', /needs ALTER on the cluster.*1 ACL\(s\)/)
    assert.equal(readAcls(store, 'l').applied.size, 1)
  })

  test('without an authorizer at the source there is nothing to do; at the target alone it is a problem', async () => {
    const { source, target, acls, store } = world()
    source.code = KafkaCode.SECURITY_DISABLED
    await acls().round()
    assert.equal(readRights(store, 'l', 'acls')?.state, 'off')
    source.code = KafkaCode.NONE
    put(source, rule('READ'))
    target.code = KafkaCode.SECURITY_DISABLED
    await acls().round()
    const report = readRights(store, 'l', 'acls')
    assert.deepEqual(
      [report?.state, report?.sentence],
      [
        'refused',
        'cluster "west" has no authorizer: there it is open to everybody what 1 ACL(s) say at "east"',
      ],
    )
    assert.deepEqual(target.calls, [])
  })

  test('a cluster that lacks what it takes is a state, and no line says that something was done', async () => {
    const { source, target, acls, store, said } = world()
    put(source, rule('READ'))
    target.describeAcls = () =>
      Promise.reject(new KdrError('cluster-lacks', 'broker "west" lacks DescribeAcls'))
    await acls().round()
    assert.deepEqual(said, ['link "l": broker "west" lacks DescribeAcls'])
    assert.equal(readRights(store, 'l', 'acls')?.state, 'refused')
  })

  test('promotion releases what was held back, without the source', async () => {
    const { source, target, acls } = world()
    put(source, rule('WRITE'))
    await acls().round()
    assert.equal(target.rules.size, 0)
    source.code = KafkaCode.UNKNOWN_SERVER_ERROR
    const sync = acls()
    assert.deepEqual(await sync.release(NO_MIRRORS), [rule('WRITE')])
    assert.equal(target.rules.size, 1)
    assert.deepEqual(sync.heldBack(), [])
  })

  test('ten thousand rules fit into what is remembered', async () => {
    const { source, acls, store, records } = world()
    for (let i = 0; i < 10_000; i++) put(source, rule('READ', `a-topic-with-a-name-of-some-length-${i}`))
    await acls().round()
    assert.equal(readAcls(store, 'l').applied.size, 10_000)
    const longest = Math.max(...[...records.values()].map(each => JSON.stringify(each).length))
    assert.ok(longest < 64 * 1024, String(longest))
  })
})

const quota = (values: Record<string, number>, ...entity: [type: string, name: string | null][]): Quota => ({
  values,
  entity: entity.map(([type, name]) => ({ type, name })),
})
const RATE = 'producer_byte_rate'

describe('QuotaSync', () => {
  test('users, client ids, both and defaults follow; what the source drops goes', async () => {
    const { source, target, shared, store } = world({ principals: { 'User:app': 'User:app-west' } })
    source.quotas = [
      quota({ [RATE]: 1000, request_percentage: 50 }, ['user', 'app']),
      quota({ [RATE]: 2000 }, ['user', 'app'], ['client-id', 'c']),
      quota({ [RATE]: 3000 }, ['user', null]),
      quota({ connection_creation_rate: 5 }, ['ip', '10.0.0.1']),
      quota({ [RATE]: 1 }, ['user', 'kdr']),
      quota({ [RATE]: 1 }, ['client-id', 'kdr']),
    ]
    const sync = new QuotaSync(shared)
    await sync.round()
    assert.equal(target.quotas.length, 4)
    assert.deepEqual(target.quotas[0]?.entity, [{ type: 'user', name: 'app-west' }])
    assert.equal(readRights(store, 'l', 'quotas')?.synced, 5)
    source.quotas = [quota({ [RATE]: 1500 }, ['user', 'app'])]
    await sync.round()
    assert.deepEqual(target.quotas, [quota({ [RATE]: 1500 }, ['user', 'app-west'])])
    assert.equal(readQuotas(store, 'l').size, 1)
  })

  test("the target's own values are left, and told", async () => {
    const { source, target, shared, store } = world()
    source.quotas = [quota({ [RATE]: 1000 }, ['client-id', 'c'])]
    target.quotas = [quota({ [RATE]: 7 }, ['client-id', 'c']), quota({ [RATE]: 8 }, ['client-id', 'd'])]
    await new QuotaSync(shared).round()
    assert.deepEqual(target.calls, [])
    assert.deepEqual(readRights(store, 'l', 'quotas')?.different, [
      { entity: 'client-id=c', key: RATE, source: 1000, target: 7 },
    ])
  })

  test('a change that was cut off is known for its own, before and after', () => {
    const wanted = quota({ [RATE]: 2 }, ['user', 'u'])
    const at = (value: number) => [quota({ [RATE]: value }, ['user', 'u'])]
    const shared = { source: [wanted], principals: {}, own: new Set<string>(), ownClientId: 'kdr' }
    const first = planQuotas({ ...shared, target: at(1), applied: new Map([[keyOf(), [1]]]) })
    assert.deepEqual([...first.before.values()], [[2, 1]])
    for (const landed of [1, 2]) {
      const next = planQuotas({ ...shared, source: at(3), target: at(landed), applied: first.before })
      assert.deepEqual([...next.changes.values()], [3])
    }
  })
})

const keyOf = (): string => JSON.stringify([[['user', 'u']], RATE])

describe('UserSync', () => {
  const clock = { now: () => 0, monotonic: () => at, sleep: async (ms: number) => void (at += ms) }
  let at = 0

  test('those that are missing are named, those with a secret are made and proven', async () => {
    const { source, target, shared, store, records, said } = world({
      principals: { 'User:app-east': 'User:app-west' },
    })
    for (const name of ['app-east', 'other', 'both', 'kdr']) source.users.set(name, 'SCRAM-SHA-512')
    target.users.set('both', 'SCRAM-SHA-256')
    let logins = 0
    const user = {
      name: 'app-west',
      mechanism: 'SCRAM-SHA-512' as const,
      password: () => Promise.resolve('the-secret'),
      // A broker that has not heard of it yet.
      login: async () => {
        logins++
        if (logins === 1) throw new KdrError('not-allowed', 'broker refused the credentials')
        await Promise.resolve()
      },
    }
    const sync = new UserSync({ ...shared, clock, users: [user] })
    await sync.round()
    const report = readRights(store, 'l', 'users')
    assert.deepEqual(report?.configured, [
      { user: 'app-west', mechanism: 'SCRAM-SHA-512', isMadeByKdr: true, login: 'proven' },
    ])
    assert.deepEqual([report.present, report.missing, report.state], [2, ['other'], 'followed'])
    await sync.round()
    assert.equal(logins, 2)
    assert.deepEqual(target.calls, ['alterScramUser 1'])
    assert.doesNotMatch(JSON.stringify([...records.values(), ...said]), /the-secret/)
  })

  test('a user of the target itself is proven and never changed; one of kdr gets the new password', async () => {
    const { target, shared, store } = world()
    target.users.set('own', 'SCRAM-SHA-512')
    let isNew = false
    const users = ['own', 'made'].map(name => ({
      name,
      mechanism: 'SCRAM-SHA-512' as const,
      password: () => Promise.resolve('p'),
      login: async () => {
        if (name === 'own' || (isNew && target.calls.length === 1))
          throw new KdrError('not-allowed', 'broker refused the credentials')
        await Promise.resolve()
      },
    }))
    await new UserSync({ ...shared, clock, users }).round()
    assert.deepEqual(target.calls, ['alterScramUser 1'])
    const report = readRights(store, 'l', 'users')
    assert.equal(report?.state, 'refused')
    assert.match(report.sentence ?? '', /user "own" cannot sign in at "west" with the password of the config/)
    isNew = true
    const later = new UserSync({ ...shared, clock, users })
    await later.round()
    await later.round()
    assert.deepEqual(target.calls, ['alterScramUser 1', 'alterScramUser 1'])
  })
})
