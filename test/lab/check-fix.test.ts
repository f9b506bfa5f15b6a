// kdr check on secured clusters, with exactly the rights that are printed for it: nothing is out of sight; and `--fix` mends what is
// safe to mend, sees it mended, and says which right it lacks where it may not.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { CONTRACT } from '../../src/api/contract/contract.ts'
import { apiOf } from '../../src/cli/run/api.ts'
import { keptCheck } from '../../src/cli/run/kept-check.ts'
import { type AclTask, loadConfig, planAclsOf } from '../../src/config/index.ts'
import type { CheckReport } from '../../src/engine/check/check.ts'
import type { Probe } from '../../src/engine/check/probe.ts'
import type { FixResult } from '../../src/cli/check/fix.ts'
import { LAB_USERS } from '../../src/lab/lab.ts'
import type { Finding } from '../../src/model/findings.ts'
import { services } from '../../src/wiring/services.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { makeTestApp } from '../support/app.ts'
import type { Acl } from '../support/judge.ts'
import { patience, waitFor, withLab } from '../support/lab.ts'
import { adminOf, runKdrHere } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full: two secured clusters, one of three brokers'
const context = withLab(
  skip === false
    ? [
        { name: 'east', brokers: 3, racks: ['a', 'b', 'c'], security: 'acl' },
        { name: 'west', security: 'acl' },
      ]
    : [],
)
const at = (name: string) => adminOf(context.cluster(name))

const dir = mkdtempSync(join(tmpdir(), 'kdr-check-fix-lab-'))
after(() => rmSync(dir, { recursive: true, force: true }))

/** The config of one of the lab's users. */
function configOf(username: 'admin' | 'kdr'): string {
  const path = join(dir, `${username}.yaml`)
  const cluster = (name: string) => ({
    bootstrap: context.cluster(name).bootstrap,
    sasl: { mechanism: 'plain', username, password: LAB_USERS[username] },
  })
  const overrides = [{ topics: '*', replicationFactor: 1 }]
  writeFileSync(
    path,
    JSON.stringify({
      clusters: { east: cluster('east'), west: cluster('west') },
      links: { ew: { source: 'east', target: 'west', topics: ['orders'], overrides } },
    }),
  )
  return path
}

/** `less`: of the rights on the cluster "east", what is given instead. */
async function giveExactly(task: AclTask, less: Partial<Record<Acl['operation'], Acl['operation']>> = {}) {
  const config = await loadConfig(configOf('kdr'))
  for (const { cluster, grants } of planAclsOf(config, task, { hasClusterRights: true })) {
    await context.judge.deleteAcls({ ...at(cluster) })
    const acls = grants.map(({ type, pattern, name, operation }): Acl => {
      const given = cluster === 'east' && type === 'CLUSTER' ? (less[operation] ?? operation) : operation
      return { type, pattern, name, operation: given, principal: 'User:kdr' } as Acl
    })
    await context.judge.createAcls({ ...at(cluster), acls })
  }
}

const kdr = async (...args: string[]) => await runKdrHere([...args, '--config', configOf('kdr')])
const shown = ({ id, where }: Pick<Finding, 'id' | 'where'>): string => `${id} ${where}`
async function until(expected: readonly string[]): Promise<void> {
  let seen: string[] = []
  await waitFor(
    async () => {
      const { stdout } = await kdr('check', '--json')
      seen = (JSON.parse(stdout) as CheckReport).findings.map(shown).toSorted()
      return seen.join() === expected.toSorted().join()
    },
    {
      what: () => `exactly ${expected.join()}, not ${seen.join()}`,
      timeoutMs: patience(20_000),
      everyMs: 200,
    },
  )
}
type Fixed = CheckReport & { readonly fixes: readonly FixResult[] }
const fix = async (...args: string[]) => {
  const { code, stdout, stderr } = await kdr('check', '--fix', '--json', ...args)
  const report = JSON.parse(stdout) as Fixed & { readonly error?: unknown }
  return { code, report, stderr, states: report.fixes?.map(({ id, state }) => `${id} ${state}`) }
}

/** One broker at the target, and nobody runs the link: as it is meant to be here. */
const STANDING = ['C003 cluster:west', 'C070 link:ew']
const UNCLEAN = { 'unclean.leader.election.enable': 'true' }

