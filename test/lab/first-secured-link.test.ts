// docs/first-secured-link.md, file by file and command by command, in a shell: clusters that want mutual TLS and SCRAM and let nobody do
// what no ACL allows, Kafka's own tool for the ACLs, and a real Prometheus. Only names and ports are others.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { findPorts } from '../../src/lab/ports.ts'
import { type Certificate, makeAuthority, skipWithoutOpenssl } from '../support/certificates.ts'
import { kafkaAclsOnPath } from '../support/kafka-tools.ts'
import { waitFor, withLab } from '../support/lab.ts'
import { adminOf, assertIdentical } from '../support/link.ts'
import { scramListener, tlsListener } from '../support/listeners.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' ? 'in make test-full' : skipWithoutOpenssl
const hasPrometheus = ['prometheus', 'promtool'].every(name => spawnSync(name, ['--version']).status === 0)
const skipPrometheus =
  !hasPrometheus && 'prometheus is not installed: apt-get install --no-install-recommends prometheus'

const page = readFileSync(new URL('../../docs/first-secured-link.md', import.meta.url), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'kdr-first-'))
const at = (name: string): string => join(folder, name)

const made = skip === false ? certificates() : undefined
function certificates() {
  const [east, west] = [makeAuthority('of east'), makeAuthority('of west')]
  return { east, west, kdr: east.issue('kdr'), admin: east.issue('admin') }
}

const context = withLab(made === undefined ? [] : clusters(made))
function clusters({ east, west }: ReturnType<typeof certificates>) {
  return [
    {
      name: 'east',
      security: 'acl',
      listeners: { mutual: 'SSL' },
      properties: {
        ...tlsListener('mutual', { own: east.issue('broker', { hosts: ['localhost'] }), clientsOf: east }),
        'super.users': 'User:admin;User:CN=admin',
      },
    },
    {
      name: 'west',
      security: 'acl',
      listeners: { scram: 'SASL_SSL' },
      properties: {
        ...tlsListener('scram', { own: west.issue('broker', { hosts: ['localhost'] }) }),
        ...scramListener('scram'),
      },
    },
  ] as const
}
const admin = (name: string) => adminOf(context.cluster(name))
const TOPICS = ['orders', 'users']

