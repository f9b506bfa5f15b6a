// kdr config acls: the exact commands, for this config.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { type CliResult, runForTest } from '../support/app.ts'

const folder = mkdtempSync(join(tmpdir(), 'kdr-acls-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const SIGNED_IN = 'sasl: { mechanism: scram-sha-512, username: kdr, password: env:NOBODY_READS_IT }'
const config = (rest: string): string => `clusters:
  east: { bootstrap: "east-1:9092,east-2:9092", ${SIGNED_IN} }
  west: { bootstrap: "west-1:9092", ${SIGNED_IN} }
${rest}`
const LINK = config(`links:
  east-west: { source: east, target: west, topics: [orders, "pay-*"], groups: ["app-*"] }
`)

async function acls(text: string, ...args: string[]): Promise<CliResult> {
  const path = join(folder, 'kdr.yaml')
  writeFileSync(path, text)
  return await runForTest(['config', 'acls', '--config', path, ...args])
}
const commandsIn = ({ stdout }: CliResult): string[] =>
  stdout.split('\n').filter(line => line.startsWith('kafka-acls'))

const EAST =
  'kafka-acls --bootstrap-server east-1:9092,east-2:9092 --command-config admin.properties --add --allow-principal User:kdr'
const WEST =
  'kafka-acls --bootstrap-server west-1:9092 --command-config admin.properties --add --allow-principal User:kdr'
const MIRROR =
  '--operation Create --operation Read --operation Write --operation Delete --operation Alter --operation AlterConfigs'

describe('kdr config acls', () => {
  test('--for run: what a link needs at both of its clusters, and nothing else', async () => {
    const result = await acls(LINK, '--for', 'run')
    assert.equal(result.exit, 0, result.stderr)
    assert.deepEqual(commandsIn(result), [
      `${EAST} --operation Read --operation DescribeConfigs --topic orders`,
      `${EAST} --operation Read --operation DescribeConfigs --resource-pattern-type prefixed --topic pay-`,
      `${EAST} --operation Describe --resource-pattern-type prefixed --group app-`,
      `${EAST} --operation Describe --transactional-id '*'`,
      `${EAST} --operation Describe --operation DescribeConfigs --cluster`,
      `${EAST} --operation Create --operation Read --operation Write --topic _kdr.state`,
      `${WEST} ${MIRROR} --topic orders`,
      `${WEST} ${MIRROR} --resource-pattern-type prefixed --topic pay-`,
      `${WEST} --operation Create --operation Read --operation Write --operation DescribeConfigs --topic _kdr.state`,
      `${WEST} --operation Read --operation Delete --resource-pattern-type prefixed --group app-`,
      `${WEST} --operation Read --group _kdr.east-west`,
      `${WEST} --operation Alter --operation AlterConfigs --cluster`,
    ])
    assert.match(result.stdout, /^# "east": source of link "east-west"\.$/m)
    assert.match(result.stdout, /^# Read: reads the records\. DescribeConfigs: follows topic configs\.$/m)
    assert.match(result.stdout, /^# Before Kafka 3\.8 markers take ClusterAction/m)
  })

  test('a link that denies everybody needs a super user at its target, which is said there', async () => {
    const text = LINK.replace('topics:', 'denyWrites: true, topics:')
    const said = /^# Link "east-west" has `denyWrites`: .*must be a super user here.*`super\.users`/gm
    const { stdout } = await acls(text, '--for', 'run')
    assert.equal(stdout.match(said)?.length, 1)
    assert.ok(stdout.search(said) > stdout.indexOf('"west": target'))
    assert.doesNotMatch((await acls(LINK, '--for', 'run')).stdout, /super/)
  })

  test('--without-cluster-rights: empty transactions instead of markers', async () => {
    const result = await acls(LINK, '--for', 'run', '--without-cluster-rights', '--cluster', 'west')
    assert.deepEqual(commandsIn(result).slice(-2), [
      `${WEST} --operation DescribeConfigs --cluster`,
      `${WEST} --operation Write --resource-pattern-type prefixed --transactional-id _kdr.east-west.`,
    ])
    assert.doesNotMatch(result.stdout, /east-1|ClusterAction/)
  })

  test('--for failover and failback: both sides of a run, in one direction and the other', async () => {
    const there = await acls(LINK, '--for', 'failover')
    const lines = commandsIn(there)
    assert.ok(lines.includes(`${EAST} --operation DescribeConfigs --operation Alter --cluster`), there.stdout)
    assert.ok(lines.includes(`${EAST} --operation Write --transactional-id '*'`))
    for (const own of ['_kdr.journal', '_kdr.canary'])
      assert.ok(
        lines.includes(`${WEST} --operation Create --operation Read --operation Write --topic ${own}`),
      )
    assert.match(there.stdout, /After a switchover the link leads the other way/)

    const home = await acls(LINK, '--for', 'failback')
    assert.deepEqual(
      commandsIn(home).toSorted(),
      lines
        .map(line => (line.startsWith(EAST) ? line.replace(EAST, WEST) : line.replace(WEST, EAST)))
        .toSorted(),
    )
  })

  test('--for backup, restore and check', async () => {
    const text = config(`vaults: { main: { url: "file:///mnt/backup" } }
sets: { all: { cluster: east, vault: main, topics: ["*"], every: 15m } }
`)
    const reading = [
      `${EAST} --operation Read --operation DescribeConfigs --topic '*'`,
      `${EAST} --operation Describe --group '*'`,
      `${EAST} --operation Describe --transactional-id '*'`,
      `${EAST} --operation Describe --operation DescribeConfigs --cluster`,
    ]
    assert.deepEqual(commandsIn(await acls(text, '--for', 'backup')), reading)
    // `kdr run` backs up what has `every`.
    assert.deepEqual(commandsIn(await acls(text, '--for', 'run')), reading)
    assert.deepEqual(commandsIn(await acls(text, '--for', 'restore', '--cluster', 'west')), [
      `${WEST} ${MIRROR} --topic '*'`,
      `${WEST} --operation Read --group '*'`,
      `${WEST} --operation Alter --operation AlterConfigs --cluster`,
    ])
    assert.deepEqual(commandsIn(await acls(text, '--for', 'check', '--cluster', 'west')), [
      `${WEST} --operation Describe --operation DescribeConfigs --topic '*'`,
      `${WEST} --operation Describe --transactional-id '*'`,
      `${WEST} --operation Describe --operation DescribeConfigs --cluster`,
    ])
  })

  test('--for check-fix: what changes topics and the cluster besides; with a link, what is known of it', async () => {
    const text = config('links: { east-west: { source: east, target: west } }\n')
    assert.deepEqual(commandsIn(await acls(text, '--for', 'check-fix', '--cluster', 'west')), [
      `${WEST} --operation Describe --operation AlterConfigs --topic '*'`,
      `${WEST} --operation Describe --transactional-id '*'`,
      `${WEST} --operation Read --operation Write --topic _kdr.state`,
      `${WEST} --operation Alter --operation AlterConfigs --cluster`,
    ])
  })

  test('--for check-producers: records are read besides', async () => {
    assert.deepEqual(commandsIn(await acls(LINK, '--for', 'check-producers', '--cluster', 'west')), [
      `${WEST} --operation DescribeConfigs --operation Read --topic '*'`,
      `${WEST} --operation Describe --transactional-id '*'`,
      `${WEST} --operation Describe --operation DescribeConfigs --cluster`,
    ])
  })

  test('--for check-probe: the topic of the probe', async () => {
    assert.deepEqual(commandsIn(await acls(LINK, '--for', 'check-probe', '--cluster', 'west')), [
      `${WEST} --operation Create --operation Write --operation Delete --topic _kdr.probe`,
    ])
  })

  test('--for monitor: nothing but to look, at each cluster, also without a link', async () => {
    const look = [
      "--operation Describe --operation DescribeConfigs --topic '*'",
      '--operation Describe --resource-pattern-type prefixed --group app-',
      '--operation Describe --cluster',
    ]
    const shown = await acls(config('monitor: { groups: [app-*] }\n'), '--for', 'monitor')
    assert.deepEqual(
      commandsIn(shown),
      [EAST, WEST].flatMap(at => look.map(right => `${at} ${right}`)),
    )
    assert.match(shown.stdout, /^# What `kdr run --only monitor` needs\./)
  })

  test('what no ACL can say is said, not guessed', async () => {
    const text = config(`links:
  east-west: { source: east, target: west, topics: ["pay-*", "!pay-tmp-*", "a*z", "re:^x[0-9]$"] }
`)
    const { stdout } = await acls(text, '--for', 'run')
    assert.match(stdout, /^# "!pay-tmp-\*" of `topics`: an ACL cannot leave names out/m)
    assert.match(stdout, /^# "a\*z" of `topics`: no ACL can say this/m)
    assert.match(stdout, /^# "re:\^x\[0-9\]\$" of `topics`: no ACL can say this/m)
    assert.doesNotMatch(stdout, /--topic '?(a|re|x)/)
  })

  test('the principal: of the config, of the option, or one to be put in', async () => {
    const bare = LINK.replace(`west-1:9092", ${SIGNED_IN}`, 'west-1:9092"')
    const { stdout } = await acls(bare, '--for', 'run')
    assert.match(stdout, /--allow-principal User:PRINCIPAL/)
    assert.match(
      stdout,
      /^# The config does not tell what kdr is called there: put it in the place of User:PRINCIPAL/m,
    )
    const given = await acls(bare, '--for', 'run', '--principal', 'User:CN=kdr, O=example')
    assert.match(given.stdout, /--allow-principal 'User:CN=kdr, O=example'/)
    assert.doesNotMatch(given.stdout, /PRINCIPAL/)
    const wrong = await acls(bare, '--for', 'run', '--principal', 'kdr')
    assert.equal(wrong.exit, 2)
    assert.match(wrong.stderr, /"kdr" is no principal/)
  })

  test('--json: the rights, and the commands', async () => {
    const { stdout } = await acls(LINK, '--for', 'run', '--json')
    const told = JSON.parse(stdout) as {
      v: number
      for: string
      clusters: { name: string; principal: string; rights: unknown[]; commands: string[] }[]
    }
    assert.deepEqual([told.v, told.for], [1, 'run'])
    const [east, west] = told.clusters
    assert.equal(east?.principal, 'User:kdr')
    assert.deepEqual(east.rights[0], {
      resourceType: 'TOPIC',
      patternType: 'LITERAL',
      name: 'orders',
      operation: 'READ',
      why: 'reads the records',
    })
    assert.deepEqual(
      [...east.commands, ...(west?.commands ?? [])],
      commandsIn(await acls(LINK, '--for', 'run')),
    )
  })

  test('what is asked for must be there', async () => {
    for (const [args, sentence] of [
      [[], /--for/],
      [['--for', 'dinner'], /dinner/],
      [['--for', 'run', '--cluster', 'north'], /the config has no cluster "north"/],
      [['--for', 'backup'], /nothing in the config is for `kdr backup`/],
    ] as const) {
      const { exit, stderr } = await acls(LINK, ...args)
      assert.equal(exit, 2, stderr)
      assert.match(stderr, sentence)
    }
  })
})
