// Which links start, stop and go on when `kdr run` begins, and when it reads its config again (SIGHUP).

import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunningLink } from '../../src/cli/app.ts'
import { RunLinks } from '../../src/cli/run/links.ts'
import type { LinkConfig } from '../../src/config/index.ts'
import { KdrError } from '../../src/model/errors.ts'
import { makeTestApp } from '../support/app.ts'

const path = join(mkdtempSync(join(tmpdir(), 'kdr-reload-')), 'kdr.yaml')
const write = (links: Record<string, object>, password = 'secret'): void => {
  const sasl = { mechanism: 'plain', username: 'kdr', password }
  const clusters = { a: { bootstrap: 'a:1', sasl }, b: { bootstrap: 'b:1' }, c: { bootstrap: 'c:1' } }
  writeFileSync(path, JSON.stringify({ clusters, links }))
}
const link = (topics: string, source = 'a') => ({ source, target: 'b', topics: [topics] })

/** Runs the links while `act` changes the file; tells what was started and stopped, and what was said. */
async function running(
  act: (tell: { reload: () => Promise<string[]>; said: string[]; names: () => string[] }) => Promise<void>,
  mayStart: (link: LinkConfig) => boolean = () => true,
  hasOthers = false,
): Promise<void> {
  const events: string[] = []
  const said: string[] = []
  const app = makeTestApp()
  const startLink = (_config: unknown, started: LinkConfig): Promise<RunningLink> => {
    if (!mayStart(started)) return Promise.reject(new KdrError('unreachable', 'nobody answers'))
    const name = `${started.name}:${started.topics.join()}`
    events.push(`+${name}`)
    const stop = () => Promise.resolve(void events.push(`-${name}`))
    return Promise.resolve({
      link: started,
      stop,
      failed: new Promise<never>(() => {}),
      movedAway: new Promise<void>(() => {}),
    } as RunningLink)
  }
  const links = new RunLinks(
    { ...app, clock: { ...app.clock, sleep: forEver }, services: { ...app.services, startLink } },
    { path, names: [], log: { event: (_level, message) => void said.push(message) }, onStarted: () => {} },
  )
  const stopping = new AbortController()
  await links.start({ hasOthers })
  const following = links.follow(stopping.signal)
  const reload = async (): Promise<string[]> => {
    const before = said.length
    events.length = 0
    links.reload()
    while (said.length === before) await sleep(1)
    await sleep(20)
    return events
  }
  await act({ reload, said, names: () => links.all().map(({ link: { name } }) => name) })
  stopping.abort()
  await following
}

const forEver = async (_ms: number, signal?: AbortSignal): Promise<void> =>
  await new Promise(resolve => signal?.addEventListener('abort', () => resolve()))

describe('kdr run, when a link cannot be started at first', () => {
  const isLit = ({ topics }: LinkConfig): boolean => topics[0] !== 'dark'

  test('begins with the others, and tries it again', async () => {
    write({ one: link('dark'), other: link('2') })
    let isDark = true
    await running(
      async ({ reload, said, names }) => {
        assert.deepEqual(names(), ['other'])
        assert.deepEqual(said, ['link "one" cannot be started: nobody answers; trying again'])
        isDark = false
        assert.deepEqual(await reload(), ['+one:dark'])
      },
      started => !isDark || isLit(started),
    )
  })

  test('ends where there is nothing else to do, and says why', async () => {
    write({ one: link('dark') })
    await assert.rejects(
      running(async () => {}, isLit),
      { code: 'unreachable', message: 'nobody answers' },
    )
    await running(async ({ names }) => assert.deepEqual(names(), []), isLit, true)
  })
})

describe('kdr run, when its config is read again', () => {
  test('starts anew what has changed, starts what is new, stops what is gone; the rest goes on', async () => {
    write({ same: link('s'), changed: link('x'), gone: link('g') })
    await running(async ({ reload, said }) => {
      assert.deepEqual(await reload(), [])
      write({ same: link('s'), changed: link('y'), new: link('n') })
      assert.deepEqual(await reload(), ['-gone:g', '-changed:x', '+changed:y', '+new:n'])
      assert.match(said.at(-1) ?? '', /"changed" has changed.*"new" is new, link "gone" is gone/)
    })
  })

  test("another password, or another address, starts the cluster's links anew and no others", async () => {
    write({ one: link('1'), other: link('2', 'c') })
    await running(async ({ reload }) => {
      write({ one: link('1'), other: link('2', 'c') }, 'rotated')
      assert.deepEqual(await reload(), ['-one:1', '+one:1'])
    })
  })

  test('refuses a file that is wrong in one line with its place, and changes nothing', async () => {
    write({ one: link('1') })
    await running(async ({ reload, said }) => {
      writeFileSync(path, '{ "clusters": {\n  "a": { "bootstrap": "a:1", "nope": 1 } },\n "linsk": {} }')
      assert.deepEqual(await reload(), [])
      assert.match(
        said.at(-1) ?? '',
        /the one before stays in force: .*kdr\.yaml:2:\d+: .*`nope`; .*:3:\d+: /,
      )
      assert.ok(!(said.at(-1) ?? '').includes('\n'))
    })
  })

  test('goes on with the settings before when a link cannot be started with the new ones', async () => {
    write({ one: link('1') })
    await running(
      async ({ reload, said }) => {
        write({ one: link('bad') })
        assert.deepEqual(await reload(), ['-one:1', '+one:1'])
        assert.match(said.at(-1) ?? '', /"one" cannot be started: nobody answers; going on with the settings/)
      },
      ({ topics }) => topics[0] !== 'bad',
    )
  })
})
