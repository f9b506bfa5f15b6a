import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SimSource } from '../../../test/vault/sim-source.ts'

describe('maxBytesPerSecond of a set', () => {
  test('a backup takes as long as its bytes need, and is whole', async () => {
    const read = async (maxBytesPerSecond?: number) => {
      const source = new SimSource(3)
      await source.init()
      for (const at of source.topic('t', 3)) for (let i = 0; i < 40; i++) source.produce(at, 10)
      const startedAt = source.clock.monotonic()
      const { bytes, records } = await source.backUp({ maxBytesPerSecond })
      return { bytes, records, seconds: (source.clock.monotonic() - startedAt) / 1_000 }
    }
    const free = await read()
    const slow = await read(1_000)
    assert.equal(slow.records, free.records)
    assert.ok(free.seconds < 5, `${free.seconds} s without a limit`)
    const rate = slow.bytes / slow.seconds
    // The last answers of the readers are paid for by nobody.
    assert.ok(rate > 900 && rate < 1_300, `${rate} bytes a second`)
  })
})