describe('kdr check --fix', { skip, concurrency: 1 }, () => {
  before(async () => {
    const replicas = [[1, 2, 3]]
    await context.judge.createTopic({ ...at('east'), topic: 'orders', replicas })
    await context.judge.createTopic({ ...at('east'), topic: 'moved', replicas })
    const { code, stderr } = await runKdrHere(['run', '--once', '--config', configOf('admin')])
    assert.equal(code, 0, stderr)
  })

  test('with the rights that are printed for it, a check sees everything', async () => {
    await giveExactly('check')
    await until(STANDING)
  })

  test('the API answers with what its schemas say, and nothing else', async () => {
    await giveExactly('check')
    const app = makeTestApp({ services, clock: systemClock })
    const path = configOf('kdr')
    const api = apiOf(app, { path, clusters: () => [], alerts: () => [], check: keptCheck(app, path) })
    for (const [part, schema] of Object.entries(CONTRACT)) {
      const { status, text } = (await api.get(part)?.()) ?? assert.fail(part)
      assert.equal(status, 200, text)
      schema.parse(JSON.parse(text))
    }
  })

  test('a probe measures each leader, with the rights that are printed for it, and leaves nothing behind', async () => {
    await giveExactly('check-probe')
    const { code, stdout, stderr } = await kdr('check', '--probe', '--yes', '--json')
    assert.equal(code, 0, stdout + stderr)
    const { probes } = JSON.parse(stdout) as { readonly probes: readonly Probe[] }
    assert.deepEqual(
      probes.map(({ cluster, leaders }) => [cluster, leaders.map(({ broker }) => broker)]),
      [
        ['east', [1, 2, 3]],
        ['west', [1]],
      ],
    )
    for (const leader of probes.flatMap(({ leaders }) => leaders))
      assert.ok('acksOneMs' in leader && leader.acksOneMs > 0 && leader.acksAllMs > 0, JSON.stringify(leader))
    for (const name of ['east', 'west'])
      await waitFor(async () => !(await context.judge.listTopics(at(name))).includes('_kdr.probe'), {
        what: 'the topic of the probe to go away',
      })
  })

  test('what may not be changed is refused, and says which right it takes', async () => {
    const { judge } = context
    await giveExactly('check-fix', { ALTER: 'DESCRIBE' })
    await judge.setReplicas({ ...at('east'), topic: 'moved', replicas: [2, 3, 1] })
    await until([...STANDING, 'C018 cluster:east'])
    const { code, report, states } = await fix('--yes')
    assert.deepEqual([code, states], [3, ['C018 refused']])
    assert.match(report.fixes[0]?.why ?? '', /CLUSTER_AUTHORIZATION_FAILED.*ALTER on the cluster/)
  })

  test('a mirror is left to its source, also where only its cluster is looked at', async () => {
    const { judge } = context
    await giveExactly('check-fix')
    const on = async (configs: Record<string, string | null>) =>
      await judge.alterConfigs({ ...at('west'), topic: 'orders', configs })
    await judge.reassign({ ...at('east'), topic: 'moved', partition: 0, replicas: [2, 3, 1] })
    await on(UNCLEAN)
    await until([...STANDING, 'C017 cluster:west topic:orders'])
    for (const scope of [[], ['--cluster', 'west']]) {
      const { states, report } = await fix('--yes', ...scope)
      assert.ok(report.findings.some(({ id }) => id === 'C017'))
      assert.deepEqual(states, [])
    }
    await on({ 'unclean.leader.election.enable': null })
    await until(STANDING)
    await judge.setReplicas({ ...at('east'), topic: 'moved', replicas: [3, 1, 2] })
  })

  test('everything that is safe is mended, and seen so; the journal of the link knows', async () => {
    const { judge } = context
    await giveExactly('check-fix')
    await judge.alterConfigs({
      ...at('east'),
      topic: 'orders',
      configs: { ...UNCLEAN, 'min.insync.replicas': '1' },
    })
    await judge.alterConfigs({ ...at('east'), broker: '', configs: UNCLEAN })
    await judge.alterConfigs({ ...at('west'), topic: 'orders', configs: { 'retention.ms': '3600000' } })
    const sick = [
      'C013 cluster:east topic:orders',
      'C017 cluster:east topic:orders',
      'C018 cluster:east',
      'C025 cluster:east',
      'C076 link:ew topic:orders',
      'C077 link:ew topic:orders',
    ]
    await until([...STANDING, ...sick])

    const refused = await fix()
    assert.deepEqual([refused.code, refused.report.error !== undefined], [20, true])
    const dry = await fix('--dry-run')
    assert.deepEqual(
      dry.states,
      ['C017', 'C013', 'C025', 'C076', 'C018'].map(id => `${id} planned`),
    )
    await until([...STANDING, ...sick])

    const { code, report, states, stderr } = await fix('--yes', '--reason', 'before the season')
    assert.deepEqual(
      states,
      ['C017', 'C013', 'C025', 'C076', 'C018'].map(id => `${id} mended`),
      stderr,
    )
    // Nobody runs the link: an error.
    assert.equal(code, 3)
    // What the source has been given follows with the next round of kdr.
    assert.deepEqual(report.findings.map(shown).toSorted(), [...STANDING, 'C077 link:ew topic:orders'])
    const led = await judge.describeTopic({ ...at('east'), topic: 'moved' })
    assert.equal(led.partitions[0]?.leader, 3)
    const log = JSON.parse((await kdr('link', 'log', 'ew', '--json')).stdout) as {
      readonly entries: readonly Record<string, unknown>[]
    }
    assert.partialDeepStrictEqual(log.entries[0], {
      verb: 'mend',
      topic: 'orders',
      reason: 'before the season',
      state: 'done',
      what: 'set retention.ms=-1 on topic "orders" of "west"',
    })
    const again = await fix('--yes')
    assert.deepEqual(again.states, [])
  })
})
