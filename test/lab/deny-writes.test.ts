// Everybody is denied to write to mirrors (`denyWrites`), where kdr is a super user, and nobody where it is not, judged by Java's producer.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { LAB_USERS } from '../../src/lab/lab.ts'
import { type Acl, type At, saslOf } from '../support/judge.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import {
  adminOf,
  aclsFor,
  BARE_TARGET_ACLS,
  type KdrProcess,
  type Link,
  makeLink,
  MARKER_ACL,
  SOURCE_ACLS,
  untilIdentical,
} from '../support/link.ts'
import { linkStatus } from '../support/status.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full'
const context = withLab(
  skip === false
    ? [
        { name: 'east', security: 'acl' },
        { name: 'west', security: 'acl', properties: { 'super.users': 'User:admin;User:kdr' } },
      ]
    : [],
)
/** A rule is believed in after 10 s. */
const DENIED_WITHIN_MS = 40_000

const admin = (name: string): At => adminOf(context.cluster(name))
const asApp = (name: string): At => ({
  bootstrap: context.cluster(name).bootstrap,
  properties: {
    ...saslOf('app', LAB_USERS.app),
    'delivery.timeout.ms': '6000',
    'request.timeout.ms': '4000',
    'linger.ms': '0',
  },
})
const write = async (name: string, topic: string): Promise<string> =>
  await context.judge
    .produce({ ...asApp(name), topic, count: 5, idempotent: false })
    .then(() => 'written', String)
const denials = async (name: string): Promise<string[]> =>
  (await context.judge.describeAcls(admin(name)))
    .filter(({ permission }) => permission === 'DENY')
    .map(({ principal, operation, name: topic }) => `${principal} ${operation} ${topic}`)
    .toSorted()

describe('denials on mirrors', { skip, concurrency: 1 }, () => {
  const started: KdrProcess[] = []
  const begin = async (source: string, target: string): Promise<{ topic: string; link: Link }> => {
    const topic = freshTopic('denied')
    await context.judge.createTopic({ ...admin(source), topic })
    await context.judge.produce({ ...admin(source), topic, count: 10 })
    const link = makeLink({
      name: `to-${target}`,
      source: context.cluster(source),
      target: context.cluster(target),
      settings: { topics: [topic], groups: [topic], sync: { acls: '1s', groups: '1s' }, denyWrites: true },
    })
    const daemon = link.start('run', '-v')
    started.push(daemon)
    await daemon.says(/behind/)
    return { topic, link }
  }
  const same = async (source: string, target: string, topic: string): Promise<void> => {
    await untilIdentical(
      context.judge,
      { source: context.cluster(source), target: context.cluster(target) },
      topic,
    )
  }

  before(async () => {
    const own: Acl[] = ['DESCRIBE', 'DESCRIBE_CONFIGS', 'ALTER_CONFIGS'].map(operation => ({
      type: 'CLUSTER',
      principal: 'User:kdr',
      operation,
    }))
    const journal = aclsFor(['old-active'], { hasClusterRights: true })
    const everywhere: Acl = { type: 'TOPIC', name: '*', principal: 'User:app', operation: 'WRITE' }
    for (const name of ['east', 'west'])
      await context.judge.createAcls({
        ...admin(name),
        acls: [...SOURCE_ACLS, ...BARE_TARGET_ACLS, ...journal, MARKER_ACL, ...own, everywhere],
      })
  })
  after(() => {
    for (const daemon of started) daemon.signal('SIGKILL')
  })

  test('where kdr is a super user only that goes on writing; promoted, the topic takes what applications write', async () => {
    const { topic, link } = await begin('east', 'west')
    let last = ''
    await waitFor(
      async () => {
        const status = await linkStatus(link)
        last = JSON.stringify(status.guard)
        return status.guard?.state === 'followed' && status.guard.topics === 1
      },
      {
        what: () => `everybody is denied to write to the mirror: ${last}`,
        everyMs: 500,
        timeoutMs: patience(DENIED_WITHIN_MS),
      },
    )
    const of = (operation: string): string => `User:* ${operation} ${topic}`
    assert.deepEqual(
      await denials('west'),
      ['User:* WRITE _kdr.guard', ...['ALTER', 'ALTER_CONFIGS', 'DELETE', 'WRITE'].map(of)].toSorted(),
    )
    assert.match(await write('west', topic), /TopicAuthorizationException/)
    assert.equal(await write('east', topic), 'written')
    await same('east', 'west', topic)
    started.pop()!.signal('SIGKILL')
    const moved = await link.run('failover', link.name, '--yes', '--accept-split-brain')
    assert.equal(moved.code, 0, `${moved.stdout}\n${moved.stderr}`)
    assert.deepEqual(
      (await denials('west')).filter(each => each.startsWith('User:*')),
      [],
    )
    assert.equal(await write('west', topic), 'written')
  })

  test('where kdr is none, nobody is denied, and that is said', async () => {
    const { topic, link } = await begin('west', 'east')
    let last = ''
    await waitFor(
      async () => {
        const status = await linkStatus(link)
        last = JSON.stringify(status.guard)
        return /kdr is no super user of "east"/.test(status.guard?.problem ?? '')
      },
      { what: () => `it says so: ${last}`, everyMs: 500, timeoutMs: patience(DENIED_WITHIN_MS) },
    )
    assert.deepEqual(
      (await denials('east')).filter(each => each.startsWith('User:*')),
      [],
    )
    await context.judge.produce({ ...admin('west'), topic, count: 10 })
    await same('west', 'east', topic)
    const { stdout } = await link.run('status')
    assert.match(stdout, /kdr is no super user of "east"/)
  })
})
