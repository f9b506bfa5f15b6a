// kdr vault and kdr backup over a real folder, without a cluster.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { openFileStore } from '../../src/store/files.ts'
import { services } from '../../src/wiring/services.ts'
import { runForTest } from '../support/app.ts'
import { commitBatches, madeBatch, unique } from '../vault/made.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-backup-'))
after(() => rmSync(dir, { recursive: true }))

const root = join(dir, 'vault')
const config = join(dir, 'kdr.yaml')
writeFileSync(
  config,
  JSON.stringify({
    clusters: { east: { bootstrap: '127.0.0.1:1' } },
    vaults: { main: { url: pathToFileURL(root).href }, far: { url: 'gs://bucket/prefix' } },
    sets: { all: { cluster: 'east', vault: 'main' }, other: { cluster: 'east', vault: 'far' } },
  }),
)

const kdr = async (...args: string[]) => await runForTest([...args, '--config', config], { services })
const json = async (...args: string[]) => {
  const { exit, stdout } = await kdr(...args, '--json')
  return { exit, object: JSON.parse(stdout) as Record<string, unknown> }
}

describe('kdr vault', () => {
  test('a set whose vault was never made says how to make it', async () => {
    const { exit, stderr } = await kdr('backup', 'list', 'all')
    assert.equal(exit, 17)
    assert.match(stderr, /there is no vault at[^]*kdr vault init/)
  })

  test('init makes one, once', async () => {
    const made = await json('vault', 'init', 'main')
    assert.deepEqual([made.exit, made.object['vault']], [0, 'main'])
    assert.deepEqual(
      readdirSync(root).filter(name => name.endsWith('.json')),
      ['kdr.json'],
    )
    const again = await kdr('vault', 'init', 'main')
    assert.equal(again.exit, 2)
    assert.match(again.stderr, /is a vault already/)
  })

  test('init refuses a store that lacks what a vault needs', async () => {
    const careless = { ability: 'create once', has: false, why: 'of two writers one goes on' }
    const { exit, stderr } = await runForTest(['vault', 'init', 'main', '--config', config], {
      services: {
        ...services,
        withVault: async (_config, _name, act) =>
          await act({
            url: 's3://careless',
            probe: () => Promise.resolve([careless]),
            shortestLocks: () => Promise.resolve([]),
            init: () => Promise.reject(new Error('made all the same')),
          }),
      },
    })
    assert.equal(exit, 18)
    assert.match(stderr, /cannot hold a vault: it lacks create once/)
  })

  test('probe says what the store can do', async () => {
    const { exit, stdout } = await kdr('vault', 'probe', 'main')
    assert.equal(exit, 0)
    assert.match(stdout, /yes +create once[^]*yes +one winner[^]*no +object lock[^]*can hold a vault/)
  })

  test('what is not there, or comes later, is said', async () => {
    const none = await kdr('vault', 'probe', 'none')
    assert.equal(none.exit, 2)
    assert.match(none.stderr, /no vault "none"[^]*main, far/)
    const far = await kdr('vault', 'probe', 'far')
    assert.equal(far.exit, 2)
    assert.match(far.stderr, /not available yet/)
  })
})

