// No secret is ever shown. Each secret of a config is marked, everything that may read it is run, also where it goes wrong, and all that
// was written is searched for the marks.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { RunningLink } from '../../src/cli/app.ts'
import { loadConfig } from '../../src/config/index.ts'
import { InvariantViolation, KdrError } from '../../src/model/errors.ts'
import { services } from '../../src/wiring/services.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { type CliResult, runForTest } from '../support/app.ts'
import { runningLink } from '../support/metrics-world.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-secrets-'))
after(() => rmSync(dir, { recursive: true, force: true }))

const MARK = 'GEHEIM'
let marks = 0
const mark = (): string => `${MARK}${++marks}x`
/** Nobody listens there. */
const NOWHERE = '127.0.0.1:9'
const NOWHERE_ELSE = '127.0.0.1:11'

/** Every place of a config that takes a secret, each as a literal, an environment variable, a file and a command in turn. */
function configWith(secret: () => string): Record<string, unknown> {
  const sasl = (mechanism = 'scram-sha-512') =>
    mechanism === 'oauthbearer'
      ? { mechanism, token: secret() }
      : { mechanism, username: 'kdr', password: secret() }
  return {
    clusters: {
      east: {
        bootstrap: NOWHERE,
        tls: { cert: secret(), key: secret() },
        sasl: sasl(),
        schemaRegistry: { url: 'https://registry', username: 'kdr', password: secret() },
      },
      west: { bootstrap: NOWHERE_ELSE, sasl: sasl('oauthbearer') },
    },
    links: {
      'east-west': {
        source: 'east',
        target: 'west',
        users: { app: { mechanism: 'scram-sha-256', password: secret() } },
        fence: { probe: { sasl: sasl('plain') } },
        redirect: [
          {
            dns: {
              server: NOWHERE,
              zone: 'kafka.example.',
              record: 'bootstrap',
              tsig: secret(),
              values: { east: ['10.0.0.1'], west: ['10.0.0.2'] },
            },
          },
        ],
      },
    },
    vaults: {
      main: { url: pathToFileURL(join(dir, 'vault')).href },
      far: { url: 's3://bucket', endpoint: `http://${NOWHERE}`, region: 'eu-central-1' },
    },
    sets: {
      all: { cluster: 'east', vault: 'main', every: '15m' },
      far: { cluster: 'west', vault: 'far' },
    },
    alerts: { webhook: { url: secret() }, deadMan: { url: secret(), every: '1m' } },
    server: { listen: '127.0.0.1:9464', token: secret() },
  }
}

const KINDS = ['literal', 'env', 'file', 'exec'] as const

/** PEM-like, as that is asked of `cert` and `key`; the marks stand within. */
function referenceTo(kind: (typeof KINDS)[number], index: number): string {
  const value = `-----BEGIN PRIVATE KEY-----\n${mark()}\n-----END PRIVATE KEY-----`
  switch (kind) {
    case 'literal':
      return value
    case 'env':
      process.env[`KDR_SECRETS_${index}`] = value
      return `env:KDR_SECRETS_${index}`
    case 'file':
      writeFileSync(join(dir, `secret-${index}`), value)
      return `file:secret-${index}`
    case 'exec':
      writeFileSync(join(dir, `secret-${index}`), value)
      // It says the secret on both streams, as a careless helper may.
      return `exec:cat ${join(dir, `secret-${index}`)} | tee /dev/stderr`
  }
}

function writeConfig(name: string, config: unknown): string {
  const path = join(dir, name)
  writeFileSync(path, typeof config === 'string' ? config : JSON.stringify(config, undefined, 2))
  return path
}

/** With everything that may show more: stacks, and both formats of the log. */
async function everything(args: readonly string[], changes = {}): Promise<CliResult[]> {
  const ways = [
    { how: args, format: 'text' },
    { how: [...args, '--json'], format: 'json' },
  ]
  return await Promise.all(
    ways.map(async ({ how, format }) => {
      const env = { ...process.env, KDR_DEBUG: '1', KDR_LOG_FORMAT: format }
      return await runForTest(how, { services, clock: systemClock, env, ...changes })
    }),
  )
}

