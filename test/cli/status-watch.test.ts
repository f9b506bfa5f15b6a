// kdr status --watch in this process, with a clock that goes on when everybody waits; and objectives in kdr status.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { App, Services } from '../../src/cli/app.ts'
import { runCli } from '../../src/cli/run-cli.ts'
import type { CheckReport } from '../../src/engine/check/check.ts'
import type { LinkStatus } from '../../src/engine/status/status.ts'
import { KdrError } from '../../src/model/errors.ts'
import { makeTestApp, runForTest } from '../support/app.ts'
import { darkLink, linkStatusOf, NOW, setStatusOf } from '../support/standing.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-watch-'))
after(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'kdr.yaml')
const write = (more = {}): void =>
  writeFileSync(
    path,
    JSON.stringify({
      clusters: { east: { bootstrap: 'east:1' }, west: { bootstrap: 'west:1' } },
      links: { 'east-west': { source: 'east', target: 'west' } },
      vaults: { main: { url: 'file:///nowhere' } },
      sets: { all: { cluster: 'east', vault: 'main', every: '15m' } },
      objectives: [
        { for: 'link:east-west topic:pay-*', rpo: '5s' },
        { for: '*', rpo: '1m' },
      ],
      ...more,
    }),
  )
write()

const ESCAPE = '\u001b'
const ESCAPES = new RegExp(`${ESCAPE}\\[[?0-9;]*[A-Za-z]`, 'g')
const OPEN = `${ESCAPE}[?1049h${ESCAPE}[?25l`
const CLOSE = `${ESCAPE}[?25h${ESCAPE}[?1049l`

const READY = { ready: 'READY', findings: [] } as unknown as CheckReport

type Hands = { readonly press: (key: string) => void; readonly interrupt: () => void }

type World = {
  /** Called for each look at the link, from 0. */
  readonly look?: (index: number) => Promise<LinkStatus>
  readonly services?: Partial<Services>
  /** Of the app, at the time after each picture, from 1. */
  readonly onPicture?: (count: number, world: Hands) => void
  readonly isTerminal?: boolean
}

async function watchFor(world: World, ...args: string[]) {
  const { look = () => Promise.resolve(linkStatusOf('east-west')), onPicture = () => {} } = world
  let now = NOW
  let looks = 0
  let setLooks = 0
  let checks = 0
  let count = 0
  let text = ''
  let press: ((key: string) => void) | undefined
  const stopping = new AbortController()
  const hands = {
    press: (key: string) => press?.(key),
    interrupt: () => stopping.abort(new KdrError('interrupted', 'interrupted')),
  }
  const base = makeTestApp()
  const app: App = {
    ...base,
    stdout: {
      isTerminal: world.isTerminal ?? true,
      columns: 80,
      rows: 24,
      write: part => {
        text += part
        if (part.startsWith('\u001b[H') || part.startsWith('{')) onPicture(++count, hands)
      },
    },
    signal: stopping.signal,
    clock: {
      now: () => now,
      monotonic: () => now,
      sleep: async (ms, signal) => {
        // Whatever can go on without time passing does.
        for (let i = 0; i < 5; i++) await new Promise(setImmediate)
        if (signal?.aborted !== true) now += ms
      },
    },
    onKey: listener => {
      press = listener
      return () => (press = undefined)
    },
    services: {
      ...base.services,
      readLinkStatus: async () => await look(looks++),
      readSetStatus: () => {
        setLooks++
        return Promise.resolve(setStatusOf('all'))
      },
      listRuns: () => Promise.resolve([]),
      check: () => {
        checks++
        return Promise.resolve(READY)
      },
      ...world.services,
    },
  }
  const exit = await runCli(['status', '--watch', '--config', path, ...args], app)
  const pictures = text
    .split('\u001b[H')
    .slice(1)
    .map(picture => picture.replaceAll(ESCAPES, '').replaceAll('\r', '').split('\n'))
  return {
    exit,
    text,
    pictures,
    stderr: base.written.stderr,
    looks,
    setLooks,
    checks,
    isListening: press !== undefined,
  }
}

const ended =
  (after: number) =>
  (count: number, { press }: Pick<Hands, 'press'>) => {
    if (count === after) press('q')
  }
const rowOf = (picture: readonly string[] | undefined): string | undefined =>
  picture?.find(line => line.includes('east-west'))

