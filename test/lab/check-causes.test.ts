// More causes on real clusters, each with exactly its finding, and none after what its hint says: brokers that are set up badly, internal
// topics, producers, links, sets. And what the check says of a lost rack for `acks=1` comes true.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { Finding } from '../../src/model/findings.ts'
import { checkOf, shown } from '../support/check.ts'
import { kafkaScriptsOnPath } from '../support/kafka-tools.ts'
import { patience, waitFor, withLab } from '../support/lab.ts'
import { adminOf, startKdr } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full: three brokers that are restarted, and one of them lost'
/** What the hints of the findings mend. */
const BADLY = {
  'default.replication.factor': '1',
  'auto.create.topics.enable': 'true',
  'offsets.retention.minutes': '60',
  'share.coordinator.state.topic.replication.factor': '1',
}
const FOLLOWER_RATE = 'follower.replication.throttled.rate'
const context = withLab(
  skip === false
    ? [
        {
          name: 'east',
          brokers: 3,
          racks: ['a', 'b', 'c'],
          properties: { ...BADLY, 'replica.lag.time.max.ms': '2000' },
        },
        { name: 'west' },
      ]
    : [],
)
const at = (name: string) => adminOf(context.cluster(name))
const { dir, path, configure: write, kdr, check, until, mend } = checkOf(context)

const addressOf = (name: string) => ({ bootstrap: context.cluster(name).bootstrap })
const onlyEast = (more: Readonly<Record<string, unknown>> = {}): void =>
  write({ clusters: { east: addressOf('east') }, ...more })
const configs = async (topic: string, values: Record<string, string | null>): Promise<void> =>
  await context.judge.alterConfigs({ ...at('east'), topic, configs: values })
const withSet = (more: Readonly<Record<string, unknown>>) =>
  onlyEast({
    vaults: { main: { url: pathToFileURL(join(dir, 'vault')).href } },
    sets: { all: { cluster: 'east', vault: 'main', topics: ['*'], ...more } },
  })

