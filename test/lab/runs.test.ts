// Applications move to the standby and back: a switchover there, the link turns around, a switchover home, and at last a failover from a
// cluster that is killed. Java's clients write and read; their ledger says what must be there. `kdr run` lives all the time.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { type RunReport, type StepName, STEPS } from '../../src/model/runs.ts'
import { faultRow } from '../support/fault-rows.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import { adminOf, type KdrProcess, type Link, makeLink, untilIdentical } from '../support/link.ts'
import { begins, ended } from '../support/moves.ts'
import { linkStatus } from '../support/status.ts'
import { suite } from '../support/suite.ts'

const context = withLab([{ name: 'east' }, { name: 'west' }])
const side = (name: string) => context.cluster(name)
const at = (name: string) => adminOf(side(name))

let link: Link
let daemon: KdrProcess
const TOPICS = ['move-a', 'move-b', 'move-t'].map(name => freshTopic(name))
/** Killed when it begins one of these. */
const KILLED_AT: readonly StepName[] = suite === 'short' ? ['promote'] : STEPS
const GROUP = freshTopic('move-group')

after(() => daemon?.signal('SIGKILL'))

const sides = (source: string, target: string) => ({ source: side(source), target: side(target) })

/** Some to each topic; transactions with aborted ones to the last. */
async function write(name: string, count: number): Promise<void> {
  const { judge } = context
  const [a, b, t] = TOPICS as [string, string, string]
  await judge.produce({ ...at(name), topic: a, count, compression: 'lz4' })
  await judge.produce({ ...at(name), topic: b, count })
  await judge.produce({ ...at(name), topic: t, count, transactionalId: freshTopic('tx'), end: 'commit' })
  await judge.produce({ ...at(name), topic: t, count: 10, transactionalId: freshTopic('tx'), end: 'abort' })
}

/** A member of the group reads `count` records more, commits and leaves. */
async function read(name: string, count: number): Promise<void> {
  const { judge } = context
  const { consumer } = await judge.startConsumer({
    ...at(name),
    group: GROUP,
    topics: TOPICS,
    isolation: 'committed',
  })
  let received = 0
  await waitFor(async () => (received = (await judge.consumer({ consumer })).received) >= count, {
    what: () => `${count} records for the group at ${name}: ${received}`,
  })
  const report = await judge.stopConsumer({ consumer })
  assert.equal(report.received, count)
}

/** A member of the group reads what is there, commits and leaves. */
async function readAll(name: string): Promise<void> {
  const { judge } = context
  const { consumer } = await judge.startConsumer({
    ...at(name),
    group: GROUP,
    topics: TOPICS,
    isolation: 'committed',
  })
  const ends = await judge.ends({ ...at(name), topics: TOPICS })
  await waitFor(
    async () => {
      const offsets = await judge.groupOffsets({ ...at(name), group: GROUP }).catch(() => [])
      const committed = new Map(offsets.map(each => [`${each.topic}/${each.partition}`, each.offset]))
      return ends.every(([topic, partition, end]) => committed.get(`${topic}/${partition}`) === end)
    },
    { what: `the group to reach the ends at ${name}`, everyMs: 100 },
  )
  await judge.stopConsumer({ consumer })
}

/** Which way the link leads: each test begins where the one before has left it. */
async function directionNow(): Promise<{ active: string; standby: string; generation: number }> {
  const { source, target, generation } = await linkStatus(link)
  return { active: source, standby: target, generation }
}

/** Nothing fences applications here: there is no authorizer. */
const ACCEPT = ['--yes', '--accept-split-brain'] as const

/** The standby's logs have one more marker each: that which fenced the link. */
async function assertSameRecords(): Promise<void> {
  const { partitions } = await context.judge.compare({ a: at('east'), b: at('west'), topics: TOPICS })
  for (const each of partitions)
    assert.deepEqual([each.onlyA, each.onlyB, each.different], [0, 0, 0], JSON.stringify(each))
}

async function identical(source: string, target: string): Promise<void> {
  for (const topic of TOPICS) await untilIdentical(context.judge, sides(source, target), topic)
}

