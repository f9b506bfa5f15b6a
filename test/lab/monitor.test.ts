// kdr run --only monitor over real brokers: what it says of groups of Java's consumer that keep up, lag, hang, die and are set back; of a
// broker that is killed; that it needs no right but those that are printed; and what the check that it carries out by itself finds.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { loadConfig, planAclsOf } from '../../src/config/index.ts'
import type { GroupSight, WatchedCluster } from '../../src/engine/monitor/sight.ts'
import { findPort } from '../../src/lab/ports.ts'
import type { Acl } from '../support/judge.ts'
import { patience, waitFor, withLab } from '../support/lab.ts'
import { adminOf, KDR_USER, type KdrProcess, startKdr } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full'
const WINDOW_MS = 10_000
const WITHIN_MS = 90_000
/** Between two checks, and before the first. */
const CHECK_MS = 60_000
const RECKLESS = 'reckless'
const UNCLEAN = 'unclean.leader.election.enable'

describe('kdr run --only monitor', { skip, concurrency: 1 }, () => {
  const context = withLab(
    skip === false
      ? [
          { name: 'east', brokers: 3 },
          { name: 'guarded', security: 'acl' },
        ]
      : [],
  )
  const east = () => adminOf(context.cluster('east'))
  const guarded = () => adminOf(context.cluster('guarded'))
  const dir = mkdtempSync(join(tmpdir(), 'kdr-monitor-'))
  const path = join(dir, 'kdr.yaml')
  let address: string
  let kdr: KdrProcess

  before(async () => {
    address = `127.0.0.1:${await findPort()}`
    const config = {
      clusters: {
        east: { bootstrap: context.cluster('east').bootstrap },
        guarded: {
          bootstrap: context.cluster('guarded').bootstrap,
          sasl: { mechanism: 'plain', ...KDR_USER },
        },
      },
      monitor: { every: '1s', window: '10s', groups: ['*', '!other-*'], check: '1m' },
      server: { listen: address },
    }
    writeFileSync(path, JSON.stringify(config))
    await giveRights(() => true)
    await context.judge.createTopic({ ...east(), topic: RECKLESS, rf: 3, configs: { [UNCLEAN]: 'true' } })
    kdr = startKdr(['run', '--only', 'monitor', '--config', path])
  })
  after(async () => {
    kdr.signal('SIGTERM')
    const { code } = await kdr.ended
    rmSync(dir, { recursive: true, force: true })
    assert.equal(code, 0)
  })

  /** Those that `kdr config acls --for monitor` prints, as far as they are wanted. */
  async function giveRights(isWanted: (operation: string, on: string) => boolean): Promise<void> {
    const planned = planAclsOf(await loadConfig(path), 'monitor', { hasClusterRights: true })
    const acls = (planned.find(({ cluster }) => cluster === 'guarded')?.grants ?? [])
      .filter(({ operation, type }) => isWanted(operation, type))
      .map(
        ({ type, pattern, name, operation }) =>
          ({ type, pattern, name, operation, principal: `User:${KDR_USER.username}` }) as Acl,
      )
    await context.judge.deleteAcls(guarded())
    await context.judge.createAcls({ ...guarded(), acls })
  }

  const text = async (what: string): Promise<string | undefined> => {
    const answer = await fetch(`http://${address}${what}`).catch(() => undefined)
    return answer?.ok === true ? await answer.text() : undefined
  }
  const seen = async (name: string): Promise<WatchedCluster | undefined> => {
    const found = await text('/api/clusters')
    if (found === undefined) return undefined
    const { clusters } = JSON.parse(found) as { clusters: readonly WatchedCluster[] }
    return clusters.find(cluster => cluster.name === name)
  }
  const groupsOf = async (name = 'east'): Promise<ReadonlyMap<string, GroupSight>> =>
    new Map((await seen(name))?.groups.map(each => [each.group, each]))
  const untilSeen = async (
    name: string,
    what: string,
    is: (cluster: WatchedCluster) => boolean,
  ): Promise<WatchedCluster> => {
    let last: WatchedCluster | undefined
    return await waitFor(
      async () => {
        last = await seen(name)
        return last !== undefined && is(last) && last
      },
      { what: () => `${what}; ${JSON.stringify(last)}`, timeoutMs: patience(WITHIN_MS), everyMs: 200 },
    )
  }
  const untilStates = async (
    wanted: Readonly<Record<string, GroupSight['state']>>,
  ): Promise<WatchedCluster> =>
    await untilSeen('east', JSON.stringify(wanted), ({ groups }) =>
      Object.entries(wanted).every(([name, state]) =>
        groups.some(each => each.group === name && each.state === state),
      ),
    )

  test('groups are OK, LAGGING, STALLED, STOPPED and REWOUND as their consumers are', async () => {
    const { judge } = context
    const names = ['keeps-up', 'slow', 'hangs', 'dies', 'set-back', 'other-one']
    const at = (name: string) => ({ ...east(), topic: `topic-of-${name}` })
    for (const name of names) await judge.createTopic({ ...at(name), partitions: 1, rf: 3 })
    const workloads = await Promise.all(
      names.map(async name => await judge.startWorkload({ ...at(name), rate: 50 })),
    )
    const consumers = new Map(
      await Promise.all(
        names.map(async name => {
          const properties = {
            'session.timeout.ms': '6000',
            ...(name === 'slow' && { 'max.poll.records': '1' }),
          }
          const consumer = await judge.startConsumer({
            ...east(),
            properties,
            group: name,
            topics: [`topic-of-${name}`],
            // So that what is committed is new at each look, also of the one that is slow.
            restMs: name === 'slow' ? 100 : 0,
          })
          return [name, consumer] as const
        }),
      ),
    )
    await untilStates({ 'keeps-up': 'ok', hangs: 'ok', dies: 'ok', 'set-back': 'ok' })
    await judge.pauseConsumer(consumers.get('hangs')!)
    await judge.stopConsumer({ ...consumers.get('dies')!, crash: true })
    await judge.stopConsumer(consumers.get('set-back')!)
    await waitFor(
      async () =>
        (await judge.listGroups(east())).some(
          ({ group, state }) => group === 'set-back' && /empty/i.test(state),
        ),
      { what: 'a group without members' },
    )
    await judge.alterGroupOffsets({
      ...east(),
      group: 'set-back',
      offsets: [{ topic: 'topic-of-set-back', partition: 0, offset: 0 }],
    })
    await untilStates({ 'set-back': 'rewound' })
    const { groups } = await untilStates({
      'keeps-up': 'ok',
      slow: 'lagging',
      hangs: 'stalled',
      dies: 'stopped',
    })
    assert.ok(!groups.some(({ group }) => group === 'other-one'), 'it is not wanted')
    const found = new Map(groups.map(each => [each.group, each]))
    for (const [name, hasMembers] of [
      ['hangs', true],
      ['dies', false],
    ] as const) {
      const group = found.get(name)
      assert.ok(group !== undefined, name)
      assert.equal(group.hasMembers, hasMembers, name)
      const { lagRecords, lagMs, isLagAtLeast, worst } = group
      // Fifty a second for a window; what has waited was seen to come.
      assert.ok(lagMs >= WINDOW_MS && lagRecords >= 250, `${name}: ${lagRecords} records, ${lagMs} ms`)
      assert.equal(isLagAtLeast, false)
      const [commit] = await judge.groupOffsets({ ...east(), group: name })
      assert.equal(worst?.committed, commit?.offset)
    }
    assert.ok((found.get('keeps-up')?.lagMs ?? Infinity) < patience(5_000))
    const metrics = (await text('/metrics')) ?? ''
    assert.match(metrics, /^kdr_group_state\{cluster="east",group="hangs",state="stalled"\} 1$/m)
    assert.match(metrics, /^kdr_group_state\{cluster="east",group="dies",state="stopped"\} 1$/m)
    assert.match(metrics, /^kdr_cluster_groups\{cluster="east",state="lagging"\} 1$/m)
    assert.match(kdr.stderr, /group "hangs" of "east" is STALLED: has members, and commits nothing new/)

    await judge.pauseConsumer({ ...consumers.get('hangs')!, paused: false })
    await untilStates({ hangs: 'ok' })
    for (const name of ['keeps-up', 'slow', 'hangs', 'other-one'])
      await judge.stopConsumer(consumers.get(name)!)
    for (const workload of workloads) await judge.stopWorkload(workload)
  })

  test('a lag is what Java sees: of each partition its end less the commit', async () => {
    const { judge } = context
    const topic = 'counted'
    await judge.createTopic({ ...east(), topic, partitions: 3, rf: 1 })
    for (const [partition, count] of [10, 20, 30].entries())
      await judge.produce({ ...east(), topic, partition, count })
    const offsets = [0, 1].map(partition => ({ topic, partition, offset: 4 }))
    await judge.alterGroupOffsets({ ...east(), group: 'counts', offsets })
    const { groups } = await untilSeen('east', 'the group', cluster =>
      cluster.groups.some(({ group }) => group === 'counts'),
    )
    // The third has no commit, and no lag that anybody knows.
    assert.partialDeepStrictEqual(
      groups.find(({ group }) => group === 'counts'),
      { lagRecords: 6 + 16, partitions: 2, hasMembers: false },
    )
    await judge.deleteGroup({ ...east(), group: 'counts' })
    await untilSeen('east', 'no group', cluster => !cluster.groups.some(({ group }) => group === 'counts'))
  })

  test('a broker that is killed is missing, its partitions under-replicated, and then no more', async () => {
    const { judge } = context
    await judge.createTopic({
      ...east(),
      topic: 'strict',
      partitions: 1,
      rf: 3,
      configs: { 'min.insync.replicas': '3' },
    })
    await untilSeen(
      'east',
      'all is well',
      ({ partitions }) => partitions?.underReplicated === 0 && partitions.underMinIsr === 0,
    )
    await context.cluster('east').kill(3)
    const hit = await untilSeen(
      'east',
      'a broker is missing',
      ({ partitions }) => (partitions?.brokersMissing.length ?? 0) > 0 && (partitions?.underMinIsr ?? 0) > 0,
    )
    assert.deepEqual(hit.partitions?.brokersMissing, [3])
    assert.ok((hit.partitions?.underReplicated ?? 0) >= 1)
    assert.ok(hit.partitions?.troubled.some(({ topic }) => topic === 'strict'))
    const metrics = (await text('/metrics')) ?? ''
    assert.match(metrics, /^kdr_broker_up\{cluster="east",broker="3"\} 0$/m)
    assert.match(metrics, /^kdr_broker_up\{cluster="east",broker="1"\} 1$/m)
    assert.match(metrics, /^kdr_cluster_partitions_under_min_isr\{cluster="east"\} [1-9]/m)
    assert.match(kdr.stderr, /broker 3 of "east" is not there/)
    await context.cluster('east').start(3)
    await untilSeen(
      'east',
      'all is well again',
      ({ partitions }) => partitions?.underReplicated === 0 && partitions.brokersMissing.length === 0,
    )
    assert.match(kdr.stderr, /broker 3 of "east" is there again/)
  })

  test('the rights that are printed are enough, and what one is missing for is said', async () => {
    const { judge } = context
    const topic = 'guarded-topic'
    await judge.createTopic({ ...guarded(), topic })
    await judge.produce({ ...guarded(), topic, count: 5 })
    await judge.alterGroupOffsets({
      ...guarded(),
      group: 'app',
      offsets: [{ topic, partition: 0, offset: 2 }],
    })
    const whole = await untilSeen(
      'guarded',
      'all of it',
      ({ groups, notSeen, controllers }) =>
        groups.length === 1 && notSeen.length === 0 && controllers !== undefined,
    )
    assert.equal((await groupsOf('guarded')).get('app')?.lagRecords, 3)
    assert.equal(whole.partitions?.underMinIsr, 0)
    assert.ok((whole.brokers[0]?.freeShare ?? 0) > 0)

    await giveRights((operation, on) => operation !== 'DESCRIBE_CONFIGS' && on !== 'GROUP')
    await judge.createTopic({ ...guarded(), topic: 'another' })
    const part = await untilSeen(
      'guarded',
      'what is not seen',
      ({ notSeen, groups, groupsUnwatched }) =>
        notSeen.length === 1 && groups.length === 0 && groupsUnwatched === 1,
    )
    assert.equal(part.notSeen[0]?.what, 'topic configs')
    assert.match(part.notSeen[0]?.why ?? '', /TOPIC_AUTHORIZATION_FAILED.*\(DESCRIBE_CONFIGS on topics\)/)
    assert.equal(part.partitions?.partitions, (whole.partitions?.partitions ?? 0) + 1)
    assert.match(
      (await text('/metrics')) ?? '',
      /^kdr_cluster_unseen\{cluster="guarded",what="topic configs"\} 1$/m,
    )
  })

  test('the whole check is carried out again and again: what it finds is a figure until it is mended', async () => {
    let metrics = ''
    const untilFound = async (isThere: boolean): Promise<void> => {
      await waitFor(
        async () => {
          metrics = (await text('/metrics')) ?? ''
          return /^kdr_findings\{.*"C017".*\} 1$/m.test(metrics) === isThere && metrics !== ''
        },
        {
          what: () => `C017 ${isThere ? 'to be found' : 'to be found no more'}; ${kdr.stderr}`,
          timeoutMs: CHECK_MS + patience(60_000),
          everyMs: 500,
        },
      )
    }
    await untilFound(true)
    assert.match(metrics, /^kdr_check_interval_seconds 60$/m)
    assert.match(metrics, /^kdr_check_failing 0$/m)
    assert.match(kdr.stderr, /all was checked: NOT READY, \d+ findings? \(kdr check\)/)
    await context.judge.alterConfigs({ ...east(), topic: RECKLESS, configs: { [UNCLEAN]: null } })
    await untilFound(false)
  })
})
