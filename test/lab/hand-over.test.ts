// One application goes first: its topics become a link of their own, under load and while `kdr run` copies them; that link moves there and
// comes home while the others are mirrored on. All that was acknowledged is there, and each group has had it once. Last the source dies,
// and the parts fail over one after the other.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PlanRunReport } from '../../src/model/plan-runs.ts'
import type { RunReport } from '../../src/model/runs.ts'
import { waitFor, withLab } from '../support/lab.ts'
import { Hook, ledgerOf, PROTOCOLS, type Reader, type Writer } from '../support/ledger.ts'
import {
  adminOf,
  type KdrProcess,
  type KdrResult,
  runKdrHere,
  startKdr,
  untilIdentical,
} from '../support/link.ts'
import { suite } from '../support/suite.ts'

/** In simulation, with every call killed: test/sim/hand-over.test.ts. */
const long = { skip: suite === 'short' && 'in make test-full' }
const QUICK = { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' }
const context = withLab(
  suite === 'short'
    ? []
    : [
        { name: 'east', properties: QUICK },
        { name: 'west', properties: QUICK },
      ],
)
const at = (name: string) => adminOf(context.cluster(name))
const { startWriters, startReaders, makeTopics, auditsOf, reached } = ledgerOf(context)
const LOAD_MS = 1_500

const dir = mkdtempSync(join(tmpdir(), 'kdr-hand-over-'))
const file = join(dir, 'kdr.yaml')
const [stopReaders, stopWriters] = [new Hook(), new Hook()]

function configure(isSplit: boolean): void {
  const side = (name: string) => ({ bootstrap: context.cluster(name).bootstrap })
  const way = { source: 'east', target: 'west', sync: { groups: '1s' } }
  const pay = {
    ...way,
    topics: ['hand-pay*'],
    consumers: { stop: stopReaders.command },
    fence: { command: stopWriters.command },
  }
  const links = isSplit
    ? { region: { ...way, topics: ['hand-*', '!hand-pay*'] }, pay }
    : { region: { ...way, topics: ['hand-*'] } }
  const plans = isSplit ? { all: { links: ['region', 'pay'] } } : {}
  const clusters = { east: side('east'), west: side('west') }
  writeFileSync(file, JSON.stringify({ clusters, links, plans }))
}

const kdr = async (...args: string[]): Promise<KdrResult> => await runKdrHere([...args, '--config', file])

/** While an operator stops the applications, when it asks for that. */
async function moved<T>(args: readonly string[], readers: readonly Reader[], writers: readonly Writer[]) {
  const { judge } = context
  const moving = startKdr([...args, '--yes', '--json', '--config', file]).ended
  await stopReaders.serve(async () => {
    for (const { consumer } of readers) await judge.stopConsumer({ consumer })
  })
  await stopWriters.serve(async () => {
    for (const { workload } of writers) await judge.stopWorkload({ workload })
  })
  const { code, stdout, stderr } = await moving
  assert.equal(code, 0, `${stderr}\n${stdout}`)
  for (const hook of [stopReaders, stopWriters]) hook.forget()
  return JSON.parse(stdout) as T
}

/** The applications go on at `to`: nothing is lost, and no group has had anything twice. */
async function assertMoved(
  to: string,
  report: RunReport,
  { topics, readers, writers }: Application,
): Promise<void> {
  const { judge } = context
  assert.deepEqual([report.state, report.rpo.records, report.groups], ['done', 0, []])
  const later = await startReaders(to, topics)
  for (const reader of later) await reached(to, reader, topics)
  for (const { consumer } of later) await judge.stopConsumer({ consumer })
  for (const [index] of PROTOCOLS.entries()) {
    const consumers = [readers[index]!.consumer, later[index]!.consumer]
    for (const { topic, audit } of await auditsOf(to, report, writers, consumers))
      assert.deepEqual([audit.lost, audit.problems], [0, 0], `${topic}: ${JSON.stringify(audit)}`)
    await assertOnce(writers, consumers)
  }
}

async function assertOnce(writers: readonly Writer[], consumers: readonly string[]): Promise<void> {
  for (const { workload } of writers) {
    const { duplicates, missing } = await context.judge.auditConsumers({ workload, consumers })
    assert.deepEqual([duplicates, missing], [0, 0])
  }
}

type Application = {
  readonly topics: readonly string[]
  readonly readers: readonly Reader[]
  readonly writers: readonly Writer[]
}

async function application(name: string, prefix: string): Promise<Application> {
  const topics = await makeTopics(name, prefix)
  const readers = await startReaders(name, topics)
  const writers = await startWriters(name, topics)
  return { topics, readers, writers }
}

type Links = readonly {
  name: string
  state: string
  source: string
  unreported?: readonly string[]
  topics: readonly { name: string; state: string }[]
}[]

/** All of it: a worker that has just begun has told of nothing yet. */
const isMirroring = ({ state, unreported, topics }: Links[number]): boolean =>
  state === 'mirroring' && unreported === undefined && topics.every(topic => topic.state === 'mirroring')

async function untilMirroring(sources: Readonly<Record<string, string>>): Promise<Links> {
  let seen = ''
  return await waitFor(
    async () => {
      const { stdout } = await kdr('status', '--json')
      const { links } = JSON.parse(stdout) as { links: Links }
      seen = JSON.stringify(links.map(({ name, state, source }) => [name, state, source]))
      const isSo = Object.entries(sources).every(([name, source]) =>
        links.some(link => link.name === name && link.source === source && isMirroring(link)),
      )
      return isSo && links
    },
    { what: () => `the links to mirror; they are ${seen}`, everyMs: 500 },
  )
}

describe('one application goes first', long, () => {
  let daemon: KdrProcess | undefined
  after(() => {
    daemon?.signal('SIGKILL')
    for (const hook of [stopReaders, stopWriters]) hook.forget()
    rmSync(dir, { recursive: true, force: true })
  })
  const east = () => context.cluster('east')
  const west = () => context.cluster('west')
  const all: string[] = []

  test('and comes home, while the others are mirrored on', async () => {
    const { judge } = context
    configure(false)
    daemon = startKdr(['run', '--config', file])
    const stock = await application('east', 'hand-stock-')
    const pay = await application('east', 'hand-pay-')
    await daemon.says(/behind/)
    await sleep(LOAD_MS)
    configure(true)
    const unhanded = await kdr('switchover', 'region', '--topic', 'hand-pay-*', '--yes')
    assert.equal(unhanded.code, 2, unhanded.stderr)
    const [, command = ''] = /(link hand-over region pay);/.exec(unhanded.stderr) ?? []
    const handed = await kdr(...command.split(' '), '--yes', '--json')
    assert.equal(handed.code, 0, handed.stderr)
    assert.deepEqual((JSON.parse(handed.stdout) as { topics: string[] }).topics, pay.topics.toSorted())
    daemon.signal('SIGHUP')
    const links = await untilMirroring({ region: 'east', pay: 'east' })
    assert.deepEqual(
      links.map(({ name, topics }) => [name, topics.map(topic => topic.name).toSorted()]),
      [
        ['region', stock.topics.toSorted()],
        ['pay', pay.topics.toSorted()],
      ],
    )
    await sleep(LOAD_MS)

    const there = await moved<PlanRunReport>(
      ['switchover', 'all', '--topic', 'hand-pay*'],
      pay.readers,
      pay.writers,
    )
    assert.deepEqual(there.scope, { plan: 'all', links: ['pay'], topics: { pay: ['hand-pay*'] } })
    await assertMoved('west', there.runs[0]!, pay)
    await untilMirroring({ region: 'east', pay: 'west' })
    for (const topic of pay.topics) await untilIdentical(judge, { source: west(), target: east() }, topic)

    const payAtWest = await application('west', 'hand-pay2-')
    await untilMirroring({ region: 'east', pay: 'west' })
    await sleep(LOAD_MS)
    const home = await moved<RunReport>(['failback', 'pay'], payAtWest.readers, payAtWest.writers)
    await assertMoved('east', home, payAtWest)
    await untilMirroring({ region: 'east', pay: 'east' })

    // The others have been at it all the while, where they were.
    for (const { workload } of stock.writers) await judge.stopWorkload({ workload })
    for (const reader of stock.readers) await reached('east', reader, stock.topics)
    for (const { consumer } of stock.readers) await judge.stopConsumer({ consumer })
    for (const { consumer } of stock.readers) await assertOnce(stock.writers, [consumer])
    all.push(...stock.topics, ...pay.topics, ...payAtWest.topics)
    for (const topic of all) await untilIdentical(judge, { source: east(), target: west() }, topic)
    for (const link of ['region', 'pay']) {
      const { code, stdout } = await kdr('verify', link, '--json')
      const { identical } = JSON.parse(stdout) as { identical: boolean }
      assert.deepEqual([code, identical], [0, true], stdout)
    }
  })

  test('a group that reads topics of both stands in the way, and is named', async () => {
    const { judge } = context
    const both = [all[0]!, all.find(topic => topic.startsWith('hand-pay-'))!]
    const { consumer } = await judge.startConsumer({
      ...at('east'),
      group: 'hand-both',
      topics: both,
      protocol: 'classic',
      isolation: 'committed',
    })
    await reached('east', { group: 'hand-both', consumer }, both)
    await judge.stopConsumer({ consumer })
    const { code, stderr } = await kdr('switchover', 'pay', '--yes')
    assert.equal(code, 17, stderr)
    assert.match(stderr, /group "hand-both" reads topics of link "pay", and "hand-stock-\d" of link "region"/)
    const whole = await kdr('switchover', 'all', '--dry-run')
    assert.equal(whole.code, 0, whole.stderr)
    assert.doesNotMatch(whole.stdout, /hand-both" reads/)
    await judge.deleteGroup({ ...at('east'), group: 'hand-both' })
  })

  test('and where the source is lost, first too', async () => {
    await east().kill()
    const first = await kdr(
      'failover',
      'all',
      '--topic',
      'hand-pay*',
      '--yes',
      '--accept-split-brain',
      '--json',
    )
    assert.equal(first.code, 0, first.stderr)
    const { scope, state } = JSON.parse(first.stdout) as PlanRunReport
    assert.deepEqual([scope.links, state], [['pay'], 'done'])
    const rest = await kdr('failover', 'all', '--yes', '--accept-split-brain', '--json')
    assert.equal(rest.code, 0, rest.stderr)
    const { steps } = JSON.parse(rest.stdout) as PlanRunReport
    assert.deepEqual(
      steps.map(each => [each.link, each.state]),
      [
        ['region', 'done'],
        ['pay', 'skipped'],
      ],
    )
    for (const topic of all) await context.judge.produce({ ...at('west'), topic, count: 5 })
  })
})
