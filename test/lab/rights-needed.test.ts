// A link lives on exactly the rights that `kdr config acls` prints, with and without rights on the target cluster; and each of them
// is needed: without any one of them something does not work any more, and kdr says what.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { NEEDED_RIGHTS, type Scenario } from '../../src/model/needed-rights.ts'
import type { Acl } from '../support/judge.ts'
import { kafkaAclsOnPath } from '../support/kafka-tools.ts'
import { freshTopic, withLab } from '../support/lab.ts'
import { adminOf, assertIdentical, type Link, makeLink } from '../support/link.ts'
import { giveExactly as giveExactlyAt, type Line, printedLines } from '../support/printed-rights.ts'
import { linkStatus } from '../support/status.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full'
const context = withLab(
  skip === false
    ? [
        { name: 'east', security: 'acl' },
        { name: 'west', security: 'acl' },
      ]
    : [],
)
const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const at = (name: string) => adminOf(context.cluster(name))

/** Everything of it begins with one word, so that its rights can be said as a beginning. */
type Played = { readonly link: Link; readonly prefix: string; readonly topic: string; readonly group: string }

function newLink(): Played {
  const prefix = `${freshTopic('need')}-`
  const link = makeLink({
    name: freshTopic('needs'),
    ...sides(),
    settings: { topics: [`${prefix}*`], groups: [`${prefix}*`] },
  })
  return { link, prefix, topic: `${prefix}orders`, group: `${prefix}readers` }
}

/** Ten records, an aborted transaction between them and two more, and a group. */
async function fill({ topic, group }: Played): Promise<void> {
  const { judge } = context
  await judge.createTopic({ ...at('east'), topic })
  await judge.produce({ ...at('east'), topic, count: 10 })
  await judge.produce({ ...at('east'), topic, transactionalId: topic, count: 3, end: 'abort' })
  await judge.produce({ ...at('east'), topic, count: 2 })
  await judge.alterGroupOffsets({ ...at('east'), group, offsets: [{ topic, partition: 0, offset: 7 }] })
}

/** What `kdr config acls` is made of. */
const linesOf = async ({ link }: Played, hasClusterRights: boolean): Promise<Line[]> =>
  await printedLines(link.config, 'run', hasClusterRights)

const giveExactly = async (lines: readonly Line[]): Promise<void> =>
  await giveExactlyAt(context, ['east', 'west'], lines)

async function assertMirrored(
  { link, topic, group }: Played,
  way: 'markers' | 'empty transactions',
): Promise<void> {
  const { judge } = context
  const ran = await link.run('run', '--once', '-v')
  assert.equal(ran.code, 0, ran.stderr + ran.stdout)
  assert.match(ran.stderr, new RegExp(`filled by ${way}`))
  await assertIdentical(judge, sides(), [topic])
  const [offset] = await judge.groupOffsets({ ...at('west'), group })
  assert.equal(offset?.offset, 7)
  const verified = await link.run('verify', link.name)
  assert.equal(verified.code, 0, verified.stdout + verified.stderr)
}

