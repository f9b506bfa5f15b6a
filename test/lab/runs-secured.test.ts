// Applications move between clusters with authorizers, there and home, and nobody is a super user but the judge: rights go with them,
// a fence that is proven stands behind them, and kdr's own right to write is where the link writes, and nowhere else.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { LAB_USERS } from '../../src/lab/lab.ts'
import type { Acl, At } from '../support/judge.ts'
import { saslOf } from '../support/judge.ts'
import { freshTopic, waitFor, withLab } from '../support/lab.ts'
import {
  adminOf,
  BARE_TARGET_ACLS,
  type KdrProcess,
  type Link,
  makeLink,
  SOURCE_ACLS,
  untilIdentical,
} from '../support/link.ts'
import { linkStatus } from '../support/status.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full'
const SESSION = { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' }
const context = withLab(
  skip === false
    ? [
        { name: 'east', security: 'acl', properties: SESSION },
        { name: 'west', security: 'acl', properties: SESSION },
      ]
    : [],
)
const KDR = 'User:kdr'
/** What a run needs at both sides beside what copying needs. */
const RUN_ACLS: readonly Acl[] = [
  ...['DESCRIBE', 'DESCRIBE_CONFIGS', 'ALTER'].map(operation => ({ type: 'CLUSTER' as const, operation })),
  ...['DESCRIBE', 'WRITE'].map(operation => ({ type: 'TRANSACTIONAL_ID' as const, name: '*', operation })),
].map(rule => ({ ...rule, principal: KDR }))

const topic = freshTopic('secured')
const admin = (name: string): At => adminOf(context.cluster(name))
const as = (user: 'app' | 'kdr', name: string): At => ({
  bootstrap: context.cluster(name).bootstrap,
  properties: {
    ...saslOf(user, LAB_USERS[user]),
    'delivery.timeout.ms': '6000',
    'request.timeout.ms': '4000',
    'linger.ms': '0',
  },
})
const write = async (user: 'app' | 'kdr', name: string): Promise<string> =>
  await context.judge
    .produce({ ...as(user, name), topic, count: 5, idempotent: false })
    .then(() => 'written', String)

describe('with authorizers', { skip, concurrency: 1 }, () => {
  let link: Link
  let daemon: KdrProcess

  before(async () => {
    const { judge } = context
    for (const name of ['east', 'west'])
      await judge.createAcls({ ...admin(name), acls: [...SOURCE_ACLS, ...BARE_TARGET_ACLS, ...RUN_ACLS] })
    await judge.createAcls({
      ...admin('east'),
      acls: ['WRITE', 'READ'].map(operation => ({
        type: 'TOPIC',
        name: topic,
        principal: 'User:app',
        operation,
      })),
    })
    await judge.createTopic({ ...admin('east'), topic, partitions: 3 })
    assert.equal(await write('app', 'east'), 'written')
    link = makeLink({
      name: 'secured',
      source: context.cluster('east'),
      target: context.cluster('west'),
      settings: {
        topics: [topic],
        sync: { acls: '1s', groups: '1s' },
        fence: { probe: { sasl: { mechanism: 'plain', username: 'app', password: LAB_USERS.app } } },
      },
    })
    daemon = link.start('run', '-v')
    await daemon.says(/behind/)
    await copied()
  })
  after(() => daemon?.signal('SIGKILL'))

  const copied = async (): Promise<void> =>
    await untilIdentical(
      context.judge,
      { source: context.cluster('east'), target: context.cluster('west') },
      topic,
    )

  const holds = async (name: string, count: number): Promise<void> => {
    const found = async (): Promise<number> =>
      (await context.judge.digest({ ...admin(name), topic })).reduce((sum, each) => sum + each.count, 0)
    await waitFor(async () => (await found()) === count, { what: `${count} records at ${name}` })
  }

  test('a switchover there: the fence is proven, rights go along, and kdr keeps its hands off', async () => {
    const { code, stdout, stderr } = await link.run('switchover', link.name, '--yes', '--json')
    assert.equal(code, 0, stderr + stdout)
    assert.match(stdout, /kdr's own rights to write there are taken away/)
    assert.equal(await write('app', 'west'), 'written')
    assert.match(await write('app', 'east'), /TopicAuthorizationException/)
    assert.match(await write('kdr', 'west'), /TopicAuthorizationException/)
    await holds('east', 10)
    await waitFor(async () => (await linkStatus(link)).state === 'mirroring', {
      what: 'the link to lead home',
    })
  })

  test('and home: the link writes where it may again', async () => {
    const { code, stdout, stderr } = await link.run('switchover', link.name, '--yes', '--json')
    assert.equal(code, 0, stderr + stdout)
    assert.equal(await write('app', 'east'), 'written')
    assert.match(await write('app', 'west'), /TopicAuthorizationException/)
    assert.match(await write('kdr', 'east'), /TopicAuthorizationException/)
    await holds('west', 15)
    await holds('east', 15)
  })

  test('no password stands in what kdr has kept of it at either cluster, nor in what it has said', async () => {
    const kept = ['east', 'west'].flatMap(name => {
      const dir = context.cluster(name).logDir(1)
      return globSync('_kdr.*/*.log', { cwd: dir }).map(path => join(dir, path))
    })
    const state = kept.map(path => readFileSync(path, 'latin1')).join('')
    assert.ok(state.includes(topic) && state.includes('switchover'), kept.join())
    const { stdout } = await link.run('runs', 'list', '--json')
    for (const password of [LAB_USERS.kdr, LAB_USERS.app])
      for (const text of [state, daemon.stderr, stdout]) assert.ok(!text.includes(password))
  })
})
