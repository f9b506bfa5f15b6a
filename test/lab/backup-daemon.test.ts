// Sets that `kdr run` keeps backed up, by real processes over a real cluster; and their export, which is held against the broker's own
// files by Kafka's own tool.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { prepareDistribution } from '../../src/lab/distribution.ts'
import { classPathOf, resolveJars } from '../../src/lab/jars.ts'
import { findPort } from '../../src/lab/ports.ts'
import { javaTool, runTool } from '../../src/lab/processes.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import { type KdrProcess, runKdrHere, startKdr } from '../support/link.ts'
import { suite } from '../support/suite.ts'

type Listed = {
  readonly number: number
  readonly at: string
  readonly endsAt: string
  readonly records: number
}

const EVERY_MS = 2_000
/** SIGTERM to exit. */
const STOP_MS = 10_000

describe('sets that kdr run keeps backed up', { skip: suite === 'short' && 'in make test-full' }, () => {
  const context = withLab(suite === 'short' ? [] : [{ name: 'east' }])
  const dir = mkdtempSync(join(tmpdir(), 'kdr-backup-daemon-'))
  after(() => rmSync(dir, { recursive: true, force: true }))
  const config = join(dir, 'kdr.yaml')
  const [plain, tx] = [freshTopic('plain'), freshTopic('tx')] as const
  let listen: string

  const write = (sets: Record<string, object>): void => {
    const vault = (name: string) => ({ url: pathToFileURL(join(dir, name)).href })
    writeFileSync(
      config,
      JSON.stringify({
        clusters: { east: { bootstrap: context.cluster('east').bootstrap } },
        vaults: { main: vault('vault'), unmade: vault('unmade') },
        sets: Object.fromEntries(
          Object.entries(sets).map(([name, set]) => [name, { cluster: 'east', vault: 'main', ...set }]),
        ),
        server: { listen },
      }),
    )
  }
  const json = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await runKdrHere([...args, '--config', config, '--json'])
    assert.equal(code, 0, `kdr ${args.join(' ')}: ${stderr}${stdout}`)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  const commits = async (set: string): Promise<readonly Listed[]> => {
    const { sets } = (await json('backup', 'list', set)) as { sets: { commits: readonly Listed[] }[] }
    return (sets[0]?.commits ?? []).toReversed()
  }
  const untilCommits = async (set: string, count: number): Promise<readonly Listed[]> =>
    await waitFor(
      async () => {
        const made = await commits(set)
        return made.length >= count && made
      },
      { what: `${count} commits of ${set}` },
    )
  const stop = async (daemon: KdrProcess): Promise<void> => {
    const from = performance.now()
    daemon.signal('SIGTERM')
    const { code } = await daemon.ended
    assert.equal(code, 0, daemon.stderr)
    assert.ok(performance.now() - from < patience(STOP_MS), daemon.stderr)
  }

  before(async () => {
    listen = `127.0.0.1:${await findPort()}`
    const { judge } = context
    const at = { bootstrap: context.cluster('east').bootstrap }
    await judge.createTopic({ ...at, topic: plain, partitions: 2 })
    await judge.createTopic({ ...at, topic: tx, partitions: 1 })
    await judge.produce({ ...at, topic: plain, count: 20_000, sizeBytes: 500, compression: 'lz4' })
    const writer = await judge.startWorkload({
      ...at,
      topic: tx,
      rate: 1_000,
      transactionalId: 'app',
      perTransaction: 10,
      abortEvery: 3,
    })
    await waitFor(async () => (await judge.workload(writer)).acknowledged > 300, { what: 'transactions' })
    await judge.stopWorkload(writer)
  })

  test('two daemons share them: each commit is made once, one that cannot be is said and holds up nobody', async () => {
    write({ all: { every: '2s', topics: [plain, tx] }, lost: { every: '2s', vault: 'unmade' } })
    await json('vault', 'init', 'main')
    const daemons = [startKdr(['run', '--config', config]), startKdr(['run', '--config', config])]
    const made = await untilCommits('all', 5)
    for (const daemon of daemons) await stop(daemon)

    assert.equal(made[0]?.records, (await commits('all'))[0]?.records)
    const spaces = made.slice(1).map(({ endsAt }, i) => Date.parse(endsAt) - Date.parse(made[i]!.endsAt))
    // Groups are captured between the moment when it is due and the ends.
    assert.ok(
      spaces.slice(1).every(ms => ms > EVERY_MS * 0.9),
      `commits ${spaces.join(', ')} ms apart`,
    )
    for (const daemon of daemons) {
      assert.match(daemon.stderr, /set "lost" is not backed up: there is no vault at .*trying again in 5 s/)
      assert.doesNotMatch(daemon.stderr, /another writer|set "all" is not/)
    }
    const verified = await json('backup', 'verify', 'all', '--full')
    assert.equal(verified['ok'], true)
  })

  test('a stop in the middle of a backup leaves no commit, and the next daemon makes it; metrics tell', async () => {
    write({ slow: { every: '1h', topics: [plain], maxBytesPerSecond: '200KB' } })
    const slow = startKdr(['run', '--only', 'backups', '-v', '--config', config])
    await waitFor(() => readdirSync(join(dir, 'vault')).includes('slow'), {
      what: () => `an announcement of it:\n${slow.stderr}`,
    })
    await stop(slow)
    assert.deepEqual(await commits('slow'), [])

    write({ slow: { every: '1h', topics: [plain] } })
    const quick = startKdr(['run', '--only', 'backups', '--config', config])
    await untilCommits('slow', 1)
    const text = await (await fetch(`http://${listen}/metrics`)).text()
    assert.match(text, /^kdr_backup_age_seconds\{set="slow",cluster="east",vault="main"\} \d/m)
    assert.equal((await fetch(`http://${listen}/readyz`)).status, 200)
    write({ slow: { every: '1h', topics: [plain] }, more: { every: '1h', topics: [tx] } })
    quick.signal('SIGHUP')
    await untilCommits('more', 1)
    await stop(quick)
    const { sets } = (await json('status')) as { sets: { name: string; state: string }[] }
    assert.deepEqual(
      sets.map(({ name, state }) => `${name} ${state}`),
      ['slow current', 'more current'],
    )
  })

  test('an export is what stands on the disk of the broker, byte for byte', async () => {
    const out = join(dir, 'out')
    write({ all: { topics: [plain, tx] } })
    const { records, partitions } = await json('backup', 'export', 'all', out)
    assert.equal(partitions, 3)
    const folders = readdirSync(out).sort()
    assert.deepEqual(folders, [`${plain}-0`, `${plain}-1`, `${tx}-0`].sort())
    const files = (root: string): string[] =>
      folders.flatMap(folder =>
        readdirSync(join(root, folder))
          .filter(name => name.endsWith('.log'))
          .sort()
          .map(name => join(root, folder, name)),
      )
    const exported = files(out)
    const onDisk = files(context.cluster('east').logDir(1))
    assert.deepEqual(
      exported.map(path => path.slice(out.length)),
      onDisk.map(path => path.slice(context.cluster('east').logDir(1).length)),
    )
    for (const [i, path] of exported.entries())
      assert.ok(readFileSync(path).equals(readFileSync(onDisk[i]!)), path)

    const { version } = await prepareDistribution(undefined)
    const jars = await resolveJars(`kafka-tools/${version}`, [
      { group: 'org.apache.kafka', name: 'kafka-tools', version },
      { group: 'org.slf4j', name: 'slf4j-simple', version: '1.7.36' },
    ])
    const { code, output } = await runTool(javaTool('java'), [
      '-XX:TieredStopAtLevel=1',
      '-cp',
      await classPathOf(jars),
      'org.apache.kafka.tools.DumpLogSegments',
      '--deep-iteration',
      '--files',
      exported.join(','),
    ])
    assert.equal(code, 0, output)
    const batches = output.split('\n').filter(line => line.startsWith('baseOffset:'))
    assert.ok(batches.length > 50 && batches.every(line => / isvalid: true/.test(line)))
    assert.equal(output.split('\n').filter(line => line.startsWith('| offset:')).length, records)
    assert.match(output, /endTxnMarker: ABORT/)
  })
})
