// Which way a link leads that has followed a third cluster, and what may be done to it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from '../config/index.ts'
import type { LinkRecord } from '../model/state-records.ts'
import { assertMovable, ledAs } from './direction.ts'

const config = parseConfig(
  `clusters: { a: { bootstrap: "a:1" }, b: { bootstrap: "b:1" }, c: { bootstrap: "c:1" } }
links: { ac: { source: a, target: c, principals: { "User:a": "User:c" } } }
`,
  '/etc/kdr/kdr.yaml',
)
const link = config.links['ac']!
const way = (active: string, standby: string) => {
  const { source, target, principals } = ledAs(link, active, standby)
  return [source, target, principals]
}

test('a link leads between any two clusters, with the principals of its own direction', () => {
  assert.deepEqual(way('a', 'c'), ['a', 'c', { 'User:a': 'User:c' }])
  assert.deepEqual(way('b', 'c'), ['b', 'c', { 'User:a': 'User:c' }])
  assert.deepEqual(way('c', 'b'), ['c', 'b', { 'User:c': 'User:a' }])
})

test('one that follows a third cluster fails over, and says so where it cannot be moved', () => {
  const follows = { link: ledAs(link, 'b', 'c'), isHome: false, record: undefined, stale: [], unread: [] }
  assertMovable(follows, link, 'failover')
  for (const kind of ['switchover', 'failback'] as const)
    assert.throws(() => assertMovable(follows, link, kind), {
      code: 'not-available',
      message: `link "ac" copies from "b" by now: a ${kind} is not available before it copies from "a" again`,
      hint: /kdr link follow ac a\. When "b" is lost: kdr failover ac$/,
    })
  const away = { ...follows, link: ledAs(link, 'c', 'b') }
  assertMovable(away, link, 'failback')
})

test('what somebody else has led home meanwhile is not led away by a failback', () => {
  const record: LinkRecord = { generation: 3, sourceClusterId: 'A', targetClusterId: 'C', slots: 64 }
  const home = { link, isHome: true, record, stale: [], unread: [] }
  assert.throws(() => assertMovable(home, link, 'failback'), { code: 'not-ready', message: /is home by now/ })
  assertMovable({ ...home, record: { ...record, isWaiting: true } }, link, 'failback')
  assertMovable(home, link, 'switchover')
})