function assertUnmarked(results: readonly CliResult[], what: string): void {
  for (const { stdout, stderr } of results) {
    const found = `${stdout}${stderr}`.split('\n').filter(line => line.includes(MARK))
    assert.deepEqual(found, [], `${what} shows a secret`)
    assert.doesNotMatch(`${stdout}${stderr}`, /unexpected:/, `${what} is a bug`)
  }
}

const COMMANDS = [
  'config check',
  'config explain',
  'config schema',
  'status',
  'run --once --log-level debug',
  'run --only backups --once',
  'verify east-west',
  'link pause east-west --yes',
  'link log east-west',
  'failover east-west --dry-run',
  'switchover east-west --yes',
  'failback east-west --dry-run',
  'runs list',
  'runs show none',
  'vault init main --yes',
  'vault probe main',
  'vault probe far',
  'backup run all',
  'backup list',
  'restore all --to west --yes',
]

describe('a config whose secrets are marked', () => {
  before(() => {
    // What the library of the store reads by itself.
    process.env['AWS_ACCESS_KEY_ID'] = mark()
    process.env['AWS_SECRET_ACCESS_KEY'] = mark()
    process.env['AWS_MAX_ATTEMPTS'] = '1'
  })
  after(() => {
    for (const name of Object.keys(process.env))
      if (/^(KDR_SECRETS_|AWS_)/.test(name)) delete process.env[name]
  })

  for (const kind of KINDS)
    test(`${kind}: no command shows one, nor does what goes wrong`, async () => {
      let index = KINDS.indexOf(kind) * 100
      const path = writeConfig(
        `${kind}.yaml`,
        configWith(() => referenceTo(kind, index++)),
      )
      const { exit, stderr } = await runForTest(['config', 'check', '--config', path])
      assert.equal(exit, 0, stderr)
      // Most of them wait for something that does not answer.
      await Promise.all(
        COMMANDS.map(async command =>
          assertUnmarked(await everything([...command.split(' '), '--config', path]), `kdr ${command}`),
        ),
      )
    })

  test('the config itself shows none, however it is printed', async () => {
    const path = writeConfig(
      'printed.yaml',
      configWith(() => referenceTo('literal', 0)),
    )
    const config = await loadConfig(path)
    for (const text of [JSON.stringify(config), inspect(config, { depth: 20, showHidden: true })])
      assert.ok(!text.includes(MARK), text)
    const bug = new InvariantViolation('something is wrong', { config })
    assert.ok(!`${bug.message}${inspect(bug)}`.includes(MARK))
  })

  test('nor does a crash: an error that carries the config along', async () => {
    const path = writeConfig(
      'crash.yaml',
      configWith(() => referenceTo('literal', 0)),
    )
    const startLink = async (config: unknown): Promise<RunningLink> => {
      await Promise.resolve()
      throw new InvariantViolation('a bug', { config })
    }
    const results = await everything(['run', '--once', '--config', path], {
      services: { ...services, startLink },
    })
    for (const { exit, stdout, stderr } of results) {
      assert.equal(exit, 1)
      assert.ok(!`${stdout}${stderr}`.includes(MARK), stderr)
    }
  })

  test('a running link that says what it is about shows none', async () => {
    const path = writeConfig(
      'running.yaml',
      configWith(() => referenceTo('literal', 0)),
    )
    const stopping = new AbortController()
    const startLink: typeof services.startLink = (_config, link, { log }) => {
      log.event('debug', 'started', { link: link.name, settings: link })
      setTimeout(() => stopping.abort(new KdrError('interrupted', 'stopped')), 50)
      return Promise.resolve({ ...runningLink('east-west', []), link })
    }
    const serve = () => Promise.resolve({ close: () => Promise.resolve() })
    const result = await runForTest(['run', '--only', 'links', '-v', '--config', path], {
      services: { ...services, startLink, serve },
      clock: systemClock,
      signal: stopping.signal,
    })
    assert.equal(result.exit, 0, result.stderr)
    assert.match(result.stderr, /the dead man cannot be called: its address \(literal\) /)
    assert.match(result.stderr, /started \{.*"password":"\(hidden\)"/)
    assertUnmarked([result], 'kdr run')
  })
})

describe('secrets that cannot be read or used', () => {
  const secret = join(dir, 'readable')
  before(() => writeFileSync(secret, mark()))

  const references: readonly (readonly [what: string, reference: () => string])[] = [
    ['a command that fails and shows what it has', () => `exec:cat ${secret} | tee /dev/stderr; exit 3`],
    ['a variable that is not there', () => 'env:KDR_SECRETS_NOT_THERE'],
    ['a file that is not there', () => 'file:not-there'],
    ['a folder', () => `file:${dir}`],
    ['text that is no PEM and no TSIG key', () => `file:${secret}`],
  ]
  for (const [what, reference] of references)
    test(what, async () => {
      const path = writeConfig('unreadable.yaml', configWith(reference))
      for (const command of [
        'config check',
        'status',
        'run --once',
        'verify east-west',
        'failover east-west --dry-run',
      ])
        assertUnmarked(await everything([...command.split(' '), '--config', path]), `kdr ${command}`)
    })
})

describe('a config that is wrong where a secret stands', () => {
  const at = (line: string): string =>
    `clusters:\n  east:\n    bootstrap: "h:1"\n    sasl:\n      mechanism: plain\n      username: kdr\n      ${line}\n`
  const tls = (key: string): string =>
    `clusters: { east: { bootstrap: "h:1", tls: { cert: file:c, key: ${key} } } }\n`
  const vault = (of: string): string =>
    `clusters: { east: { bootstrap: "h:1" } }\nvaults: { main: { ${of} } }\n`
  const base64 = `MC4CAQAwBQYDK2VwBCIEI${MARK}Q0RBMDEyMzQ1Njc4OWFi`

  const texts: readonly (readonly [what: string, text: string])[] = [
    ['a quote too few', at(`password: "${MARK}`)],
    ['a colon within', at(`password: ${MARK}: ${MARK}`)],
    ['an exclamation mark in front, which is a tag', at(`password: !${MARK}`)],
    ['the same, with a value', at(`password: !${MARK} ${MARK}`)],
    ['a star in front, which is an alias', at(`password: *${MARK}`)],
    ['an ampersand in front, which is an anchor', at(`password: &${MARK}`)],
    ['a percent sign in front', at(`password: %${MARK}`)],
    ['an at sign in front', at(`password: @${MARK}`)],
    ['a bracket', at(`password: [${MARK}`)],
    ['a brace', at(`password: {${MARK}`)],
    ['a bar', at(`password: |${MARK}`)],
    ['an escape that there is not', at(`password: "${MARK}\\q"`)],
    ['a list', at(`password: [${MARK}]`)],
    ['a mapping', at(`password: { is: ${MARK} }`)],
    ['twice', at(`password: ${MARK}\n      password: ${MARK}`)],
    ['a key that is misspelt', at(`pasword: ${MARK}`)],
    ['where there is none', at(`password: ${MARK}\n      token: ${MARK}`)],
    ['text behind it', at(`password: "${MARK}" ${MARK}`)],
    ['an indent that is wrong', at(`password: ${MARK}\n     ${MARK}`)],
    ['a key without its header', tls(base64)],
    ['in the address', `clusters: { east: { bootstrap: "kdr:${MARK}@h:1" } }\n`],
    ['in a URL as the address', `clusters: { east: { bootstrap: "kafka://kdr:${MARK}@h:1" } }\n`],
    ['in the URL of a vault', vault(`url: "s3://key:${MARK}@bucket/prefix"`)],
    ['in the URL of a vault that is none', vault(`url: "ftp://key:${MARK}@bucket"`)],
    ['in the endpoint', vault(`url: "s3://bucket", endpoint: "https://key:${MARK}@minio"`)],
    [
      'in the URL of a registry',
      `clusters: { east: { bootstrap: "h:1", schemaRegistry: { url: "https://kdr:${MARK}@registry" } } }\n`,
    ],
    ['in the token', `${at('password: env:P')}server: { token: [${MARK}] }\n`],
    [
      'in a user',
      `${at('password: env:P')}links: { l: { source: east, target: east, users: { app: ${MARK} } } }\n`,
    ],
  ]
  for (const [what, text] of texts)
    test(what, async () => {
      const path = writeConfig('wrong.yaml', text)
      for (const command of ['config check', 'config explain', 'run']) {
        const results = await everything([...command.split(' '), '--config', path])
        assertUnmarked(results, `kdr ${command}`)
        for (const { exit, stderr } of results) assert.equal(exit, 2, stderr)
      }
    })
})
