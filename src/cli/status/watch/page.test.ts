import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { linkStatusOf, darkLink, NOW, runSummaryOf, setStatusOf } from '../../../../test/support/standing.ts'
import type { CheckReport } from '../../../engine/check/check.ts'
import { type Finding, finding } from '../../../model/findings.ts'
import { PLAIN, stripColours, styleOf } from '../../table.ts'
import { History, sparkline, WINDOW_MS } from './history.ts'
import { fold } from './lines.ts'
import { watchPage, type WatchView } from './page.ts'
import type { Seen } from './poll.ts'

const SIZE = { columns: 80, rows: 24 }

const seen = <T extends { readonly name: string }>(value: T, more: Partial<Seen<T>> = {}): Seen<T> => ({
  name: value.name,
  value,
  at: NOW,
  problem: undefined,
  ...more,
})
const nothing = (name: string, problem?: string): Seen<never> => ({
  name,
  value: undefined,
  at: 0,
  problem,
})

const view = (more: Partial<WatchView> = {}): WatchView => ({
  now: NOW,
  links: [seen(linkStatusOf('east-west'))],
  history: () => [],
  runs: { name: 'runs', value: [], at: NOW, problem: undefined },
  sets: [],
  check: undefined,
  ...more,
})
const draw = (more: Partial<WatchView> = {}, size = SIZE): string[] => watchPage(view(more), size, PLAIN)
/** Without the header. */
const body = (more: Partial<WatchView> = {}, size = SIZE): string[] => draw(more, size).slice(2)

const reported = (ready: CheckReport['ready'], ...findings: readonly Finding[]): Seen<CheckReport> => ({
  name: 'check',
  value: { ready, findings } as unknown as CheckReport,
  at: NOW - 40_000,
  problem: undefined,
})

describe('what the last check has found', () => {
  const checked = (check: Seen<CheckReport>) => body({ check }).slice(4)
  const lost = finding('C004', { where: 'cluster:east broker:3', message: 'broker 3 of "east" is not there' })
  const tight = finding('C014', { where: 'x', message: 'm' })

  test('is counted, and the gravest is named', () => {
    assert.deepEqual(checked(reported('NOT READY', lost, tight, tight)), [
      '',
      '✗  CHECK  NOT READY: 1 error, 2 warnings, 40.0 s ago',
      '   C004 broker 3 of "east" is not there (and 2 more findings: kdr check)',
    ])
    assert.deepEqual(checked(reported('AT RISK', tight)), [
      '',
      '!  CHECK  AT RISK: 1 warning, 40.0 s ago',
      '   C014 m',
    ])
  })

  test('is one line where there is nothing, or nothing yet', () => {
    assert.deepEqual(checked(reported('READY')), ['', '✓  CHECK  READY: nothing found, 40.0 s ago'])
    assert.deepEqual(checked(nothing('check')), ['', '·  CHECK  looking'])
  })

  test('is no news when it is old, and says so', () => {
    const [, title = '', note = ''] = checked({ ...reported('READY'), at: NOW - 700_000 })
    assert.match(title, /^✗ {2}CHECK {2}READY: nothing found, 11m 40s ago$/)
    assert.match(note, /takes long to answer/)
  })
})

