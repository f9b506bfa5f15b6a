// A set that `kdr run` verifies and prunes, with its vault in a folder.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { commitBatches, madeBatch, SET, unique } from '../../test/vault/made.ts'
import type { Config, SetConfig } from '../config/index.ts'
import { openFileStore } from '../store/files.ts'
import { commitRange } from '../vault/chain.ts'
import { lastVerified } from '../vault/verified.ts'
import { initVault } from '../vault/vault.ts'
import { keepUp } from './set-upkeep.ts'

const root = mkdtempSync(join(tmpdir(), 'kdr-upkeep-'))
after(() => rmSync(root, { recursive: true }))

test('a set of the config is verified in full, and what is older than its days is dropped', async () => {
  const store = openFileStore(root, unique)
  await initVault(store, { vault: 'v', createdAt: new Date(0).toISOString(), by: 'test' })
  for (const from of [0, 1, 2]) await commitBatches(store, [madeBatch({ from, values: ['v'] })])
  const set: SetConfig = {
    name: SET,
    cluster: 'east',
    vault: 'main',
    topics: ['*'],
    keepDays: 1,
    isPruned: true,
    verifyMs: 86_400_000,
  }
  const vaults = { main: { name: 'main', url: pathToFileURL(root).href } }
  const config = { vaults, sets: { [SET]: set }, clusters: {} } as unknown as Config
  const said: string[] = []
  const log = { event: (_level: string, message: string) => void said.push(message) }
  const upkeep = keepUp(config, set, { store, log })!
  await upkeep.look(new AbortController().signal)
  assert.equal((await lastVerified(store, SET, 1))?.number, 3)
  assert.deepEqual(await commitRange(store, SET), { first: 3, last: 4 })
  assert.deepEqual([upkeep.sight.verifications, upkeep.sight.prunes], [1, 1])
  assert.match(said[1]!, /a prune drops commits 1 to 2 /)
  assert.equal(keepUp(config, { ...set, verifyMs: undefined }, { store, log }), undefined, 'nobody has asked')
})
