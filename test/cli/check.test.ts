// kdr check as people and scripts see it: the exact text, JSON and Markdown of one report, and what the options do.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { ReadinessOptions, Services } from '../../src/cli/app.ts'
import { wrapCommand } from '../../src/cli/wrap.ts'
import { type CheckReport, judge } from '../../src/engine/check/check.ts'
import { makeTestApp, runForTest } from '../support/app.ts'
import { clusterOf, linkOf, NOW, setOf, type TopicSpec } from '../support/sights.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-check-'))
after(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'kdr.yaml')
writeFileSync(
  path,
  `clusters: { east: { bootstrap: "east:9092" }, west: { bootstrap: "west:9092" } }
links: { ew: { source: east, target: west } }
accept: [ { finding: C012, where: "topic:tmp-*", until: 2027-01-01, why: "scratch data" } ]
`,
)

const reportOf = (topics: Readonly<Record<string, TopicSpec>>): CheckReport =>
  judge({
    clusters: [
      {
        sight: clusterOf({ topics }),
        rpoMs: 60_000,
        rack: undefined,
        certificates: [],
        sets: [],
        isMirror: () => false,
      },
    ],
    links: [linkOf()],
    drifts: [],
    sets: [setOf()],
    compared: undefined,
    notSeen: [],
    accepts: [
      { finding: 'C012', where: 'topic:tmp-*', until: Date.parse('2027-01-01'), why: 'scratch data' },
    ],
    now: NOW,
    isWhole: false,
  })

const kdr = async (report: CheckReport, ...args: string[]) => {
  const asked: ReadinessOptions[] = []
  const services: Services = {
    ...makeTestApp().services,
    check: (_config, options) => {
      asked.push(options)
      return Promise.resolve(report)
    },
  }
  return { ...(await runForTest(['check', ...args, '--config', path], { services })), asked }
}

const HEALTHY = reportOf({ orders: {} })
const SICK = reportOf({
  orders: { configs: { 'unclean.leader.election.enable': 'true' } },
  payments: { isr: [[1]] },
  'tmp-1': { replicas: [[1]], configs: { 'min.insync.replicas': '1' } },
})

