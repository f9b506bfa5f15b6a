import assert from 'node:assert/strict'
import { test } from 'node:test'
import { namingRight } from './missing-right.ts'

test('what was refused is told with the right that is missing', () => {
  for (const [sentence, right] of [
    [
      'offsets of group "g" cannot be read at the source: GROUP_AUTHORIZATION_FAILED',
      'DESCRIBE on the group at the source',
    ],
    [
      'offsets of group "g" cannot be committed at the target: TOPIC_AUTHORIZATION_FAILED',
      'READ on the group, and on its topics, at the target',
    ],
    [
      'what is gone of group "g" cannot be deleted at the target: GROUP_AUTHORIZATION_FAILED',
      'DELETE on the group at the target',
    ],
    [
      '"t/0": the log start cannot be moved to 7 at the target: TOPIC_AUTHORIZATION_FAILED. Copying goes on',
      'DELETE on the topic at the target',
    ],
  ] as const)
    assert.equal(namingRight(sentence), `${sentence} (kdr needs ${right})`)
  const whole = 'the source does not show the topic to kdr any more: DESCRIBE and READ on it are missing'
  assert.equal(namingRight(whole), whole)
})