const sections = page
  .split(/^## /m)
  .slice(1)
  .map(text => ({
    title: text.slice(0, text.indexOf('\n')),
    text,
    commands: [...text.matchAll(/```sh\n([^]*?)```/g)]
      .flatMap(([, block = '']) => block.split('\n'))
      .filter(line => line !== ''),
  }))
  .filter(({ commands }) => commands.length > 0)

describe('the guide to a first link between secured clusters', { skip, concurrency: 1 }, () => {
  if (made === undefined) return
  let path = ''
  let others: readonly (readonly [onPage: string, here: string])[] = []
  const staying: ChildProcess[] = []
  /** What the commands have printed. */
  const shown = new Map<string, string>()

  before(async () => {
    const [metrics = 0, prometheus = 0] = await findPorts(2)
    others = [
      ['kafka.east.example:9093', context.cluster('east').listener('mutual')],
      ['kafka.west.example:9096', context.cluster('west').listener('scram')],
      ['127.0.0.1:9464', `127.0.0.1:${metrics}`],
      ['127.0.0.1:9090', `127.0.0.1:${prometheus}`],
    ]
    const tools = (await kafkaAclsOnPath(context.cluster('east'))).path
    const kdr = fileURLToPath(new URL('../../kdr', import.meta.url))
    writeFileSync(join(tools, 'kdr'), `#!/bin/sh\nexec '${kdr}' "$@"\n`, { mode: 0o755 })
    path = [tools, process.env['PATH']].join(delimiter)
    await given(made)
    await fill()
  })
  after(async () => {
    for (const child of staying) {
      const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined
      child.kill('SIGTERM')
      await gone
    }
    rmSync(folder, { recursive: true, force: true })
  })

  const here = (text: string): string =>
    others.reduce((sum, [onPage, instead]) => sum.replaceAll(onPage, instead), text)
  const shell = {
    cwd: folder,
    get env() {
      return { ...process.env, PATH: path, KDR_LOG_FORMAT: 'text' }
    },
  }

  const run = (command: string) => spawnSync('/bin/sh', ['-e', '-c', command], { ...shell, encoding: 'utf8' })
  const stay = (command: string): void => {
    const child = spawn('/bin/sh', ['-c', `exec ${command}`], { ...shell, stdio: 'ignore' })
    staying.push(child)
  }

  for (const { title, text, commands } of sections)
    test(title, { skip: title.includes('Prometheus') && skipPrometheus }, async () => {
      for (const [, name = '', content = ''] of text.matchAll(/^`([\w.-]+)`[^\n]*:\n\n```\w+\n([^]*?)```/gm))
        writeFileSync(at(name), here(content))
      for (const command of commands.map(here)) {
        if (command.endsWith('# stays')) {
          stay(command)
          continue
        }
        let ended = run(command)
        const isDone = (): boolean =>
          ended.status === 0 && (!command.startsWith('promtool') || ended.stdout.trim() !== '')
        const again = (): boolean => {
          if (!isDone()) ended = run(command)
          return isDone()
        }
        // What stays must have come so far.
        if (staying.length > 0)
          await waitFor(again, { everyMs: 500, what: () => `${command}\n${ended.stderr}` })
        assert.equal(ended.status, 0, `${command}\n${ended.stdout}\n${ended.stderr}`)
        shown.set(command.replace(/\s+#.*$/, ''), ended.stdout)
      }
    })

  test('where it leads: identical, by nothing but the rights that were printed', async () => {
    const sides = { source: context.cluster('east'), target: context.cluster('west') }
    await assertIdentical(context.judge, sides, TOPICS)
    const [offset] = await context.judge.groupOffsets({ ...admin('west'), group: 'readers' })
    assert.equal(offset?.offset, 7)
    for (const [name, principal] of [
      ['east', 'User:CN=kdr'],
      ['west', 'User:kdr'],
    ] as const) {
      const { clusters: printed } = JSON.parse(
        run(`kdr config acls --for run --cluster ${name} --json`).stdout,
      ) as { clusters: { principal: string; rights: unknown[] }[] }
      const all = await context.judge.describeAcls(admin(name))
      const own = all.filter(rule => rule.principal === principal)
      assert.equal(printed[0]?.principal, principal)
      assert.equal(own.length, printed[0].rights.length)
    }
  })

  test('what was said on the way: first what could not be seen, then what is there', () => {
    assert.match(shown.get('kdr init --from east west') ?? '', /^east: Not seen: .*DESCRIBE/m)
    const proposed = shown.get('kdr init --from east west --dry-run') ?? ''
    assert.match(proposed, /2 topics/)
    assert.doesNotMatch(proposed, /Not seen:/)
  })

  test('and Prometheus has how far behind the link is', { skip: skipPrometheus }, () => {
    const values = [...shown].flatMap(([command, text]) => (command.startsWith('promtool') ? [text] : []))
    assert.equal(values.length, 2)
    for (const text of values)
      assert.match(text, /^kdr_link_(lag_records|rpo_seconds)\{.*link="east-west".*\} => \d+(\.\d+)? @\[/)
  })

  /** What the page says that administrators give. */
  async function given({ east, west, kdr, admin: own }: NonNullable<typeof made>): Promise<void> {
    copyFileSync(east.caFile, at('east-ca.pem'))
    copyFileSync(west.caFile, at('west-ca.pem'))
    copyFileSync(kdr.certFile, at('kdr.pem'))
    copyFileSync(kdr.keyFile, at('kdr.key'))
    writeFileSync(at('west-password'), 'of-kdr')
    writeFileSync(at('kdr-token'), 'of-the-metrics')
    writeFileSync(at('admin-east.properties'), loginByCertificate(own))
    writeFileSync(at('admin-west.properties'), loginByPassword('of-admin'))
    for (const user of ['kdr', 'admin'])
      await context.judge.setUser({
        ...admin('west'),
        user,
        mechanism: 'SCRAM-SHA-512',
        password: `of-${user}`,
      })
  }
})

async function fill(): Promise<void> {
  const { judge } = context
  for (const topic of TOPICS) {
    await judge.createTopic({ ...admin('east'), topic, partitions: 2 })
    await judge.produce({ ...admin('east'), topic, count: 50 })
    await judge.produce({ ...admin('east'), topic, transactionalId: topic, count: 3, end: 'abort' })
    await judge.produce({ ...admin('east'), topic, count: 5 })
  }
  const offsets = [{ topic: 'orders', partition: 0, offset: 7 }]
  await judge.alterGroupOffsets({ ...admin('east'), group: 'readers', offsets })
  const rule = { type: 'TOPIC', name: 'orders', principal: 'User:app', operation: 'READ' } as const
  await judge.createAcls({ ...admin('east'), acls: [rule] })
}

const linesOf = (properties: Readonly<Record<string, string>>): string =>
  Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')

const trusting = (ca: string) => ({ 'ssl.truststore.type': 'PEM', 'ssl.truststore.location': at(ca) })

const loginByCertificate = ({ pairFile }: Certificate): string =>
  linesOf({
    'security.protocol': 'SSL',
    ...trusting('east-ca.pem'),
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.location': pairFile,
  })

const loginByPassword = (password: string): string =>
  linesOf({
    'security.protocol': 'SASL_SSL',
    ...trusting('west-ca.pem'),
    'sasl.mechanism': 'SCRAM-SHA-512',
    'sasl.jaas.config': `org.apache.kafka.common.security.scram.ScramLoginModule required username="admin" password="${password}";`,
  })
