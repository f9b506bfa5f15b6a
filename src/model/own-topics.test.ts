import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { canaryConfigs, memoryConfigs, memoryProblem, mendingOf, strandedConfigs } from './own-topics.ts'

const problemOf = (configs: Readonly<Record<string, string>>) => memoryProblem(name => configs[name])

describe("kdr's own topics", () => {
  test('what it makes itself is content with itself, with any number of brokers', () => {
    for (const brokers of [1, 2, 3, 9]) assert.equal(problemOf(memoryConfigs(brokers)), undefined)
    assert.equal(memoryConfigs(2)['min.insync.replicas'], '1')
    assert.equal(memoryConfigs(3)['min.insync.replicas'], '2')
    assert.equal(canaryConfigs(3, 5_000)['retention.ms'], '5000')
  })

  test('what an earlier kdr has made, at brokers that show no more than that', () => {
    assert.equal(problemOf({ 'cleanup.policy': 'compact', 'min.insync.replicas': '1' }), undefined)
    assert.equal(problemOf({}), undefined)
  })

  test('what somebody else has made is named, and so is what mends it', () => {
    for (const policy of ['delete', 'compact,delete'])
      assert.deepEqual(problemOf({ 'cleanup.policy': policy }), {
        sentence: `its cleanup.policy is "${policy}": brokers would delete what kdr must remember`,
        change: 'cleanup.policy=compact',
      })
    assert.deepEqual(problemOf({ 'cleanup.policy': 'compact', 'max.message.bytes': '1000' }), {
      sentence: 'its max.message.bytes is 1000, and kdr writes up to 600000 bytes at once',
      change: 'max.message.bytes=1048588',
    })
    assert.equal(
      mendingOf('_kdr.state', 'a:1,b:2', 'cleanup.policy=compact'),
      'kafka-configs --bootstrap-server a:1,b:2 --alter --entity-type topics --entity-name _kdr.state --add-config cleanup.policy=compact',
    )
  })

  test('a topic for stranded records takes any time, in the words of the brokers', () => {
    const times = (known: readonly string[]) =>
      Object.keys(strandedConfigs(new Set(known))).filter(name => name.endsWith('max.ms'))
    assert.deepEqual(times([]), [])
    assert.deepEqual(times(['message.timestamp.difference.max.ms']), ['message.timestamp.difference.max.ms'])
    assert.deepEqual(times(['message.timestamp.before.max.ms', 'message.timestamp.after.max.ms']), [
      'message.timestamp.before.max.ms',
      'message.timestamp.after.max.ms',
    ])
  })
})
