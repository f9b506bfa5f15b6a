// What comes back and what goes away in the middle of a run: the old active of a failover, before and after the standby is promoted,
// a broker of the standby, and the producers of a link that the standby's brokers have forgotten.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { LAB_USERS } from '../../src/lab/lab.ts'
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import type { RunReport, StepName } from '../../src/model/runs.ts'
import { saslOf } from '../support/judge.ts'
import { faultRow } from '../support/fault-rows.ts'
import { freshTopic, waitFor, withLab } from '../support/lab.ts'
import {
  adminOf,
  BARE_TARGET_ACLS,
  type KdrProcess,
  type Link,
  type LinkSpec,
  makeLink,
  SOURCE_ACLS,
} from '../support/link.ts'
import { begins, ended, reportIn } from '../support/moves.ts'
import { linkStatus } from '../support/status.ts'
import { suite } from '../support/suite.ts'
import { appendAs, connectTo, freshLink, producerOf } from '../support/ways-out.ts'

const isShort = suite === 'short'
const long = { skip: isShort && 'in make test-full' }
const PARTITIONS = 3
const MORE = 3_000

const context = withLab([
  {
    name: 'east',
    security: 'acl',
    // A fence watches the ends for longer than this.
    properties: { 'broker.session.timeout.ms': '4000', 'broker.heartbeat.interval.ms': '500' },
  },
  {
    name: 'west',
    security: 'acl',
    brokers: isShort ? 1 : 3,
    // The brokers look often for producers and transactional ids to forget.
    properties: {
      'producer.id.expiration.check.interval.ms': '500',
      'transactional.id.expiration.ms': '4000',
      'transaction.remove.expired.transaction.cleanup.interval.ms': '500',
    },
  },
])
const at = (name: string) => adminOf(context.cluster(name))
const asApp = () => ({
  bootstrap: context.cluster('east').bootstrap,
  properties: {
    ...saslOf('app', LAB_USERS.app),
    'delivery.timeout.ms': '5000',
    'request.timeout.ms': '4000',
  },
})
const SUPER_USER = { username: 'admin', password: LAB_USERS.admin }

type Copied = { readonly link: Link; readonly topic: string }

/** A link that has copied 30 records of an application. */
async function copiedLink(spec: Partial<LinkSpec> = {}): Promise<Copied> {
  const { judge } = context
  const topic = freshTopic('moved')
  await judge.createTopic({ ...at('east'), topic, partitions: PARTITIONS })
  await judge.createAcls({
    ...at('east'),
    acls: [{ type: 'TOPIC', name: topic, principal: 'User:app', operation: 'WRITE' }],
  })
  await judge.produce({ ...at('east'), topic, count: 30 })
  const link = makeLink({
    name: freshLink(),
    source: context.cluster('east'),
    target: context.cluster('west'),
    user: SUPER_USER,
    ...spec,
    settings: { topics: [topic], ...spec.settings },
  })
  const { code, stderr } = await link.run('run', '--once')
  assert.equal(code, 0, stderr)
  return { link, topic }
}

const PROBE = {
  fence: {
    probe: { sasl: { mechanism: 'plain', username: 'app', password: 'env:KDR_TEST_APP' } },
  },
}

/** Not idempotent: such a one, when it starts, is refused because there is no topic at all that it may write to. */
const write = async (topic: string, count: number): Promise<string> =>
  await context.judge.produce({ ...asApp(), topic, count, idempotent: false }).then(() => 'written', String)

const stepOf = ({ steps }: RunReport, name: StepName) => steps.find(step => step.name === name)!
/** The steps that it has done, in the order in which it said so. */
const movesOf = ({ stdout }: KdrProcess): string[] =>
  stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as { step?: string; state: string })
    .flatMap(({ step, state }) => (step !== undefined && state === 'done' ? [step] : []))

type Moving = Copied & { readonly failover: KdrProcess; readonly run: string }

async function failingOver(copied: Copied): Promise<Moving> {
  const failover = copied.link.start('failover', copied.link.name, '--yes', '--json-lines')
  return { ...copied, failover, run: await begins(failover, 'preflight') }
}

