// Which clusters `kdr run` watches, also when its config is read again; and what it says of them.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Served } from '../../src/api/server.ts'
import type { App } from '../../src/cli/app.ts'
import type { WatchOptions } from '../../src/cli/app-watch.ts'
import { runCli } from '../../src/cli/run-cli.ts'
import { KdrError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { makeTestApp } from '../support/app.ts'
import { runningLink, watchedCluster, whole } from '../support/metrics-world.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-run-monitor-'))
after(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'kdr.yaml')

const LINK = { ew: { source: 'east', target: 'west' } }
const write = (config: { clusters?: string[]; links?: object; [key: string]: unknown } = {}): void => {
  const { clusters = ['east', 'west', 'north'], ...others } = config
  const made = Object.fromEntries(clusters.map(name => [name, { bootstrap: `${name}:1` }]))
  writeFileSync(path, JSON.stringify({ clusters: made, ...others }))
}

/** One that a failed test has left would keep this process alive. */
const left = new Set<AbortController>()
afterEach(() => {
  for (const each of left) each.abort(new KdrError('interrupted', 'stopped'))
  left.clear()
})

const running = (args: readonly string[] = [], changes: Partial<App['services']> = {}) => {
  const events: string[] = []
  const watched = new Map<string, WatchOptions>()
  const stopping = new AbortController()
  left.add(stopping)
  const serving = Promise.withResolvers<Served>()
  let reload = (): void => undefined
  const app = makeTestApp()
  const services: App['services'] = {
    ...app.services,
    startLink: () => assert.fail('no link is to be started'),
    followSet: () => assert.fail('no set is to be backed up'),
    watchCluster: (config, name, options) => {
      watched.set(name, options)
      events.push(`+${name} ${config.monitor.everyMs}`)
      return Promise.resolve({
        get sight() {
          return options.isMine() ? watchedCluster(name, { seenAt: 0, groupsAt: 0 }) : undefined
        },
        run: async signal => {
          await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
          events.push(`-${name}`)
        },
      })
    },
    serve: ({ served }) => {
      serving.resolve(served)
      return Promise.resolve({ close: () => Promise.resolve() })
    },
    ...changes,
  }
  const ended = runCli(['run', '--config', path, ...args], {
    ...app,
    signal: stopping.signal,
    clock: systemClock,
    onReload: listener => void (reload = listener),
    services,
  })
  return {
    ended,
    watched,
    served: serving.promise,
    written: app.written,
    seen: async (count: number): Promise<string[]> => {
      for (let i = 0; events.length < count && i < 400; i++) await sleep(5)
      await sleep(10)
      return events.splice(0)
    },
    reload: () => reload(),
    stop: async () => {
      stopping.abort(new KdrError('interrupted', 'stopped'))
      return await ended
    },
  }
}

