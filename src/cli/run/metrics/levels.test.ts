import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { chooseLevels, type Level } from './levels.ts'

const families = [
  { name: 'kdr_lag_records', kinds: 1 },
  { name: 'kdr_lag_seconds', kinds: 1 },
  { name: 'kdr_mirror_offsets', kinds: 7 },
] as const

const rows: readonly (readonly [
  what: string,
  wanted: Level,
  room: number,
  expected: readonly [Level, Level, Level],
])[] = [
  ['all fits', 'partition', 900, ['partition', 'partition', 'partition']],
  ['one too many: the least worthy gives way first', 'partition', 899, ['partition', 'partition', 'topic']],
  ['then the next', 'partition', 269, ['partition', 'topic', 'topic']],
  [
    'what is coarser already gives way before the worthiest loses its topics',
    'partition',
    89,
    ['topic', 'topic', 'link'],
  ],
  ['topics fit', 'topic', 90, ['topic', 'topic', 'topic']],
  ['only links fit', 'topic', 9, ['link', 'link', 'link']],
  ['no room at all: a link is said all the same', 'topic', 0, ['link', 'link', 'link']],
]

describe('how finely metrics are served', () => {
  for (const [what, wanted, room, expected] of rows)
    test(what, () => {
      const levels = chooseLevels(families, { partition: 100, topic: 10, link: 1 }, { wanted, room })
      assert.deepEqual([...levels.values()], expected)
    })
})