const denialsAtEast = async (topic: string): Promise<unknown[]> =>
  (await context.judge.describeAcls(at('east'))).filter(
    ({ permission, name }) => permission === 'DENY' && name === topic,
  )

describe('in the middle of a run', { concurrency: 1 }, () => {
  before(async () => {
    process.env['KDR_TEST_APP'] = LAB_USERS.app
    await context.judge.createAcls({ ...at('east'), acls: SOURCE_ACLS })
    await context.judge.createAcls({ ...at('west'), acls: BARE_TARGET_ACLS })
  })

  describe('the old active of two failovers comes back', () => {
    /** One stands still before it promotes the standby, the other one has promoted it. */
    let early: Moving
    let late: Moving

    before(async () => {
      const first = await copiedLink({ settings: PROBE })
      const second = await copiedLink()
      const redirect = [{ command: { apply: 'touch at-redirect; while [ ! -e go ]; do sleep 0.1; done' } }]
      second.link.configure({ topics: [second.topic], ...PROBE, redirect })
      const folder = dirname(second.link.config)
      await context.cluster('east').kill()
      early = await failingOver(first)
      early.failover.signal('SIGSTOP')
      late = await failingOver(second)
      await waitFor(() => late.failover.hasEnded || existsSync(join(folder, 'at-redirect')), {
        what: 'the redirect to begin',
      })
      await context.cluster('east').start()
      assert.equal(await write(first.topic, 5), 'written')
      assert.equal(await write(second.topic, 3), 'written')
      early.failover.signal('SIGCONT')
      writeFileSync(join(folder, 'go'), '')
    })

    faultRow('P08', 'before the standby is promoted', async row => {
      const { link, topic, run, failover } = early
      row.did(
        'kdr failover of a cluster that was killed, which is started again before the standby is promoted; an application writes to it',
      )
      const { code, stdout, stderr } = await failover.ended
      assert.equal(code, 21, `${stderr}\n${stdout}`)
      const stopped = reportIn(stdout)
      assert.deepEqual([stopped.state, stopped.stoppedBy], ['stopped', 'active-is-back'])
      assert.equal(
        stopped.sentence,
        `"east" answers again, and its applications may write to it. To fence it and go on: kdr failover ${link.name} --resume ${run}`,
      )
      assert.deepEqual(
        [stepOf(stopped, 'promote').state, stepOf(stopped, 'redirect').state],
        ['failed', 'waiting'],
      )
      assert.equal((await linkStatus(link)).generation, 1)
      // Nobody has said yet how it goes on.
      assert.deepEqual(await denialsAtEast(topic), [])
      assert.equal(await write(topic, 2), 'written')
      row.saw('exit 21, with what resumes the run; nothing was promoted, and nothing denied')
      row.did('kdr failover --resume')

      const resumed = link.start('failover', link.name, '--yes', '--json-lines', '--resume', run)
      const report = await ended(resumed)
      assert.deepEqual([report.run, report.state, report.fence.state], [run, 'done', 'proven'])
      const moves = movesOf(resumed)
      assert.ok(moves.indexOf('fence-applications') < moves.indexOf('promote'), moves.join())
      await assertFenced(early, report, 7)
      row.saw(
        'its applications were fenced, which every leader proved, and then the standby was promoted; what they had written meanwhile is lost, and counted',
      )
    })

    faultRow('P08', 'after the standby was promoted', async row => {
      const { link, run, failover } = late
      row.did('the same, and it is started again while applications are redirected')
      const report = await ended(failover)
      assert.deepEqual([report.run, report.state, report.fence.state], [run, 'done', 'proven'])
      const moves = movesOf(failover)
      assert.ok(moves.indexOf('promote') < moves.indexOf('fence-applications'), moves.join())
      assert.ok(moves.indexOf('fence-applications') < moves.indexOf('canary'), moves.join())
      // Nothing is told twice.
      assert.equal(moves.length, new Set(moves).size, moves.join())
      await assertFenced(late, report, 3)
      row.saw('the same run fenced its applications, looked who still writes there, and then reported')
      row.did('kdr run --once')
      const copying = await link.run('run', '--once')
      assert.equal(copying.code, 17, copying.stderr)
      assert.match(copying.stderr, /was moved by a failover/)
      row.saw('nothing is copied from it: exit 17')
    })

    faultRow(
      'P09',
      'with ACLs: the applications stay out until they are led home',
      { suite: 'full' },
      async row => {
        const { link, topic, failover } = late
        await failover.ended
        row.did('kdr failback, with ACLs and the credentials of an application (fence.probe)')
        const folder = mkdtempSync(join(tmpdir(), 'kdr-export-'))
        const flags = ['--export', folder, '--recopy', topic, '--yes', '--json-lines'] as const
        const failback = link.start('failback', link.name, ...flags)
        await begins(failback, 'export')
        assert.match(await write(topic, 1), /TopicAuthorization/)
        const report = await ended(failback)
        assert.deepEqual([report.state, report.fence.state, report.stranded?.records], ['done', 'proven', 3])
        assert.match(stepOf(report, 'fence-returned').what, /every leader refuses User:app/)
        // Its own rights there kdr has taken from itself.
        const denied = (await denialsAtEast(topic)) as { principal: string }[]
        assert.deepEqual([...new Set(denied.map(({ principal }) => principal))], ['User:admin'])
        assert.equal(await write(topic, 1), 'written')
        const { home, source, generation } = await linkStatus(link)
        assert.deepEqual([home, source, generation], [true, 'east', 4])
        row.saw(
          'the fence at the old cluster was proven before anything was read, and lifted when it was promoted',
        )
      },
    )

    /** What an application was told is written, and the standby never had, is what the report says is lost. */
    async function assertFenced({ link, topic }: Moving, report: RunReport, written: number): Promise<void> {
      assert.match(await write(topic, 1), /TopicAuthorization/)
      assert.equal((await denialsAtEast(topic)).length, 1)
      assert.deepEqual([report.rpo.records, report.stillWriting], [written, []])
      const { state, generation, source } = await linkStatus(link)
      assert.deepEqual([state, generation, source], ['promoted', 2, 'west'])
    }
  })

  describe('a broker of the standby is lost', long, () => {
    for (const step of ['drain', 'final-sync', 'fence-link', 'promote'] as const)
      test(`when the run begins ${step}: it comes to the same end`, async t => {
        const { judge } = context
        const { link, topic } = await copiedLink({
          settings: { fence: { acl: false }, overrides: [{ topics: ['*'], replicationFactor: 3 }] },
        })
        // Nobody else copies: the run does.
        await judge.produce({ ...at('east'), topic, count: MORE })
        const west = context.cluster('west')
        const admin = await connectTo(west)
        const topics = await waitFor(
          async () => {
            const view = await admin.describe()
            const partitions = [...view.topics.values()].flatMap(each => each.partitions)
            // Also the one that was lost before.
            return partitions.every(({ replicas, isr }) => isr.length === replicas.length) && view.topics
          },
          { what: 'all brokers to hold all' },
        ).finally(async () => await admin.close())
        // The one that leads the run's own memory; of the first run there is none yet.
        const lost = (topics.get('_kdr.journal') ?? topics.get('_kdr.state'))?.partitions[0]?.leader ?? 1
        const flags = ['--yes', '--accept-split-brain', '--json-lines'] as const
        const switchover = link.start('switchover', link.name, ...flags)
        const run = await begins(switchover, step)
        await west.kill(lost)
        try {
          let { code, stdout, stderr } = await switchover.ended
          t.diagnostic(`exit ${String(code)}: ${reportIn(stdout).sentence ?? 'done'}`)
          if (code !== 0) {
            assert.match(`${stdout}${stderr}`, new RegExp(`--resume ${run}`))
            ;({ code, stdout, stderr } = await link.start('switchover', link.name, ...flags, '--resume', run)
              .ended)
          }
          assert.equal(code, 0, `${stderr}\n${stdout}`)
          const report = reportIn(stdout)
          assert.deepEqual(
            [report.run, report.state, report.rpo.records, report.rpo.basis],
            [run, 'done', 0, 'exact'],
          )
          const { partitions } = await judge.compare({ a: at('east'), b: at('west'), topics: [topic] })
          assert.equal(partitions.length, PARTITIONS)
          for (const each of partitions)
            assert.deepEqual([each.onlyA, each.onlyB, each.different], [0, 0, 0], JSON.stringify(each))
          // One marker fenced the link, in each.
          assert.equal(
            report.rpo.partitions.reduce((sum, { cut }) => sum + cut, 0),
            30 + MORE,
          )
          const { generation, source } = await linkStatus(link)
          assert.deepEqual([generation, source], [2, 'west'])
        } finally {
          await west.start(lost)
        }
      })
  })

  describe('the brokers of the standby have forgotten who writes for the link', () => {
    const expireAfter = async (ms: number | null) =>
      await context.judge.alterConfigs({
        ...at('west'),
        broker: '',
        configs: { 'producer.id.expiration.ms': ms === null ? null : String(ms) },
      })
    after(async () => await expireAfter(null))

    async function forgotten(topic: string): Promise<void> {
      const target = await connectTo(context.cluster('west'))
      const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic, partition }))
      const left = async () => (await target.producers(partitions)).flatMap(({ producers }) => producers)
      try {
        await waitFor(async () => (await left()).length === 0, { what: 'the producers to be forgotten' })
      } finally {
        await target.close()
      }
    }

    test('with cluster rights it is fenced all the same', async () => {
      const { link, topic } = await copiedLink({ settings: { fence: { acl: false } } })
      await expireAfter(1_000)
      await forgotten(topic)
      await expireAfter(null)
      const target = await connectTo(context.cluster('west'))
      try {
        const before = await producerOf(link, target)
        const report = await ended(
          link.start('failover', link.name, '--yes', '--accept-split-brain', '--json-lines'),
        )
        assert.match(
          stepOf(report, 'fence-link').what,
          /newer epoch on 3 partition\(s\), as their leaders say/,
        )
        const late = await appendAs(target, topic, { producer: before, count: 1, isNew: true })
        assert.equal(late.code, KafkaCode.INVALID_PRODUCER_EPOCH)
        assert.deepEqual([report.state, report.rpo.records], ['done', 0])
      } finally {
        await target.close()
      }
    })

    test(
      'without them, and its transactional ids forgotten too, it says that it is not fenced',
      long,
      async () => {
        const { link, topic } = await copiedLink({
          user: { username: 'kdr', password: LAB_USERS.kdr },
          settings: { fence: { acl: false, command: 'true' } },
        })
        await expireAfter(1_000)
        await forgotten(topic)
        const target = await connectTo(context.cluster('west'))
        try {
          const { producerId } = await producerOf(link, target)
          await waitFor(async () => (await target.transactionsOf([producerId])).transactions.length === 0, {
            what: 'the transactional ids to be forgotten',
            everyMs: 200,
          })
        } finally {
          await target.close()
        }
        const { code, stdout, stderr } = await link.start('failover', link.name, '--yes', '--json-lines')
          .ended
        assert.equal(code, 15, `${stderr}\n${stdout}`)
        const stopped = reportIn(stdout)
        assert.deepEqual([stopped.state, stopped.stoppedBy], ['stopped', 'not-fenced'])
        assert.match(
          stepOf(stopped, 'fence-link').what,
          /are not fenced on 3 partition\(s\) of "west": .*has another producer id by now/,
        )
        const accepted = ['--yes', '--accept-split-brain', '--json-lines', '--resume', stopped.run] as const
        const report = await ended(link.start('failover', link.name, ...accepted))
        assert.deepEqual([report.state, report.acceptedSplitBrain], ['done', true])
        assert.match(
          stepOf(report, 'fence-link').what,
          /on 0 partition\(s\).*; 3 are not, which was accepted/,
        )
      },
    )
  })
})
