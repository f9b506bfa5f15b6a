import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { KdrError } from '../model/errors.ts'
import { explainConfig, loadConfig, parseConfig, resolveSecret, SecretRef } from './index.ts'

const CLUSTERS = 'clusters:\n  east: { bootstrap: "a:1" }\n  west: { bootstrap: "b:1" }\n'
const LEAST = `${CLUSTERS}links:\n  ew: { source: east, target: west }\n`

function problemsOf(text: string): string[] {
  try {
    parseConfig(text, 'kdr.yaml')
    return []
  } catch (error) {
    assert.ok(error instanceof KdrError)
    assert.equal(error.exit, 2)
    return error.message.split('\n')
  }
}

describe('config', () => {
  test('the least config gets every default, and is frozen', () => {
    const config = parseConfig(LEAST, 'kdr.yaml')

    assert.deepEqual(config.links['ew'], {
      name: 'ew',
      source: 'east',
      target: 'west',
      mode: 'exact',
      topics: ['*'],
      groups: ['*'],
      overrides: [],
      priorities: [],
      onSourceDelete: 'keep',
      largeGap: 'stop',
      onOverfilled: 'stop',
      maxBytesPerSecond: undefined,
      connectionsPerBroker: 16,
      sync: { configsMs: 30_000, aclsMs: 30_000, quotasMs: 30_000, groupsMs: 5_000 },
      principals: {},
      users: {},
      redirects: [],
      denyWrites: false,
      fence: { acl: true, command: undefined, probe: undefined },
      consumers: 'leave',
    })
    assert.ok(Object.isFrozen(config.links['ew']?.topics))
    assert.deepEqual(config.notes, [])
  })

  test('units, mechanisms in any case and lists of addresses are put in one form', () => {
    const config = parseConfig(
      `clusters:
  east: { bootstrap: "a:1, b:2", tls: true, sasl: { mechanism: SCRAM-sha-512, username: u, password: env:P } }
  west: { bootstrap: ["[::1]:9092"], sasl: { mechanism: OAuthBearer, token: "exec:echo t" } }
links:
  ew: { source: east, target: west, maxBytesPerSecond: 50MB, onSourceDelete: { deleteAfter: 7d }, sync: { groups: 500ms } }
`,
      'kdr.yaml',
    )

    const { east, west } = config.clusters
    assert.deepEqual(east?.bootstrap, ['a:1', 'b:2'])
    assert.deepEqual(east?.tls, {})
    assert.equal(east?.sasl?.mechanism, 'SCRAM-SHA-512')
    assert.equal(west?.sasl?.mechanism, 'OAUTHBEARER')
    assert.equal(config.links['ew']?.maxBytesPerSecond, 50_000_000)
    assert.deepEqual(config.links['ew']?.onSourceDelete, { deleteAfterMs: 604_800_000 })
    assert.equal(config.links['ew']?.sync.groupsMs, 500)
  })

  const WRONG: readonly (readonly [what: string, text: string, ...problems: string[]])[] = [
    [
      'an unknown key',
      `${LEAST}servr: {}\n`,
      'kdr.yaml:6:1: servr: unknown key `servr` (did you mean "server"?)',
    ],
    [
      'an unknown key deep down',
      `${CLUSTERS}links:\n  ew:\n    source: east\n    target: west\n    topcs: ["*"]\n`,
      'kdr.yaml:8:5: links.ew.topcs: unknown key `topcs` (did you mean "topics"?)',
    ],
    ['a missing key', 'clusters:\n  east: {}\n', 'kdr.yaml:2:3: clusters.east: `bootstrap` is missing'],
    [
      'an unknown cluster',
      `${CLUSTERS}links:\n  ew: { source: eest, target: west }\n`,
      'kdr.yaml:5:17: links.ew.source: `clusters` has no "eest" (did you mean "east"?)',
    ],
    [
      'a link to itself',
      `${CLUSTERS}links:\n  ew: { source: east, target: east }\n`,
      'kdr.yaml:5:31: links.ew.target: source and target are both "east"',
    ],
    [
      'two names for one address',
      'clusters: { a: { bootstrap: "x:1" }, b: { bootstrap: "y:1,x:1" } }\nlinks: { l: { source: a, target: b } }\n',
      'kdr.yaml:2:34: links.l.target: "a" and "b" are the same cluster: both have the address "x:1"',
    ],
    [
      'links in a circle that take the same topics',
      `${LEAST}  we: { source: west, target: east, topics: ["pay-*"] }\n`,
      'kdr.yaml:6:7: links.we: makes a circle (east → west → east) with "ew": all of them take a topic such as "pay-example", ' +
        'and an exact mirror has one writer. Let their `topics:` differ, as with "!pay-example"',
    ],
    [
      'an address without a port',
      'clusters:\n  east: { bootstrap: east-1 }\n',
      'kdr.yaml:2:22: clusters.east.bootstrap: "east-1" is not an address: write `host:port`',
    ],
    [
      'a word that is not among the choices',
      `${CLUSTERS}links:\n  ew: { source: east, target: west, largeGap: marker }\n`,
      'kdr.yaml:5:47: links.ew.largeGap: expected `stop` or `markers` or `tombstones`, found `marker` (did you mean "markers"?)',
    ],
    [
      'a duration without a unit',
      `${CLUSTERS}links:\n  ew: { source: east, target: west, sync: { groups: 5 } }\n`,
      'kdr.yaml:5:53: links.ew.sync.groups: expected a duration such as `500ms`, `30s`, `5m`, `12h` or `7d`',
    ],
    [
      'more in-sync replicas than replicas',
      `${CLUSTERS}links:\n  ew: { source: east, target: west, overrides: [{ topics: "*", replicationFactor: 1, configs: { min.insync.replicas: 2 } }] }\n`,
      'kdr.yaml:5:118: links.ew.overrides[0].configs."min.insync.replicas": 2 in-sync replicas of 1 replicas can never be: nothing could be written',
    ],
    [
      'sasl that lacks its password',
      'clusters:\n  east: { bootstrap: "a:1", sasl: { mechanism: plain, username: u } }\n',
      'kdr.yaml:2:29: clusters.east.sasl.password: `password` is missing: plain needs it',
    ],
    [
      'a path where a reference belongs',
      'clusters:\n  east: { bootstrap: "a:1", tls: { ca: ca.pem } }\n',
      'kdr.yaml:2:40: clusters.east.tls.ca: neither a PEM nor a reference: write `file:ca.pem`',
    ],
    ['a key twice', `${CLUSTERS}clusters: {}\n`, 'kdr.yaml:4:1: not valid YAML: map keys must be unique'],
    [
      'two problems at once',
      'clusters:\n  east: {}\n  west: { bootstrap: 5 }\n',
      'kdr.yaml:2:3: clusters.east: `bootstrap` is missing',
      'kdr.yaml:3:22: clusters.west.bootstrap: expected addresses such as "broker-1:9092,broker-2:9092"',
    ],
  ]

  for (const [what, text, ...problems] of WRONG) {
    test(`${what} is refused with its place`, () => {
      assert.deepEqual(problemsOf(text), problems)
    })
  }

  test('a newer version is refused before anything else', () => {
    assert.throws(() => parseConfig('v: 2\nnew: stuff\n', 'kdr.yaml'), {
      code: 'newer-version',
      message: /kdr.yaml:1:4: .* version 2/,
    })
  })

  test('a missing file is a sentence', async () => {
    await assert.rejects(loadConfig('nowhere/kdr.yaml'), {
      code: 'config-missing',
      message: /"nowhere\/kdr.yaml"/,
    })
  })

  test('principals and users: SCRAM only, and a principal has a type', () => {
    const link = (settings: string) =>
      parseConfig(`${CLUSTERS}links: { ew: { source: east, target: west, ${settings} } }\n`, 'kdr.yaml')
    const { links, notes } = link(
      'principals: { "User:a": "User:b" }, users: { b: { mechanism: SCRAM_SHA_512, password: env:A } }',
    )
    assert.deepEqual(links['ew']?.principals, { 'User:a': 'User:b' })
    assert.equal(links['ew']?.users['b']?.mechanism, 'SCRAM-SHA-512')
    assert.equal(String(links['ew']?.users['b']?.password), 'env:A')
    assert.deepEqual(notes, [])
    assert.throws(() => link('principals: { a: "User:b" }'), { message: /a principal has a type and a name/ })
    assert.throws(() => link('users: { b: { mechanism: plain, password: env:A } }'), {
      message: /expected one of scram-sha-256, scram-sha-512/,
    })
  })

  test('redirect: in order, paths from the folder of the config, the key as a reference', () => {
    const { links, notes } = parseConfig(
      `${CLUSTERS}links:
  ew:
    source: east
    target: west
    redirect:
      - dns: { server: "10.0.0.2:53", zone: k.example., record: b, tsig: file:key, values: { east: ["10.0.0.3", "fd00::3"], west: ["w.k.example"] } }
      - command: { apply: "a", verify: "v" }
      - template: { from: a.tmpl, to: /etc/b }
`,
      '/etc/kdr/kdr.yaml',
    )

    assert.deepEqual(JSON.parse(JSON.stringify(links['ew']?.redirects)), [
      {
        kind: 'dns',
        server: '10.0.0.2:53',
        zone: 'k.example.',
        record: 'b',
        tsig: 'file:key',
        values: { east: ['10.0.0.3', 'fd00::3'], west: ['w.k.example'] },
      },
      { kind: 'command', apply: 'a', verify: 'v' },
      { kind: 'template', from: '/etc/kdr/a.tmpl', to: '/etc/b' },
    ])
    assert.deepEqual(notes, [])
  })

  test('redirect: values that could never work are refused', () => {
    const problems = (dns: string) =>
      problemsOf(
        `${CLUSTERS}links: { ew: { source: east, target: west, redirect: [{ dns: { server: "h:53", ${dns} } }] } }\n`,
      ).map(line => line.replace(/^.*?redirect\[0\]\.dns\./, ''))

    assert.deepEqual(
      problems('zone: k.example., record: b, values: { east: ["10.0.0.1"], wes: ["10.0.0.2"] }'),
      [
        'values: has no values for "west": both clusters of the link need them',
        'values.wes: "wes" is no cluster of the link (did you mean "west"?)',
      ],
    )
    assert.deepEqual(
      problems(
        'zone: k.example., record: b.other., values: { east: ["10.0.0.1"], west: ["a.x.", "10.0.0.2"] }',
      ),
      [
        'record: "b.other." is not in the zone "k.example."',
        'values.west: a name becomes a CNAME, which stands alone: give one name, or addresses only',
      ],
    )
    assert.deepEqual(
      problems('zone: k..example, record: b, values: { east: [west], west: ["10.0.0.300"] }'),
      [
        'zone: "k..example" has an empty part',
        'values.east: "west" is neither an address nor a full name such as "west-1.kafka.example."',
        'values.west: "10.0.0.300" is not an address',
      ],
    )
    assert.deepEqual(problems('zone: k.example, record: b, values: { east: ["a.x."], west: ["A.x"] }'), [
      'values: both clusters have the same values: the record would lead nowhere else',
    ])
  })

  test('how applications are fenced, and what happens to their consumers', () => {
    const of = (settings: string) =>
      parseConfig(`${CLUSTERS}links: { ew: { source: east, target: west, ${settings} } }\n`, 'kdr.yaml')
    const { fence, consumers } = of(
      'fence: { acl: false, command: "halt", probe: { sasl: { mechanism: PLAIN, username: app, password: env:P } } }, consumers: { stop: "systemctl stop app" }',
    ).links['ew']!
    assert.equal(fence.acl, false)
    assert.equal(fence.command, 'halt')
    assert.equal(fence.probe?.mechanism, 'PLAIN')
    assert.deepEqual(consumers, { stop: 'systemctl stop app' })
    for (const policy of ['stop', 'fence', 'leave']) {
      assert.equal(of(`consumers: ${policy}`).links['ew']?.consumers, policy)
      assert.equal(of(`consumers: { stop: ${policy} }`).links['ew']?.consumers, policy)
    }
    assert.throws(() => of('consumers: pause'), {
      message: /expected `stop`, `fence`, `leave`, or \{ stop: COMMAND \}/,
    })
    assert.throws(() => of('fence: { probe: { sasl: { mechanism: plain, username: app } } }'), {
      message: /`password` is missing/,
    })
  })

  test('whom to tell of alerts, and what not to tell for a while', () => {
    const of = (alerts: string) => parseConfig(`${CLUSTERS}alerts: ${alerts}\n`, 'kdr.yaml').alerts
    const silence = (more: string): string =>
      `{ silence: [ { alert: KdrRpoAtRisk, why: "a move", ${more} } ] }`
    const all = of(
      '{ webhook: { url: env:HOOK }, command: "./tell", deadMan: { url: env:DEADMAN }, silence: [ { alert: "*", why: x } ] }',
    )
    assert.deepEqual(JSON.parse(JSON.stringify(all)), {
      webhook: 'env:HOOK',
      command: './tell',
      deadMan: { url: 'env:DEADMAN', everyMs: 60_000 },
      silences: [{ alert: '*', why: 'x' }],
    })
    assert.equal(parseConfig(CLUSTERS, 'kdr.yaml').alerts, undefined)
    const untils = ['2027-01-02', '2027-01-02T18:30Z', '2027-01-02T18:30:15Z'].map(
      until => of(silence(`where: "link:east-west", until: ${until}`))?.silences[0]?.until ?? 0,
    )
    assert.deepEqual(
      untils.map(until => new Date(until).toISOString()),
      ['2027-01-02T00:00:00.000Z', '2027-01-02T18:30:00.000Z', '2027-01-02T18:30:15.000Z'],
    )
    for (const wrong of ['tomorrow', '2027-02-31', '2027-01-02T18:30'])
      assert.throws(() => of(silence(`until: ${wrong}`)), {
        message: /neither a day such as 2027-01-01 nor a moment such as 2027-01-01T18:00Z/,
      })
    assert.throws(() => of('{ silence: [ { alert: KdrRpoAtRsk, why: x } ] }'), {
      message: /there is no alert "KdrRpoAtRsk": see docs\/monitoring\/alerts.yaml/,
    })
    assert.throws(() => of('{ webhok: { url: env:HOOK } }'), { message: /webhok/ })
  })

  test('keys of later releases are accepted and noted', () => {
    const config = parseConfig(
      `${CLUSTERS}links:
  ew:
    source: east
    target: west
    mode: shared
vaults: { main: { url: "gs://bucket/prefix" } }
sets: { all: { cluster: east, vault: main, topics: ["*"], every: 15m, keep: { days: 35 } } }
objectives: [{ for: "*", rpo: 1m, rto: 15m }]
accept: [{ finding: C012, where: "topic:tmp-*", until: 2027-01-01, why: "scratch data" }]
`,
      'kdr.yaml',
    )

    const noted = config.notes.map(({ message }) => message.split(': ')[0]).join(' ')
    const later = 'vaults.main.url'
    assert.equal(noted, `links.ew.mode ${later}`)
  })
})