describe('kdr backup', () => {
  const at = (seconds: number): string => new Date(seconds * 1_000).toISOString()

  test('without a commit there is nothing to show', async () => {
    assert.match((await kdr('backup', 'list')).stderr, /not available yet/)
    assert.match((await kdr('backup', 'list', 'all')).stdout, /no commit yet/)
    const { exit, stderr } = await kdr('backup', 'show', 'all')
    assert.equal(exit, 2)
    assert.match(stderr, /has no commit yet[^]*kdr backup run all/)
  })

  test('run says what cannot be reached', async () => {
    assert.equal((await kdr('backup', 'run', 'all')).exit, 11)
    assert.match((await kdr('backup', 'run', 'none')).stderr, /no set "none"/)
  })

  test('list, show and verify know the commits', async () => {
    const store = openFileStore(root, unique)
    const notes = [{ kind: 'lost', topic: 't', partition: 0, from: 3, to: 5, what: 'gone' }] as const
    const first = [madeBatch({ from: 0, values: ['a', 'b', 'c'], timestamp: 5_000 })]
    await commitBatches(store, first, { draft: { endsAt: at(10), notes } })
    const second = [madeBatch({ from: 3, values: ['d', 'e', 'f'], timestamp: 15_000 })]
    await commitBatches(store, second, { draft: { endsAt: at(20) } })
    const list = await json('backup', 'list', 'all')
    const [set] = list.object['sets'] as { commits: { number: number; records: number }[] }[]
    assert.deepEqual(
      set?.commits.map(({ number, records }) => [number, records]),
      [
        [2, 3],
        [1, 3],
      ],
    )
    assert.match((await kdr('backup', 'list', 'all')).stdout, /all +2 +1970-01-01T00:00:20/)
    assert.match(
      (await kdr('backup', 'show', 'all@1')).stdout,
      /partition 0: gone[^]*commit 1 of cluster "east"/,
    )
    const verified = await json('backup', 'verify', 'all', '--full')
    const { ok, commit, problems } = verified.object
    assert.deepEqual([verified.exit, ok, commit, problems], [0, true, 2, []])
  })

  test('show gives a log as of a moment between two commits', async () => {
    const { object } = await json('backup', 'show', `all@${new Date(15_001).toISOString()}`)
    const [topic] = object['topics'] as { partitions: { end: number }[] }[]
    assert.deepEqual([object['commit'], topic?.partitions[0]?.end], [1, 5])
  })

  test('cat prints records by offset and by time', async () => {
    const values = async (...args: string[]): Promise<string[]> => {
      const { stdout } = await kdr('backup', 'cat', ...args)
      return stdout
        .split('\n')
        .filter(Boolean)
        .map(line => (JSON.parse(line) as { value: string }).value)
    }
    assert.deepEqual(await values('all', 't'), ['a', 'b', 'c', 'd', 'e', 'f'])
    assert.deepEqual(await values('all@1', 't'), ['a', 'b', 'c'])
    assert.deepEqual(await values('all', 't', '--from', '1', '--to', '4'), ['b', 'c', 'd'])
    const [from, to] = [new Date(5_001).toISOString(), new Date(15_002).toISOString()]
    assert.deepEqual(await values('all', 't', '--from', from, '--to', to), ['b', 'c', 'd', 'e'])
    const { object } = await json('backup', 'cat', 'all', 't', '--from', '5')
    assert.equal((object['records'] as unknown[]).length, 1)
    assert.match((await kdr('backup', 'cat', 'all', 'none')).stderr, /has no topic "none"/)
    assert.match((await kdr('backup', 'cat', 'all', 't', '--partition', '3')).stderr, /no 3/)
    assert.match(
      (await kdr('backup', 'cat', 'all', 't', '--from', 'noon')).stderr,
      /neither an offset nor a time/,
    )
  })

  test('verify --full names the object of a byte that was changed', async () => {
    const [pack] = readdirSync(join(root, 'all/packs')).filter(name => name.endsWith('.pack'))
    const path = join(root, 'all/packs', pack!)
    const bytes = readFileSync(path)
    bytes[70]! ^= 1
    writeFileSync(path, bytes)
    const { exit, object } = await json('backup', 'verify', 'all', '--full')
    assert.deepEqual([exit, object['ok']], [3, false])
    assert.equal((object['problems'] as { object: string }[])[0]?.object, `all/packs/${pack!}`)
    const shown = await kdr('backup', 'verify', 'all', '--full')
    assert.match(shown.stdout, /✗ all\/packs\/.*"t" partition 0 could not be restored[^]*all is damaged/)
  })

  test('a point that is none is refused', async () => {
    assert.match((await kdr('backup', 'show', 'all@yesterday')).stderr, /no point in time/)
    assert.match((await kdr('backup', 'show', 'all@7')).stderr, /it has 1 to 2/)
  })
})

describe('kdr restore', () => {
  test('says what is wrong with what it is asked for, before anything else', async () => {
    const refused = async (pattern: RegExp, ...args: string[]): Promise<void> => {
      const { exit, stderr } = await kdr('restore', ...args, '--to', 'east')
      assert.equal(exit, 2, `${args.join(' ')}: ${stderr}`)
      assert.match(stderr, pattern)
    }
    await refused(/two different cuts/, 'all', '--consistent', '--by-timestamp')
    await refused(/`--by-timestamp` needs a time/, 'all', '--by-timestamp')
    await refused(/does not say how a topic/, 'all', '--rename', 'a')
    await refused(/meets no topic/, 'all', '--rename', 'nothing=other')
    await refused(/is no place in a partition/, 'all', '--until-offset', 't=4')
    await refused(/has offsets 0 to 6/, 'all', '--until-offset', 't/0=7')
    await refused(/no number of a partition/, 'all', '--partition', 'one')
    await refused(/none of those that are to be restored/, 'all', '--partition', '4')
    await refused(/has no topic "other"/, 'all', '--topic', 'other')
    await refused(/cannot go with/, 'all', '--consistent', '--until-offset', 't/0=4')
  })

  test('of a commit that says nothing of transactions is not consistent', async () => {
    const { exit, stderr } = await kdr('restore', 'all', '--to', 'east', '--consistent')
    assert.equal(exit, 17)
    assert.match(stderr, /says nothing of transactions/)
  })
})
