import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inRequests, type WantedMirror } from './create-mirrors.ts'
import { CREATE_RECORDS } from './limits.ts'

function wanted(name: string, partitions: number): WantedMirror {
  const at = (partition: number) => ({ partition, leader: 1, leaderEpoch: 0, replicas: [1], isr: [1] })
  const source = {
    name,
    id: name,
    isInternal: false,
    partitions: Array.from({ length: partitions }, (_, i) => at(i)),
  }
  return { source, replicationFactor: 1, configs: { 'retention.ms': '-1' }, held: {} }
}

const namesOf = (some: readonly WantedMirror[]): string[] => some.map(({ source }) => source.name)

test('a request holds as many topics as a controller writes down at once', () => {
  const half = CREATE_RECORDS / 2 - 2
  const all = [wanted('a', half), wanted('b', half), wanted('c', 1), wanted('d', 1)]
  assert.deepEqual([...inRequests(all)].map(namesOf), [
    ['a', 'b'],
    ['c', 'd'],
  ])
})

test('a topic too large for that is asked for alone', () => {
  const all = [wanted('a', 1), wanted('b', 2 * CREATE_RECORDS), wanted('c', 1)]
  assert.deepEqual([...inRequests(all)].map(namesOf), [['a'], ['b'], ['c']])
})

test('nothing to create is no request', () => {
  assert.deepEqual([...inRequests([])], [])
})