describe('applications move', () => {
  before(async () => {
    const { judge } = context
    for (const topic of TOPICS)
      await judge.createTopic({
        ...at('east'),
        topic,
        partitions: 3,
        configs: { 'retention.ms': '86400000' },
      })
    link = makeLink({
      source: side('east'),
      target: side('west'),
      settings: { topics: ['move-*'], sync: { configs: '1s', groups: '1s' } },
    })
    daemon = link.start('run')
    await daemon.says(/behind/)
    await write('east', 300)
    for (const topic of TOPICS) await untilIdentical(judge, sides('east', 'west'), topic)
  })

  faultRow('P07', 'a switchover that nothing fences, and that is given up', async row => {
    row.did('kdr switchover of clusters without an authorizer, with no command that stops the applications')
    const stopped = await link.start('switchover', link.name, '--yes', '--json').ended
    assert.equal(stopped.code, 15, stopped.stderr)
    const report = JSON.parse(stopped.stdout) as RunReport
    assert.deepEqual([report.state, report.stoppedBy], ['stopped', 'not-fenced'])
    const again = await link.start('switchover', link.name, '--yes').ended
    assert.equal(again.code, 17, again.stderr)
    row.saw(
      'exit 15, before anything was changed for the link; another run is refused while that one is not over',
    )
    row.did('kdr runs abort')
    const given = await link.run('runs', 'abort', report.run, '--yes')
    assert.equal(given.code, 0, given.stderr)
    await write('east', 10)
    await identical('east', 'west')
    row.saw('the link goes on as before')
  })

  faultRow('P06', 'a switchover that is killed when it begins a step, and resumed', async row => {
    const { judge } = context
    const { active, standby, generation: before } = await directionNow()
    await readAll(active)
    await write(active, 100)
    row.did(
      `kdr switchover, killed (SIGKILL) when it began ${KILLED_AT.join(', ')}, each time resumed, while kdr run lives`,
    )
    let move = link.start('switchover', link.name, ...ACCEPT, '--json-lines', '--reason', 'a rehearsal')
    let run = ''
    for (const step of KILLED_AT) {
      run = await begins(move, step)
      move.signal('SIGKILL')
      await move.ended
      move = link.start('switchover', link.name, ...ACCEPT, '--json-lines', '--resume', run, '--take-over')
    }
    const report = await ended(move)
    assert.deepEqual(
      [report.run, report.state, report.rpo.records, report.rpo.basis],
      [run, 'done', 0, 'exact'],
    )
    assert.deepEqual(report.groups, [])
    await assertSameRecords()
    // What was held on the mirrors is what the source had.
    const configs = await judge.describeConfigs({ ...at(standby), topic: TOPICS[0]! })
    assert.equal(configs['retention.ms'], '86400000')
    await read(standby, 300)
    row.saw(
      'the run ended as if nothing had happened: nothing lost, nothing read twice, one marker more in each log',
    )
    await write(standby, 50)
    await identical(standby, active)
    const { source, target, home, generation } = await linkStatus(link)
    assert.deepEqual([source, target, home, generation], [standby, active, standby === 'east', before + 1])
    row.saw('the link went on in the other direction, and the old active became identical')
  })

  // In the short suite the simulated world has it, at each call.
  faultRow('P03', 'two controllers of one switchover', { suite: 'full' }, async row => {
    const { active, standby, generation: before } = await directionNow()
    await readAll(active)
    // Nobody else copies: what is written now the run copies itself.
    daemon.signal('SIGTERM')
    await daemon.ended
    await write(active, 20)
    row.did(
      'kdr switchover, with no other kdr alive, frozen (SIGSTOP) when it began to fence the link; then another one',
    )
    const first = link.start('switchover', link.name, ...ACCEPT, '--json-lines')
    const run = await begins(first, 'fence-link')
    first.signal('SIGSTOP')
    const refused = await link.start('switchover', link.name, ...ACCEPT, '--resume', run).ended
    assert.equal(refused.code, 13, refused.stderr)
    assert.match(refused.stderr, /is being moved by .*--take-over/s)
    row.saw('the second one was refused (exit 13), and told of --take-over')
    row.did('the second one with --take-over; when it had ended the first was woken')
    const second = link.start(
      'switchover',
      link.name,
      ...ACCEPT,
      '--json-lines',
      '--resume',
      run,
      '--take-over',
    )
    const report = await ended(second)
    assert.deepEqual([report.state, report.rpo.records], ['done', 0])
    const endsNow = async () =>
      (await context.judge.ends({ ...at(standby), topics: TOPICS })).map(each => each.join(' ')).toSorted()
    const ends = await endsNow()
    first.signal('SIGCONT')
    const woken = await first.ended
    assert.equal(woken.code, 13, woken.stderr)
    assert.deepEqual(await endsNow(), ends)
    row.saw('the run was done; the first one ended with exit 13 and had changed nothing')
    daemon = link.start('run')
    await write(standby, 50)
    await identical(standby, active)
    await read(standby, 210)
    const { source, generation } = await linkStatus(link)
    assert.deepEqual([source, generation], [standby, before + 1])
  })

  faultRow('P05', 'a failover while the standby lacks records', async row => {
    const { judge } = context
    const topic = freshTopic('behind')
    const own = makeLink({ name: 'behind', ...sides('east', 'west'), settings: { topics: [topic] } })
    await judge.createTopic({ ...at('east'), topic, partitions: 2 })
    await judge.produce({ ...at('east'), topic, count: 40 })
    const copied = await own.run('run', '--once')
    assert.equal(copied.code, 0, copied.stderr)
    await judge.produce({ ...at('east'), topic, partition: 1, count: 7 })
    row.did(
      'seven records were written to one of two partitions after the last copy; then kdr failover --dry-run, and kdr failover',
    )
    const planned = await own.run('failover', own.name, '--dry-run')
    assert.match(planned.stdout, /7 records/)
    const report = await ended(own.start('failover', own.name, ...ACCEPT, '--json-lines'))
    const lost = report.rpo.partitions.filter(each => each.lostRecords > 0)
    assert.deepEqual(
      lost.map(each => [each.partition, each.lostRecords]),
      [[1, 7]],
    )
    assert.equal(report.rpo.basis, 'exact')
    row.saw('the plan and the report named exactly these seven')
  })

  test('a cluster that keeps silent at each of its addresses does not hold a failover up', async () => {
    const silent = createServer(socket => socket.on('error', () => undefined)).listen(0, '0.0.0.0')
    await once(silent, 'listening')
    try {
      const { port } = silent.address() as AddressInfo
      const bootstrap = Array.from({ length: 4 }, (_, index) => `127.0.0.${index + 1}:${port}`).join(',')
      const { active } = await directionNow()
      const seen = (name: string) => (name === active ? { name, bootstrap } : side(name))
      const blind = makeLink({ source: seen('east'), target: seen('west') })
      const { code, stdout, stderr, ms } = await blind.run('failover', blind.name, '--dry-run', '--json')
      assert.equal(code, 0, stderr + stdout)
      assert.equal((JSON.parse(stdout) as RunReport).plan?.isActiveThere, false)
      // Each address would take 5 s.
      assert.ok(ms < patience(10_000), `${ms} ms`)
    } finally {
      silent.close()
    }
  })

  test('a failover from a cluster that is killed', async () => {
    const { active, standby, generation: before } = await directionNow()
    await readAll(active)
    await write(active, 20)
    await identical(active, standby)
    // What was read above is committed at the standby too.
    await waitFor(
      async () =>
        (await linkStatus(link)).groups.every(each => each.state !== 'skipped' && each.ageMs < 2_000),
      {
        what: 'the group to be in step',
      },
    )
    await side(active).kill()
    const report = await ended(link.start('failover', link.name, '--yes', '--json-lines'))
    assert.deepEqual([report.state, report.rpo.basis, report.fence.state], ['done', 'estimate', 'none'])
    await write(standby, 10)
    await read(standby, 90)
    const { state, source, generation } = await linkStatus(link)
    assert.deepEqual([state, source, generation], ['promoted', standby, before + 1])
    const listed = await link.json('runs', 'list')
    assert.equal((listed.object['runs'] as unknown[]).length >= 1, true)
  })
})
