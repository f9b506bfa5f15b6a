// Backups of a real cluster, and their way back: taken while Java's clients write, with transactions and compression; the cluster is
// killed; a new one holds the same up to the commit, as Java's consumer reads it.

import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { b64, type Digest } from '../support/judge.ts'
import { freshTopic, waitFor, withLab } from '../support/lab.ts'
import { type KdrResult, runKdrHere, startKdr } from '../support/link.ts'
import { suite } from '../support/suite.ts'

type Partition = { readonly partition: number; readonly start: number; readonly end: number }
type Shown = {
  readonly commit: number
  readonly endsAt: string
  readonly topics: readonly { readonly name: string; readonly partitions: readonly Partition[] }[]
}
// In the short suite test/lab/restore.test.ts kills restores, into a cluster with ACLs.
const long = { skip: suite === 'short' && 'in make test-full' }
/** So many records of each writer there are when the second commit is made. */
const COMPARED = 400

/** What a commit holds, and what the source held there, as Java reads it. */
type Held = { readonly shown: Shown; readonly seen: ReadonlyMap<string, string>; readonly endsAt: number }

describe('backups of a cluster', () => {
  const context = withLab([{ name: 'east' }, { name: 'west' }])
  const dir = mkdtempSync(join(tmpdir(), 'kdr-backup-lab-'))
  after(() => rmSync(dir, { recursive: true, force: true }))
  const vault = join(dir, 'vault')
  const config = join(dir, 'kdr.yaml')
  const [plain, tx, trimmed, compacted] = ['plain', 'tx', 'trimmed', 'compacted'].map(name =>
    freshTopic(name),
  ) as [string, string, string, string]
  const CONFIGS = { 'cleanup.policy': 'compact', 'retention.ms': '86400000', 'max.message.bytes': '500000' }
  const held: Held[] = []

  const bootstrap = (name: string): string => context.cluster(name).bootstrap
  const kdr = async (...args: string[]): Promise<KdrResult> => await runKdrHere([...args, '--config', config])
  const json = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await kdr(...args, '--json')
    assert.equal(code, 0, `kdr ${args.join(' ')}: ${stderr}${stdout}`)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  const digestOf = async (
    name: string,
    topic: string,
    { partition, start, end }: Partition,
  ): Promise<string> => {
    const range = {
      bootstrap: bootstrap(name),
      topic,
      partition,
      from: start,
      to: end,
      isolation: 'committed',
    } as const
    const [digest] = await context.judge.digest(range)
    const { count, bytes, sha256 } = digest as Digest
    return `${count} records, ${bytes} bytes, ${sha256}`
  }
  const digests = async (name: string, { topics }: Shown): Promise<Map<string, string>> => {
    const seen = new Map<string, string>()
    for (const topic of topics)
      for (const each of topic.partitions)
        seen.set(`${topic.name}/${each.partition}`, await digestOf(name, topic.name, each))
    return seen
  }
  /** Makes a commit, and keeps what it should hold where that is looked at later. */
  const backUp = async (isCompared: boolean): Promise<Held> => {
    const { commit } = await json('backup', 'run', 'all')
    const shown = (await json('backup', 'show', `all@${String(commit)}`)) as unknown as Shown
    const one = {
      shown,
      seen: isCompared ? await digests('east', shown) : new Map<string, string>(),
      endsAt: Date.parse(shown.endsAt),
    }
    held.push(one)
    return one
  }
  const assertRestored = async ({ shown, seen }: Held): Promise<void> => {
    assert.deepEqual(await digests('west', shown), seen)
    for (const { name, partitions } of shown.topics) {
      const ends = await context.judge.ends({ bootstrap: bootstrap('west'), topics: [name] })
      assert.deepEqual(
        ends.map(([, partition, end]) => `${partition} ${end}`).sort(),
        partitions.map(({ partition, end }) => `${partition} ${end}`).sort(),
      )
    }
  }
  const clearTarget = async ({ shown }: Held): Promise<void> => {
    const topics = shown.topics.map(({ name }) => name)
    await context.judge.deleteTopics({ bootstrap: bootstrap('west'), topics })
    await waitFor(
      async () => {
        const left = await context.judge.listTopics({ bootstrap: bootstrap('west') })
        return !topics.some(topic => left.includes(topic))
      },
      { what: 'the topics to be gone' },
    )
  }

  test('are made while clients write', async () => {
    const { judge } = context
    const at = { bootstrap: bootstrap('east') }
    writeFileSync(
      config,
      JSON.stringify({
        clusters: { east: at, west: { bootstrap: bootstrap('west') } },
        vaults: { main: { url: pathToFileURL(vault).href } },
        sets: { all: { cluster: 'east', vault: 'main', topics: ['*'] } },
      }),
    )
    await json('vault', 'init', 'main')
    await judge.createTopic({ ...at, topic: plain, partitions: 3 })
    await judge.createTopic({ ...at, topic: tx, partitions: 2 })
    await judge.createTopic({ ...at, topic: trimmed, partitions: 1 })
    await judge.createTopic({ ...at, topic: compacted, partitions: 1, configs: CONFIGS })
    await judge.produce({ ...at, topic: trimmed, count: 5_000, sizeBytes: 200, compression: 'zstd' })
    await judge.deleteRecords({ ...at, topic: trimmed, partition: 0, before: 3_210 })
    const records = Array.from({ length: 200 }, (_none, i) => ({
      key: b64(`k${i % 9}`),
      value: b64(`value ${i}`),
    }))
    await judge.produce({ ...at, topic: compacted, records, compression: 'lz4' })
    const writers = [
      await judge.startWorkload({
        ...at,
        topic: plain,
        rate: 2_000,
        sizeBytes: 300,
        compression: 'snappy',
        keys: 50,
      }),
      await judge.startWorkload({ ...at, topic: plain, rate: 1_000, sizeBytes: 500, burst: 20_000 }),
      await judge.startWorkload({
        ...at,
        topic: tx,
        rate: 500,
        transactionalId: 'app',
        perTransaction: 20,
        abortEvery: 4,
        compression: 'gzip',
      }),
    ]
    const written = async (n: number): Promise<boolean> =>
      (await Promise.all(writers.map(async each => (await judge.workload(each)).acknowledged))).every(
        count => count > n,
      )
    for (const n of [100, COMPARED, 700]) {
      await waitFor(async () => await written(n), { what: `${n} records of each writer` })
      await judge.alterGroupOffsets({
        ...at,
        group: 'app',
        offsets: [
          { topic: plain, partition: 0, offset: n / 2 },
          { topic: trimmed, partition: 0, offset: 4_000 },
        ],
      })
      await backUp(n === COMPARED)
    }
    for (const each of writers) await judge.stopWorkload(each)
    const last = await backUp(true)
    assert.equal(last.shown.commit, 4)
    assert.deepEqual(last.shown.topics.map(({ name }) => name).sort(), [plain, tx, trimmed, compacted].sort())
    assert.equal(last.shown.topics.find(({ name }) => name === trimmed)?.partitions[0]?.start, 3_210)
  })

  test('are whole, to the last byte', async () => {
    const { ok, commit } = await json('backup', 'verify', 'all', '--full')
    assert.deepEqual([ok, commit], [true, 4])
  })

  test('restore an earlier commit, when the cluster is gone', async () => {
    await context.cluster('east').kill()
    const second = held[1]!
    const plan = await json('restore', 'all@2', '--to', 'west', '--dry-run')
    assert.equal(plan['commit'], 2)
    const unapproved = await kdr('restore', 'all@2', '--to', 'west')
    assert.equal(unapproved.code, 20)

    const { verified, groups } = await json('restore', 'all@2', '--to', 'west', '--yes')

    assert.deepEqual([verified, groups], [true, 1])
    await assertRestored(second)
    const at = { bootstrap: bootstrap('west') }
    assert.deepEqual(
      (await context.judge.groupOffsets({ ...at, group: 'app' }))
        .map(({ topic, offset }) => `${topic} ${offset}`)
        .sort(),
      [`${plain} 200`, `${trimmed} 4000`],
    )
    assert.deepEqual(await context.judge.describeConfigs({ ...at, topic: compacted }), CONFIGS)
    assert.deepEqual(await context.judge.describeConfigs({ ...at, topic: plain }), {})
    const topics = await context.judge.listTopics(at)
    assert.ok(!topics.some(name => name.startsWith('_kdr')), `nothing of kdr is left: ${topics.join(' ')}`)
  })

  test('are not restored over what is there', async () => {
    const { code, stderr } = await kdr('restore', 'all', '--to', 'west', '--yes')
    assert.equal(code, 12)
    assert.match(stderr, /is there already/)
    await assertRestored(held[1]!)
  })

  test('restore the log as of a moment between two commits', async () => {
    const [second, third] = [held[1]!, held[2]!]
    await clearTarget(second)
    const moment = Math.round((second.endsAt + third.endsAt) / 2)
    const point = `all@${new Date(moment).toISOString()}`
    const shown = (await json('backup', 'show', point)) as unknown as Shown

    const { verified } = await json('restore', point, '--to', 'west', '--yes')

    assert.equal(verified, true)
    let wentOn = 0
    for (const { name, partitions } of shown.topics)
      for (const { partition, end } of partitions) {
        const [before, later] = [second, third].map(
          each => each.shown.topics.find(topic => topic.name === name)!.partitions[partition]!.end,
        ) as [number, number]
        assert.ok(before <= end && end <= later, `${name} ${partition}: ${before} ${end} ${later}`)
        if (end > before) wentOn++
        const records = await context.judge.list({
          bootstrap: bootstrap('west'),
          topic: name,
          partition,
          from: before,
        })
        assert.ok(records.every(({ timestamp }) => timestamp <= moment))
      }
    assert.ok(wentOn >= 3, 'partitions that were written to go on beyond the commit')
    await clearTarget(second)
  })

  test('restore the latest commit, also when the restore is killed and run again', long, async () => {
    const killed = startKdr(['restore', 'all', '--to', 'west', '--yes', '-v', '--config', config])
    await killed.says(/created mirror topic/)
    killed.signal('SIGKILL')
    await killed.ended
    const { verified, commit, resumed } = await json('restore', 'all', '--to', 'west', '--yes')
    assert.deepEqual([verified, commit, resumed], [true, 4, true])
    await assertRestored(held[3]!)
  })

  test('name the object of any byte that was changed', async () => {
    const objects = readdirSync(vault, { recursive: true, withFileTypes: true }).filter(
      entry => entry.isFile() && !entry.parentPath.includes('.unfinished'),
    )
    assert.ok(objects.length >= 10)
    for (const [i, entry] of objects.entries()) {
      const path = join(entry.parentPath, entry.name)
      const bytes = readFileSync(path)
      const at = (i * 7_919) % bytes.length
      bytes[at]! ^= 0x20
      writeFileSync(path, bytes)
      const { code, stdout, stderr } = await kdr('backup', 'verify', 'all', '--full')
      // Without kdr.json there is no vault: that is said, by name.
      assert.ok(code === 3, `byte ${at} of ${path}: ${stdout}${stderr}`)
      assert.match(stdout + stderr, new RegExp(entry.name.replaceAll('.', '\\.')))
      bytes[at]! ^= 0x20
      writeFileSync(path, bytes)
    }
    const { ok } = await json('backup', 'verify', 'all', '--full')
    assert.equal(ok, true)
  })
})
