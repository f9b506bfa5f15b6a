// kdr backup prune and verify over a real folder, without a cluster.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { openFileStore } from '../../src/store/files.ts'
import { DAY_MS } from '../../src/vault/prune.ts'
import { services } from '../../src/wiring/services.ts'
import { runForTest } from '../support/app.ts'
import { commitBatches, madeBatch, madeVault, unique } from '../vault/made.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-prune-'))
after(() => rmSync(dir, { recursive: true }))

const root = join(dir, 'vault')
const config = join(dir, 'kdr.yaml')
const set = { cluster: 'east', vault: 'main' }
writeFileSync(
  config,
  JSON.stringify({
    clusters: { east: { bootstrap: '127.0.0.1:1' } },
    vaults: { main: { url: pathToFileURL(root).href } },
    sets: { all: { ...set, keep: { days: 5 } }, unkept: set },
  }),
)

const typing = (typed: string) => ({ ask: () => Promise.resolve(typed) })
const kdr = async (args: readonly string[], changes: Parameters<typeof runForTest>[1] = {}) =>
  await runForTest([...args, '--config', config], { services, ...changes })
const json = async (...args: string[]) => {
  const { exit, stdout } = await kdr([...args, '--json'])
  return { exit, object: JSON.parse(stdout) as Record<string, unknown> }
}

before(async () => {
  const store = openFileStore(root, unique)
  await madeVault(store)
  const now = Date.now()
  for (let day = 10; day >= 0; day--) {
    const at = now - day * DAY_MS
    const start = Math.max(0, 8 - day)
    const draft = { endsAt: new Date(at).toISOString() }
    await commitBatches(store, [madeBatch({ from: 10 - day, values: ['v'] })], { start, now: at, draft })
  }
})

const objects = (): number =>
  readdirSync(root, { recursive: true, withFileTypes: true }).filter(each => each.isFile()).length

describe('kdr backup prune', () => {
  test('needs to be told for how long a set is kept', async () => {
    const { exit, stderr } = await kdr(['backup', 'prune', 'unkept'])
    assert.equal(exit, 2)
    assert.match(stderr, /does not say for how long[^]*keep: \{ days: 35 \}/)
    assert.equal((await kdr(['backup', 'prune', 'all', '--days', 'few'])).exit, 2)
  })

  test('shows its plan, and refuses without a full verification', async () => {
    const before = objects()
    for (const more of [[], ['--yes'], ['--dry-run']]) {
      const { exit, stdout, stderr } = await kdr(['backup', 'prune', 'all', ...more])
      assert.equal(exit, 17)
      assert.match(stdout, /drops 5 commits \(1 to 5\): all then begins with commit 6 of 11/)
      assert.match(stderr, /no full verification of commit 6[^]*kdr backup verify all --full/)
    }
    const { exit, stdout } = await kdr(['backup', 'prune', 'all', '--dry-run', '--json'])
    assert.deepEqual([exit, objects()], [17, before])
    assert.match((JSON.parse(stdout) as { refusal: string }).refusal, /no full verification/)
  })

  test('a full verification is recorded, a sample is not', async () => {
    const sampled = await json('backup', 'verify', 'all', '--sample', '20', '--seed', '7')
    assert.deepEqual(
      [sampled.exit, sampled.object['ok'], sampled.object['sample']],
      [0, true, { percent: 20, seed: 7 }],
    )
    assert.match(
      (await kdr(['backup', 'verify', 'all', '--sample', '20'])).stdout,
      /read in full: --sample 20 --seed \d+/,
    )
    assert.equal((await kdr(['backup', 'verify', 'all', '--sample', '20', '--full'])).exit, 2)
    assert.equal(readdirSync(join(root, 'all')).includes('verified'), false)
    const full = await json('backup', 'verify', 'all', '--full')
    assert.deepEqual([full.exit, full.object['recorded']], [0, true])
    assert.equal(readdirSync(join(root, 'all/verified')).length, 1)
  })

  test('needs approval: the name of the set, or --yes', async () => {
    const before = objects()
    assert.equal((await kdr(['backup', 'prune', 'all'])).exit, 20)
    const { exit, stderr } = await kdr(['backup', 'prune', 'all'], typing('other'))
    assert.equal(exit, 20)
    assert.match(stderr, /"other" is not "all"/)
    assert.equal((await kdr(['backup', 'prune', 'all', '--dry-run'])).exit, 0)
    assert.equal(objects(), before)
  })

  test('drops, says so, and does nothing the second time', async () => {
    const { exit, stdout } = await kdr(['backup', 'prune', 'all'], typing('all'))
    assert.equal(exit, 0)
    assert.match(
      stdout,
      /verified in full: commit 11[^]*commit 12 of all: it begins with commit 6, 0 objects deleted/,
    )
    const again = await json('backup', 'prune', 'all', '--yes')
    assert.deepEqual([again.exit, again.object['commits'], again.object['first']], [0, 0, 6])
    assert.equal((again.object['waiting'] as { objects: number }).objects, 6)
  })

  test('what is left is listed and whole; what was dropped is refused', async () => {
    const list = await kdr(['backup', 'list', 'all'])
    assert.match(list.stdout, /12 \(prune\)/)
    assert.doesNotMatch(list.stdout, /all +5 /)
    const { exit, stderr } = await kdr(['backup', 'show', 'all@5'])
    assert.equal(exit, 2)
    assert.match(stderr, /commit 5 of set "all" was pruned: it has 6 to 12/)
    assert.equal((await kdr(['backup', 'verify', 'all', '--full'])).exit, 0)
  })

  test('verify names the record of a verification that was changed', async () => {
    const [name] = readdirSync(join(root, 'all/verified'))
    const path = join(root, 'all/verified', name!)
    const bytes = readFileSync(path)
    bytes[40]! ^= 1
    writeFileSync(path, bytes)
    const { exit, object } = await json('backup', 'verify', 'all')
    assert.equal(exit, 3)
    assert.equal((object['problems'] as { object: string }[])[0]?.object, `all/verified/${name!}`)
  })
})