describe('kdr status --watch', () => {
  test('draws on the other screen every 2 s, and leaves the terminal as it was', async () => {
    const { exit, text, pictures, isListening, looks, setLooks } = await watchFor({ onPicture: ended(3) })
    assert.deepEqual([exit, pictures.length, looks, setLooks, isListening], [0, 3, 3, 1, false])
    assert.ok(text.startsWith(OPEN) && text.endsWith(CLOSE), JSON.stringify(text.slice(-40)))
    assert.deepEqual(
      pictures.map(([head]) => head?.slice(48, 67)),
      ['2026-03-01 10:00:00', '2026-03-01 10:00:02', '2026-03-01 10:00:04'],
    )
    assert.deepEqual(pictures[2], [
      'kdr status --watch                              2026-03-01 10:00:04 UTC   q ends',
      '',
      '   LINK       STATE      BEHIND    RPO  AT MOST  RPO, LAST 5 MIN',
      '✓  east-west  mirroring       4  1.2 s   1m 00s                █',
      '',
      '   RUNS   none known to be under way',
      '',
      '   SET  STATE    COMMIT      AGE  AT MOST    VERIFIED',
      '✓  all  current      12  10m 04s  30m 00s  1d 00h ago',
      '',
      '✓  CHECK  READY: nothing found, 4.0 s ago',
      '',
    ])
  })

  test('checks all of it once in five minutes, and nothing where only some links are watched', async () => {
    assert.equal((await watchFor({ onPicture: ended(150) })).checks, 1)
    assert.equal((await watchFor({ onPicture: ended(151) })).checks, 2)
    const some = await watchFor({ onPicture: ended(2) }, '--link', 'east-west')
    assert.deepEqual([some.checks, some.pictures[1]?.some(line => line.includes('CHECK'))], [0, false])
  })

  for (const [what, end] of [
    ['q', hands => hands.press('q')],
    ['Ctrl-C as a key', hands => hands.press('\u0003')],
    ['Ctrl-C as a signal', hands => hands.interrupt()],
  ] as const satisfies (readonly [string, (hands: Parameters<NonNullable<World['onPicture']>>[1]) => void])[])
    test(`${what} ends it with 0`, async () => {
      const { exit, text, pictures } = await watchFor({ onPicture: (_count, hands) => end(hands) })
      assert.deepEqual([exit, pictures.length, text.endsWith(CLOSE)], [0, 1, true])
    })

  test('other keys do not', async () => {
    const { pictures } = await watchFor({
      onPicture: (count, { press }) => press(count < 3 ? 'x' : 'q'),
    })
    assert.equal(pictures.length, 3)
  })

  test('a cluster that goes away is shown, and the page goes on', async () => {
    const { exit, pictures } = await watchFor({
      look: async index => (index === 1 ? darkLink('east-west') : linkStatusOf('east-west')),
      onPicture: ended(3),
    })
    assert.equal(exit, 0)
    assert.match(rowOf(pictures[1]) ?? '', /^✗ {2}east-west {2}faulted/)
    assert.match(pictures[1]?.join(' ') ?? '', /the standby cannot be reached/)
    assert.match(rowOf(pictures[2]) ?? '', /^✓ {2}east-west {2}mirroring/)
  })

  test('what cannot be looked at keeps its old picture, and says why', async () => {
    const { pictures } = await watchFor({
      look: async index => {
        if (index > 0) throw new KdrError('not-allowed', 'may not read "_kdr.state"')
        return linkStatusOf('east-west')
      },
      onPicture: ended(2),
    })
    assert.match(rowOf(pictures[1]) ?? '', /^✗ {2}east-west {2}mirroring {7}4 {2}1.2 s/)
    assert.match(
      pictures[1]?.slice(4, 6).join('') ?? '',
      /as it was 2.0 s ago; since then .*may not read * "_kdr.state"/,
    )
  })

  test('a look that takes longer than a round holds nothing up, and is not begun twice', async () => {
    const { pictures, looks } = await watchFor({
      look: async index =>
        index === 0 ? linkStatusOf('east-west') : await new Promise<LinkStatus>(() => {}),
      onPicture: ended(6),
    })
    assert.deepEqual([pictures.length, looks], [6, 2])
    assert.match(rowOf(pictures[1]) ?? '', /^✓/)
    assert.match(rowOf(pictures[5]) ?? '', /^! {2}east-west {2}mirroring/)
    assert.match(pictures[5]?.[4] ?? '', /as it was \d+\.0 s ago: whoever is asked takes long/)
  })

  test('what is a bug ends it, with the terminal as it was', async () => {
    const { exit, text, stderr } = await watchFor({ look: () => Promise.reject(new TypeError('x is not y')) })
    assert.equal(exit, 1)
    assert.ok(text.endsWith(CLOSE))
    assert.match(stderr, /unexpected: x is not y/)
  })

  test('with --json-lines: one object a round, and no escape codes', async () => {
    const { exit, text } = await watchFor(
      {
        isTerminal: false,
        look: async index => {
          if (index > 0) throw new KdrError('not-allowed', 'may not read it')
          return linkStatusOf('east-west')
        },
        onPicture: (count, { interrupt }) => void (count === 2 && interrupt()),
      },
      '--json-lines',
    )
    assert.equal(exit, 0)
    assert.ok(!text.includes('\u001b'))
    const [first, second] = text
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, Record<string, unknown>[]>)
    assert.deepEqual(
      [
        first?.['v'],
        first?.['at'],
        first?.['links']?.[0]?.['rpoObjectiveState'],
        first?.['sets']?.[0]?.['name'],
      ],
      [1, '2026-03-01T10:00:00.000Z', 'met', 'all'],
    )
    assert.deepEqual([first?.['notSeen'], first?.['runs']], [[], []])
    assert.deepEqual(first?.['check'], {
      ready: 'READY',
      errors: 0,
      warnings: 0,
      worst: null,
      seenAt: '2026-03-01T10:00:00.000Z',
    })
    assert.deepEqual(second?.['notSeen'], [{ what: 'link:east-west', problem: 'may not read it' }])
    assert.equal(second?.['links']?.[0]?.['seenAt'], '2026-03-01T10:00:00.000Z')
  })

  for (const [args, problem] of [
    [['--watch'], /draws a page, and stdout is no terminal/],
    [['--watch', '--json'], /has no one object to print/],
    [['--json-lines'], /goes with `--watch`/],
  ] as const)
    test(`${args.join(' ')} elsewhere is refused with a way out`, async () => {
      const { exit, stdout, stderr } = await runForTest(['status', '--config', path, ...args])
      assert.equal(exit, 2)
      assert.match(`${stdout}${stderr}`, problem)
      assert.match(`${stdout}${stderr}`, /--json/)
    })
})

