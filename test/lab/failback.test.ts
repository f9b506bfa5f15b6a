// The way home after a failover: the old cluster returns with records that were never copied. What is stranded is shown, exported and
// counted, the failover's report is corrected, what diverged is copied anew, and applications move home. Every record that was
// acknowledged is kept, or stands in the export.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Manifest } from '../../src/engine/runs/export.ts'
import { splitBatches } from '../../src/model/batch.ts'
import type { RunReport } from '../../src/model/runs.ts'
import type { ListedRecord } from '../support/judge.ts'
import { faultRow } from '../support/fault-rows.ts'
import { freshTopic, withLab } from '../support/lab.ts'
import {
  adminOf,
  assertIdentical,
  type KdrProcess,
  type Link,
  makeLink,
  untilIdentical,
} from '../support/link.ts'
import { begins, reportIn } from '../support/moves.ts'
import { linkStatus } from '../support/status.ts'
import { suite } from '../support/suite.ts'

const long = { skip: suite === 'short' && 'in make test-full' }
/** A fence watches the ends for longer than this. */
const QUICK = { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' }
const context = withLab([
  { name: 'east', properties: QUICK },
  { name: 'west', properties: QUICK },
])
const at = (name: string) => adminOf(context.cluster(name))
const sides = (source: string, target: string) => ({
  source: context.cluster(source),
  target: context.cluster(target),
})

const [CLEAN, LOST, TX] = ['clean', 'lost', 'tx'].map(name => freshTopic(`home-${name}`)) as [
  string,
  string,
  string,
]
const TOPICS = [CLEAN, LOST, TX]
const FENCED = { fence: { acl: false, command: 'true' }, sync: { groups: '1s' } }

let link: Link
let daemon: KdrProcess | undefined
after(() => daemon?.signal('SIGKILL'))

async function write(name: string, topic: string, count: number, seed: number): Promise<void> {
  await context.judge.produce({ ...at(name), topic, count, seed })
}

async function transaction(topic: string, count: number, end: 'commit' | 'abort'): Promise<void> {
  await context.judge.produce({ ...at('east'), topic, count, end, transactionalId: freshTopic('tx') })
}

async function runOf(...args: string[]): Promise<RunReport> {
  const { code, stdout, stderr } = await link.run(...args, '--json')
  assert.equal(code, 0, `${stderr}\n${stdout}`)
  return JSON.parse(stdout) as RunReport
}

async function startDaemon(): Promise<KdrProcess> {
  daemon = link.start('run')
  await daemon.says(/behind/)
  return daemon
}

async function stopDaemon(): Promise<void> {
  daemon?.signal('SIGTERM')
  await daemon?.ended
}

const contentOf = ({ partition, offset, timestamp, key, value }: ListedRecord): string =>
  JSON.stringify([partition, offset, timestamp, key, value])

describe('the way home', { concurrency: 1 }, () => {
  /** What an application was told is written, at the old active, and what of it was copied. */
  let acknowledged: ListedRecord[]
  let failover: RunReport
  const folder = mkdtempSync(join(tmpdir(), 'kdr-export-'))

  before(async () => {
    const { judge } = context
    for (const topic of TOPICS) await judge.createTopic({ ...at('east'), topic, partitions: 2 })
    link = makeLink({
      source: context.cluster('east'),
      target: context.cluster('west'),
      settings: { topics: ['home-*'], ...FENCED },
    })
    await startDaemon()
    for (const topic of TOPICS) await write('east', topic, 200, 1)
    for (const topic of TOPICS) await untilIdentical(judge, sides('east', 'west'), topic)
    await stopDaemon()
    // Never copied.
    await write('east', LOST, 40, 2)
    await transaction(TX, 20, 'commit')
    await transaction(TX, 10, 'abort')
    acknowledged = await judge.list({ ...at('east'), topic: LOST, isolation: 'committed' })
    acknowledged.push(...(await judge.list({ ...at('east'), topic: TX, isolation: 'committed' })))
    assert.equal(acknowledged.length, 460)
    await context.cluster('east').kill()
    failover = await runOf('failover', link.name, '--yes')
    assert.equal(failover.rpo.basis, 'estimate')
    // Applications go on.
    for (const topic of TOPICS) await write('west', topic, 60, 3)
    await context.cluster('east').start()
  })

  faultRow('P09', 'what is stranded is shown, and nothing is touched without a word', async row => {
    row.did(
      'kdr failover of a cluster that was killed with records that were never copied; it is started again',
    )
    const status = await link.json('status')
    const { links } = status.object as { links: [Awaited<ReturnType<typeof linkStatus>>] }
    const { state, stranded } = links[0]
    assert.equal(state, 'promoted')
    assert.deepEqual([stranded?.cluster, stranded?.records], ['east', 60])
    assert.deepEqual([...new Set(stranded?.partitions.map(each => each.topic))].toSorted(), [LOST, TX])
    row.saw('kdr status says how many records stand there alone, of which partitions, from when to when')
    const dry = await runOf('failback', link.name, '--dry-run')
    assert.equal(dry.plan?.stranded?.records, 60)
    assert.equal(dry.plan?.stranded?.partitions.filter(each => each.state === 'clean').length, 2)
    const refused = await link.run('failback', link.name, '--yes')
    assert.equal(refused.code, 16, refused.stderr)
    assert.match(refused.stderr, new RegExp(`--export DIR --recopy ${LOST} --recopy ${TX}`))
    row.did('kdr failback without a word on what is to become of them')
    row.saw('exit 16, which names the flags: --export, and --recopy for each topic that diverged')
    const flags = ['--export', folder, '--recopy', LOST, '--yes']
    assert.equal((await link.run('failback', link.name, ...flags)).code, 16)
    const unchanged = await linkStatus(link)
    assert.deepEqual([unchanged.state, unchanged.generation], ['promoted', 2])
  })

  faultRow('P09', 'failback: exported, copied anew, and home', async row => {
    const { judge } = context
    const flags = ['--export', folder, '--recopy', LOST, '--recopy', TX, '--yes', '--json-lines']
    row.did(
      'kdr failback with these flags, killed (SIGKILL) when it begins to touch the old cluster, and when it begins to catch up; resumed each time',
    )
    let failback = link.start('failback', link.name, ...flags)
    const run = await begins(failback, 'reverse')
    failback.signal('SIGKILL')
    await failback.ended
    const resume = ['failback', link.name, '--yes', '--json-lines', '--resume', run, '--take-over']
    failback = link.start(...resume)
    await begins(failback, 'catch-up')
    failback.signal('SIGKILL')
    await failback.ended
    failback = link.start(...resume)
    const { code, stdout, stderr } = await failback.ended
    assert.equal(code, 0, `${stderr}\n${stdout}`)
    const report = reportIn(stdout)
    assert.deepEqual(
      [report.run, report.kind, report.state, report.rpo.records, report.rpo.basis],
      [run, 'failback', 'done', 0, 'exact'],
    )
    const { home, source, generation } = await linkStatus(link)
    assert.deepEqual([home, source, generation], [true, 'east', 4])
    for (const topic of TOPICS) {
      const { partitions } = await judge.compare({ a: at('east'), b: at('west'), topics: [topic] })
      for (const each of partitions)
        assert.deepEqual([each.onlyA, each.onlyB, each.different], [0, 0, 0], JSON.stringify(each))
    }
    row.saw(
      'topics that had diverged were deleted there and copied anew, the clean one went on; then applications moved home',
    )

    const manifest = JSON.parse(readFileSync(join(folder, run, 'manifest.json'), 'utf8')) as Manifest
    assert.deepEqual([manifest.records, manifest.hidden, manifest.failover], [60, 10, failover.run])
    const lines: (ListedRecord & { topic: string; transaction?: string })[] = []
    for (const { objects } of manifest.partitions)
      for (const { name, sha256 } of objects) {
        const bytes = readFileSync(join(folder, run, name))
        assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256)
        if (name.endsWith('.jsonl'))
          for (const line of bytes.toString().trim().split('\n')) lines.push(JSON.parse(line) as never)
        else {
          // Raw batches at their true offsets, and nothing else.
          const batches = splitBatches(bytes)
          assert.equal(
            batches.reduce((sum, each) => sum + each.bytes.length, 0),
            bytes.length,
          )
          assert.equal(Number(name.split('/')[1]?.slice(0, 20)), batches[0]?.header.baseOffset)
        }
      }
    assert.deepEqual([lines.length, lines.filter(each => each.transaction === 'aborted').length], [70, 10])
    row.saw(
      'the export has them as a raw segment and as JSON lines, with the transactions marked, counted and checksummed',
    )

    // Kept and exported are what was acknowledged, record for record.
    const kept = (
      await Promise.all([LOST, TX].map(async topic => await judge.list({ ...at('east'), topic })))
    ).flat()
    const wanted = new Set(
      acknowledged.map(each => JSON.stringify([each.partition, each.offset, each.timestamp])),
    )
    const found = [...kept, ...lines.filter(each => each.transaction !== 'aborted')]
    const have = new Set(found.map(each => JSON.stringify([each.partition, each.offset, each.timestamp])))
    assert.deepEqual(
      [...wanted].filter(each => !have.has(each)),
      [],
    )
    assert.ok(kept.every(each => contentOf(each) !== ''))

    const corrected = await runOf('runs', 'show', failover.run)
    assert.deepEqual([corrected.rpo.basis, corrected.rpo.records], ['exact', 60])
    row.saw("the failover's report says `exact` now, with the number of records")
  })

  test('what was exported is replayed by choice, each record once', long, async () => {
    const { judge } = context
    const into = async (...args: string[]) => {
      const { code, object, stderr } = await link.json('runs', 'replay', failover.run, ...args)
      assert.equal(code, 0, stderr)
      return object as { cluster: string; records: number; topics: { into: string; records: number }[] }
    }
    const listed = async (topic: string) => await judge.list({ ...at('east'), topic })
    const before = (await listed(LOST)).length
    const planned = await into('--into', 'original', '--topic', LOST, '--dry-run')
    assert.deepEqual([planned.cluster, planned.records], ['east', 40])
    assert.equal((await listed(LOST)).length, before)

    for (let twice = 0; twice < 2; twice++)
      assert.equal((await into('--into', 'original', '--topic', LOST, '--yes')).records, 40)
    const replayed = (await listed(LOST)).slice(0).filter(({ headers }) => headers.length > 0)
    assert.equal(replayed.length, 40)
    const originOf = ({ headers }: ListedRecord): Record<string, string> =>
      Object.fromEntries(
        headers.map(([name, value]) => [name, Buffer.from(value ?? '', 'base64').toString()]),
      )
    const was = new Map(
      acknowledged.map(each => [`${each.partition} ${each.offset} ${each.timestamp}`, each]),
    )
    for (const each of replayed) {
      const origin = originOf(each)
      assert.equal(origin['kdr.stranded.topic'], LOST)
      const lost = was.get(
        [origin['kdr.stranded.partition'], origin['kdr.stranded.offset'], each.timestamp].join(' '),
      )
      assert.deepEqual([each.partition, each.key, each.value], [lost?.partition, lost?.key, lost?.value])
    }

    const other = await link.run(
      'runs',
      'replay',
      failover.run,
      '--into',
      'original',
      '--key',
      'key-1',
      '--yes',
    )
    assert.equal(other.code, 2, other.stderr)
    assert.match(other.stderr, /were replayed before, and chosen otherwise/)
    const beside = await into('--into', 'stranded', '--topic', TX, '--yes')
    assert.deepEqual([beside.records, beside.topics[0]?.into], [20, `${TX}.stranded`])
    // What was aborted is none.
    assert.equal((await listed(`${TX}.stranded`)).length, 20)
  })

  test('at home there is nothing to do; the link goes on', async () => {
    const { judge } = context
    const nothing = await link.run('failback', link.name, '--yes')
    assert.equal(nothing.code, 0, nothing.stderr)
    assert.match(nothing.stdout, /is home: "east" is active/)
    await startDaemon()
    for (const topic of TOPICS) {
      await write('east', topic, 20, 4)
      await untilIdentical(judge, sides('east', 'west'), topic)
    }
    await assertIdentical(judge, sides('east', 'west'), TOPICS)
  })

  test('after a switchover it leads home as well', long, async () => {
    const { judge } = context
    const away = await runOf('switchover', link.name, '--yes')
    assert.equal(away.state, 'done')
    await write('west', CLEAN, 30, 5)
    for (const topic of TOPICS) await untilIdentical(judge, sides('west', 'east'), topic)
    const home = await runOf('failback', link.name, '--yes')
    assert.deepEqual([home.kind, home.state, home.rpo.records], ['failback', 'done', 0])
    assert.equal((await linkStatus(link)).home, true)
    await write('east', CLEAN, 30, 6)
    await untilIdentical(judge, sides('east', 'west'), CLEAN)
    await stopDaemon()
  })

  test('where applications are home already, the other cluster becomes a standby again', long, async () => {
    const { judge } = context
    await startDaemon()
    for (const topic of TOPICS) await untilIdentical(judge, sides('east', 'west'), topic)
    await runOf('switchover', link.name, '--yes')
    await write('west', CLEAN, 10, 7)
    for (const topic of TOPICS) await untilIdentical(judge, sides('west', 'east'), topic)
    await stopDaemon()
    await write('west', LOST, 15, 8)
    await context.cluster('west').kill()
    const back = await runOf('failover', link.name, '--yes')
    assert.deepEqual([back.active, back.standby], ['west', 'east'])
    await context.cluster('west').start()
    await write('east', CLEAN, 5, 9)
    const refused = await link.run('failback', link.name, '--yes')
    assert.equal(refused.code, 16, refused.stderr)
    const report = await runOf('failback', link.name, '--export', folder, '--recopy', LOST, '--yes')
    assert.deepEqual([report.state, report.stranded?.records, report.standby], ['done', 15, 'west'])
    assert.deepEqual(
      report.steps.map(({ name, state }) => `${name} ${state}`),
      ['fence-returned done', 'export done', 'reverse done', 'catch-up done'],
    )
    const { home, source } = await linkStatus(link)
    assert.deepEqual([home, source], [true, 'east'])
    await startDaemon()
    for (const topic of TOPICS) await untilIdentical(judge, sides('east', 'west'), topic)
    await stopDaemon()
  })
})
