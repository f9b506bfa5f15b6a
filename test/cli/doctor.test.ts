// kdr doctor: what is in the bundle, what is not, and that it is made whatever is wrong.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { App, LinkMemory, Services } from '../../src/cli/app.ts'
import type { LinkStatus } from '../../src/engine/status/status.ts'
import { KdrError } from '../../src/model/errors.ts'
import { services as real } from '../../src/wiring/services.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { makeTestApp, runForTest } from '../support/app.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-doctor-'))
after(() => rmSync(dir, { recursive: true, force: true }))

const MARK = 'GEHEIM-'
const path = join(dir, 'kdr.yaml')
writeFileSync(join(dir, 'password'), `${MARK}file`)
writeFileSync(
  path,
  JSON.stringify({
    clusters: {
      east: {
        bootstrap: '127.0.0.1:9',
        sasl: { mechanism: 'plain', username: 'kdr', password: `${MARK}literal` },
      },
      west: {
        bootstrap: '127.0.0.1:11',
        sasl: { mechanism: 'plain', username: 'kdr', password: 'file:password' },
      },
    },
    links: {
      ew: {
        source: 'east',
        target: 'west',
        fence: { command: `curl -u kdr:${MARK}command https://router` },
        users: { app: { mechanism: 'scram-sha-256', password: `exec:echo ${MARK}exec` } },
      },
    },
    server: { token: `${MARK}token` },
  }),
)

let made = 0
const bundle = async (services: Partial<Services> = {}, changes: Partial<App> = {}) => {
  const out = join(dir, `bundle-${++made}`)
  const result = await runForTest(['doctor', '--out', out, '--config', path], {
    services: { ...makeTestApp().services, ...services },
    clock: systemClock,
    ...changes,
  })
  assert.equal(result.exit, 0, result.stderr)
  const text = (name: string): string => readFileSync(join(out, `${name}.json`), 'utf8')
  return {
    ...result,
    out,
    files: readdirSync(out).toSorted(),
    read: <T>(name: string): T => JSON.parse(text(name)) as T,
    all: readdirSync(out)
      .map(file => readFileSync(join(out, file), 'utf8'))
      .join(''),
  }
}

