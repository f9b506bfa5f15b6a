import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { recordCodec } from '../kafka/records.ts'
import { splitBatches } from '../model/batch.ts'
import { crc32c } from '../model/crc32c.ts'
import { loseOne } from './lose-one.ts'

describe('lose-one', () => {
  let dir = ''
  let path = ''
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'kdr-lose-one-'))
    path = join(dir, '00000000000000000000.log')
    const index = path.replace('.log', '.index')
    writeFileSync(path, Buffer.concat([batchOf(0, 3), batchOf(3, 1), batchOf(4, 200)]))
    writeFileSync(index, '')
  })
  afterEach(() => rmSync(dir, { recursive: true }))

  for (const offset of [0, 1, 2, 3, 4, 100, 203]) {
    test(`cuts offset ${offset} out, and leaves everything else and its checksum right`, () => {
      assert.equal(loseOne(dir, offset), offset)

      const batches = splitBatches(readFileSync(path))
      const left = batches.flatMap(batch => recordCodec.decode(batch))
      assert.deepEqual(
        left.map(record => record.offset),
        Array.from({ length: 204 }, (_, at) => at).filter(at => at !== offset),
      )
      for (const { key, offset: own } of left) assert.equal(key?.toString(), `key-${own}`)
      for (const { header, bytes } of batches) assert.equal(crc32c(bytes.subarray(21)), header.crc)
      assert.deepEqual(
        batches.map(({ header }) => header.lastOffset),
        [2, 3, 203],
      )
      assert.equal(existsSync(path.replace('.log', '.index')), false)
    })
  }

  test('says so when there is nothing to lose', () => {
    assert.throws(() => loseOne(dir, 204), /no record at or behind offset 204/)
  })
})

function batchOf(base: number, count: number): Buffer {
  const records = Array.from({ length: count }, (_, index) => ({
    offset: base + index,
    timestamp: 1_700_000_000_000 + index * 1000,
    key: Buffer.from(`key-${base + index}`),
    value: Buffer.alloc(index),
    headers: [],
  }))
  return recordCodec.encode({ codec: 'none', baseOffset: base, records })
}
