// ACLs, quotas and users follow the source, on brokers with an authorizer and SASL users, judged by Java's clients.

import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import type { LinkStatus } from '../../src/engine/status/status.ts'
import { LAB_USERS } from '../../src/lab/lab.ts'
import { NO_MIRRORS } from '../../src/engine/sync/acl-plan.ts'
import { AclSync } from '../../src/engine/sync/acls.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { deniedRecords } from '../../src/model/denied.ts'
import type { AclRule } from '../../src/model/rights.ts'
import { openTopicStore } from '../../src/state/topic-store.ts'
import { systemClock, systemEntropy } from '../../src/wiring/system.ts'
import { faultRow } from '../support/fault-rows.ts'
import { type Acl, type At, saslOf } from '../support/judge.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import {
  adminOf,
  BARE_TARGET_ACLS,
  type Link,
  makeLink,
  MARKER_ACL,
  SOURCE_ACLS,
  untilIdentical,
  withDaemon,
} from '../support/link.ts'
import { linkStatus, partitionWith, stoppedPartition } from '../support/status.ts'
import { connectTo } from '../support/ways-out.ts'

const SCRAM = {
  'listener.name.sasl_plaintext.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
  'listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config':
    'org.apache.kafka.common.security.scram.ScramLoginModule required;',
}
const context = withLab([
  { name: 'east', security: 'acl', properties: SCRAM },
  { name: 'west', security: 'acl', properties: SCRAM },
])
const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))
/** Promised is 30 s; the link of these tests is told to be faster. */
const SYNC = { acls: '2s', quotas: '2s' }
const WITHIN_MS = 10_000

const cluster = (operation: string): Acl => ({ type: 'CLUSTER', principal: 'User:kdr', operation })
/** What following ACLs, quotas and users needs beside what copying needs. */
const SOURCE_RIGHTS = ['DESCRIBE', 'DESCRIBE_CONFIGS'].map(cluster)
const TARGET_RIGHTS = ['DESCRIBE', 'ALTER_CONFIGS'].map(cluster)

const as = (at: At, user: keyof typeof LAB_USERS): At => ({
  bootstrap: at.bootstrap,
  properties: {
    ...saslOf(user, LAB_USERS[user]),
    'delivery.timeout.ms': '5000',
    'request.timeout.ms': '4000',
    'linger.ms': '0',
  },
})
const app = (rule: Partial<Acl> & Pick<Acl, 'operation'>): Acl => ({
  type: 'TOPIC',
  principal: 'User:app',
  ...rule,
})

const shown = ({
  type,
  name,
  pattern = 'LITERAL',
  principal,
  operation,
  permission = 'ALLOW',
}: Acl): string => `${permission} ${operation} ${type} ${pattern} ${name ?? 'kafka-cluster'} ${principal}`

/** Those at the target that are none of kdr's. */
async function rulesAtTarget(): Promise<string[]> {
  const rules = await context.judge.describeAcls(west())
  return rules
    .filter(({ principal }) => principal !== 'User:kdr')
    .map(shown)
    .toSorted()
}

async function untilAtTarget(what: string, holds: (rules: readonly string[]) => boolean): Promise<string[]> {
  let rules: string[] = []
  await waitFor(
    async () => {
      rules = await rulesAtTarget()
      return holds(rules)
    },
    { what: () => `${what}; there are: ${rules.join('; ')}`, everyMs: 200, timeoutMs: patience(WITHIN_MS) },
  )
  return rules
}

async function untilStatus(
  link: Link,
  what: string,
  holds: (status: LinkStatus) => boolean,
): Promise<LinkStatus> {
  let last: LinkStatus | undefined
  await waitFor(
    async () => {
      last = await linkStatus(link)
      return holds(last)
    },
    {
      what: () =>
        `${what}: ${JSON.stringify({ acls: last?.acls, quotas: last?.quotas, users: last?.users })}`,
      everyMs: 300,
      timeoutMs: patience(WITHIN_MS),
    },
  )
  return last!
}

