// Which sets `kdr run` keeps backed up, also when its config is read again, and how it ends.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../src/cli/app.ts'
import type { FollowedSet, OpenedSet } from '../../src/cli/app-vault.ts'
import { runCli } from '../../src/cli/run-cli.ts'
import type { SetConfig } from '../../src/config/index.ts'
import type { BackupResult } from '../../src/engine/backup/backup.ts'
import type { SetSight } from '../../src/engine/backup/follow.ts'
import { KdrError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { makeTestApp } from '../support/app.ts'
import { followedSet } from '../support/metrics-world.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-run-sets-'))
after(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'kdr.yaml')

type Sets = Record<string, { readonly every?: string; readonly topics?: string }>
const write = (sets: Sets, links = {}): void =>
  writeFileSync(
    path,
    JSON.stringify({
      clusters: { east: { bootstrap: 'e:1' }, west: { bootstrap: 'w:1' } },
      links,
      vaults: { main: { url: 'file:///vault' } },
      sets: Object.fromEntries(
        Object.entries(sets).map(([name, set]) => [name, { cluster: 'east', vault: 'main', ...set }]),
      ),
    }),
  )

/** Ends within so long, or the test fails: a stop that waits for a backup that never ends takes 8 s. */
const running = (
  args: readonly string[] = [],
  changes: Partial<App['services']> & { readonly isStubborn?: boolean } = {},
) => {
  const events: string[] = []
  const stopping = new AbortController()
  let reload = (): void => undefined
  const app = makeTestApp({ signal: stopping.signal, onReload: listener => void (reload = listener) })
  const followSet = (_config: unknown, set: SetConfig): Promise<FollowedSet> => {
    const name = `${set.name}:${set.topics.join()}`
    const run = async (signal: AbortSignal): Promise<void> => {
      events.push(`+${name}`)
      await new Promise<void>(resolve => signal.addEventListener('abort', () => resolve()))
      if (changes.isStubborn === true) await new Promise(() => undefined)
      events.push(`-${name}`)
    }
    return Promise.resolve({ ...followedSet(set.name), set, run, sight: NOTHING_SEEN })
  }
  const clock = changes.isStubborn === true ? { ...systemClock, sleep: soon } : systemClock
  const ended = runCli(['run', '--config', path, ...args], {
    ...app,
    signal: stopping.signal,
    clock,
    services: { ...app.services, followSet, ...changes },
  })
  const seen = async (count: number): Promise<string[]> => {
    for (let i = 0; events.length < count && i < 400; i++) await sleep(5)
    await sleep(10)
    return events.splice(0)
  }
  return {
    seen,
    ended,
    written: app.written,
    reload: () => reload(),
    stop: () => stopping.abort(new KdrError('interrupted', 'stopped')),
  }
}
const NOTHING_SEEN: SetSight = {
  isSeen: false,
  newest: undefined,
  isAtWork: false,
  failure: undefined,
  commits: 0,
  failures: 0,
  bytesRead: 0,
  bytesStored: 0,
}
const soon = async (_ms: number, signal?: AbortSignal): Promise<void> => await systemClock.sleep(50, signal)