describe('kdr status and objectives', () => {
  const status = async (of: LinkStatus, ...args: string[]) => {
    const { services } = makeTestApp()
    const changed = {
      ...services,
      readLinkStatus: () => Promise.resolve(of),
      readSetStatus: () => Promise.resolve(setStatusOf('all')),
    }
    return await runForTest(['status', '--config', path, ...args], { services: changed })
  }
  const pay = (lagMs: number): LinkStatus => {
    const one = linkStatusOf('east-west', { lagMs })
    return { ...one, topics: one.topics.map(topic => ({ ...topic, name: 'pay-in' })) }
  }

  test('within it: said, and exit 0', async () => {
    const { exit, stdout } = await status(pay(4_000))
    assert.equal(exit, 0)
    assert.match(stdout, /^RPO objective 5\.0 s: met$/m)
  })

  test('beyond it: exit 3, and which topic', async () => {
    const { exit, stdout } = await status(pay(6_000))
    assert.equal(exit, 3)
    assert.match(stdout, /^✗ beyond its objective: topic "pay-in" is 6\.0 s behind, 5\.0 s at most$/m)
    const json = await status(pay(6_000), '--json')
    const link = (JSON.parse(json.stdout) as { links: Record<string, unknown>[] }).links[0]
    assert.deepEqual(
      [json.exit, link?.['rpoObjectiveMs'], link?.['rpoObjectiveState'], link?.['beyondObjective']],
      [3, 5_000, 'missed', [{ topic: 'pay-in', rpoMs: 6_000, rpoObjectiveMs: 5_000 }]],
    )
  })

  test('a topic that the strict one is not about has more time', async () => {
    assert.equal((await status(linkStatusOf('east-west', { lagMs: 6_000 }))).exit, 0)
  })

  test('a link that has never run meets nothing', async () => {
    const { exit, stdout } = await status(
      linkStatusOf('east-west', { state: 'stopped', topics: [], lagMs: 0 }),
    )
    assert.equal(exit, 0)
    assert.match(stdout, /^! RPO objective 1m 00s: nobody can say now whether it is met$/m)
  })
})
