import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { foldersOf } from './export.ts'

describe('folders of an export', () => {
  const of = (...topics: string[]) =>
    foldersOf(topics.map((topic, index) => ({ topic, topicId: `id${index}` })))

  test('have the names of their topics', () => {
    assert.deepEqual([...of('orders', '.hidden').values()], ['orders', '_.hidden'])
  })

  test('never meet, also where upper and lower case are one', () => {
    for (const topics of [
      ['-a', '_-a'],
      ['Orders', 'orders', 'other'],
    ]) {
      const folders = [...of(...topics).values()].map(folder => folder.toLowerCase())
      assert.equal(new Set(folders).size, topics.length, folders.join())
    }
    assert.equal(of('Orders', 'orders', 'other').get('other'), 'other')
  })
})