describe('exactly the rights that are printed', { concurrency: 1, skip }, () => {
  test('with rights on the target cluster: records, gaps by markers, groups, ACLs and quotas', async () => {
    const played = newLink()
    await giveExactly(await linesOf(played, true))
    await fill(played)
    const rule: Acl = { type: 'TOPIC', name: played.topic, principal: 'User:app', operation: 'READ' }
    await context.judge.createAcls({ ...at('east'), acls: [rule] })
    await assertMirrored(played, 'markers')
    const { acls, quotas, users } = await linkStatus(played.link)
    assert.deepEqual(
      [acls.state, acls.synced, quotas.problem, users.problem],
      ['followed', 1, undefined, undefined],
    )
  })

  test('without: gaps by empty transactions, and what cannot follow says which right it wants', async () => {
    const played = newLink()
    await giveExactly(await linesOf(played, false))
    await fill(played)
    const rule: Acl = { type: 'TOPIC', name: played.topic, principal: 'User:app', operation: 'READ' }
    await context.judge.createAcls({ ...at('east'), acls: [rule] })
    await assertMirrored(played, 'empty transactions')
    const { acls } = await linkStatus(played.link)
    assert.equal(acls.state, 'refused')
    assert.match(acls.problem ?? '', /it needs (DESCRIBE|ALTER) on the cluster/)
  })

  test('the printed text is a script that gives them', {
    skip: suite === 'short' && 'in make test-full',
  }, async () => {
    const { judge } = context
    const played = newLink()
    for (const name of ['east', 'west']) await judge.deleteAcls({ ...at(name) })
    const { path, login } = await kafkaAclsOnPath(context.cluster('east'))
    const printed = await played.link.run('config', 'acls', '--for', 'run', '--command-config', login)
    assert.equal(printed.code, 0, printed.stderr)
    await promisify(execFile)('/bin/sh', ['-e', '-c', printed.stdout], {
      env: { ...process.env, PATH: `${path}:${process.env['PATH'] ?? ''}` },
    })
    const wanted = await linesOf(played, true)
    for (const name of ['east', 'west']) {
      const text = ({ type, pattern = 'LITERAL', name: on, operation }: Acl): string =>
        `${operation} ${type} ${pattern} ${on ?? ''}`
      const given = (await judge.describeAcls(at(name))).map(text).toSorted()
      const lines = wanted.filter(line => line.cluster === name).map(({ acl }) => text(acl))
      assert.deepEqual(given, lines.toSorted())
    }
    await fill(played)
    await assertMirrored(played, 'markers')
  })
})

/** What is done at the source that takes the right; the others are played elsewhere, where they can be in time. */
const ACTS: Partial<Record<Scenario, (played: Played) => Promise<void>>> = {
  records: async ({ topic }) => void (await context.judge.produce({ ...at('east'), topic, count: 5 })),
  gaps: async ({ topic }) =>
    void (await context.judge.produce({
      ...at('east'),
      topic,
      transactionalId: topic,
      count: 3,
      end: 'abort',
    })),
  'new-topic': async ({ prefix }) => {
    await context.judge.createTopic({ ...at('east'), topic: `${prefix}new` })
    await context.judge.produce({ ...at('east'), topic: `${prefix}new`, count: 5 })
  },
  'new-partitions': async ({ topic }) =>
    await context.judge.createPartitions({ ...at('east'), topic, count: 2 }),
  'log-start': async ({ topic }) =>
    void (await context.judge.deleteRecords({ ...at('east'), topic, partition: 0, before: 5 })),
  configs: async ({ topic }) =>
    await context.judge.alterConfigs({ ...at('east'), topic, configs: { 'segment.ms': '86400000' } }),
  groups: async ({ topic, group }) =>
    await context.judge.alterGroupOffsets({
      ...at('east'),
      group,
      offsets: [{ topic, partition: 0, offset: 8 }],
    }),
  acls: async ({ topic }) =>
    await context.judge.createAcls({
      ...at('east'),
      acls: [{ type: 'TOPIC', name: topic, principal: 'User:app', operation: 'READ' }],
    }),
  quotas: async ({ topic }) =>
    await context.judge.setQuota({ ...at('east'), clientId: topic, quotas: { producer_byte_rate: 1e9 } }),
  'which-way': async () => {},
  start: async () => {},
}

const ELSEWHERE: Partial<Record<Scenario, string>> = {
  'hanging-transaction': 'link-status.test.ts: a transaction that kdr may not see',
  'deleted-groups': 'groups-sync.test.ts: what is deleted at the source goes an hour later',
}

