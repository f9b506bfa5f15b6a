// kdr init: what it writes, what it leaves alone, and what it says next.

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { App, Services } from '../../src/cli/app.ts'
import { type ClusterConfig, type InspectedCluster, loadConfig } from '../../src/config/index.ts'
import { KdrError } from '../../src/model/errors.ts'
import { runForTest } from '../support/app.ts'
import { inspected, topicsOf } from '../support/inspected.ts'

const CLUSTERS = `v: 1
# Ours.
clusters:
  lyon: { bootstrap: "l:1", tls: true, sasl: { mechanism: plain, username: kdr, password: env:LYON } }
  oslo: { bootstrap: "o:1" }
`

function place(config?: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'kdr-init-')), 'kdr.yaml')
  if (config !== undefined) writeFileSync(path, config)
  return path
}

/** Clusters that are seen as `of` says; each has its name as its id. */
function seeing(
  of: Record<string, Partial<InspectedCluster>> = {},
  asked: ClusterConfig[] = [],
): Partial<App> {
  const services: Partial<Services> = {
    inspectCluster: cluster => {
      asked.push(cluster)
      return Promise.resolve(inspected({ clusterId: cluster.name, ...of[cluster.name] }))
    },
  }
  return { services: services as Services }
}

describe('init', () => {
  test('writes a config that passes the check, and refuses to replace one', async () => {
    const path = place()

    assert.equal((await runForTest(['init', '--config', path])).exit, 0)
    assert.ok(existsSync(join(path, '../kdr.schema.json')))
    assert.equal((await runForTest(['config', 'check', '--config', path])).exit, 0)

    const again = await runForTest(['init', '--config', path])
    assert.equal(again.exit, 2)
    assert.match(again.stderr, /exists already/)
    assert.equal((await runForTest(['init', '--force', '--config', path])).exit, 0)
  })

  test('--from addresses looks at them, and says what it could not see and what comes next', async () => {
    const path = place()
    const asked: ClusterConfig[] = []
    const acls = { what: 'ACLs', why: 'CLUSTER_AUTHORIZATION_FAILED (31)', needs: 'DESCRIBE on the cluster' }
    const world = seeing({ 'e:1': { topics: topicsOf('_schemas'), unseen: [acls] } }, asked)

    const { exit, stdout } = await runForTest(['init', '--from', 'e:1', 'w:1', '--config', path], world)

    assert.equal(exit, 0)
    assert.equal(
      stdout,
      `wrote ${path} (and ${join(path, '../kdr.schema.json')} for editors)
e:1: Not seen: ACLs (CLUSTER_AUTHORIZATION_FAILED (31)). It takes DESCRIBE on the cluster.
next: put in what is yours, then
  kdr config check              # whether it is right
  kdr config acls --for run     # what kdr's own principals must be allowed to do, as commands
  kdr run --once                # the first copy, up to now
`,
    )
    const text = readFileSync(path, 'utf8')
    assert.match(text, /bootstrap: "e:1"/)
    assert.match(text, /# Schema Registry: found _schemas\./)
    assert.deepEqual(
      asked.map(({ bootstrap, tls, sasl }) => [...bootstrap, tls, sasl]),
      [
        ['e:1', undefined, undefined],
        ['w:1', undefined, undefined],
      ],
    )
  })

  test('--json has what was seen', async () => {
    const racks = ['a', 'b']
    const { stdout } = await runForTest(
      ['init', '--from', 'e:1', '--json', '--dry-run'],
      seeing({ 'e:1': { racks, topics: topicsOf('orders') } }),
    )

    const { seen, written } = JSON.parse(stdout) as Record<string, unknown>
    assert.equal(written, false)
    assert.deepEqual(seen, [
      { bootstrap: 'e:1', clusterId: 'e:1', brokers: 3, racks, topics: 1, groups: 0, unseen: [] },
    ])
  })

  test('--from names puts the link behind what the config has', async () => {
    const path = place(CLUSTERS)
    const asked: ClusterConfig[] = []
    const world = seeing({ lyon: { topics: topicsOf('orders') } }, asked)

    const { exit } = await runForTest(['init', '--from', 'lyon', 'oslo', '--config', path], world)

    assert.equal(exit, 0)
    const text = readFileSync(path, 'utf8')
    assert.ok(text.startsWith(`${CLUSTERS}\n# lyon: Seen: cluster id lyon, 3 brokers, 1 topic, 0 groups.\n`))
    const { links } = await loadConfig(path)
    assert.equal(links['lyon-oslo']?.target, 'oslo')
    assert.equal(asked[0]?.sasl?.mechanism, 'PLAIN')
  })

  test('--from names leaves a config with links as it is, and shows the proposal with --dry-run', async () => {
    const config = `${CLUSTERS}links: { mine: { source: lyon, target: oslo } }\n`
    const path = place(config)
    const init = async (...more: string[]) =>
      await runForTest(['init', '--from', 'lyon', 'oslo', '--config', path, ...more], seeing())

    const refused = await init('--force')
    assert.equal(refused.exit, 2)
    assert.equal(
      refused.stderr,
      `kdr: ${path} has links already\nhint: Look at the proposal with \`--dry-run\`, and put in what you want of it.\n`,
    )
    const shown = await init('--dry-run')
    assert.match(shown.stdout, /^links:\n {2}lyon-oslo:\n/m)
    assert.ok(!shown.stdout.includes('clusters:'))
    assert.equal(readFileSync(path, 'utf8'), config)
  })

  test('--from names: a config in one pair of braces is left as it is', async () => {
    const config = '{ clusters: { a: { bootstrap: "a:1" }, b: { bootstrap: "b:1" } } }\n'
    const path = place(config)

    const { exit, stderr } = await runForTest(['init', '--from', 'a', 'b', '--config', path], seeing())

    assert.equal(exit, 2)
    assert.match(stderr, /cannot be put behind what .* has\nhint: Look at the proposal with `--dry-run`/)
    assert.equal(readFileSync(path, 'utf8'), config)
  })

  for (const [from, problem] of [
    [['lyon', 'bergen'], /"bergen" is no address, and no cluster of /],
    [['lyon'], /"lyon" is no address, and alone it is no link/],
    [['e:1', 'oslo'], /"oslo" is no address, and alone it is no link/],
    [['e:1', 'w:1', 'n:1'], /at most two clusters/],
  ] as const) {
    test(`--from ${from.join(' ')} is refused`, async () => {
      const { exit, stderr } = await runForTest(
        ['init', '--from', ...from, '--config', place(CLUSTERS)],
        seeing(),
      )
      assert.equal(exit, 2)
      assert.match(stderr, problem)
    })
  }

  test('two addresses of one cluster are refused', async () => {
    const path = place()
    const one = { clusterId: 'same' }
    const { exit, stderr } = await runForTest(
      ['init', '--from', 'e:1', 'w:1', '--config', path],
      seeing({ 'e:1': one, 'w:1': one }),
    )

    assert.equal(exit, 10)
    assert.match(stderr, /"e:1" and "w:1" are one cluster: both say that they are "same"/)
    assert.equal(existsSync(path), false)
  })

  test('a cluster that does not answer has its exit code, and the way to one that is secured', async () => {
    const path = place()
    const { exit, stderr } = await runForTest(['init', '--from', 'e:1', '--config', path])

    assert.equal(exit, 11)
    assert.match(
      stderr,
      /no broker answers at "e:1"\nhint: .*write only `clusters:` with all that to the config/,
    )
    assert.equal(existsSync(path), false)
  })

  test('a cluster of the config that refuses keeps its own hint', async () => {
    const refuses: Partial<Services> = {
      inspectCluster: ({ name }) => Promise.reject(new KdrError('not-allowed', `"${name}": wrong password`)),
    }
    const { exit, stderr } = await runForTest(
      ['init', '--from', 'lyon', 'oslo', '--config', place(CLUSTERS)],
      { services: refuses as Services },
    )

    assert.equal(exit, 14)
    assert.equal(
      stderr,
      'kdr: "lyon": wrong password\nhint: Check the credentials and the ACLs of the principal that kdr uses; `kdr config acls` prints those that a command needs.\n',
    )
  })
})
