import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CircleLink, commonTopic, findCircles } from './circles.ts'

const link = (source: string, target: string, topics: readonly string[] = ['*']): CircleLink => ({
  name: `${source}-${target}`,
  source,
  target,
  topics,
})
const names = (links: readonly CircleLink[]) =>
  findCircles(links).map(circle => circle.links.map(({ name }) => name).join(' '))

test('a circle is found once, whatever its length; chains and fans are none', () => {
  assert.deepEqual(names([link('a', 'b'), link('b', 'a')]), ['a-b b-a'])
  assert.deepEqual(names([link('c', 'a'), link('a', 'b'), link('b', 'c')]), ['c-a a-b b-c'])
  assert.deepEqual(names([link('a', 'b'), link('b', 'c'), link('a', 'c')]), [])
  assert.deepEqual(names([link('a', 'b'), link('b', 'a'), link('b', 'c'), link('c', 'b')]), [
    'a-b b-a',
    'b-c c-b',
  ])
})

test('links that cannot carry the same topic make no circle', () => {
  assert.deepEqual(names([link('a', 'b', ['a-*']), link('b', 'a', ['b-*'])]), [])
  assert.deepEqual(names([link('a', 'b', ['*', '!b-*']), link('b', 'a', ['b-*'])]), [])
  assert.deepEqual(names([link('a', 'b'), link('b', 'a', ['b-*'])]), ['a-b b-a'])
})

test('a common name of globs', () => {
  assert.equal(commonTopic([['*'], ['pay-*']]), 'pay-example')
  assert.equal(commonTopic([['*', '!pay-*'], ['pay-*']]), undefined)
  assert.equal(commonTopic([['*', '!pay-*', 'pay-7'], ['pay-*']]), 'pay-7')
  assert.equal(commonTopic([['*-eu'], ['pay-*'], ['*']]), 'pay-eu')
  assert.equal(commonTopic([['a?c'], ['*b*']]), 'abc')
  assert.equal(commonTopic([['a'], ['b']]), undefined)
  assert.equal(
    commonTopic([
      ['x', 'orders'],
      ['orders', 'y'],
    ]),
    'orders',
  )
  // Not looked into.
  assert.equal(commonTopic([['re:.*'], ['*']]), undefined)
})
