// A set that `kdr run` keeps backed up, with its vault in a folder.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { Config, SetConfig } from '../config/index.ts'
import { openFileStore } from '../store/files.ts'
import { initVault } from '../vault/vault.ts'
import { followSet } from './sets.ts'

const root = mkdtempSync(join(tmpdir(), 'kdr-sets-'))
after(() => rmSync(root, { recursive: true }))

describe('a set that is followed', () => {
  test('is left at once when it is to stop, also while its vault does not answer', {
    timeout: 20_000,
  }, async () => {
    const store = openFileStore(root, () => 'only')
    await initVault(store, { vault: 'v', createdAt: new Date(0).toISOString(), by: 'test' })
    // The vault answers, and then its commits cannot be listed.
    mkdirSync(join(root, 'all'))
    symlinkSync('commits', join(root, 'all', 'commits'))
    const set: SetConfig = {
      name: 'all',
      cluster: 'east',
      vault: 'main',
      topics: ['*'],
      every: { text: 'continuous', schedule: { kind: 'continuous' } },
      keepDays: undefined,
    }
    const vaults = { main: { name: 'main', url: pathToFileURL(root).href } }
    const config = { vaults, sets: { all: set }, clusters: {} } as unknown as Config
    const followed = followSet(config, set, { log: { event: () => undefined } })
    const stopping = new AbortController()
    const running = followed.run(stopping.signal)
    const startedAt = performance.now()
    stopping.abort()
    await running
    assert.equal(followed.sight.isSeen, false)
    const ms = performance.now() - startedAt
    assert.ok(ms < 5_000, `${Math.round(ms)} ms`)
  })
})