/** Where kdr says what it could not do, and the right follows from that; otherwise its sentence has the operation. */
const SAID: Readonly<Record<string, RegExp>> = {
  'source TOPIC DESCRIBE_CONFIGS':
    /configs of ".*" cannot be read at the source: .*kdr needs DESCRIBE_CONFIGS on it/,
  'source _kdr.state READ':
    /kept at "west" alone: topic "_kdr\.state" cannot be read: .*kdr needs READ on it/,
  'source _kdr.state WRITE':
    /kept at "west" alone: topic "_kdr\.state" cannot be written: .*kdr needs WRITE on it/,
  'target TOPIC READ': /--operation Read --operation Write/,
  'target TOPIC WRITE': /--operation Read --operation Write/,
  'target _kdr.state READ': /topic "_kdr\.state" cannot be read: .*kdr needs READ on it/,
  'target _kdr.state WRITE': /topic "_kdr\.state" cannot be written: .*kdr needs WRITE on it/,
  // It goes with the other one.
  'target CLUSTER ALTER_CONFIGS': /kdr needs DESCRIBE_CONFIGS on the cluster/,
}
/** Made anew, so that they must be made and written. */
const WITHOUT_STATE: readonly string[] = ['source _kdr.state CREATE', 'source _kdr.state WRITE']

describe('each right is needed', { concurrency: 1, skip }, () => {
  test('every line of the table is played, here or elsewhere', () => {
    const scenarios = NEEDED_RIGHTS.filter(({ role }) => role === 'source' || role === 'target')
    for (const { scenario } of scenarios)
      assert.ok(ACTS[scenario] !== undefined || ELSEWHERE[scenario] !== undefined, scenario)
  })

  for (const hasClusterRights of [true, false])
    test(`of a link ${hasClusterRights ? 'with' : 'without'} rights on the target cluster`, async t => {
      const all = await linesOf(newLink(), hasClusterRights)
      for (const [index, { cluster, grant }] of all.entries()) {
        const [scenario] = grant.scenarios
        const isOwn = grant.name.startsWith('_kdr.')
        // Those that do not differ are played once.
        if (!hasClusterRights && !['CLUSTER', 'TRANSACTIONAL_ID'].includes(grant.type)) continue
        if (!hasClusterRights && cluster === 'east') continue
        if (scenario === undefined || ELSEWHERE[scenario] !== undefined) continue
        const side = cluster === 'east' ? 'source' : 'target'
        const what = `${side} ${isOwn && grant.type === 'TOPIC' ? grant.name : grant.type} ${grant.operation}`
        await t.test(`${what}: ${scenario}`, async () => {
          const played = newLink()
          const lines = await linesOf(played, hasClusterRights)
          await giveExactly(lines)
          await fill(played)
          if (scenario === 'start') await forgetAll()
          else assert.equal((await played.link.run('run', '--once')).code, 0)

          const taken = lines[index]!
          await context.judge.deleteAcls({ ...at(taken.cluster), acls: [taken.acl] })
          await ACTS[scenario]!(played)
          if (WITHOUT_STATE.includes(what))
            await context.judge.deleteTopic({ ...at('east'), topic: '_kdr.state' })
          // A broker learns of rules a moment after the controller.
          await sleep(500)
          // Alone a worker needs no group.
          const said =
            scenario === 'start' && grant.type === 'GROUP' ? await asDaemon(played) : await once(played)
          assert.match(
            said,
            SAID[what] ?? new RegExp(`\\b${grant.operation}\\b`),
            `${what} is not named:\n${said}`,
          )

          await context.judge.createAcls({ ...at(taken.cluster), acls: [taken.acl] })
          await sleep(500)
          const again = await played.link.run('run', '--once')
          assert.equal(again.code, 0, again.stderr + again.stdout)
          await assertIdentical(context.judge, sides(), [played.topic])
        })
      }
    })
})

async function once({ link }: Played): Promise<string> {
  const ran = await link.run('run', '--once', '-v', '--timeout', '20s')
  const shown = await link.run('status', '--json')
  return [ran.stderr, ran.stdout, shown.stderr, shown.stdout].join('\n')
}

async function asDaemon({ link }: Played): Promise<string> {
  const daemon = link.start('run', '-v')
  await daemon.says(/cannot be joined/).catch(() => undefined)
  daemon.signal('SIGTERM')
  return (await daemon.ended).stderr
}

async function forgetAll(): Promise<void> {
  for (const name of ['east', 'west'])
    await context.judge.deleteTopic({ ...at(name), topic: '_kdr.state' }).catch(() => {})
}