describe('kdr doctor', () => {
  test('has the config without secrets, versions, states, journals, what is wrong, and how long it took', async () => {
    const sentence = '1 of 1 partition(s) stopped: "orders/0": somebody else has written'
    const status = {
      name: 'ew',
      state: 'faulted',
      sentence,
      topics: [],
      warnings: [],
    } as unknown as LinkStatus
    const journal = [{ id: '1', at: 0, by: 'me@host', verb: 'pause', state: 'done', what: 'paused' }]
    const { files, read, all, stdout } = await bundle({
      readLinkStatus: () => Promise.resolve(status),
      describeCluster: (_config, name) =>
        Promise.resolve({
          name,
          clusterId: `id-${name}`,
          topics: 1,
          partitions: 1,
          brokers: [
            { id: 1, host: 'h', port: 9, features: { 'metadata.version': 25 }, apis: { Fetch: '4 to 17' } },
          ],
        }),
      withMemory: async (_config, _link, act) =>
        await act({ journal: () => journal } as unknown as LinkMemory),
    })
    assert.deepEqual(
      files,
      ['about', 'clusters', 'config', 'journals', 'problems', 'runs', 'status', 'timings'].map(
        name => `${name}.json`,
      ),
    )
    assert.partialDeepStrictEqual(read('about'), { kdr: '1.2.3', node: process.versions.node, config: path })
    const values = new Map(
      read<{ key: string; value: unknown }[]>('config').map(({ key, value }) => [key, value]),
    )
    assert.equal(values.get('links.ew.source'), 'east')
    assert.equal(values.get('clusters.east.sasl.password'), '(hidden)')
    assert.equal(values.get('clusters.west.sasl.password'), 'file:password')
    assert.equal(values.get('links.ew.fence.command'), '(a command)')
    assert.equal(values.get('links.ew.users.app.password'), 'exec:(a command)')
    assert.equal(values.get('links.ew.consumers'), 'leave')
    assert.partialDeepStrictEqual(read('clusters'), [
      { name: 'east', clusterId: 'id-east' },
      { name: 'west' },
    ])
    assert.partialDeepStrictEqual(read('status'), {
      v: 1,
      links: [{ name: 'ew', state: 'faulted' }],
      sets: [],
    })
    assert.partialDeepStrictEqual(read('journals'), [{ name: 'ew', entries: [{ verb: 'pause' }] }])
    assert.deepEqual(read('problems'), [sentence])
    assert.ok(read<{ part: string }[]>('timings').some(({ part }) => part === 'link "ew"'))
    assert.ok(!all.includes(MARK), all)
    assert.match(stdout, /Look through it before you send it/)
  })

  test('is made while clusters are dark, and says so', async () => {
    const { read, stderr, all } = await bundle(real, { env: { ...process.env, KDR_TEST_SECRET: MARK } })
    assert.partialDeepStrictEqual(read('clusters'), [{ name: 'east', code: 'unreachable' }, { name: 'west' }])
    assert.ok(read<string[]>('problems').some(problem => problem.includes('127.0.0.1:9')))
    assert.match(stderr, /^not looked at: cluster "east": /m)
    assert.ok(!all.includes(MARK))
  })

  test('hides a secret that comes in from elsewhere', async () => {
    const says = (): never => {
      throw new KdrError(
        'not-allowed',
        `the broker says: no user with ${MARK}literal or ${MARK}file, ${MARK}exec`,
      )
    }
    const { all, stderr } = await bundle({ describeCluster: says, readLinkStatus: says })
    assert.match(all, /no user with \(hidden\) or \(hidden\), \(hidden\)/)
    assert.ok(!`${all}${stderr}`.includes(MARK))
  })

  test('has nothing of what a command of a run has printed', async () => {
    const run = {
      run: 'r1',
      kind: 'switchover',
      link: 'ew',
      active: 'east',
      standby: 'west',
      state: 'stopped',
      startedAt: '2026-01-01T00:00:00Z',
      sentence: `\`fence.command\` ended with code 1: denied\nX-Token: ${MARK}printed`,
    } as const
    const { read, all } = await bundle({ listRuns: () => Promise.resolve([run]) })
    assert.ok(!all.includes(MARK), all)
    const sentence = '`fence.command` ended with code 1: (its output)'
    assert.partialDeepStrictEqual(read('runs'), [{ run: 'r1', sentence }])
    assert.ok(read<string[]>('problems').includes(sentence))
  })

  test('a secret that cannot be read in time holds nothing up, and is told', async () => {
    const slow = join(dir, 'slow.yaml')
    const sasl = { mechanism: 'plain', username: 'kdr', password: 'exec:sleep 2' }
    writeFileSync(slow, JSON.stringify({ clusters: { east: { bootstrap: '127.0.0.1:9', sasl } } }))
    const clock = {
      ...systemClock,
      sleep: async (ms: number, signal?: AbortSignal) => await systemClock.sleep(ms / 300, signal),
    }
    const out = join(dir, 'of-slow')
    const { exit, stderr } = await runForTest(['doctor', '--out', out, '--config', slow], { clock })
    assert.equal(exit, 0)
    assert.match(stderr, /^not looked at: secret "exec:\(a command\)": no answer within 30 s$/m)
  })

  test('is made of a config that is wrong', async () => {
    const wrong = join(dir, 'wrong.yaml')
    writeFileSync(wrong, `clusters: { east: { bootstrap: "h:1", sasl: ${MARK} } }`)
    const out = join(dir, 'of-wrong')
    const { exit, stderr } = await runForTest(['doctor', '--out', out, '--config', wrong], {
      clock: systemClock,
    })
    assert.equal(exit, 0)
    assert.match(stderr, /not looked at: config: .*wrong\.yaml:1:\d+: clusters\.east\.sasl: /)
    const text = readdirSync(out).map(file => readFileSync(join(out, file), 'utf8'))
    assert.ok(!text.join('').includes(MARK))
  })

  test('what never answers is given up after 30 s, and told', async () => {
    const never = () => new Promise<never>(() => undefined)
    const waits: number[] = []
    const clock = {
      ...systemClock,
      sleep: async (ms: number, signal?: AbortSignal) => {
        waits.push(ms)
        await systemClock.sleep(ms / 300, signal)
      },
    }
    const { read } = await bundle({ describeCluster: never }, { clock })
    assert.partialDeepStrictEqual(read('clusters'), [{ name: 'east', code: 'timed-out' }])
    assert.ok(waits.every(ms => ms === 30_000))
  })

  test('as one file: a tar that tar reads, for its owner alone; one that is there is not written over', async () => {
    const out = join(dir, 'bundle.tgz')
    const args = ['doctor', '--out', out, '--config', path, '--json']
    const { exit, stdout } = await runForTest(args, { clock: systemClock })
    assert.equal(exit, 0)
    assert.partialDeepStrictEqual(JSON.parse(stdout), { v: 1, out })
    assert.equal(statSync(out).mode & 0o777, 0o600)
    const listed = spawnSync('tar', ['-tzf', out], { encoding: 'utf8' })
    assert.match(listed.stdout, /^kdr-doctor\/about\.json$/m)
    const about = spawnSync('tar', ['-xzOf', out, 'kdr-doctor/about.json'], { encoding: 'utf8' })
    assert.partialDeepStrictEqual(JSON.parse(about.stdout), { kdr: '1.2.3' })
    const again = await runForTest(args, { clock: systemClock })
    assert.equal(again.exit, 2)
    assert.match(again.stdout, /exists already/)
  })
})
