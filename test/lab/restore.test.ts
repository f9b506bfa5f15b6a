// Restores into clusters that live, with ACLs and quotas, and what happens to them: a deleted topic comes back by the commands of
// docs/undo-a-deletion.md, old records outlive retention, killed restores go on, and the cluster itself may be gone.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { LAB_USERS } from '../../src/lab/lab.ts'
import { faultRow } from '../support/fault-rows.ts'
import { type Acl, b64 } from '../support/judge.ts'
import { waitFor, withLab } from '../support/lab.ts'
import { adminOf, type KdrResult, runKdrHere, startKdr } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const PAGE = fileURLToPath(new URL('../../docs/undo-a-deletion.md', import.meta.url))
const DAY_MS = 86_400_000
/** Retention is looked at often enough to be seen. */
const WATCHFUL = { 'log.retention.check.interval.ms': '1000', 'log.initial.task.delay.ms': '500' }
/** Both have property tests without brokers. */
const long = { skip: suite === 'short' && 'in make test-full' }
const KILLS = suite === 'short' ? 3 : 12
const MOMENTS = 50

const acl = (change: Partial<Acl> & Pick<Acl, 'operation'>): Acl => ({
  type: 'TOPIC',
  principal: 'User:app',
  ...change,
})
const RULES: readonly Acl[] = [
  acl({ name: 'orders', operation: 'WRITE' }),
  acl({ name: 'pay', pattern: 'PREFIXED', operation: 'READ' }),
  acl({ type: 'GROUP', name: 'billing', operation: 'READ' }),
  acl({ name: 'orders', principal: 'User:eve', operation: 'READ', permission: 'DENY' }),
]
const shown = ({
  type,
  name = '',
  pattern = 'LITERAL',
  principal,
  operation,
  permission = 'ALLOW',
}: Acl): string => `${permission} ${operation} ${type} ${pattern} ${name} ${principal}`