describe('kdr run, with sets', () => {
  test('runs without any link, keeps those with an `every:` backed up, and ends with 0', async () => {
    write({ a: { every: '15m' }, b: { every: '0 3 * * *' }, byHand: {} })
    const kdr = running()
    assert.deepEqual(await kdr.seen(2), ['+a:*', '+b:*'])
    kdr.stop()
    assert.equal(await kdr.ended, 0)
    assert.deepEqual(await kdr.seen(2), ['-a:*', '-b:*'])
    assert.match(kdr.written.stderr, /"a": "east" is backed up to "main", every 15m/)
    assert.match(kdr.written.stderr, /"b".*at 0 3 \* \* \* \(UTC\)/)
  })

  test('a reload starts anew what has changed, stops what is gone, and leaves the rest', async () => {
    write({ same: { every: '1m' }, changed: { every: '1m' }, gone: { every: '1m' } })
    const kdr = running(['--only', 'backups'])
    await kdr.seen(3)
    write({ same: { every: '1m' }, changed: { every: '1m', topics: 't' }, new: { every: 'continuous' } })
    kdr.reload()
    assert.deepEqual(await kdr.seen(4), ['-changed:*', '-gone:*', '+changed:t', '+new:*'])
    writeFileSync(path, '{ "clusters": {}, "linsk": 1 }')
    kdr.reload()
    assert.deepEqual(await kdr.seen(0), [])
    for (let i = 0; !/refused/.test(kdr.written.stderr) && i < 400; i++) await sleep(5)
    assert.match(kdr.written.stderr, /the one before stays in force: .*kdr\.yaml:1:\d+/)
    kdr.stop()
    assert.equal(await kdr.ended, 0)
  })

  test('a backup that does not end holds up no stop', async () => {
    write({ a: { every: '15m' } })
    const kdr = running([], { isStubborn: true })
    await kdr.seen(1)
    kdr.stop()
    assert.equal(await kdr.ended, 0)
  })

  test('a set that cannot be followed is said, and stops no other', async () => {
    write({ a: { every: '15m' } })
    const followSet = (): Promise<FollowedSet> =>
      Promise.reject(new KdrError('not-available', 'a vault at "gs:" is not available yet'))
    const kdr = running([], { followSet })
    for (let i = 0; !/cannot be/.test(kdr.written.stderr) && i < 400; i++) await sleep(5)
    assert.match(kdr.written.stderr, /set "a" cannot be backed up: a vault at "gs:"/)
    kdr.stop()
    assert.equal(await kdr.ended, 0)
  })

  test('a bug in one ends the daemon: exit 1', async () => {
    write({ a: { every: '15m' } })
    const followSet = (_config: unknown, set: SetConfig): Promise<FollowedSet> =>
      Promise.resolve({
        ...followedSet(set.name),
        set,
        run: () => Promise.reject(new TypeError('a bug')),
        sight: NOTHING_SEEN,
      })
    const kdr = running([], { followSet })
    assert.equal(await kdr.ended, 1)
    // Nothing waits any more.
    kdr.stop()
  })

  test('what would do nothing is refused', async () => {
    write({ byHand: {} })
    for (const args of [['--only', 'backups'], [], ['--only', 'links'], ['--once']]) {
      const { ended, written } = running(args)
      assert.equal(await ended, 2, args.join(' '))
      assert.match(written.stderr, /has no (links|set with an `every:`)/)
    }
    for (const args of [
      ['--only', 'links,backups'],
      ['--only', 'backups', '--link', 'a'],
    ])
      assert.equal(await running(args).ended, 2)
  })
})

describe('kdr run --once --only backups', () => {
  const result: BackupResult = {
    commit: 7,
    topics: 1,
    partitions: 1,
    records: 5,
    bytes: 10,
    segments: 1,
    groups: 0,
    objects: 2,
    storedBytes: 9,
    notes: [],
    notSeen: [],
  }

  test('makes one commit of each set; one that fails stops no other', async () => {
    write({ a: { every: '1d' }, bad: {}, c: {} })
    const withSet: App['services']['withSet'] = async (_config, name, act) => {
      if (name === 'bad') throw new KdrError('store-unreachable', 'the vault does not answer')
      return await act({ backUp: () => Promise.resolve(result) } as unknown as OpenedSet)
    }
    const kdr = running(['--once', '--only', 'backups', '--json'], { withSet })
    assert.equal(await kdr.ended, 11)
    const { sets } = JSON.parse(kdr.written.stdout) as {
      sets: { set: string; commit?: number; error?: { code: string } }[]
    }
    assert.deepEqual(
      sets.map(({ set, commit, error }) => [set, commit ?? error?.code]),
      [
        ['a', 7],
        ['bad', 'store-unreachable'],
        ['c', 7],
      ],
    )
  })
})