const heldOf = ({ acls }: LinkStatus): string[] =>
  acls.heldBack.map(each => `${each.why}: ${shown(each as Acl)}`).toSorted()

const linkOf = (topic: string, settings: Record<string, unknown> = {}): Link =>
  makeLink({
    name: freshTopic('rights'),
    ...sides(),
    settings: { topics: [topic, 'own-*'], sync: SYNC, ...settings },
  })

async function topicAtSource(): Promise<string> {
  const topic = freshTopic('mirrored')
  await context.judge.createTopic({ ...east(), topic })
  await context.judge.produce({ ...east(), topic, count: 10 })
  return topic
}

async function clear(): Promise<void> {
  for (const at of [east(), west()]) await context.judge.deleteAcls({ ...at })
  await context.judge.createAcls({ ...east(), acls: [...SOURCE_ACLS, ...SOURCE_RIGHTS] })
  await context.judge.createAcls({ ...west(), acls: [...BARE_TARGET_ACLS, MARKER_ACL, ...TARGET_RIGHTS] })
}

describe('rights', () => {
  beforeEach(async () => {
    await clear()
  })

  test('ACLs come and go with the source; what would write to mirrors is held back, and comes at promotion', async () => {
    const { judge } = context
    const topic = await topicAtSource()
    const link = linkOf(topic)
    const copied: Acl[] = [
      app({ name: topic, operation: 'READ' }),
      app({ name: topic.slice(0, -1), pattern: 'PREFIXED', operation: 'DESCRIBE' }),
      app({ type: 'GROUP', name: 'app-', pattern: 'PREFIXED', operation: 'READ' }),
      app({ type: 'CLUSTER', operation: 'IDEMPOTENT_WRITE' }),
      app({ type: 'TRANSACTIONAL_ID', name: '*', operation: 'WRITE' }),
      app({ name: 'not-mirrored', operation: 'WRITE' }),
      app({ name: topic, operation: 'READ', permission: 'DENY', host: '10.9.9.9' }),
      app({ type: 'DELEGATION_TOKEN', name: '*', operation: 'DESCRIBE' }),
      app({ type: 'USER', name: 'User:app', operation: 'DESCRIBE_TOKENS' }),
    ]
    const held: Acl[] = [
      app({ name: topic, operation: 'WRITE' }),
      app({ name: topic.slice(0, -2), pattern: 'PREFIXED', operation: 'ALL' }),
      app({ name: '*', operation: 'DELETE' }),
      app({ name: 'own-', pattern: 'PREFIXED', operation: 'ALTER' }),
      app({ name: topic, operation: 'ALTER_CONFIGS' }),
      app({ type: 'CLUSTER', operation: 'CLUSTER_ACTION' }),
    ]
    const own = app({ name: topic, principal: 'User:west-only', operation: 'READ' })
    const both = app({ name: topic, principal: 'User:both', operation: 'READ' })
    const internal = app({ name: '_kdr.state', operation: 'READ' })
    await judge.createAcls({ ...west(), acls: [own, both] })
    await judge.createAcls({ ...east(), acls: [...copied, ...held, both, internal] })

    await withDaemon(link, async () => {
      await untilIdentical(judge, sides(), topic)
      const wanted = [...copied, own, both].map(shown).toSorted()
      await untilAtTarget('what the source has', rules => rules.join() === wanted.join())
      const status = await untilStatus(link, 'held back', ({ acls }) => acls.heldBack.length === held.length)
      assert.deepEqual(heldOf(status), held.map(each => `writes-to-mirrors: ${shown(each)}`).toSorted())
      assert.equal(status.acls.synced, copied.length + 1)
      assert.equal(status.acls.state, 'followed')
      assert.equal(status.acls.problem, undefined)

      const produced = await judge
        .produce({ ...as(west(), 'app'), topic, count: 1 })
        .then(() => 'written', String)
      assert.match(produced, /TopicAuthorization|not authorized/i)
      const [seen] = await judge.digest({ ...as(west(), 'app'), topic })
      assert.equal(seen?.count, 10)
      await judge.produce({ ...as(east(), 'app'), topic, count: 1 })

      const after = app({ name: 'added-later', pattern: 'PREFIXED', operation: 'READ' })
      const gone = copied.slice(0, 3)
      await judge.createAcls({ ...east(), acls: [after] })
      await judge.deleteAcls({ ...east(), acls: [...gone, both] })
      const then = [...copied.slice(3), after, own, both].map(shown).toSorted()
      await untilAtTarget('what has changed', rules => rules.join() === then.join())
      const out = await link.run('status')
      assert.match(out.stdout, /ACLs: \d+ as at the source; 6 held back/)
    })

    // What a promotion will call, with nothing but what is remembered.
    const target = await connectTo(context.cluster('west'))
    const store = await openTopicStore(target, recordCodec, systemClock, {
      create: false,
      writer: systemEntropy.bits62(),
    })
    await store.refresh()
    const acls = new AclSync({
      link: link.name,
      store,
      source: target,
      target,
      principals: {},
      own: new Set(),
      fromElsewhere: () => Promise.resolve(new Set()),
      mirrors: () => NO_MIRRORS,
      mayStill: () => true,
      assertControl: () => Promise.resolve(),
      log: { event: () => {} },
    })
    const released = await acls.release(NO_MIRRORS)
    assert.equal(released.length, held.length)
    await untilAtTarget('what was held back', rules => held.every(each => rules.includes(shown(each))))
    await judge.produce({ ...as(west(), 'app'), topic, count: 1 })
    await store.close()
    await target.close()
  })

  test('a denial that fences applications at the source is passed by', async () => {
    const { judge } = context
    const topic = await topicAtSource()
    const link = linkOf(topic)
    const denial = app({ name: topic, operation: 'WRITE', permission: 'DENY' })
    const [first, later] = ['READ', 'DESCRIBE'].map(operation => app({ name: topic, operation })) as [
      Acl,
      Acl,
    ]
    await judge.createAcls({ ...east(), acls: [first] })
    await withDaemon(link, async () => {
      await untilAtTarget('the first rule', rules => rules.join() === shown(first))
      const target = await connectTo(context.cluster('west'))
      const store = await openTopicStore(target, recordCodec, systemClock, {
        create: false,
        writer: systemEntropy.bits62(),
      })
      // As a run does it: recorded before it is made.
      const of = { link: link.name, clusterId: context.cluster('east').clusterId }
      const rule: AclRule = { ...denial, name: topic, pattern: 'LITERAL', host: '*', permission: 'DENY' }
      for (const [key, record] of deniedRecords(of, [rule])) await store.put(key, record)
      await judge.createAcls({ ...east(), acls: [denial, later] })
      await untilAtTarget('what came later', rules => rules.includes(shown(later)))
      assert.deepEqual(await rulesAtTarget(), [first, later].map(shown).toSorted())
      await store.close()
      await target.close()
    })
  })

  test('principals are mapped; a denial for everybody that would stop kdr is held back', async () => {
    const { judge } = context
    const topic = await topicAtSource()
    const principals = { 'User:app-east': 'User:app' }
    const link = linkOf(topic, { principals })
    const mapped = app({ name: topic, principal: 'User:app-east', operation: 'READ' })
    const denial = app({ name: topic, principal: 'User:*', operation: 'WRITE', permission: 'DENY' })
    const writing = app({ name: topic, principal: 'User:app-east', operation: 'WRITE' })
    await judge.createAcls({ ...east(), acls: [mapped, denial, writing] })
    await withDaemon(link, async () => {
      await untilAtTarget(
        'the mapped rule',
        rules => rules.join() === shown({ ...mapped, principal: 'User:app' }),
      )
      const status = await untilStatus(link, 'held back', ({ acls }) => acls.heldBack.length === 2)
      assert.deepEqual(heldOf(status), [
        `denied-at-source: ${shown({ ...writing, principal: 'User:app' })}`,
        `stops-kdr: ${shown(denial)}`,
      ])
      await judge.produce({ ...east(), topic, count: 5 })
      await untilIdentical(judge, sides(), topic)
    })
  })

  faultRow('C01', 'configs, ACLs and quotas drift at the target after the link was made', async row => {
    const { judge } = context
    const topic = await topicAtSource()
    const link = linkOf(topic)
    const entity = { user: freshTopic('user') }
    const rate = async (at: At, consumer_byte_rate: number | null) =>
      await judge.setQuota({ ...at, entity, quotas: { consumer_byte_rate } })
    const rateAtTarget = async () =>
      (await judge.describeQuotas(west())).find(each => each.startsWith(`user=${entity.user} `))
    const [copied, own] = ['app', 'west-only'].map(user =>
      app({ name: topic, principal: `User:${user}`, operation: 'READ' }),
    ) as [Acl, Acl]
    await judge.createAcls({ ...east(), acls: [copied] })
    await rate(east(), 1_000_000)
    link.configure({ topics: [topic], sync: { ...SYNC, configs: '2s' } })
    await withDaemon(link, async daemon => {
      await untilAtTarget('the rule', rules => rules.includes(shown(copied)))
      await waitFor(async () => (await rateAtTarget())?.endsWith('=1000000.0'), { what: 'the quota' })
      row.did(
        "at the target: set another retention on the mirror and another quota, took a rule of kdr's away and made one",
      )
      await judge.alterConfigs({ ...west(), topic, configs: { 'retention.ms': '7777777' } })
      await rate(west(), 2_000_000)
      await judge.deleteAcls({ ...west(), acls: [copied] })
      await judge.createAcls({ ...west(), acls: [own] })
      await daemon.says(/somebody set retention.ms to "7777777" at the target .*; kdr leaves it/)
      row.saw('the config: said in the log, and left')
      const { quotas } = await untilStatus(link, 'different', each => each.quotas.different.length > 0)
      assert.deepEqual(quotas.different, [
        { entity: `user=${entity.user}`, key: 'consumer_byte_rate', source: 1_000_000, target: 2_000_000 },
      ])
      assert.match((await rateAtTarget()) ?? '', /=2000000.0$/)
      row.saw('the quota: named by status with both values, and left')
      const both = [copied, own].map(shown).toSorted()
      await untilAtTarget('both rules', rules => rules.join() === both.join())
      row.saw("the rules: kdr's is back, as the source has it, and the target's own stays")
    })
    await rate(east(), null)
    await rate(west(), null)
  })

  faultRow('C02', 'the right to see or to change ACLs is lost, and the right to read a topic', async row => {
    const { judge } = context
    const topic = await topicAtSource()
    const link = linkOf(topic)
    const first = app({ name: topic, operation: 'READ' })
    const later = app({ name: topic, operation: 'DESCRIBE_CONFIGS' })
    await judge.createAcls({ ...east(), acls: [first] })
    await withDaemon(link, async daemon => {
      await untilAtTarget('the first rule', rules => rules.includes(shown(first)))
      row.did('took DESCRIBE on the cluster away from kdr at the source')
      await judge.deleteAcls({ ...east(), acls: [...SOURCE_RIGHTS, first] })
      const { acls, state } = await untilStatus(link, 'refused', each => each.acls.state === 'refused')
      assert.match(
        acls.problem ?? '',
        /kdr may not read the ACLs of "east": it needs DESCRIBE on the cluster/,
      )
      assert.notEqual(state, 'faulted')
      assert.deepEqual(await rulesAtTarget(), [shown(first)])
      await judge.produce({ ...east(), topic, count: 5 })
      await untilIdentical(judge, sides(), topic)
      row.saw(
        `status says it: ${acls.problem ?? ''}; no rule is taken away at the target, and the data goes on`,
      )

      row.did('gave it back, and took ALTER on the cluster away at the target')
      await judge.deleteAcls({ ...west(), acls: [MARKER_ACL] })
      await judge.createAcls({ ...east(), acls: [...SOURCE_RIGHTS, later] })
      const refused = await untilStatus(link, 'refused', each => /ALTER/.test(each.acls.problem ?? ''))
      row.saw(`status says it: ${refused.acls.problem ?? ''}`)
      await judge.createAcls({ ...west(), acls: [MARKER_ACL] })
      await untilAtTarget('what was missed', rules => rules.join() === shown(later))
      await untilStatus(link, 'followed', each => each.acls.state === 'followed')
      row.saw('with the right back the rules are as at the source')

      const deny = {
        type: 'TOPIC',
        name: topic,
        principal: 'User:kdr',
        operation: 'READ',
        permission: 'DENY',
      } as const
      row.did('denied kdr READ on the topic at the source, while ten records came')
      await judge.createAcls({ ...east(), acls: [deny] })
      await judge.produce({ ...east(), topic, count: 10 })
      await stoppedPartition(link, topic, 'no-rights')
      row.saw('no-rights')
      await judge.deleteAcls({ ...east(), acls: [deny] })
      await partitionWith(link, each => each.topic === topic && each.state === 'mirroring')
      await untilIdentical(judge, sides(), topic)
      assert.equal(daemon.hasEnded, false)
      row.saw('with the right back it goes on by itself; identical')
    })
  })

  faultRow('C03', 'SCRAM users at the source: no cluster tells their passwords', async row => {
    const { judge } = context
    const topic = await topicAtSource()
    const [given, missing] = [freshTopic('given'), freshTopic('missing')]
    for (const user of [given, missing])
      await judge.setUser({ ...east(), user, mechanism: 'SCRAM-SHA-512', password: 'at-east' })
    process.env['KDR_TEST_APP'] = 'a-word-that-nobody-prints'
    const users = { [`${given}-west`]: { mechanism: 'scram-sha-512', password: 'env:KDR_TEST_APP' } }
    const link = linkOf(topic, { users, principals: { [`User:${given}`]: `User:${given}-west` } })
    row.did(
      'made two SCRAM users at the source; the config has the secret of one of them, under another name',
    )
    const ran = await link.run('run', '--once', '-v')
    assert.equal(ran.code, 0, ran.stderr)
    const status = await linkStatus(link)
    assert.ok(status.users.missing.includes(missing), JSON.stringify(status.users))
    assert.deepEqual(status.users.configured, [
      { user: `${given}-west`, mechanism: 'SCRAM-SHA-512', isMadeByKdr: true, login: 'proven' },
    ])
    const properties = {
      'security.protocol': 'SASL_PLAINTEXT',
      'sasl.mechanism': 'SCRAM-SHA-512',
      'sasl.jaas.config': `org.apache.kafka.common.security.scram.ScramLoginModule required username="${given}-west" password="a-word-that-nobody-prints";`,
    }
    const { bootstrap } = context.cluster('west')
    assert.deepEqual(await judge.listTopics({ bootstrap, properties }), [])
    row.saw(
      "the one is made at the target and proven with a login (Java's client signs in too); the other is named as missing",
    )
    const out = await link.run('status')
    assert.match(out.stdout, new RegExp(`not at the target: .*${missing}`))
    const state = await judge.list({ ...west(), topic: '_kdr.state' })
    const told = state.map(({ value }) => Buffer.from(value ?? '', 'base64').toString()).join('\n')
    for (const text of [ran.stdout, ran.stderr, out.stdout, told]) assert.doesNotMatch(text, /nobody-prints/)

    row.did('changed the secret of the config')
    process.env['KDR_TEST_APP'] = 'another-word'
    assert.equal((await link.run('run', '--once')).code, 0)
    assert.equal((await linkStatus(link)).users.configured[0]?.login, 'proven')
    row.saw('the user that kdr has made gets it, and is proven again')

    row.did("gave the config a wrong secret for a user that the target's own administrator has made")
    const mine = freshTopic('mine')
    await judge.setUser({ ...west(), user: mine, mechanism: 'SCRAM-SHA-512', password: 'theirs' })
    link.configure({
      topics: [topic],
      sync: SYNC,
      users: { [mine]: { mechanism: 'scram-sha-512', password: 'env:KDR_TEST_APP' } },
    })
    assert.equal((await link.run('run', '--once')).code, 0)
    const { users: seen } = await linkStatus(link)
    assert.equal(seen.configured[0]?.login, 'refused')
    assert.match(seen.problem ?? '', /cannot sign in at "west" with the password of the config/)
    row.saw('its password stays what it was; status says that the user cannot sign in')
  })

  faultRow('C04', 'client quotas change at the source', async row => {
    const { judge } = context
    const topic = await topicAtSource()
    const link = linkOf(topic, { principals: { 'User:app-east': 'User:app-west' } })
    const quota = async (
      at: At,
      entity: Record<string, string | null>,
      values: Record<string, number | null>,
    ) => await judge.setQuota({ ...at, entity, quotas: values })
    await quota(east(), { user: 'app-east' }, { producer_byte_rate: 1_000_000, request_percentage: 150 })
    await quota(east(), { user: 'app-east', 'client-id': 'c' }, { consumer_byte_rate: 2_000_000 })
    await quota(east(), { 'client-id': null }, { consumer_byte_rate: 500_000_000 })
    await quota(east(), { ip: '10.9.9.9' }, { connection_creation_rate: 5 })
    await quota(east(), { 'client-id': 'kdr' }, { consumer_byte_rate: 400_000_000 })
    await quota(east(), { 'client-id': 'theirs' }, { consumer_byte_rate: 7 })
    await quota(west(), { 'client-id': 'theirs' }, { consumer_byte_rate: 8 })
    row.did(
      'set quotas of a user, a user with a client id, a default and an address at the source; the target has one of its own',
    )
    await withDaemon(link, async () => {
      const own = 'client-id=theirs consumer_byte_rate=8.0'
      const untilQuotas = async (wanted: readonly string[]) => {
        let last: string[] = []
        await waitFor(
          async () => {
            last = await judge.describeQuotas(west())
            return last.join() === [...wanted, own].toSorted().join()
          },
          { what: () => `quotas ${wanted.join()}; there are ${last.join()}`, timeoutMs: patience(WITHIN_MS) },
        )
      }
      const shared = [
        'client-id=<default> consumer_byte_rate=5.0E8',
        'ip=10.9.9.9 connection_creation_rate=5.0',
      ]
      await untilQuotas([
        ...shared,
        'user=app-west producer_byte_rate=1000000.0',
        'user=app-west request_percentage=150.0',
        'client-id=c,user=app-west consumer_byte_rate=2000000.0',
      ])
      const status = await untilStatus(link, 'followed', ({ quotas }) => quotas.synced === 5)
      assert.deepEqual(status.quotas.different, [
        { entity: 'client-id=theirs', key: 'consumer_byte_rate', source: 7, target: 8 },
      ])
      row.saw(
        "they are at the target, under the user's name there; the target's own value stays, and status names it",
      )

      row.did('changed one and took the others away')
      await quota(east(), { user: 'app-east' }, { producer_byte_rate: 1_500_000, request_percentage: null })
      await quota(east(), { user: 'app-east', 'client-id': 'c' }, { consumer_byte_rate: null })
      await untilQuotas([...shared, 'user=app-west producer_byte_rate=1500000.0'])
      row.saw('the target follows')
    })
  })
})