describe('restores', () => {
  const context = withLab([
    { name: 'east', security: 'acl' },
    { name: 'west', security: 'acl', properties: WATCHFUL },
  ])
  const dir = mkdtempSync(join(tmpdir(), 'kdr-restore-lab-'))
  after(() => rmSync(dir, { recursive: true, force: true }))
  const config = join(dir, 'kdr.yaml')
  const at = (name: string) => adminOf(context.cluster(name))
  const kdr = async (...args: string[]): Promise<KdrResult> => await runKdrHere([...args, '--config', config])
  const json = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await kdr(...args, '--json')
    assert.equal(code, 0, `kdr ${args.join(' ')}: ${stderr}${stdout}`)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  const backUp = async (): Promise<number> => Number((await json('backup', 'run', 'all'))['commit'])
  const digest = async (name: string, topic: string): Promise<string> =>
    JSON.stringify(
      (await context.judge.digest({ ...at(name), topic, isolation: 'committed' })).map(
        ({ partition, logStart, end, count, sha256 }) => [partition, logStart, end, count, sha256],
      ),
    )
  const deleteTopic = async (name: string, topic: string): Promise<void> => {
    await context.judge.deleteTopic({ ...at(name), topic })
    await waitFor(async () => !(await context.judge.listTopics(at(name))).includes(topic), {
      what: 'it to be gone',
    })
  }
  const groupIn = async (name: string, topic: string): Promise<string[]> =>
    (await context.judge.groupOffsets({ ...at(name), group: 'billing' }))
      .filter(each => each.topic === topic)
      .map(({ partition, offset }) => `${partition} ${offset}`)
      .sort()
  /** The commands under a heading of the page, in their order. */
  const commandsOf = (heading: string, commit: number): string[][] => {
    const [, section = ''] = readFileSync(PAGE, 'utf8').split(`## ${heading}\n`)
    const blocks = [...section.split('\n## ')[0]!.matchAll(/```sh\n([^]*?)```/g)].map(([, block]) => block!)
    const lines = blocks
      .join('')
      .split('\n')
      .filter(line => line.startsWith('./kdr '))
    assert.ok(lines.length > 0, heading)
    return lines.map(line => line.replace(/ +#.*/, '').replaceAll('@17', `@${commit}`).split(' ').slice(1))
  }
  let commit = 0
  let orders = ''

  // Any of the tests may be run alone.
  before(async () => {
    const { judge } = context
    const sasl = { mechanism: 'plain', username: 'admin', password: LAB_USERS.admin }
    writeFileSync(
      config,
      JSON.stringify({
        clusters: {
          east: { bootstrap: context.cluster('east').bootstrap, sasl },
          west: { bootstrap: context.cluster('west').bootstrap, sasl },
        },
        vaults: { main: { url: pathToFileURL(join(dir, 'vault')).href } },
        sets: { all: { cluster: 'east', vault: 'main', topics: ['*'] } },
      }),
    )
    await json('vault', 'init', 'main')
    const east = at('east')
    await judge.createTopic({
      ...east,
      topic: 'orders',
      partitions: 2,
      configs: { 'segment.bytes': '1048576' },
    })
    await judge.produce({ ...east, topic: 'orders', count: 4_000, sizeBytes: 2_000, compression: 'lz4' })
    await judge.createTopic({
      ...east,
      topic: 'old',
      partitions: 1,
      configs: { 'retention.ms': String(DAY_MS) },
    })
    await judge.produce({ ...east, topic: 'old', count: 500, timestampBase: Date.now() - 30 * DAY_MS })
    await judge.createTopic({ ...east, topic: 'pay-1', partitions: 1 })
    await judge.produce({ ...east, topic: 'pay-1', count: 60, transactionalId: 'pay', perTransaction: 3 })
    await judge.alterGroupOffsets({
      ...east,
      group: 'billing',
      offsets: [
        { topic: 'orders', partition: 0, offset: 1_500 },
        { topic: 'orders', partition: 1, offset: 17 },
        { topic: 'pay-1', partition: 0, offset: 40 },
      ],
    })
    await judge.createAcls({ ...east, acls: RULES })
    await judge.setQuota({ ...east, clientId: 'reports', quotas: { consumer_byte_rate: 1_000_000 } })
    await judge.setUser({ ...east, user: 'app', mechanism: 'SCRAM-SHA-512', password: 'secret-of-app' })
    commit = await backUp()
    orders = await digest('east', 'orders')
  })

  test('bring a deleted topic back, with its groups, by one command', async () => {
    await deleteTopic('east', 'orders')
    await waitFor(async () => (await groupIn('east', 'orders')).length === 0, {
      what: 'its offsets to be gone',
    })
    const rules = (await context.judge.describeAcls(at('east'))).map(shown).sort()
    for (const command of commandsOf('The topic is gone', commit)) {
      const { code, stderr } = await kdr(...command)
      assert.equal(code, 0, `${command.join(' ')}: ${stderr}`)
    }
    assert.equal(await digest('east', 'orders'), orders)
    assert.deepEqual(await groupIn('east', 'orders'), ['0 1500', '1 17'])
    assert.deepEqual(await groupIn('east', 'pay-1'), ['0 40'])
    assert.deepEqual((await context.judge.describeAcls(at('east'))).map(shown).sort(), rules)
  })

  faultRow('B11', 'a deleted topic that producers have created again', async row => {
    const { judge } = context
    row.did('`orders` was deleted, and a producer created it again, with one record')
    await deleteTopic('east', 'orders')
    await judge.createTopic({ ...at('east'), topic: 'orders', partitions: 2 })
    const records = [{ partition: 0, value: b64('since') }]
    await judge.produce({ ...at('east'), topic: 'orders', records })
    const since = await digest('east', 'orders')
    const refused = await kdr('restore', `all@${commit}`, '--to', 'east', '--topic', 'orders', '--yes')
    assert.equal(refused.code, 12)
    assert.match(refused.stderr, /is there already[^]*--rename/)
    row.saw('kdr refused with exit 12, and named `--rename`')
    for (const command of commandsOf('Producers have created it again', commit))
      assert.equal((await kdr(...command)).code, 0, command.join(' '))
    assert.equal(await digest('east', 'orders-restored'), orders)
    assert.equal(await digest('east', 'orders'), since)
    assert.deepEqual(await groupIn('east', 'orders-restored'), ['0 1500', '1 17'])
    row.saw(
      'beside it, as `orders-restored`, it had its records at their offsets, and its groups theirs; the new topic was as before',
    )
    const [takeCommit, ...others] = commandsOf('Swap the two', commit)
    assert.equal((await kdr(...takeCommit!)).code, 0)
    await deleteTopic('east', 'orders')
    await deleteTopic('east', 'orders-restored')
    for (const command of others) assert.equal((await kdr(...command)).code, 0, command.join(' '))
    assert.equal(await digest('east', 'orders'), orders)
    assert.equal(await digest('east', 'orders-since'), since)
    assert.deepEqual(await groupIn('east', 'orders'), ['0 1500', '1 17'])
    row.saw(
      'deleted and restored under its own name it took its place, with what the new one had held beside it',
    )
    await deleteTopic('east', 'orders-since')
  })

  test('leave a group with members alone, and say so', async () => {
    const { judge } = context
    const consumer = await judge.startConsumer({
      ...at('east'),
      group: 'billing',
      topics: ['pay-1'],
      commitEveryMs: 0,
    })
    await waitFor(async () => (await judge.consumer(consumer)).assigned.length > 0, { what: 'an assignment' })
    const args = [
      'restore',
      `all@${commit}`,
      '--to',
      'east',
      '--topic',
      'orders',
      '--rename',
      'orders=copy',
      '--yes',
    ]
    const { code, stdout } = await kdr(...args)
    assert.equal(code, 3, stdout)
    assert.match(stdout, /group "billing" has members at "east"/)
    assert.equal(await digest('east', 'copy'), orders)
    assert.deepEqual(await groupIn('east', 'copy'), [])
    await judge.stopConsumer(consumer)
    await deleteTopic('east', 'copy')
  })

  test('of a part: a partition, up to an offset', async () => {
    const args = ['restore', `all@${commit}`, '--to', 'west', '--topic', 'orders', '--partition', '1']
    const { verified } = await json(
      ...args,
      '--until-offset',
      'orders/1=700',
      '--rename',
      'orders=part',
      '--yes',
    )
    assert.equal(verified, true)
    const ends = await context.judge.ends({ ...at('west'), topics: ['part'] })
    assert.deepEqual(
      ends.map(([, partition, end]) => [partition, end]).toSorted(([a], [b]) => a! - b!),
      [
        [0, 0],
        [1, 700],
      ],
    )
    assert.deepEqual(await groupIn('west', 'part'), ['1 17'])
    // Single topics come without rights.
    const rules = await context.judge.describeAcls(at('west'))
    assert.ok(!rules.some(({ principal }) => principal === 'User:app'))
    await deleteTopic('west', 'part')
  })

  faultRow('T10', 'retention at the target after a restore of old records', async row => {
    const { judge } = context
    row.did(
      '500 records of 30 days ago, in a topic that keeps them for a day, were restored into a cluster that looks at retention every second',
    )
    const named = ['restore', `all@${commit}`, '--to', 'west', '--topic', 'old', '--yes']
    const { retention } = await json(...named, '--rename', 'old=kept')
    assert.deepEqual(retention, [
      { topic: 'kept', config: 'retention.ms', value: String(DAY_MS), records: 500 },
    ])
    await json(...named, '--rename', 'old=let-go', '--original-retention')
    const starts = async (topic: string) =>
      (await judge.digest({ ...at('west'), topic })).map(({ logStart }) => logStart)
    // A reader that retention overtakes is told so.
    const hasGone = async () => (await starts('let-go').catch(() => []))[0] === 500
    await waitFor(hasGone, {
      what: 'retention to take the old records',
    })
    assert.deepEqual(await starts('kept'), [0])
    assert.equal((await judge.describeConfigs({ ...at('west'), topic: 'kept' }))['retention.ms'], '-1')
    assert.equal(
      (await judge.describeConfigs({ ...at('west'), topic: 'let-go' }))['retention.ms'],
      String(DAY_MS),
    )
    row.saw(
      'kdr said that retention would take 500 records at once, and left `retention.ms=-1`: all of them stayed',
    )
    row.saw('with --original-retention the topic had its retention back, and the records went')
    await deleteTopic('west', 'kept')
    await deleteTopic('west', 'let-go')
  })

  test('of a consistent cut leave out what another transaction stood before', long, async () => {
    const { judge } = context
    const east = at('east')
    await judge.createTopic({ ...east, topic: 'a', partitions: 1 })
    await judge.createTopic({ ...east, topic: 'b', partitions: 1 })
    const [one, two] = [
      await judge.openProducer({ ...east, transactionalId: 'one' }),
      await judge.openProducer({ ...east, transactionalId: 'two' }),
    ] as const
    const value = (text: string) => [{ partition: 0, value: b64(text) }]
    const both = async (text: string) => {
      await judge.begin(one)
      await judge.send({ ...one, topic: 'a', records: value(text) })
      await judge.send({ ...one, topic: 'b', records: value(text) })
      await judge.commit(one)
    }
    await both('first')
    const whole = await backUp()
    await judge.begin(two)
    await judge.send({ ...two, topic: 'a', records: value('open') })
    await both('second')
    const held = await backUp()
    const restored = async (commitNumber: number, ...more: string[]) => {
      const args = [
        'restore',
        `all@${commitNumber}`,
        '--to',
        'west',
        '--topic',
        'a',
        '--topic',
        'b',
        '--no-groups',
      ]
      const result = await json(...args, '--yes', ...more)
      const texts: string[] = []
      for (const topic of ['a', 'b'])
        for (const record of await judge.list({ ...at('west'), topic, isolation: 'committed' }))
          texts.push(`${topic} ${Buffer.from(record.value ?? '', 'base64').toString()}`)
      await deleteTopic('west', 'a')
      await deleteTopic('west', 'b')
      return { ...result, texts }
    }
    // As it was: what stands behind the open one was not stable.
    assert.deepEqual((await restored(held)).texts, ['a first', 'b first', 'b second'])
    const cut = await restored(held, '--consistent')
    assert.deepEqual(cut.texts, ['a first', 'b first'])
    assert.match(JSON.stringify(cut), new RegExp(`commit ${whole} is the newest before it`))
    await judge.commit(two)
    const last = await backUp()
    assert.deepEqual(
      (await restored(last, '--consistent')).texts,
      ['a first', 'a open', 'a second', 'b first', 'b second'].sort(),
    )
    await judge.closeProducer(one)
    await judge.closeProducer(two)
    await deleteTopic('east', 'a')
    await deleteTopic('east', 'b')
  })

  test('as of a random moment are the log as it stood, whatever clocks producers have', long, async () => {
    const { judge } = context
    const topic = 'skewed'
    await judge.createTopic({ ...at('east'), topic, partitions: 2 })
    const shownAt = async (point: string) => {
      const { endsAt, topics } = await json('backup', 'show', point)
      const found = (topics as { name: string; partitions: { end: number }[] }[]).find(
        ({ name }) => name === topic,
      )
      return { at: Date.parse(String(endsAt)), ends: found?.partitions.map(({ end }) => end) ?? [0, 0] }
    }
    const commits: { readonly at: number; readonly ends: readonly number[] }[] = []
    for (let round = 0; round < 8; round++) {
      for (let i = 0; i < 5; i++) {
        const records = Array.from({ length: 10 }, (_none, n) => ({
          partition: n % 2,
          value: b64(`${round} ${i} ${n}`),
          // One in five is stamped by a clock that is wrong.
          timestamp: Date.now() + (Math.random() < 0.2 ? Math.round((Math.random() - 0.5) * 4_000) : 0),
        }))
        await judge.produce({ ...at('east'), topic, records })
        await sleep(30)
      }
      if (round % 2 === 1) commits.push(await shownAt(`all@${await backUp()}`))
    }
    const log = await judge.list({ ...at('east'), topic })
    const [first, last] = [commits[0]!, commits.at(-1)!]
    let wentOn = 0
    for (let i = 0; i < MOMENTS; i++) {
      const moment = Math.round(first.at + Math.random() * (last.at - first.at))
      const base = commits.findLast(each => each.at <= moment)!
      const next = commits[commits.indexOf(base) + 1]
      const expected = base.ends.map((end, partition) => {
        if (next === undefined) return end
        const between = log.filter(
          each => each.partition === partition && each.offset >= end && each.offset < next.ends[partition]!,
        )
        return between.find(({ timestamp }) => timestamp > moment)?.offset ?? next.ends[partition]!
      })
      const name = `moment-${i}`
      const args = ['restore', `all@${new Date(moment).toISOString()}`, '--to', 'west', '--topic', topic]
      await json(...args, '--rename', `${topic}=${name}`, '--yes')
      const restored = await judge.list({ ...at('west'), topic: name })
      const lines = (records: typeof log): string[] =>
        records.map(each => `${each.partition} ${each.offset} ${each.timestamp} ${each.value ?? ''}`).sort()
      assert.deepEqual(
        lines(restored),
        lines(log.filter(({ partition, offset }) => offset < expected[partition]!)),
        `as of ${moment}`,
      )
      if (expected.some((end, partition) => end > base.ends[partition]!)) wentOn++
      await deleteTopic('west', name)
    }
    assert.ok(wentOn > 0)
    await deleteTopic('east', topic)
  })

  test('give everything to a new cluster when the old one is destroyed, also when they are killed again and again', async () => {
    const { judge, lab } = context
    const digests = new Map([['orders', orders]])
    for (const topic of ['pay-1', 'old']) digests.set(topic, await digest('east', topic))
    commit = await backUp()
    await context.cluster('east').kill()
    rmSync(join(lab.dir, 'east'), { recursive: true, force: true })
    const args = ['restore', `all@${commit}`, '--to', 'west', '--yes', '--config', config]
    let kills = 0
    for (let i = 0; i < KILLS; i++) {
      const running = startKdr(args)
      // All of it takes two seconds: the first one at least does not come to its end.
      await Promise.race([running.ended, sleep(400 + Math.random() * (i === 0 ? 400 : 2_500))])
      if (running.hasEnded) {
        const { code, stderr } = await running.ended
        // The one before may have been killed at its very end: it had done everything.
        assert.ok(code === 0 || code === 12, stderr)
        break
      }
      running.signal('SIGKILL')
      await running.ended
      kills++
    }
    assert.ok(kills > 0)
    const { code, stdout, stderr } = await kdr(...args.slice(0, -2))
    assert.ok(code === 0 || code === 12, stdout + stderr)
    for (const [topic, seen] of digests) assert.equal(await digest('west', topic), seen, topic)
    assert.deepEqual(await groupIn('west', 'orders'), ['0 1500', '1 17'])
    const rules = new Set((await judge.describeAcls(at('west'))).map(shown))
    for (const rule of RULES) assert.ok(rules.has(shown(rule)), shown(rule))
    assert.equal(rules.size, RULES.length)
    assert.deepEqual(await judge.describeQuotas(at('west')), [
      'client-id=reports consumer_byte_rate=1000000.0',
    ])
    if (code === 0)
      assert.match(stdout, /1 user\(s\) are not at "west", and their passwords are in no backup: app/)
    const configs = await judge.describeConfigs({ ...at('west'), topic: 'orders' })
    assert.deepEqual(configs, { 'segment.bytes': '1048576' })
    const topics = await judge.listTopics(at('west'))
    assert.ok(!topics.some(name => name.startsWith('_kdr')), topics.join(' '))
  })
})
