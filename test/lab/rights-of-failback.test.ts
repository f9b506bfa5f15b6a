// A failback takes, on top of its link and of the failover before it, the rights that `kdr config acls` prints; without any
// one of those of its own it stops and names the right; the others are played where the same code asks for them.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Acl } from '../support/judge.ts'
import { withLab } from '../support/lab.ts'
import { adminOf, type KdrResult, type Link, makeLink } from '../support/link.ts'
import { giveExactly, LEARNS_MS, type Line, lineName, printedLines } from '../support/printed-rights.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full'
const sides = ['east', 'west']
/** A fence watches the ends for longer than this. */
const QUICK = { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' }
const context = withLab(
  skip === false ? sides.map(name => ({ name, security: 'acl', properties: QUICK })) : [],
)
const at = (name: string) => adminOf(context.cluster(name))
const all = ({ stdout, stderr }: KdrResult): string => `${stdout}\n${stderr}`

/** What it is run without, in the order in which it asks for it, and what it says; each time the same run goes on. */
const STOPS: readonly (readonly [what: string, sentence: RegExp])[] = [
  ['east _kdr.journal CREATE', /"_kdr\.journal" cannot be created on "east": .*needs CREATE on topic/],
  ['east _kdr.journal WRITE', /"_kdr\.journal" cannot be written: .*needs WRITE on it/],
  ['east _kdr.journal READ', /"_kdr\.journal" cannot be read: .*needs READ on it/],
  ['east _kdr.state DESCRIBE_CONFIGS', /configs of topic "_kdr\.state".*needs DESCRIBE_CONFIGS on it/],
]
/** Played where the same code asks for it. */
const ELSEWHERE = new Map([
  // The link home, and the steps of a run at either cluster.
  ['east TOPIC CREATE', 'rights-needed.test.ts: new-topic'],
  ['east TOPIC ALTER', 'rights-needed.test.ts: new-partitions'],
  ['east TOPIC WRITE', 'rights-needed.test.ts: records'],
  ['east CLUSTER ALTER_CONFIGS', 'rights-needed.test.ts: quotas'],
  ['west TRANSACTIONAL_ID WRITE', 'rights-of-failover.test.ts'],
  ['east _kdr.canary CREATE', 'rights-of-failover.test.ts'],
  ['east _kdr.canary WRITE', 'rights-of-failover.test.ts'],
  ['east _kdr.canary READ', 'rights-of-failover.test.ts'],
  ['east TOPIC DELETE', 'rights-needed.test.ts: log-start'],
  ['east TOPIC ALTER_CONFIGS', 'rights-needed.test.ts: configs'],
  ['east GROUP READ', 'rights-needed.test.ts: groups'],
  ['east GROUP DELETE', 'groups-sync.test.ts: what is deleted at the source goes an hour later'],
  ['east _kdr.back READ', 'rights-needed.test.ts: start'],
])
/** The link has more there. */
const COVERED = ['west TOPIC DESCRIBE_CONFIGS', 'west GROUP DESCRIBE', 'west CLUSTER DESCRIBE_CONFIGS']

describe('a failback', { skip, concurrency: 1 }, () => {
  const topic = 'home'
  const added = 'home-new'
  const APP: Acl = { type: 'TOPIC', name: topic, principal: 'User:app', operation: 'WRITE' }
  let link: Link
  let had: readonly Line[]
  let more: readonly Line[]

  const give = async (lines: readonly Line[]): Promise<void> => {
    await giveExactly(context, sides, lines)
    for (const name of sides) await context.judge.createAcls({ ...at(name), acls: [APP] })
    await sleep(LEARNS_MS)
  }
  const resumed = async (): Promise<string[]> => {
    const { object } = await link.json('runs', 'list')
    const runs = (object as { runs?: { run: string; kind: string }[] }).runs ?? []
    const begun = runs.find(({ kind }) => kind === 'failback')
    return ['failback', link.name, '--yes', ...(begun === undefined ? [] : ['--resume', begun.run])]
  }
  const go = async (): Promise<KdrResult> => {
    let ended = await link.run(...(await resumed()))
    // Who could write the journal and not read it has left a claim, which counts for some seconds.
    for (let tries = 0; ended.code === 13 && tries < 12; tries++) {
      await sleep(2_000)
      ended = await link.run(...(await resumed()))
    }
    return ended
  }
  before(async () => {
    const { judge } = context
    const [source, target] = [context.cluster('east'), context.cluster('west')]
    const settings = { topics: [`${topic}*`], groups: [topic], sync: { configs: '1s' } }
    link = makeLink({ name: 'back', source, target, settings })
    had = [...(await printedLines(link.config, 'run')), ...(await printedLines(link.config, 'failover'))]
    const names = new Set(had.map(lineName))
    more = (await printedLines(link.config, 'failback')).filter(line => !names.has(lineName(line)))
    await give(had)
    await judge.createTopic({ ...at('east'), topic })
    await judge.produce({ ...at('east'), topic, count: 10 })
    for (const args of [
      ['run', '--once'],
      ['failover', link.name, '--yes'],
    ]) {
      const done = await link.run(...args)
      assert.equal(done.code, 0, all(done))
    }
    // What is new at the active cluster.
    await judge.produce({ ...at('west'), topic, count: 5 })
    await judge.createPartitions({ ...at('west'), topic, count: 2 })
    await judge.createTopic({ ...at('west'), topic: added })
    await judge.produce({ ...at('west'), topic: added, count: 5 })
    await judge.produce({ ...at('west'), topic, transactionalId: 'of-app', count: 3, end: 'open' })
  })

  test('every line that is printed for it is played, here or elsewhere', () => {
    const played = STOPS.map(([what]) => what)
    assert.deepEqual(more.map(lineName).toSorted(), [...played, ...ELSEWHERE.keys(), ...COVERED].toSorted())
  })

  for (const [what, sentence] of STOPS)
    test(`without ${what}`, async () => {
      await give([...had, ...more.filter(line => lineName(line) !== what)])
      const stopped = await go()
      assert.notEqual(stopped.code, 0, all(stopped))
      assert.match(all(stopped), sentence)
    })

  test('with all of them it comes home, with no worker beside it', async () => {
    await give([...had, ...more])
    const ended = await go()
    assert.equal(ended.code, 0, all(ended))
    // But for the marker that fenced the link: nobody has copied that yet.
    const { partitions } = await context.judge.compare({
      a: at('east'),
      b: at('west'),
      topics: [topic, added],
    })
    assert.equal(partitions.length, 3)
    for (const each of partitions)
      assert.deepEqual([each.onlyA, each.onlyB, each.different], [0, 0, 0], JSON.stringify(each))
    assert.equal(
      partitions.reduce((sum, { same }) => sum + same, 0),
      20,
    )
  })
})