describe('kdr check', () => {
  test('says that all is well, and what was looked at', async () => {
    const { exit, stdout } = await kdr(HEALTHY)
    assert.equal(exit, 0)
    assert.equal(
      stdout,
      `READY: nothing found in 1 cluster, 1 link, 1 set

partitions of east that would suffer without one rack:
RACK  BROKERS  LEADERS  NO LEADER  NO ACKS=ALL  ACKS=1 LOST  CONTROLLERS
a     1              1          0            0            1  go on
b     2              0          0            0            0  go on
c     3              0          0            0            0  go on
`,
    )
  })

  test('names each finding, what was seen and what mends it, in 80 columns; exit 3', async () => {
    const { exit, stdout } = await kdr(SICK)
    assert.equal(exit, 3)
    assert.equal(
      stdout,
      `NOT READY: 2 errors in 1 cluster, 1 link, 1 set

✗ C011 fewer replicas in sync than writes need
  1 partition of "payments" with fewer than 2 in sync: writes with acks=all are
  refused
    cluster:east topic:payments
    - partition 0: in sync 1 of 1, 2, 3; 2 needed
  → Bring the brokers that the evidence names back, or see why they do not keep
    up (disk, network, \`num.replica.fetchers\`).

✗ C017 acknowledged records may be thrown away
  "orders" may lose acknowledged records in an unclean election
    cluster:east topic:orders
    - unclean.leader.election.enable=true
  → kafka-configs.sh --bootstrap-server east:9092 --alter --entity-type topics \\
      --entity-name orders --add-config unclean.leader.election.enable=false

partitions of east that would suffer without one rack:
RACK  BROKERS  LEADERS  NO LEADER  NO ACKS=ALL  ACKS=1 LOST  CONTROLLERS
a     1              3          2            2            3  go on
b     2              0          0            1            0  go on
c     3              0          0            1            0  go on

accepted, and not counted:
  · C012 "tmp-1" has 1 replica instead of 3; accepted until 2027-01-01: scratch
    data

what each means, and how it comes about: docs/findings
`,
    )
    for (const line of stdout.split('\n')) assert.ok(line.length <= 80, line)
  })

  test('with --json is one object, as the contract says', async () => {
    const { exit, stdout } = await kdr(SICK, '--json')
    const object = JSON.parse(stdout) as Record<string, unknown> & CheckReport
    assert.equal(exit, 3)
    assert.deepEqual(Object.keys(object), ['v', 'ready', 'findings', 'accepted', 'racks', 'looked'])
    assert.equal(object.ready, 'NOT READY')
    assert.deepEqual(object.findings[1], {
      id: 'C017',
      severity: 'error',
      where: 'cluster:east topic:orders',
      message: '"orders" may lose acknowledged records in an unclean election',
      evidence: ['unclean.leader.election.enable=true'],
      hint: 'kafka-configs.sh --bootstrap-server east:9092 --alter --entity-type topics --entity-name orders --add-config unclean.leader.election.enable=false',
      fix: 'set unclean.leader.election.enable=false on topic "orders" of "east"',
    })
    assert.deepEqual(object.accepted[0]?.accepted, { until: '2027-01-01T00:00:00.000Z', why: 'scratch data' })
    assert.deepEqual(object.racks[0]?.refusesAcksAll, ['payments/0', 'tmp-1/0'])
  })

  test('--format markdown is a page to keep', async () => {
    const { exit, stdout } = await kdr(SICK, '--format', 'markdown')
    assert.equal(exit, 3)
    assert.match(
      stdout,
      /^# kdr check: NOT READY\n\n.*: 2 errors in 1 cluster, 1 link, 1 set\.\n\n## error: C011, /,
    )
    assert.match(stdout, /\n {2}```sh\n {2}kafka-configs\.sh .*=false\n {2}```\n/)
    assert.match(stdout, /- \*\*C012\*\* "tmp-1" .*, until 2027-01-01: scratch data\n$/)
  })

  test('warnings alone are no failure', async () => {
    const { exit, stdout } = await kdr(reportOf({ orders: { configs: { 'min.insync.replicas': '1' } } }))
    assert.deepEqual([exit, stdout.split('\n')[0]], [0, 'AT RISK: 1 warning in 1 cluster, 1 link, 1 set'])
  })

  test('looks only at what is named', async () => {
    const { asked } = await kdr(HEALTHY, '--cluster', 'east', '--link', 'ew', '--compare', 'east, west')
    const [{ clusters, links, compare } = {}] = asked as Partial<ReadinessOptions>[]
    assert.deepEqual([clusters, links, compare], [['east'], ['ew'], ['east', 'west']])
  })

  test('--plan writes what kafka-reassign-partitions takes, and shows it', async () => {
    const file = join(dir, 'plan.json')
    const { exit, stdout } = await kdr(SICK, '--plan', file)
    assert.equal(exit, 0)
    assert.equal(
      stdout,
      `TOPIC  PARTITION  REPLICAS NOW  THEN\ntmp-1  0          1             1, 2, 3\n\n${file}: 1 partition of east\n`,
    )
    assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), {
      version: 1,
      partitions: [{ topic: 'tmp-1', partition: 0, replicas: [1, 2, 3] }],
    })
    assert.match((await kdr(HEALTHY, '--plan', file)).stdout, /^nothing to move/)
  })

  for (const [args, expected] of [
    [['--format', 'xml'], /"xml" is not a format/],
    [['--compare', 'east'], /"east" does not name two clusters/],
    [['--yes'], /`--yes` goes with `--fix` or `--probe`/],
    [['--dry-run'], /`--dry-run` goes with `--fix` or `--probe`/],
    [['--reason', 'x'], /`--reason` goes with `--fix`/],
    [['--probe', '--fix'], /`--probe` and `--fix` do not go together/],
    [['--probe', '--link', 'ew'], /`--probe` and `--link` do not go together/],
    [['--probe', '--cluster', 'north'], /no cluster "north"/],
    [['--fix', '--plan', 'x.json'], /`--fix` and `--plan` do not go together/],
    [['--fix', '--format', 'markdown'], /no page of Markdown/],
    [['--fix', '--reason', 'x'.repeat(301)], /at most 300 characters/],
  ] as const)
    test(`\`kdr check ${args.join(' ')}\` is refused: exit 2`, async () => {
      const { exit, stderr } = await kdr(HEALTHY, ...args)
      assert.equal(exit, 2)
      assert.match(stderr, expected)
    })
})

test('a command that is broken into lines stays one command', () => {
  const command = `kafka-configs.sh --bootstrap-server ${'a:9092,'.repeat(9)}z:1 --alter --entity-name x --add-config a=1`
  const lines = wrapCommand(command, '    ', '  → ').trimEnd().split('\n')
  assert.ok(lines.length > 1)
  assert.equal(lines.map(line => line.replace(/^ *→? */, '').replace(/ \\$/, '')).join(' '), command)
  assert.ok(lines.slice(0, -1).every(line => line.endsWith(' \\')))
})
