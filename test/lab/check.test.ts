// kdr check on a real cluster of three brokers in three racks: nothing is found while all is well; each cause that is provoked has
// exactly its finding, and none any more after what the finding's command says; and what is predicted of a rack comes true.
import assert from 'node:assert/strict'
import { readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { CheckReport } from '../../src/engine/check/check.ts'
import { connectCluster } from '../../src/kafka/cluster.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { stampBatch } from '../../src/model/batch.ts'
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { checkOf, shown } from '../support/check.ts'
import { patience, waitFor, withLab } from '../support/lab.ts'
import { adminOf, startKdr } from '../support/link.ts'

const context = withLab([{ name: 'east', brokers: 3, racks: ['a', 'b', 'c'] }, { name: 'west' }])
const east = () => adminOf(context.cluster('east'))

const { dir, path, configure: write, kdr, check, until, mend } = checkOf(context)
const vault = join(dir, 'vault')
const configure = (more: Readonly<Record<string, unknown>> = {}): void =>
  write({
    clusters: { east: { bootstrap: context.cluster('east').bootstrap } },
    vaults: { main: { url: pathToFileURL(vault).href } },
    sets: { all: { cluster: 'east', vault: 'main', topics: ['*'] } },
    objectives: [{ for: 'cluster:east', rpo: '1s' }],
    ...more,
  })
const found = async (): Promise<string[]> => (await check()).findings.map(shown).toSorted()

const WHOLE = [[1, 2, 3]]

describe('kdr check', () => {
  before(async () => {
    configure()
    await context.judge.createTopic({
      ...east(),
      topic: 'orders',
      replicas: [
        [1, 2, 3],
        [2, 3, 1],
        [3, 1, 2],
      ],
      partitions: 3,
    })
    await context.judge.produce({ ...east(), topic: 'orders', count: 30 })
    assert.equal((await kdr('vault', 'init', 'main')).code, 0)
  })

  test('finds a set without a commit, and nothing once there is one', async () => {
    const { findings } = await until(['C091 set:all'])
    await mend(findings[0]!)
    const { ready, exit, racks } = await check()
    assert.deepEqual([await found(), ready, exit], [[], 'READY', 0])
    const ofOrders = (names: readonly string[]): string[] => names.filter(name => name.startsWith('orders/'))
    assert.deepEqual(
      racks.map(({ rack, losesAcksOne, refusesAcksAll, quorumSurvives }) => [
        rack,
        ofOrders(losesAcksOne),
        refusesAcksAll,
        quorumSurvives,
      ]),
      ['a', 'b', 'c'].map((rack, index) => [rack, [`orders/${index}`], [], true]),
    )
    assert.match((await kdr('check')).stdout, /^READY: nothing found in 1 cluster, 1 set\n/)
  })

  test('each cause has its finding, and none after its command', async () => {
    const { judge } = context
    const make = async (topic: string, configs: Record<string, string>, replicas: number[][] = WHOLE) =>
      await judge.createTopic({ ...east(), topic, replicas, configs })
    await make('one', { 'min.insync.replicas': '1' }, [[1]])
    await make('two', { 'min.insync.replicas': '1' }, [[1, 2]])
    await make('weak', { 'min.insync.replicas': '1' })
    await make('tight', { 'min.insync.replicas': '3' })
    await make('above', { 'min.insync.replicas': '4' })
    await make('unclean', { 'unclean.leader.election.enable': 'true' })
    // The leader stays where it is, and another one is preferred from now on.
    await make('moved', {})
    await judge.setReplicas({ ...east(), topic: 'moved', replicas: [2, 3, 1] })
    await judge.alterConfigs({ ...east(), broker: '2', configs: { 'num.io.threads': '9' } })
    await judge.alterConfigs({ ...east(), broker: '', configs: { 'unclean.leader.election.enable': 'true' } })
    const files = readdirSync(join(vault, 'all'), { recursive: true, withFileTypes: true })
    const [lost] = files.filter(each => each.isFile() && /\/(data|packs)(\/|$)/.test(each.parentPath))
    assert.ok(lost !== undefined)
    const object = join(lost.parentPath, lost.name)
    renameSync(object, `${object}.away`)
    configure({
      accept: [
        { finding: 'C012', where: 'topic:two', until: '2099-01-01', why: 'scratch data' },
        { finding: 'C013', where: 'topic:weak', until: '2020-01-01', why: 'for a day' },
        { finding: 'C033', why: 'a typing mistake' },
      ],
    })
    const sick = [
      'C012 cluster:east topic:one',
      'C013 cluster:east topic:weak',
      'C014 cluster:east topic:tight',
      'C015 cluster:east topic:above',
      'C017 cluster:east topic:unclean',
      'C018 cluster:east',
      'C025 cluster:east',
      'C030 cluster:east config:num.io.threads',
      'C098 accept:2',
      'C099 accept:3',
      'C094 set:all',
    ]
    const report = await until(sick)
    assert.deepEqual(
      [report.ready, report.accepted.map(shown)],
      ['NOT READY', ['C012 cluster:east topic:two']],
    )

    for (const each of report.findings) if (/^C01[2-7]|^C025|^C030/.test(each.id)) await mend(each)
    await judge.reassign({ ...east(), topic: 'moved', partition: 0, replicas: [2, 3, 1] })
    renameSync(`${object}.away`, object)
    configure()
    // They have three replicas now, and still take what only one has. (`two` had been accepted: it was a part of the same plan.)
    const { findings } = await until(['C013 cluster:east topic:one', 'C013 cluster:east topic:two'])
    for (const each of findings) await mend(each)
    await until([])
  })

  test('a link: who runs it, what is missing, who has changed what', async () => {
    const { judge } = context
    const west = context.cluster('west')
    configure({
      clusters: {
        east: { bootstrap: context.cluster('east').bootstrap },
        west: { bootstrap: west.bootstrap },
      },
      links: {
        ew: {
          source: 'east',
          target: 'west',
          topics: ['orders'],
          overrides: [{ topics: '*', replicationFactor: 1 }],
        },
      },
    })
    const ofLink = async (...expected: string[]) => await until(expected, '--link', 'ew')
    const copy = async () => assert.equal((await kdr('run', '--once')).code, 0)
    await ofLink('C070 link:ew', 'C074 link:ew')
    await copy()
    await ofLink('C070 link:ew')

    await judge.alterConfigs({ ...adminOf(west), topic: 'orders', configs: { 'retention.ms': '3600000' } })
    const changed = await ofLink('C070 link:ew', 'C076 link:ew topic:orders')
    const { hint = '' } = changed.findings.find(({ id }) => id === 'C076') ?? {}
    assert.match(hint, /--entity-name orders --add-config retention\.ms=-1$/)
    await judge.alterConfigs({ ...adminOf(west), topic: 'orders', configs: { 'retention.ms': '-1' } })
    await judge.alterConfigs({ ...east(), topic: 'orders', configs: { 'segment.bytes': '20971520' } })
    await judge.createPartitions({ ...east(), topic: 'orders', count: 4 })
    await ofLink('C070 link:ew', 'C075 link:ew topic:orders', 'C077 link:ew topic:orders')
    await copy()
    await ofLink('C070 link:ew')

    const running = startKdr(['run', '--config', path])
    try {
      await ofLink()
    } finally {
      running.signal('SIGTERM')
      await running.ended
    }
    const { findings } = await check('--compare', 'east,west')
    assert.deepEqual(findings.map(shown).toSorted().slice(0, 2), [
      'C065 compare:east,west',
      'C066 compare:east,west topic:orders',
    ])
    assert.deepEqual((await check('--cluster', 'west')).findings.map(shown), ['C003 cluster:west'])
    configure()
  })

  test('a transaction that is left open is found until it ends', async () => {
    const { judge } = context
    const { producer } = await judge.openProducer({ ...east(), transactionalId: 'pay' })
    await judge.begin({ producer })
    await judge.send({ producer, topic: 'orders', count: 1 })
    await until(['C061 cluster:east transaction:pay'])
    await judge.abort({ producer })
    await judge.closeProducer({ producer })
    await until([])
  })

  test('a producer that is not idempotent is found when producers are asked for', async () => {
    await context.judge.produce({ ...east(), topic: 'orders', count: 1, idempotent: false })
    const { stdout } = await kdr('check', '--producers', '--json')
    const { ready, findings } = JSON.parse(stdout) as CheckReport
    assert.deepEqual([ready, findings.map(shown)], ['READY', ['C060 cluster:east topic:orders']])
  })

  test('without a rack comes true what was predicted, partition by partition', async () => {
    const { judge } = context
    await judge.createTopic({
      ...east(),
      topic: 'no-loss',
      replicas: WHOLE,
      configs: { 'min.insync.replicas': '3' },
    })
    await judge.createTopic({
      ...east(),
      topic: 'alone',
      replicas: [[3], [1]],
      partitions: 2,
      configs: { 'min.insync.replicas': '1' },
    })
    const { racks } = await check()
    const predicted = racks.find(({ rack }) => rack === 'c')
    assert.ok(predicted !== undefined)
    assert.deepEqual(
      [predicted.withoutLeader, predicted.refusesAcksAll.toSorted(), predicted.quorumSurvives],
      [['alone/0'], ['alone/0', 'no-loss/0'], true],
    )
    const cluster = await connectCluster({
      name: 'east',
      bootstrap: context.cluster('east').bootstrap,
      clientId: 'test',
      clock: systemClock,
    })
    const ledByC = new Set<string>()
    try {
      for (const { name, partitions } of (await cluster.describe()).topics.values())
        for (const { partition, leader } of partitions) if (leader === 3) ledByC.add(`${name}/${partition}`)
      await context.cluster('east').kill(3)
      await waitFor(async () => (await cluster.describe()).brokers.length === 2, {
        what: 'broker 3 to be given up',
        timeoutMs: patience(30_000),
      })
      assert.deepEqual(new Set(predicted.losesAcksOne), ledByC)
      const refusing: string[] = []
      const leaderless: string[] = []
      for (const { name, id, partitions } of (await cluster.describe()).topics.values()) {
        if (name.startsWith('_')) continue
        for (const { partition, leader } of partitions) {
          const at = `${name}/${partition}`
          assert.notEqual(leader, 3, at)
          if (leader < 0) leaderless.push(at)
          const code = leader < 0 ? undefined : await append({ topic: name, topicId: id, partition, leader })
          if (code === undefined || code === KafkaCode.NOT_ENOUGH_REPLICAS) refusing.push(at)
          else assert.equal(code, KafkaCode.NONE, at)
        }
      }
      assert.deepEqual(leaderless.toSorted(), predicted.withoutLeader.toSorted())
      const ofApplications = predicted.refusesAcksAll.filter(at => !at.startsWith('_'))
      assert.deepEqual(refusing.toSorted(), ofApplications.toSorted())
    } finally {
      await cluster.close()
    }
    async function append(to: { topic: string; topicId: string; partition: number; leader: number }) {
      const batch = recordCodec.encode({
        codec: 'none',
        records: [{ offset: 0, timestamp: Date.now(), key: null, value: Buffer.from('x'), headers: [] }],
      })
      stampBatch(batch, { producerId: 4_000_000_001n, producerEpoch: 0 }, 0)
      const lane = await cluster.openAppendLane(to.leader)
      try {
        return (await lane.append([{ ...to, batch }], 5_000))[0]?.code
      } finally {
        await lane.close()
      }
    }
    const { findings } = await until([
      'C004 cluster:east broker:3',
      'C010 cluster:east topic:alone',
      'C011 cluster:east topic:no-loss',
      'C012 cluster:east topic:alone',
      'C014 cluster:east topic:no-loss',
      'C040 cluster:east controller:3',
    ])
    assert.equal(findings.find(({ id }) => id === 'C040')?.severity, 'error')
  })
})