describe('kdr run --only monitor', () => {
  test('watches all clusters of a config that has no links, and nothing else', async () => {
    write()
    const kdr = running(['--only', 'monitor'])
    assert.deepEqual(await kdr.seen(3), ['+east 10000', '+west 10000', '+north 10000'])
    assert.equal(await kdr.stop(), 0)
    assert.deepEqual((await kdr.seen(3)).toSorted(), ['-east', '-north', '-west'])
  })

  test('it starts no link and no set, and watches their clusters itself', async () => {
    write({
      links: LINK,
      vaults: { main: { url: 'file:///v' } },
      sets: { all: { cluster: 'east', vault: 'main', every: '15m' } },
      server: {},
    })
    const kdr = running(['--only', 'monitor'])
    assert.equal((await kdr.seen(3)).length, 3)
    assert.equal(kdr.watched.get('east')?.isMine(), true)
    const served = await kdr.served
    assert.equal(served.notReady(), 'not looked at yet: cluster "east", cluster "west", cluster "north"')
    assert.match((await served.api.get('clusters')?.())?.text ?? '', /"name": "north"/)
    assert.equal(await kdr.stop(), 0)
  })

  test('follows the config: what is gone is left alone, what has changed is begun anew', async () => {
    write({ clusters: ['east', 'west'] })
    const kdr = running(['--only', 'monitor'])
    await kdr.seen(2)
    write({ clusters: ['west', 'north'] })
    kdr.reload()
    assert.deepEqual(await kdr.seen(2), ['-east', '+north 10000'])
    write({ clusters: ['west', 'north'], monitor: { every: '5s' } })
    kdr.reload()
    assert.deepEqual(await kdr.seen(4), ['-west', '-north', '+west 5000', '+north 5000'])
    write({ clusters: [], monitor: { every: 'often' } })
    kdr.reload()
    assert.deepEqual(await kdr.seen(1), [])
    assert.match(kdr.written.stderr, /the config is refused, the one before stays in force/)
    assert.equal(await kdr.stop(), 0)
  })

  test('says what changes', async () => {
    write({ clusters: ['east'] })
    const kdr = running(['--only', 'monitor'])
    await kdr.seen(1)
    kdr.watched.get('east')?.onRound(watchedCluster('east'))
    kdr.watched.get('east')?.onRound(watchedCluster('east'))
    await kdr.stop()
    assert.equal(kdr.written.stderr.match(/broker 3 of "east" is not there/g)?.length, 1)
  })

  test('does not go with what it does not do', async () => {
    write({ links: LINK })
    for (const args of [['--once'], ['--link', 'ew']])
      assert.equal(await running(['--only', 'monitor', ...args]).ended, 2, args.join(' '))
  })
})

describe('kdr run', () => {
  const startLink = (facts: object): App['services']['startLink'] => {
    return (_config, { name }) => Promise.resolve(runningLink(name, [], facts))
  }

  test('watches the clusters of a link where it does the control work, and those of no link', async () => {
    write({ links: LINK, server: {} })
    const owner = running([], { startLink: startLink({ whole: whole() }) })
    assert.equal((await owner.seen(3)).length, 3)
    const mine = (kdr: typeof owner): (boolean | undefined)[] =>
      ['east', 'west', 'north'].map(name => kdr.watched.get(name)?.isMine())
    assert.deepEqual(mine(owner), [true, true, true])
    const other = running([], { startLink: startLink({ whole: undefined }) })
    await other.seen(3)
    assert.deepEqual(mine(other), [false, false, true])
    const served = await other.served
    assert.deepEqual((await served.metrics()).match(/^kdr_cluster_up.*$/gm), null, 'nothing is seen yet')
    assert.equal(served.notReady(), 'not looked at yet: cluster "north"')
    assert.deepEqual([await owner.stop(), await other.stop()], [0, 0])
  })

  test('watches the clusters of a link that cannot be started, and goes on', async () => {
    write({ links: LINK, server: {} })
    const dark = () => Promise.reject(new KdrError('unreachable', 'nobody answers at "east"'))
    const kdr = running([], { startLink: dark })
    await kdr.seen(3)
    assert.deepEqual(
      ['east', 'west', 'north'].map(name => kdr.watched.get(name)?.isMine()),
      [true, true, true],
    )
    assert.equal(await kdr.stop(), 0)
    assert.match(kdr.written.stderr, /link "ew" cannot be started: nobody answers at "east"; trying again/)
  })

  test('watches nothing where nothing is served, or where it is to do one thing', async () => {
    write({ links: LINK })
    const bare = running([], { startLink: startLink({}) })
    assert.deepEqual(await bare.seen(1), [])
    await bare.stop()
    write({ links: LINK, server: {} })
    for (const args of [
      ['--only', 'links'],
      ['--link', 'ew'],
    ]) {
      const kdr = running(args, { startLink: startLink({}) })
      assert.deepEqual(await kdr.seen(1), [], args.join(' '))
      await kdr.stop()
    }
  })

  test('of a config with clusters alone it says what watches them', async () => {
    write()
    const { ended, written } = running()
    assert.equal(await ended, 2)
    assert.match(written.stderr, /has no links[\s\S]*kdr run --only monitor/)
  })
})
