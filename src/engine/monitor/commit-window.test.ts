// Each rule by itself, over looks that are ten seconds apart, with a window of a minute.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ConsumerState } from '../../model/consumer-state.ts'
import { CommitWindow } from './commit-window.ts'

const LOOK_MS = 10_000
const WINDOW_MS = 60_000

type Look = readonly [committed: number, end: number]

/** The state after the last look. */
function after(looks: readonly Look[], hasMembers = true): ConsumerState {
  const window = new CommitWindow()
  looks.forEach(([committed, end], index) => window.observe(committed, end, index * LOOK_MS))
  return window.state({ windowMs: WINDOW_MS, hasMembers })
}

const looks = (count: number, at: (index: number) => Look): Look[] =>
  Array.from({ length: count }, (_, i) => at(i))

describe('a consumer is', () => {
  test('ok at the end of the log, whatever was before', () => {
    assert.equal(after([[5, 5]]), 'ok')
    assert.equal(after([...looks(20, i => [100, 100 + i]), [200, 200]]), 'ok')
  })

  test('ok where its lag was zero within the window, though it lags now', () => {
    assert.equal(after([[10, 10], ...looks(3, i => [10, 20 + i])]), 'ok')
  })

  test('ok where it gains on the end anywhere in the window', () => {
    assert.equal(after(looks(10, i => [i * 10, 500 + (i === 8 ? 81 : i * 10)])), 'ok')
  })

  test('lagging where it goes on, and is never nearer to the end', () => {
    assert.equal(after(looks(10, i => [i * 10, 500 + i * 11])), 'lagging')
    assert.equal(after(looks(10, i => [i * 10, 500 + i * 10])), 'lagging')
  })

  test('stalled where it has members and commits nothing new', () => {
    assert.equal(after(looks(10, i => [100, 200 + i])), 'stalled')
    assert.equal(after(looks(10, () => [100, 101])), 'stalled')
  })

  test('stopped where it has none, and commits nothing new', () => {
    assert.equal(
      after(
        looks(10, i => [100, 200 + i]),
        false,
      ),
      'stopped',
    )
  })

  test('not stopped where something commits without being a member', () => {
    assert.equal(
      after(
        looks(10, i => [i * 10, 500 + i * 11]),
        false,
      ),
      'lagging',
    )
  })

  test('rewound where its offset went back, also from the end of the log', () => {
    assert.equal(
      after([
        [100, 100],
        [100, 100],
        [0, 100],
      ]),
      'rewound',
    )
    assert.equal(after([...looks(8, i => [50 + i, 200]), [10, 200], [20, 200]]), 'rewound')
  })

  test('ok again once it has been at the end after it was rewound', () => {
    assert.equal(
      after([
        [100, 100],
        [0, 100],
        [100, 100],
        [100, 120],
      ]),
      'ok',
    )
  })

  test('judged by what it does, once the window is over in which it was rewound', () => {
    assert.equal(after([[100, 100], [0, 100], ...looks(7, () => [0, 100] as const)]), 'stalled')
  })
})

describe('where a window is not over yet', () => {
  test('nobody knows of a group that lags when it is seen for the first time', () => {
    assert.equal(after([[0, 100]]), 'unknown')
    assert.equal(after(looks(6, i => [0, 100 + i])), 'unknown')
    assert.equal(after(looks(6, i => [i, 100 + i])), 'unknown')
  })

  test('one that gains is ok at once', () => {
    assert.equal(
      after([
        [0, 100],
        [50, 110],
      ]),
      'ok',
    )
  })
})

describe('where the log changes', () => {
  test('an offset beyond the end has no lag: there is nothing to read', () => {
    const window = new CommitWindow()
    window.observe(100, 40, 0)
    assert.equal(window.lag, 0)
    assert.equal(window.state({ windowMs: WINDOW_MS, hasMembers: true }), 'ok')
  })

  test('an end that goes back is that of another log: what was seen before counts no more', () => {
    // Its consumer starts anew there, from an earlier offset: nobody has set it back.
    assert.equal(after([...looks(10, i => [100, 200 + i]), [50, 60]]), 'unknown')
    assert.equal(after([[100, 100], [50, 60], ...looks(6, () => [50, 60] as const)]), 'stalled')
  })
})
