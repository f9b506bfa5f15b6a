import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { release } from './release.ts'

describe('memory that is given back', () => {
  test('is gone at once', () => {
    const before = process.memoryUsage().arrayBuffers
    const large = Buffer.alloc(64 * 1024 * 1024)
    release(large)
    assert.equal(large.length, 0)
    assert.ok(process.memoryUsage().arrayBuffers - before < 32 * 1024 * 1024)
  })

  test('is never that of somebody else: a part of a larger buffer, or of the pool of small ones', () => {
    const large = Buffer.from('x'.repeat(100_000))
    const small = [Buffer.from('small'), Buffer.from('other')]
    release(large.subarray(1))
    for (const each of small) release(each)
    assert.equal(large.length, 100_000)
    assert.deepEqual(small.map(String), ['small', 'other'])
  })

  test('may be given back again, as what is empty may be, which many share', () => {
    const [large, none] = [Buffer.alloc(100_000), Buffer.alloc(0)]
    for (const each of [large, large, none, none]) release(each)
    assert.equal(Buffer.concat([none, Buffer.from('still usable')]).toString(), 'still usable')
  })
})