describe('the page of kdr status --watch', () => {
  test('all is well', () => {
    const history = () => [5, 3, 1, 0].map(ago => ({ at: NOW - ago * 60_000, ms: ago === 1 ? 4_000 : 500 }))
    const groups = [
      { group: 'pay', state: 'synced', ageMs: 2_100 },
      { group: 'idle', state: 'skipped', reason: 'nothing-committed', ageMs: 5 },
    ] as const
    assert.deepEqual(
      draw({
        links: [
          seen({
            ...linkStatusOf('east-west', { groups }),
            rpoObjectiveMs: 30_000,
            rpoObjectiveState: 'met',
            beyondObjective: [],
          }),
        ],
        history,
        sets: [
          seen(setStatusOf('all')),
          seen(setStatusOf('by-hand', { state: 'unscheduled', objectiveMs: null })),
        ],
      }),
      [
        'kdr status --watch                              2026-03-01 10:00:00 UTC   q ends',
        '',
        '   LINK       STATE      BEHIND    RPO  AT MOST  RPO, LAST 5 MIN',
        '✓  east-west  mirroring       4  1.2 s   30.0 s  ▂     ▂     █ ▂',
        '',
        '   GROUPS',
        '✓  east-west: 1 of 2 groups in step, as of 2.1 s ago',
        '',
        '   RUNS   none known to be under way',
        '',
        '   SET      STATE        COMMIT      AGE  AT MOST    VERIFIED',
        '·  by-hand  unscheduled      12  10m 00s        -  1d 00h ago',
        '✓  all      current          12  10m 00s  30m 00s  1d 00h ago',
      ],
    )
  })

  test('what needs a look comes first, with why', () => {
    const beyond = {
      ...linkStatusOf('pay', { lagMs: 12_000, home: false, source: 'west', target: 'east' }),
      rpoObjectiveMs: 5_000,
      rpoObjectiveState: 'missed' as const,
      beyondObjective: [{ topic: 'pay-in', rpoMs: 12_000, rpoObjectiveMs: 5_000 }],
    }
    assert.deepEqual(
      body({
        links: [
          seen(linkStatusOf('east-west')),
          seen(
            linkStatusOf('paused', { state: 'paused', sentence: 'paused, 4 record(s) behind: by op@host' }),
          ),
          seen(beyond),
          seen(darkLink('dark')),
        ],
      }),
      [
        '   LINK       STATE      BEHIND     RPO  AT MOST  RPO, LAST 5 MIN',
        '✗  pay        mirroring       4  12.0 s    5.0 s',
        '   beyond its objective: topic "pay-in" is 12.0 s behind, 5.0 s at most',
        '   leads from "west" to "east": not as the config says',
        '✗  dark       faulted         ?       ?        -',
        '   the standby cannot be reached (no broker answers at "west:9092"): nothing is',
        '   copied to it, and how far it had come is only known there',
        '!  paused     paused          4   1.2 s        -',
        '   paused, 4 record(s) behind: by op@host',
        '✓  east-west  mirroring       4   1.2 s        -',
        '',
        '   RUNS   none known to be under way',
      ],
    )
  })

  test('a picture that is old says how old, and what cannot be looked at says why', () => {
    assert.deepEqual(
      body({
        links: [
          seen(linkStatusOf('slow'), { at: NOW - 34_000 }),
          seen(linkStatusOf('refused'), { at: NOW - 60_000, problem: 'not allowed to read "_kdr.state"' }),
          nothing('never', 'no broker answers'),
          nothing('first'),
        ],
        runs: nothing('runs'),
        sets: [nothing('all')],
      }),
      [
        '   LINK     STATE      BEHIND    RPO  AT MOST  RPO, LAST 5 MIN',
        '✗  refused  mirroring       4  1.2 s        -',
        '   as it was 1m 00s ago; since then it cannot be looked at: not allowed to read',
        '   "_kdr.state"',
        '✗  never    not seen',
        '   cannot be looked at: no broker answers',
        '!  slow     mirroring       4  1.2 s        -',
        '   as it was 34.0 s ago: whoever is asked takes long to answer',
        '·  first    looking',
        '',
        '   RUNS   not known yet',
        '',
        '   SET  STATE    COMMIT  AGE  AT MOST  VERIFIED',
        '·  all  looking',
      ],
    )
  })

  test('runs that are not over, groups that are behind, sets that are late', () => {
    const groups = [
      { group: 'a', state: 'synced', ageMs: 1_000 },
      ...['b', 'c', 'd', 'e'].map(group => ({
        group,
        state: 'clamped' as const,
        reason: 'not-copied-yet' as never,
        sentence: `group "${group}" is ahead of what is copied`,
        ageMs: 9,
      })),
    ] as const
    assert.deepEqual(
      body({
        links: [seen(linkStatusOf('east-west', { groups }))],
        runs: {
          name: 'runs',
          value: [
            runSummaryOf('east-west-1', { state: 'done' }),
            runSummaryOf('east-west-2'),
            runSummaryOf('east-west-3', {
              kind: 'failover',
              state: 'stopped',
              sentence: 'the fence is not proven',
            }),
          ],
          at: NOW,
          problem: undefined,
        },
        sets: [
          seen(setStatusOf('all', { state: 'late', sentence: 'another one should be there by now' }), {
            at: NOW - 60_000,
          }),
        ],
      }).slice(3),
      [
        '   GROUPS',
        '!  east-west: 1 of 5 groups in step, as of 1.0 s ago',
        '   "b": clamped, group "b" is ahead of what is copied',
        '   "c": clamped, group "c" is ahead of what is copied',
        '   "d": clamped, group "d" is ahead of what is copied',
        '   and 1 group more',
        '',
        '   RUN          KIND        MOVES        STATE     SINCE',
        '✗  east-west-3  failover    east → west  stopped  42.0 s',
        '   the fence is not proven',
        '!  east-west-2  switchover  east → west  running  42.0 s',
        '',
        '   SET  STATE  COMMIT      AGE  AT MOST    VERIFIED',
        '✗  all  late       12  11m 00s  30m 00s  1d 00h ago',
        '   another one should be there by now',
      ],
    )
  })
})

