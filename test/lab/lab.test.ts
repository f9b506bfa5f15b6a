// The lab and the judge, on real brokers: what every other test on real brokers takes for granted.

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connectCluster } from '../../src/kafka/cluster.ts'
import { prepareDistribution } from '../../src/lab/distribution.ts'
import { KNOWN_VERSIONS, LAB_USERS, startLab } from '../../src/lab/lab.ts'
import { resolveVersion } from '../../src/lab/versions.ts'
import { KdrError } from '../../src/model/errors.ts'
import { services } from '../../src/wiring/services.ts'
import { runForTest } from '../support/app.ts'
import { b64, saslOf } from '../support/judge.ts'
import { freshDir, freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import { suite } from '../support/suite.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

describe('versions', () => {
  test('a short name stands for the newest known one, a full one for itself', () => {
    assert.equal(resolveVersion('3.9'), '3.9.2')
    assert.equal(resolveVersion('4.1.0'), '4.1.0')
  })

  test('what cannot be run is refused with the names of those that can', async () => {
    for (const version of ['3.2', '3.2.3', '4.5', 'newest']) {
      const error = await startLab({ dir: freshDir(), clusters: [{ name: 'east', version }] }).catch(
        (thrown: unknown) => thrown,
      )
      assert.ok(error instanceof KdrError)
      assert.equal(error.exit, 2)
      for (const known of KNOWN_VERSIONS) assert.ok(error.hint.includes(known), `${known} in: ${error.hint}`)
    }
  })
})

describe('tools', () => {
  const emptyCache = freshDir()
  after(() => rmSync(emptyCache, { recursive: true, force: true }))

  for (const [tool, cache] of [
    ['mvn', emptyCache],
    ['java', process.env['KDR_CACHE'] ?? ''],
  ] as const) {
    test(`without ${tool}, it says how to install it`, async () => {
      // The jars of the default version must be in the cache already, or Maven would be missed before Java is.
      await prepareDistribution(undefined)
      const env = { ...process.env, PATH: '/nonexistent', JAVA_HOME: '', KAFKA_HOME: '', KDR_CACHE: cache }
      const child = spawn(process.execPath, [MAIN, 'lab', 'up', '--dir', freshDir()], { env })
      let errors = ''
      child.stderr.on('data', chunk => (errors += String(chunk)))
      const [code] = (await once(child, 'close')) as [number]
      assert.equal(code, 17)
      assert.match(
        errors,
        new RegExp(`"${tool}" is needed and not installed\\nhint: Install .*apt-get install`),
      )
    })
  }
})

/** What is older than a week a broker deletes: not before it has run for 30 s, and some of these do. */
const YESTERDAY = Date.now() - 86_400_000

describe('two clusters', () => {
  const context = withLab([
    { name: 'east' },
    { name: 'west', security: 'acl', properties: { 'log.cleaner.backoff.ms': '500' } },
  ])
  const admin = saslOf('admin', LAB_USERS.admin)

  test('a killed broker starts again at the same port with what it had acknowledged', async () => {
    const east = context.cluster('east')
    const { bootstrap } = east
    const topic = freshTopic()
    await context.judge.createTopic({ bootstrap, topic })
    const workload = await context.judge.startWorkload({ bootstrap, topic, rate: 500 })
    await waitFor(async () => (await context.judge.workload(workload)).acknowledged > 100, { what: 'writes' })

    await east.kill()
    assert.deepEqual(
      east.brokers.map(({ state }) => state),
      ['stopped'],
    )
    await east.start()

    const { lastAckMs } = await context.judge.workload(workload)
    await waitFor(async () => (await context.judge.workload(workload)).lastAckMs > lastAckMs, {
      what: 'more',
    })
    const { acknowledged } = await context.judge.stopWorkload(workload)
    const audit = await context.judge.auditTopic({ ...workload, bootstrap })
    assert.deepEqual([audit.acknowledged, audit.missing, audit.moved], [acknowledged, 0, 0])
  })

  test('a paused broker answers again once it is resumed', async () => {
    const east = context.cluster('east')
    const topic = freshTopic()
    await context.judge.createTopic({ bootstrap: east.bootstrap, topic })
    await east.pause()
    assert.equal(east.brokers[0]?.state, 'paused')
    const produced = context.judge.produce({ bootstrap: east.bootstrap, topic, count: 1 })
    await east.resume()
    assert.deepEqual((await produced).offsets, [0])
  })

  test('with ACLs, a user may do what has been granted', async () => {
    const { bootstrap } = context.cluster('west')
    const topic = freshTopic()
    const app = { bootstrap, properties: saslOf('app', LAB_USERS.app) }
    await context.judge.createTopic({ bootstrap, properties: admin, topic })
    await assert.rejects(context.judge.produce({ ...app, topic, count: 1 }), {
      kind: 'TopicAuthorizationException',
    })
    await context.judge.createAcls({
      bootstrap,
      properties: admin,
      acls: [{ type: 'TOPIC', name: topic, principal: 'User:app', operation: 'WRITE' }],
    })
    const sent = await waitFor(
      () => context.judge.produce({ ...app, topic, count: 1 }).catch(() => undefined),
      { what: 'the right to write' },
    )
    assert.deepEqual(sent.offsets, [0])
  })

  test('kdr init looks at both, says what its principal may not see, and writes what passes the check', async () => {
    const [east, west] = [context.cluster('east'), context.cluster('west')]
    const [bare, seen] = [freshTopic(), freshTopic()]
    await context.judge.createTopic({ ...at(east), topic: '_schemas' })
    await context.judge.createTopic({ ...at(east), topic: bare, configs: { 'cleanup.policy': 'compact' } })
    for (const topic of [bare, seen])
      await context.judge.createTopic({ bootstrap: west.bootstrap, properties: admin, topic })
    const acl = { type: 'TOPIC', name: seen, principal: 'User:kdr', operation: 'DESCRIBE' } as const
    await context.judge.createAcls({ bootstrap: west.bootstrap, properties: admin, acls: [acl] })
    const folder = freshDir()
    mkdirSync(folder)
    const config = join(folder, 'kdr.yaml')
    const sasl = { mechanism: 'plain', username: 'kdr', password: LAB_USERS.kdr }
    const clusters = { east: { bootstrap: east.bootstrap }, west: { bootstrap: west.bootstrap, sasl } }
    writeFileSync(config, `clusters:\n  east: ${json(clusters.east)}\n  west: ${json(clusters.west)}\n`)

    const made = await waitFor(
      async () => {
        const init = ['init', '--from', 'east', 'west', '--json', '--config', config]
        const shown = JSON.parse((await runForTest([...init, '--dry-run'], { services })).stdout) as InitJson
        if (shown.seen[1]?.topics !== 1) return undefined
        return JSON.parse((await runForTest(init, { services })).stdout) as InitJson
      },
      { what: 'the right to see one topic' },
    )

    const [open, closed] = made.seen
    assert.deepEqual(open?.unseen, [])
    assert.deepEqual(
      closed?.unseen.map(({ what }) => what),
      ['configs of 1 of 1 topics', "the brokers' configs", 'ACLs', 'SCRAM users'],
    )
    assert.match(made.config, /# Schema Registry: found _schemas\./)
    assert.match(made.config, /# Compacted \(\d+ topics?\): /)
    assert.ok(!made.config.includes(`At "west" already: ${bare}`))
    const check = await runForTest(['config', 'check', '--config', config])
    assert.match(check.stdout, /has 2 clusters and 1 link\n/)
  })

  test('the judge finds one record that differs, and where', async () => {
    const a = context.cluster('east')
    const b = { bootstrap: context.cluster('west').bootstrap, properties: admin }
    const topic = freshTopic()
    const records = (third: string) =>
      ['one', 'two', third, 'four'].map((text, index) => ({
        key: index === 1 ? null : b64(text),
        value: b64(text),
        headers: [['h', b64(text)] as const, ['h', null] as const],
        timestamp: YESTERDAY + index,
      }))
    for (const side of [a, b]) await context.judge.createTopic({ ...at(side), topic })
    const same = freshTopic()
    for (const side of [a, b]) {
      await context.judge.createTopic({ ...at(side), topic: same })
      await context.judge.produce({ ...at(side), topic: same, count: 500, timestampBase: YESTERDAY })
    }
    await context.judge.produce({ ...at(a), topic, records: records('three') })
    await context.judge.produce({ ...at(b), topic, records: records('THREE') })

    const { identical, partitions } = await context.judge.compare({ a: at(a), b, topics: [same, topic] })

    assert.equal(identical, false)
    assert.deepEqual(
      partitions.map(each => [each.topic, each.identical, each.same, each.firstDifference]),
      [
        [same, true, 500, undefined],
        [topic, false, 3, { offset: 2, what: 'keys' }],
      ],
    )
    const [left] = await context.judge.digest({ ...at(a), topic: same })
    const [right] = await context.judge.digest({ ...b, topic: same })
    assert.deepEqual(left, right)
    const [, second] = await context.judge.list({ ...at(a), topic, to: 2 })
    assert.deepEqual(
      [second?.key, second?.value, second?.headers],
      [null, b64('two'), records('')[1]?.headers],
    )
  })

  test('the judge tells committed from uncommitted, and follows a group', async () => {
    const { bootstrap } = context.cluster('east')
    const topic = freshTopic()
    await context.judge.createTopic({ bootstrap, topic })
    const produce = { bootstrap, topic, count: 3, transactionalId: topic } as const
    await context.judge.produce({ ...produce, end: 'commit' })
    await context.judge.produce({ ...produce, end: 'abort' })
    await context.judge.produce({ ...produce, end: 'open' })
    const [committed] = await context.judge.digest({ bootstrap, topic })
    const [all] = await context.judge.digest({ bootstrap, topic, isolation: 'uncommitted' })
    // 3 records and a marker, twice; then 3 open ones.
    assert.deepEqual([committed?.count, committed?.end, all?.count, all?.end], [3, 8, 9, 11])

    const consumer = await context.judge.startConsumer({ bootstrap, topics: [topic], group: topic })
    await waitFor(async () => (await context.judge.consumer(consumer)).received === 3, { what: 'records' })
    await context.judge.stopConsumer(consumer)
    const [offset] = await context.judge.groupOffsets({ bootstrap, group: topic })
    assert.equal(offset?.offset, 8)
  })

  test('the judge commits after each so many records, all of one transaction in one partition', async () => {
    const { bootstrap } = context.cluster('east')
    const topic = freshTopic()
    await context.judge.createTopic({ bootstrap, topic, partitions: 2 })
    const transactions = { transactionalId: topic, perTransaction: 10 }
    await context.judge.produce({
      bootstrap,
      topic,
      count: 40,
      format: 'json',
      sizeBytes: 300,
      ...transactions,
    })
    // Two transactions of ten records and a marker in each.
    const seen = await context.judge.awaitEnds({ bootstrap, topic, sum: 44 })
    assert.equal(seen.sum, 44)
    const records = await context.judge.list({ bootstrap, topic, partition: 1 })
    assert.deepEqual(
      records.map(({ offset }) => offset),
      [...range(0, 10), ...range(11, 21)],
    )
    for (const { value } of records) {
      const text = Buffer.from(value ?? '', 'base64').toString()
      assert.equal(text.length, 300)
      assert.ok('orderId' in (JSON.parse(text) as object))
    }
  })

  test('the judge waits for ends no longer than it is told, also of topics that are not there', async () => {
    const { bootstrap } = context.cluster('east')
    const look = { sum: 1, timeoutMs: 200 }
    assert.equal((await context.judge.awaitEnds({ bootstrap, topic: freshTopic(), ...look })).sum, 0)
    assert.equal((await context.judge.awaitEnds({ bootstrap, prefix: freshTopic(), ...look })).sum, 0)
  })

  test('the judge measures by how much a record comes later', async () => {
    const at = { bootstrap: context.cluster('east').bootstrap }
    const topic = freshTopic()
    await context.judge.createTopic({ ...at, topic, partitions: 2 })
    const { workload } = await context.judge.startWorkload({ ...at, topic, rate: 500 })
    const { lag } = await context.judge.startLag({ source: at, target: at, topic, workload })
    const seen = async () => await context.judge.lagSeen({ lag })
    await waitFor(async () => Math.min(...Object.values(await seen())) > 1_500, { what: 'records' })
    await context.judge.stopWorkload({ workload })
    // Not the first: one of the two may have begun to read later than the other.
    const report = await context.judge.stopLag({ lag, from: 1_000, to: 1_400 })
    assert.deepEqual([report.records, report.missing], [400, 0])
    // Source and target are one: neither comes much later.
    assert.ok(Math.abs(report.p50) < patience(100), `${report.p50} ms`)
  })
})

describe('three brokers', { skip: suite === 'short' && 'in make test-full' }, () => {
  const context = withLab(suite === 'short' ? [] : [{ name: 'east', brokers: 3 }])

  test('a cluster of three goes on without one of them, whichever it is', async () => {
    const east = context.cluster('east')
    const { bootstrap } = east
    const topic = freshTopic()
    await context.judge.createTopic({ bootstrap, topic, partitions: 3, rf: 3 })
    for (const id of [1, 3]) {
      await east.kill(id)
      const sent = await context.judge.produce({ bootstrap, topic, count: 30, acks: 'all' })
      assert.equal(sent.offsets.length, 30)
      await east.start(id)
      await waitFor(
        async () => {
          const { partitions } = await context.judge.describeTopic({ bootstrap, topic })
          return partitions.every(({ isr }) => isr.length === 3)
        },
        { what: 'all replicas in sync' },
      )
    }
    await context.judge.reassign({ bootstrap, topic, partition: 0, replicas: [2, 3, 1] })
    assert.equal((await context.judge.describeTopic({ bootstrap, topic })).partitions[0]?.leader, 2)
    await context.judge.setReplicas({ bootstrap, topic, replicas: [1, 2] })
    const { partitions } = await context.judge.describeTopic({ bootstrap, topic })
    for (const { isr } of partitions)
      assert.deepEqual(
        isr.toSorted((a, b) => a - b),
        [1, 2],
      )
  })
})

describe('what a lab leaves behind', () => {
  test('a broker that dies on its start is reported with the end of its log, and nothing stays', async () => {
    const dir = freshDir()
    const properties = { 'log.retention.bytes': 'many' }
    const error = await startLab({ dir, clusters: [{ name: 'east' }, { name: 'west', properties }] }).catch(
      (thrown: unknown) => thrown,
    )
    assert.ok(error instanceof KdrError)
    assert.match(error.message, /broker "west\/1" ended while it started.*log\.retention\.bytes/s)
    assert.equal(existsSync(dir), false)
  })

  describe('by commands, each a process', { concurrency: 1 }, () => {
    const dir = freshDir()
    let config = ''
    let pids: readonly number[] = []
    // What a test that failed has left.
    after(async () => {
      if (existsSync(dir)) await kdr('lab', 'down', '--dir', dir)
    })

    test('up makes two clusters, and a config for them', async () => {
      const begun = performance.now()
      const up = await kdr('lab', 'up', '--json', '--dir', dir)
      assert.ok(performance.now() - begun < patience(15_000), `ready in ${performance.now() - begun} ms`)
      const made = JSON.parse(up) as LabJson & { config: string }
      config = readFileSync(made.config, 'utf8')
      assert.deepEqual(
        made.clusters.map(({ name }) => name),
        ['east', 'west'],
      )
      assert.match(config, /east-west:\n {4}source: east\n {4}target: west/)
      pids = made.clusters.flatMap(({ brokers }) => brokers.map(({ pid }) => pid))
      assert.ok(pids.every(isAlive))
    })

    test('the line to a cluster is made long and cut for who is connected, and clear again', async t => {
      const [, bootstrap = ''] = /east:\n {4}bootstrap: "(localhost:\d+)"/.exec(config) ?? []
      const clock = { now: Date.now, monotonic: () => performance.now(), sleep: (ms: number) => sleep(ms) }
      const cluster = await connectCluster({ name: 'east', bootstrap, clientId: 'test', clock })
      t.after(() => cluster.close())
      const line = async (...args: string[]): Promise<unknown> =>
        (JSON.parse(await kdr('lab', 'line', 'east', ...args, '--json', '--dir', dir)) as LinesJson).lines[0]

      const { brokers } = await cluster.describe()
      assert.deepEqual(
        brokers.map(({ host, port }) => `${host}:${port}`),
        [bootstrap],
      )
      const clear = { cluster: 'east', id: 1, delayMs: 0 }
      const long = { ...clear, delayMs: 100, windowBytes: 102_400 }
      assert.deepEqual(await line('--delay', '100ms', '--window', '100KiB'), long)
      const begun = performance.now()
      await cluster.describe()
      assert.ok(performance.now() - begun >= 200, `${performance.now() - begun} ms`)

      assert.deepEqual(await line('--cut', '--one-way'), { ...long, cut: 'answers' })
      let isAnswered = false
      const answer = cluster.describe().then(() => (isAnswered = true))
      await sleep(500)
      assert.equal(isAnswered, false)
      // What waited arrives.
      assert.deepEqual(await line('--heal'), clear)
      await answer
      assert.deepEqual(await line(), clear)
      assert.equal(await kdr('lab', 'line', 'west', '--cut', '--dir', dir), 'west/1  cut\n')
    })

    test('kill and status show one that is stopped; down leaves nothing', async () => {
      const killed = JSON.parse(await kdr('lab', 'kill', 'west/1', '--json', '--dir', dir)) as LabJson
      assert.equal(killed.clusters[1]?.brokers[0]?.state, 'stopped')
      const status = JSON.parse(await kdr('lab', 'status', '--json', '--dir', dir)) as LabJson
      assert.deepEqual(status.clusters, killed.clusters)

      await kdr('lab', 'down', '--dir', dir)
      assert.equal(pids.some(isAlive), false)
      assert.equal(existsSync(dir), false)
    })
  })

  test('Ctrl-C while it starts leaves no process and no file', async () => {
    const dir = freshDir()
    const child = start('lab', 'up', '--dir', dir)
    const pids = await waitFor(() => pidsIn(dir), { what: 'the first process', everyMs: 5 })
    child.kill('SIGINT')
    const [code] = (await once(child, 'exit')) as [number]
    assert.equal(code, 130)
    assert.equal(pids.some(isAlive), false)
    assert.equal(javaIn(dir).length, 0)
    assert.equal(existsSync(dir), false)
  })

  test('a program that uses the lab and is told to end takes its brokers along', async () => {
    const dir = freshDir()
    const program = `
      import { startLab } from ${JSON.stringify(new URL('../../src/lab/lab.ts', import.meta.url).href)}
      await startLab({ dir: ${JSON.stringify(dir)}, clusters: [{ name: 'east' }] })
      setInterval(() => {}, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' })
    const pids = await waitFor(() => pidsIn(dir), { what: 'the first process' })
    child.kill('SIGTERM')
    await once(child, 'exit')
    await waitFor(() => !pids.some(isAlive), { what: 'the end of the brokers', timeoutMs: patience(2_000) })
    rmSync(dir, { recursive: true, force: true })
  })
})

type LinesJson = { readonly lines: readonly unknown[] }
type LabJson = {
  readonly clusters: readonly {
    readonly name: string
    readonly brokers: readonly { readonly pid: number; readonly state: string }[]
  }[]
}

type InitJson = {
  readonly config: string
  readonly seen: readonly { readonly topics: number; readonly unseen: readonly { readonly what: string }[] }[]
}

const json = (value: unknown): string => JSON.stringify(value)

function at({ bootstrap, properties = {} }: { bootstrap: string; properties?: Record<string, string> }) {
  return { bootstrap, properties }
}

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Its stdout; throws unless it ends well. */
async function kdr(...args: string[]): Promise<string> {
  const child = start(...args)
  let out = ''
  let errors = ''
  child.stdout?.on('data', chunk => (out += String(chunk)))
  child.stderr?.on('data', chunk => (errors += String(chunk)))
  const [code] = (await once(child, 'close')) as [number]
  assert.equal(code, 0, errors)
  return out
}

/** What the state file says; undefined until a process stands there. */
function pidsIn(dir: string): number[] | undefined {
  const file = join(dir, 'lab.json')
  if (!existsSync(file)) return undefined
  const pids = [...readFileSync(file, 'utf8').matchAll(/"pid": (\d+)/g)].map(match => Number(match[1]))
  return pids.length > 0 ? pids : undefined
}

/** Asked of the system, not of the lab. Brokers are not our children, but a zombie may be. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Every process that mentions `dir` in its command line, ours excepted. */
function javaIn(dir: string): string[] {
  return readdirSync('/proc').filter(name => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid || !isAlive(Number(name))) return false
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(dir)
    } catch {
      return false
    }
  })
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}
