import assert from 'node:assert/strict'
import { test } from 'node:test'
import { linkKey, topicKey, toRecord } from '../../model/state-records.ts'
import type { StateStore } from '../../ports/state.ts'
import { assertNoCircle } from './circle.ts'

type Remembered = {
  readonly link: string
  readonly from: string
  readonly to: string
  readonly topics: readonly string[]
  readonly upstream?: readonly string[]
}

function storeOf(links: readonly Remembered[]): StateStore {
  const records = new Map(
    links.flatMap(({ link, from, to, topics, upstream }) => [
      [
        linkKey(link),
        toRecord('link', { sourceClusterId: from, targetClusterId: to, ...(upstream && { upstream }) }),
      ] as const,
      ...topics.map(topic => [topicKey(link, topic), toRecord('topic', {})] as const),
    ]),
  )
  return {
    position: 0,
    refresh: async () => {},
    get: key => records.get(key),
    entries: prefix => [...records].filter(([key]) => key.startsWith(prefix)),
    put: async () => {},
  }
}

const start = (from: string, to: string, links: readonly Remembered[], link = 'new') =>
  assertNoCircle(storeOf(links), {
    link,
    source: { name: `at-${from}`, clusterId: from },
    target: { name: `at-${to}`, clusterId: to },
    isWanted: topic => topic !== 'other',
  })

const ab = { link: 'ab', from: 'A', to: 'B', topics: ['t', 'u'] }

test('a topic is not brought back, by one link or by several', () => {
  assert.throws(() => start('B', 'A', [ab]), {
    code: 'config-invalid',
    message:
      /link "new" would bring topic "t" and 1 more back .*"at-B" mirrors it, by link "ab", from "at-A" \(cluster id A\)/,
  })
  assert.throws(
    () => start('C', 'A', [{ link: 'bc', from: 'B', to: 'C', topics: ['t'], upstream: ['A'] }]),
    /"bc"/,
  )
})

test('chains are fine, and remember where their topics come from', () => {
  assert.deepEqual(start('B', 'C', [ab]), ['A'])
  assert.deepEqual(start('C', 'D', [{ link: 'bc', from: 'B', to: 'C', topics: ['t'], upstream: ['A'] }]), [
    'B',
    'A',
  ])
})

test('other topics, and what is remembered of other clusters, make no circle', () => {
  assert.deepEqual(start('B', 'A', [{ ...ab, topics: ['other'] }]), [])
  assert.deepEqual(start('B', 'A', [{ ...ab, to: 'X' }]), [])
})

test('source and target in each other’s place', () => {
  assert.throws(() => start('B', 'A', [{ ...ab, topics: [] }], 'ab'), {
    code: 'wrong-cluster',
    message: /"at-B" \(id B\) is the target of link "ab".* they have changed places/,
  })
})