describe('the size of the terminal', () => {
  const long = 'x'.repeat(300)
  const many = {
    links: Array.from({ length: 40 }, (_none, index) =>
      seen({
        ...linkStatusOf(`link-${index}-${long}`, {
          state: index % 2 === 0 ? 'faulted' : 'mirroring',
          sentence: `${long} and ${'word '.repeat(99)}`,
          lagRecords: 1e15,
        }),
      }),
    ),
    runs: {
      name: 'runs',
      value: Array.from({ length: 9 }, (_none, index) =>
        runSummaryOf(`${long}-${index}`, { sentence: long }),
      ),
      at: NOW,
      problem: undefined,
    },
    sets: Array.from({ length: 20 }, (_none, index) => seen(setStatusOf(`set-${index}-${long}`))),
  }

  for (const columns of [20, 79, 80, 200])
    for (const rows of [1, 3, 10, 24, 60])
      test(`no line is longer than ${columns} columns, and none falls off ${rows} rows`, () => {
        const coloured = { write: () => {}, isTerminal: true, columns }
        const lines = watchPage(view(many), { columns, rows }, styleOf(coloured, {}))
        assert.ok(lines.length <= rows, `${lines.length} lines`)
        for (const line of lines) assert.ok(Array.from(stripColours(line)).length <= columns, line)
      })

  test('what has no room is counted; small sections stay whole', () => {
    const links = Array.from({ length: 30 }, (_none, index) => seen(linkStatusOf(`l${index}`)))
    const lines = body({ links, sets: [seen(setStatusOf('all'))] }, { columns: 80, rows: 12 })
    assert.deepEqual(
      lines.map(line => line.slice(0, 30).trimEnd()),
      [
        '   LINK  STATE      BEHIND',
        '✓  l0    mirroring       4  1.',
        '✓  l1    mirroring       4  1.',
        '✓  l2    mirroring       4  1.',
        '✓  l3    mirroring       4  1.',
        '✓  l4    mirroring       4  1.',
        '  … and 25 more; all: kdr stat',
        '   RUNS   none known to be und',
        '   SET  STATE    COMMIT      A',
        '✓  all  current      12  10m 0',
      ],
    )
  })

  test('a long sentence is folded between words, and says that it goes on', () => {
    assert.deepEqual(fold('one two three four five', 9, 2), ['one two', 'three …'])
    assert.deepEqual(fold('one two', 9, 2), ['one two'])
    assert.deepEqual(fold('abcdefghijkl', 9, 2), ['abcdefgh…'])
  })
})

describe('the last minutes', () => {
  test('the worst of each stretch; nobody knew, and not looked yet, are told apart', () => {
    const samples = [
      { at: NOW - 240_000, ms: 0 },
      { at: NOW - 180_000, ms: null },
      { at: NOW - 61_000, ms: 8_000 },
      { at: NOW - 60_001, ms: 16_000 },
      { at: NOW, ms: 8_000 },
    ]
    assert.equal(sparkline(samples, NOW, 5), ' ▁?█▅')
  })

  test('milliseconds are no mountain', () => {
    assert.equal(sparkline([{ at: NOW, ms: 50 }], NOW, 1), '▁')
  })

  test('what is older than the window is let go', () => {
    const history = new History()
    for (let at = 0; at <= WINDOW_MS * 3; at += 2_000) history.add('l', { at, ms: 1 })
    assert.equal(history.of('l').length, 150)
    assert.deepEqual(history.of('other'), [])
  })
})
