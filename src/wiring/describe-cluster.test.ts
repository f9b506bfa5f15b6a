import assert from 'node:assert/strict'
import { test } from 'node:test'
import { health } from '../../test/support/sights.ts'
import { factsOf } from './describe-cluster.ts'

test('what kdr doctor shows of a broker: features in force, and the APIs that kdr needs', () => {
  const seen = {
    ...health(1),
    features: [
      { name: 'metadata.version', level: 25, highest: 27 },
      { name: 'share.version', level: undefined, highest: 1 },
    ],
    speaks: '0:3-13 1:4-18 70:0-0',
  }
  const facts = factsOf(seen)
  assert.ok('apis' in facts)
  assert.deepEqual(facts.features, { 'metadata.version': 25 })
  const { Produce, Fetch, Metadata } = facts.apis
  assert.deepEqual([Produce, Fetch, Metadata], ['3 to 13', '4 to 18', 'missing'])
})

test('a broker that does not answer, or has gone, is shown with the reason', () => {
  assert.deepEqual(factsOf({ ...health(1), unreachable: 'connection refused' }), {
    problem: 'connection refused',
  })
  assert.deepEqual(factsOf(undefined), { problem: 'the cluster no longer lists it' })
})