describe('secrets', () => {
  test('are read each time, and never shown', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'kdr-config-'))
    writeFileSync(join(directory, 'password'), 'one\n')
    const reference = SecretRef.parse('file:password', directory)

    assert.equal(await resolveSecret(reference), 'one')
    writeFileSync(join(directory, 'password'), 'two\n')
    assert.equal(await resolveSecret(reference), 'two')
    assert.equal(String(reference), 'file:password')
  })

  test('a command gives its output, and a failing one says so without it', async () => {
    assert.equal(await resolveSecret(SecretRef.parse('exec:echo s3cret', '.')), 's3cret')

    const directory = mkdtempSync(join(tmpdir(), 'kdr-config-'))
    writeFileSync(join(directory, 'password'), 's3cret')
    const failing = SecretRef.parse('exec:cat "$KDR_TEST_FILE"; exit 4', directory)
    process.env['KDR_TEST_FILE'] = join(directory, 'password')
    await assert.rejects(resolveSecret(failing), (error: unknown) => {
      assert.ok(error instanceof KdrError)
      assert.match(error.message, /failed with status 4/)
      assert.doesNotMatch(inspect(error, { depth: 9 }), /s3cret/)
      return true
    })
  })

  test('a variable that is not there is named', async () => {
    await assert.rejects(resolveSecret(SecretRef.parse('env:KDR_NO_SUCH_VARIABLE', '.')), {
      code: 'config-invalid',
      message: /"env:KDR_NO_SUCH_VARIABLE" cannot be read/,
    })
  })

  test('one that is written in the file is hidden wherever it is printed, and noted', () => {
    const text =
      'clusters: { a: { bootstrap: "a:1", sasl: { mechanism: plain, username: u, password: hunter2 } } }\n'
    const config = parseConfig(text, 'kdr.yaml')

    const printed =
      JSON.stringify(config) +
      inspect(config, { depth: 9, showHidden: true }) +
      JSON.stringify(explainConfig(text, 'kdr.yaml'))
    assert.doesNotMatch(printed, /hunter2/)
    assert.match(config.notes[0]?.message ?? '', /written in the file/)
  })
})

describe('explain', () => {
  test('says of every value where it comes from', () => {
    const values = explainConfig(
      `${CLUSTERS}links:\n  ew:\n    source: east\n    target: west\n    sync: { acls: 1m }\n`,
      'kdr.yaml',
    )
    const of = (key: string) => values.find(value => value.key === key)

    assert.deepEqual(of('links.ew.source'), {
      key: 'links.ew.source',
      value: 'east',
      from: 'line 6',
      line: 6,
    })
    assert.deepEqual(of('links.ew.sync.acls'), {
      key: 'links.ew.sync.acls',
      value: '1m',
      from: 'line 8',
      line: 8,
    })
    assert.deepEqual(of('links.ew.sync.groups'), {
      key: 'links.ew.sync.groups',
      value: '5s',
      from: 'default',
      line: undefined,
    })
    assert.deepEqual(of('links.ew.topics')?.value, ['*'])
    assert.equal(of('server.listen')?.from, 'default')
  })
})