describe('causes of findings', { skip, concurrency: 1 }, () => {
  before(() => onlyEast())

  test('C021 to C024: brokers that are set up badly, until each hint is in server.properties', async () => {
    const east = context.cluster('east')
    const { findings } = await until([
      'C021 cluster:east config:share.coordinator.state.topic.replication.factor',
      'C022 cluster:east',
      'C023 cluster:east',
      'C024 cluster:east',
    ])
    for (const each of findings) await mend(each)
    for (const { id } of east.brokers) {
      await east.stop(id)
      await east.start(id)
    }
    // While a broker is away others lead what it led; it leads again once it is in sync.
    await waitFor(
      async () => (await kdr('check', '--fix', '--yes')).stdout.includes('READY: nothing found'),
      { what: 'nothing to be found', timeoutMs: patience(30_000) },
    )
  })

  test('C001: an address where nobody listens', async () => {
    write({ clusters: { east: addressOf('east'), away: { bootstrap: '127.0.0.1:1' } } })
    await until(['C001 cluster:away'])
    onlyEast()
    await until([])
  })

  test('C020: offsets of groups in one replica; then C013, as its two new ones count', async () => {
    const { judge } = context
    await judge.createTopic({ ...at('east'), topic: 'orders', replicas: [[1, 2, 3]], partitions: 3 })
    await judge.produce({ ...at('east'), topic: 'orders', count: 30 })
    const offsets = [{ topic: 'orders', partition: 0, offset: 1 }]
    await judge.alterGroupOffsets({ ...at('east'), group: 'g', offsets })
    const topic = '__consumer_offsets'
    await configs(topic, { 'min.insync.replicas': '1' })
    await judge.setReplicas({ ...at('east'), topic, replicas: [1] })
    const [weak] = (await until([`C020 cluster:east topic:${topic}`])).findings
    await mend(weak!)
    const [asks] = (await until([`C013 cluster:east topic:${topic}`])).findings
    await mend(asks!)
    await until([])
  })

  test('C012 and C018: what the hints say, word for word, in a shell', async () => {
    const { judge } = context
    const tools = await kafkaScriptsOnPath()
    const shell = async ({ hint }: Finding): Promise<string> => {
      const env = { ...process.env, PATH: `${tools}:${process.env['PATH'] ?? ''}` }
      const { stdout } = await promisify(execFile)('/bin/sh', ['-c', hint], { cwd: dir, env })
      return stdout
    }
    const make = async (topic: string, replicas: number[][]) =>
      await judge.createTopic({ ...at('east'), topic, replicas, configs: { 'min.insync.replicas': '1' } })
    await make('one', [[1]])
    await configs('orders', { 'min.insync.replicas': '2' })
    await judge.setReplicas({ ...at('east'), topic: 'orders', replicas: [2, 3, 1] })
    const { findings } = await until(['C012 cluster:east topic:one', 'C018 cluster:east'])
    for (const each of findings) await shell(each)
    const [asks] = (await until(['C013 cluster:east topic:one'])).findings
    await mend(asks!)
    await until([])
  })

  test('C062: a producer for every record, until one writes again and again', async () => {
    const { judge } = context
    const topic = 'jobs'
    await judge.createTopic({ ...at('east'), topic, replicas: [[1, 2, 3]] })
    for (let index = 0; index < 110; index++) await judge.produce({ ...at('east'), topic, count: 1 })
    const { findings } = await until([`C062 cluster:east topic:${topic}`], '--producers')
    assert.match(
      findings[0]!.evidence[0] ?? '',
      /^partition 0: 110 .* 110 batches; its leader remembers 110 /,
    )
    await judge.produce({ ...at('east'), topic, count: 1_000 })
    await until([], '--producers')
  })

  test('C016: a follower that a throttle holds back, until that is taken away', async () => {
    const { judge } = context
    const topic = 'held-back'
    await judge.createTopic({ ...at('east'), topic, replicas: [[1, 2]] })
    await judge.produce({ ...at('east'), topic, count: 30_000, sizeBytes: 1_000 })
    await configs(topic, { 'follower.replication.throttled.replicas': '*' })
    await judge.alterConfigs({ ...at('east'), broker: '3', configs: { [FOLLOWER_RATE]: '1' } })
    // As a reassignment does that somebody has begun, and whose throttle nobody has taken away.
    const moved = judge.setReplicas({ ...at('east'), topic, replicas: [1, 2, 3] })
    const { findings } = await until([`C016 cluster:east topic:${topic}`])
    assert.match(findings[0]!.evidence.join(), /partition 0: in sync 1, 2 of 1, 2, 3; \d needed/)
    assert.match(findings[0]!.hint, /a throttle that was left behind/)
    await judge.alterConfigs({ ...at('east'), broker: '3', configs: { [FOLLOWER_RATE]: null } })
    await configs(topic, { 'follower.replication.throttled.replicas': null })
    await moved
    await until([])
  })

  test('C067: a quota that only one of two clusters has', async () => {
    const { judge } = context
    write({ clusters: { east: addressOf('east'), west: addressOf('west') } })
    const compared = async () =>
      (await check('--compare', 'east,west')).findings.map(shown).filter(each => each.startsWith('C067'))
    const quota = { clientId: 'app', quotas: { producer_byte_rate: 1_000_000 } }
    await judge.setQuota({ ...at('east'), ...quota })
    await waitFor(async () => (await compared()).length > 0, { what: 'the quota to be seen' })
    assert.deepEqual(await compared(), ['C067 compare:east,west rights:quotas'])
    await judge.setQuota({ ...at('west'), ...quota })
    await waitFor(async () => (await compared()).length === 0, { what: 'no difference' })
    onlyEast()
  })

  test('C092 and C096: backups that nobody has verified, and that leave a topic out', async () => {
    withSet({ topics: ['orders'] })
    assert.equal((await kdr('vault', 'init', 'main')).code, 0)
    await kdr('backup', 'run', 'all')
    await until(['C096 cluster:east'])
    withSet({})
    await until([])
    await kdr('backup', 'run', 'all')
    const [unverified] = (await until(['C092 set:all'])).findings
    await mend(unverified!)
    await until([])
    onlyEast()
  })

  test('of a link', async () => {
    const { judge } = context
    const configure = (link: Readonly<Record<string, unknown>> = {}, more = {}): void =>
      write({
        clusters: { east: addressOf('east'), west: addressOf('west') },
        links: {
          ew: {
            source: 'east',
            target: 'west',
            topics: ['orders'],
            overrides: [{ topics: '*', replicationFactor: 1 }],
            sync: { configs: '1s', acls: '1s', quotas: '1s', groups: '1s' },
            ...link,
          },
        },
        ...more,
      })
    configure()
    const ofLink = async (...expected: string[]) => (await until(expected, '--link', 'ew')).findings
    let running = startKdr(['run', '--config', path])
    try {
      await ofLink()

      // C082: more replicas are wanted than the standby has brokers.
      configure({ overrides: [] })
      await ofLink('C082 link:ew')
      configure()
      await ofLink()

      // C084: paused; the hint resumes it.
      await kdr('link', 'pause', 'ew', '--topic', 'orders', '--yes')
      const [paused] = await ofLink('C084 link:ew')
      await mend(paused!)
      await ofLink()

      // C081: somebody reads at the standby already.
      const { consumer } = await judge.startConsumer({ ...at('west'), group: 'g', topics: ['orders'] })
      await judge.alterGroupOffsets({
        ...at('east'),
        group: 'g',
        offsets: [{ topic: 'orders', partition: 0, offset: 2 }],
      })
      await ofLink('C081 link:ew')
      await judge.stopConsumer({ consumer })
      await ofLink()

      // C079: a quota that the target has set itself.
      const quota = (bytes: number | null) => ({ clientId: 'own', quotas: { consumer_byte_rate: bytes } })
      await judge.setQuota({ ...at('west'), ...quota(2_000_000) })
      await judge.setQuota({ ...at('east'), ...quota(1_000_000) })
      await ofLink('C079 link:ew')
      await judge.setQuota({ ...at('west'), ...quota(1_000_000) })
      await ofLink()

      // C080: a user whose password nobody can copy.
      const user = { user: 'app', mechanism: 'SCRAM-SHA-512', password: 'geheim' } as const
      await judge.setUser({ ...at('east'), ...user })
      await ofLink('C080 link:ew')
      await judge.setUser({ ...at('west'), ...user })
      await ofLink()

      // C071: somebody has written to a mirror; the evidence names the way out.
      await judge.produce({ ...at('west'), topic: 'orders', partition: 0, count: 1 })
      await judge.produce({ ...at('east'), topic: 'orders', partition: 0, count: 1 })
      const [stopped] = await ofLink('C071 link:ew topic:orders')
      const [out = ''] = /kdr link recopy [\w-]+ --topic [\w-]+/.exec(stopped!.evidence.join()) ?? []
      assert.equal((await kdr(...out.split(' ').slice(1), '--yes')).code, 0, stopped!.evidence.join())
      await ofLink()

      // C072: nobody runs it, and the objective passes by; both hints come down to a kdr that runs.
      running.signal('SIGTERM')
      await running.ended
      configure({}, { objectives: [{ for: 'link:ew', rpo: '2s' }] })
      await judge.produce({ ...at('east'), topic: 'orders', partition: 0, count: 1 })
      const [nobody] = await ofLink('C070 link:ew', 'C072 link:ew')
      const [, ...args] = nobody!.hint.split(' ')
      running = startKdr([...args, '--config', path])
      await ofLink()
    } finally {
      running.signal('SIGTERM')
      await running.ended
      onlyEast()
    }
  })

  // Behind the others, for a set is not late before a minute has passed.
  test('C090: a backup that is late', async () => {
    withSet({ every: '5s' })
    await waitFor(async () => (await check()).findings.length > 0, {
      what: 'the backup to be late',
      timeoutMs: patience(90_000),
      everyMs: 1_000,
    })
    const [late] = (await until(['C090 set:all'])).findings
    await mend(late!)
    await until([])
    onlyEast()
  })

  test('what the check says of a lost rack for acks=1 is what is lost', async () => {
    const { judge } = context
    const east = context.cluster('east')
    const topic = 'hasty'
    await judge.createTopic({
      ...at('east'),
      topic,
      replicas: [
        [1, 2, 3],
        [2, 3, 1],
        [3, 1, 2],
      ],
      partitions: 3,
    })
    const { racks } = await check()
    const mine = (names: readonly string[]): string[] => names.filter(name => name.startsWith(`${topic}/`))
    const predicted = racks.find(({ rack }) => rack === 'c')
    assert.ok(predicted !== undefined)
    const bootstrapOf = (...ids: readonly number[]): string =>
      east.brokers.flatMap(({ id, port }) => (ids.includes(id) ? [`127.0.0.1:${port}`] : [])).join(',')
    const send = async (partition: number, leader: number): Promise<void> => {
      const of = { topic, partition, count: 5, acks: '1', idempotent: false } as const
      const sent = await judge.produce({ bootstrap: bootstrapOf(leader), ...of })
      assert.equal(sent.partitions[0]?.last, 4, 'acknowledged')
    }
    await send(0, 1)
    await send(1, 2)
    // The followers of the third stand still. Of what they have asked for they get an empty answer, after half a second: whatever comes
    // then their leader alone has.
    for (const id of [1, 2]) await east.pause(id)
    await new Promise(resolve => setTimeout(resolve, 2_000))
    await send(2, 3)
    await east.kill(3)
    for (const id of [1, 2]) await east.resume(id)
    const left = bootstrapOf(1, 2)
    await waitFor(
      async () => {
        const { partitions } = await judge.describeTopic({ bootstrap: left, topic })
        return partitions.every(({ leader }) => leader === 1 || leader === 2)
      },
      { what: 'the two that are left to lead', timeoutMs: patience(60_000) },
    )
    const ends = await judge.ends({ bootstrap: left, topics: [topic] })
    const lost = ends.filter(([, , end]) => end < 5).map(([name, partition]) => `${name}/${partition}`)
    assert.deepEqual(lost, mine(predicted.losesAcksOne))
    assert.deepEqual(mine(predicted.losesAcksOne), [`${topic}/2`])
    assert.equal(ends.find(([, partition]) => partition === 2)?.[2], 0)
  })
})
