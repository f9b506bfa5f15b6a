// A plan over two links from two clusters into one standby: all of it moves there and back side by side, stops at a gate and goes on; at
// last both sources die, and it fails over.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { PlanRunReport } from '../../src/model/plan-runs.ts'
import type { RunReport } from '../../src/model/runs.ts'
import { freshTopic, withLab } from '../support/lab.ts'
import { suite } from '../support/suite.ts'
import { adminOf, type KdrResult, runKdrHere, untilIdentical } from '../support/link.ts'

/** A controller that is killed at each of its writes: src/engine/plans/run.test.ts. */
const long = { skip: suite === 'short' && 'in make test-full' }
const context = withLab(suite === 'short' ? [] : [{ name: 'north' }, { name: 'south' }, { name: 'west' }])
const side = (name: string) => context.cluster(name)
const at = (name: string) => adminOf(side(name))

const dir = mkdtempSync(join(tmpdir(), 'kdr-plans-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const config = join(dir, 'kdr.yaml')
const TOPICS = { north: freshTopic('plan-north'), south: freshTopic('plan-south') } as const
const SOURCES = ['north', 'south'] as const

const kdr = async (...args: string[]): Promise<KdrResult> => await runKdrHere([...args, '--config', config])

async function moved(...args: string[]): Promise<PlanRunReport> {
  const { code, stdout, stderr } = await kdr(...args, '--yes', '--accept-split-brain', '--json')
  assert.equal(code, 0, `${stderr}\n${stdout}`)
  return JSON.parse(stdout) as PlanRunReport
}

async function assertWritable(cluster: (source: 'north' | 'south') => string, count: number): Promise<void> {
  for (const source of SOURCES) {
    const topic = TOPICS[source]
    await context.judge.produce({ ...at(cluster(source)), topic, count })
  }
}

async function copy(): Promise<void> {
  const { code, stderr } = await kdr('run', '--once')
  assert.equal(code, 0, stderr)
}

describe('two standbys of one cluster', long, () => {
  const [even, ahead, gone] = ['fan-even', 'fan-ahead', 'fan-gone'].map(name => freshTopic(name)) as [
    string,
    string,
    string,
  ]
  const file = join(dir, 'fan-out.yaml')
  const run = async (...args: string[]): Promise<KdrResult> => await runKdrHere([...args, '--config', file])
  const once = async (link: string, code = 0): Promise<void> => {
    const result = await run('run', '--once', '--link', link)
    assert.equal(result.code, code, result.stderr)
  }

  test('the second goes on from the first when that has become active, where it has nothing more', async () => {
    const { judge } = context
    const clusters = Object.fromEntries(
      [...SOURCES, 'west'].map(name => [name, { bootstrap: side(name).bootstrap }]),
    )
    const links = {
      first: { source: 'north', target: 'west', topics: ['fan-*', '!fan-gone-*'] },
      second: { source: 'north', target: 'south', topics: ['fan-*'] },
    }
    writeFileSync(file, JSON.stringify({ clusters, links }))
    const write = async (cluster: string, topic: string, count: number) =>
      await judge.produce({ ...at(cluster), topic, count })
    for (const topic of [even, ahead, gone]) {
      await judge.createTopic({ ...at('north'), topic, partitions: 2 })
      await write('north', topic, 20)
    }
    await once('first')
    await once('second')
    // The first has more of the one topic, the second of the other.
    await write('north', even, 30)
    await once('first')
    await write('north', ahead, 5)
    const narrow = { ...links, second: { ...links.second, topics: ['fan-ahead-*'] } }
    writeFileSync(file, JSON.stringify({ clusters, links: narrow }))
    await once('second')
    writeFileSync(file, JSON.stringify({ clusters, links }))
    const failed = await run('failover', 'first', '--yes', '--accept-split-brain')
    assert.equal(failed.code, 0, failed.stderr)
    await write('west', even, 7)

    const followed = await run('link', 'follow', 'second', 'west', '--yes', '--json')
    assert.equal(followed.code, 3, followed.stderr)
    const { topics } = JSON.parse(followed.stdout) as {
      topics: { topic: string; state: string; why: string }[]
    }
    assert.deepEqual(
      topics.map(each => [each.topic, each.state]),
      [
        [ahead, 'differs'],
        [even, 'goes-on'],
        [gone, 'left'],
      ],
    )
    assert.match(topics[0]!.why, /"south" has \d+ offset\(s\) that "west" has not, from \d+ to \d+/)
    // What differs has stopped, and says so.
    await once('second', 3)
    await untilIdentical(judge, { source: side('west'), target: side('south') }, even)
    const recopied = await run('link', 'recopy', 'second', '--topic', ahead, '--yes')
    assert.equal(recopied.code, 0, recopied.stderr)
    await write('west', even, 7)
    await once('second')
    for (const topic of [even, ahead])
      await untilIdentical(judge, { source: side('west'), target: side('south') }, topic)
    const again = await run('link', 'follow', 'second', 'west', '--yes')
    assert.match(again.stderr, /copies from "west" already/)
    for (const kind of ['switchover', 'failback']) {
      const refused = await run(kind, 'second', '--yes')
      assert.equal(refused.code, 2, refused.stderr)
      assert.match(refused.stderr, /copies from "west" by now[^]*lost: kdr failover second/)
    }
  })

  test('the second fails over when the first is lost too, and goes home to it when it is back', async () => {
    const { judge } = context
    const write = async (cluster: string, topic: string, count: number) =>
      await judge.produce({ ...at(cluster), topic, count })
    // What only the first has.
    await write('west', ahead, 3)
    await Promise.all(['north', 'west'].map(async name => await side(name).kill()))
    const failed = await run('failover', 'second', '--yes', '--json')
    assert.equal(failed.code, 0, failed.stderr)
    const report = JSON.parse(failed.stdout) as RunReport
    assert.deepEqual([report.state, report.active, report.standby], ['done', 'west', 'south'])
    await write('south', even, 9)
    const status = async () => {
      const { stdout } = await run('status', '--json')
      const { links } = JSON.parse(stdout) as { links: { name: string; source: string; target: string }[] }
      return links.find(({ name }) => name === 'second')!
    }
    const waits = await status()
    assert.deepEqual([waits.source, waits.target], ['south', 'west'])
    // The cluster that the config names is back, and no part of it.
    await side('north').start()
    const early = await run('failback', 'second', '--yes')
    assert.notEqual(early.code, 0)
    assert.match(early.stderr, /"west"/)
    const stopped = await run('run', '--once', '--link', 'second')
    assert.match(stopped.stderr, /nothing is copied/)

    await side('west').start()
    const dry = await run('failback', 'second', '--dry-run')
    assert.match(dry.stdout, new RegExp(ahead))
    const home = await run(
      'failback',
      'second',
      '--yes',
      '--accept-split-brain',
      '--export',
      join(dir, 'tail'),
      '--recopy',
      '*',
    )
    assert.equal(home.code, 0, home.stderr)
    const back = await status()
    assert.deepEqual([back.source, back.target], ['west', 'south'])
    await write('west', even, 4)
    await once('second')
    for (const topic of [even, ahead])
      await untilIdentical(judge, { source: side('west'), target: side('south') }, topic)
  })
})

describe('a plan over two links', long, () => {
  before(async () => {
    const link = (source: string) => ({ source, target: 'west', topics: [`plan-${source}-*`] })
    const clusters = Object.fromEntries(
      [...SOURCES, 'west'].map(name => [name, { bootstrap: side(name).bootstrap }]),
    )
    const plans = {
      region: { links: [['north-west', 'south-west']], objectives: { rpo: '1h', rto: '5m' } },
      careful: {
        links: ['north-west', 'south-west'],
        gates: [{ before: 'south-west', ask: 'is north well?' }],
      },
    }
    const links = { 'north-west': link('north'), 'south-west': link('south') }
    writeFileSync(config, JSON.stringify({ clusters, links, plans }))
    for (const source of SOURCES)
      await context.judge.createTopic({ ...at(source), topic: TOPICS[source], partitions: 2 })
    await assertWritable(source => source, 100)
    await copy()
  })

  test('moves both side by side, and nothing is lost', async () => {
    await assertWritable(source => source, 20)
    const report = await moved('switchover', 'region')

    assert.deepEqual([report.state, report.rpo.records, report.rpo.basis], ['done', 0, 'exact'])
    assert.deepEqual(report.scope, { plan: 'region', links: ['north-west', 'south-west'] })
    assert.deepEqual([report.objectives.rpoMet, report.objectives.rtoMet], [true, true])
    assert.deepEqual(
      report.steps.map(({ name, state, active, standby }) => [name, state, active, standby]),
      [
        ['north-west', 'done', 'north', 'west'],
        ['south-west', 'done', 'south', 'west'],
      ],
    )
    await assertWritable(() => 'west', 10)
    await copy()
    for (const source of SOURCES)
      await untilIdentical(context.judge, { source: side('west'), target: side(source) }, TOPICS[source])
  })

  test('stops at a gate where nobody can be asked, and goes on home when it is resumed', async () => {
    const stopped = await kdr('switchover', 'careful', '--yes', '--accept-split-brain', '--json')
    assert.equal(stopped.code, 21, stopped.stderr)
    const { run, state, steps } = JSON.parse(stopped.stdout) as PlanRunReport
    assert.deepEqual([state, steps.map(each => each.state)], ['stopped', ['done', 'failed', 'waiting']])
    const other = await kdr('switchover', 'careful', '--yes')
    assert.equal(other.code, 17, other.stderr)
    // The second plan over these links is told, too, that they lead different ways.
    const mixed = await kdr('switchover', 'region', '--yes')
    assert.match(
      mixed.stderr,
      /lead different ways: "north-west" as the config says, "south-west" the other way/,
    )

    const report = await moved('switchover', 'careful', '--resume', run)
    assert.deepEqual([report.run, report.state], [run, 'done'])
    // Also of the link that was moved before it was resumed.
    assert.deepEqual(
      report.runs.map(({ scope }) => scope.links),
      [['north-west'], ['south-west']],
    )
    assert.match(report.steps[1]?.what ?? '', /whoever has resumed the run says yes to: is north well\?/)
    await assertWritable(source => source, 10)
    await copy()
  })

  test('fails over when both sources are dark', async () => {
    await Promise.all(SOURCES.map(async source => await side(source).kill()))
    const report = await moved('failover', 'region', '--reason', 'the region is gone')

    assert.deepEqual([report.state, report.rpo.basis, report.fence.state], ['done', 'estimate', 'none'])
    assert.ok(report.steps.every(each => each.standby === 'west' && each.state === 'done'))
    await assertWritable(() => 'west', 5)
    const shown = await kdr('runs', 'show', report.run, '--json')
    const { steps, runs } = JSON.parse(shown.stdout) as PlanRunReport
    assert.deepEqual(steps, report.steps)
    assert.equal(runs.length, 2)
    const { stdout } = await kdr('runs', 'list', '--json')
    const plans = (JSON.parse(stdout) as { runs: { plan?: string; state: string }[] }).runs.filter(
      each => each.plan !== undefined,
    )
    // The run home is kept where it has led to.
    assert.deepEqual(
      plans.map(each => [each.plan, each.state]),
      [
        ['region', 'done'],
        ['region', 'done'],
      ],
    )
  })

  test('goes home when both are back', async () => {
    for (const source of SOURCES) await side(source).start()
    const report = await moved('failback', 'region', '--export', join(dir, 'stranded'), '--recopy', '*')

    assert.deepEqual([report.state, report.rpo.records, report.rpo.basis], ['done', 0, 'exact'])
    assert.deepEqual(
      report.steps.map(({ state, active, standby }) => [state, active, standby]),
      [
        ['done', 'west', 'north'],
        ['done', 'west', 'south'],
      ],
    )
    await assertWritable(source => source, 5)
    const home = await kdr('failback', 'region')
    assert.deepEqual(
      [home.code, home.stdout],
      [0, 'all links of plan "region" are home; nothing was changed\n'],
    )
  })
})
