// A point of a set as plain log segments: the very batches of the source, whatever the vault has made of them.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { recordCodec } from '../../src/kafka/records.ts'
import { type RawBatch, splitBatches } from '../../src/model/batch.ts'
import { findKdrError } from '../../src/model/errors.ts'
import type { Point } from '../../src/model/vault.ts'
import type { MemoryStore } from '../../src/store/memory.ts'
import { readPoint } from '../../src/vault/point.ts'
import { exportSet } from '../../src/wiring/export.ts'
import { commitBatches, madeBatch, madeVault, SET } from './made.ts'
import { SimSource } from './sim-source.ts'

const root = mkdtempSync(join(tmpdir(), 'kdr-export-'))
after(() => rmSync(root, { recursive: true }))
let count = 0

const latest: Point = { kind: 'latest' }

async function exported(
  store: MemoryStore,
  point: Point = latest,
  options: { readonly segmentBytes?: number; readonly dir?: string } = {},
) {
  const { state } = await readPoint(store, SET, point, recordCodec)
  const dir = options.dir ?? join(root, String(count++))
  const result = await exportSet({
    store,
    set: SET,
    state,
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...options,
    dir,
  })
  const files = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
  return {
    dir,
    result,
    files: files.map(path => path.slice(dir.length + 1)),
    bytes: files.map(path => readFileSync(path)),
  }
}

const join2 = (batches: readonly RawBatch[]): Buffer => Buffer.concat(batches.map(({ bytes }) => bytes))
const made = async (): Promise<MemoryStore> => (await madeVault()) as MemoryStore

describe('an export', () => {
  for (const compression of ['none', 'zstd'] as const)
    test(`is the source's log, byte for byte (${compression})`, async () => {
      const store = await made()
      const parts = [0, 3, 6].map(from => [madeBatch({ from, values: ['a', 'b', 'c'], epoch: from })])
      for (const batches of parts) await commitBatches(store, batches, { compression })
      const { files, bytes, result } = await exported(store)
      assert.deepEqual(files, ['t-0/00000000000000000000.log'])
      assert.ok(bytes[0]?.equals(join2(parts.flat())))
      assert.deepEqual(result, { partitions: 1, files: 1, records: 9, bytes: bytes[0]?.length })
      const first = await exported(store, { kind: 'commit', number: 1 })
      assert.ok(first.bytes[0]?.equals(join2(parts[0]!)))
    })

  test('begins with the batch that the log start is in, and has as many files as fit', async () => {
    const store = await made()
    const batches = [0, 3, 6, 9].map(from => madeBatch({ from, values: ['a', 'b', 'c'] }))
    await commitBatches(store, batches, { start: 4 })
    const size = batches[0]!.bytes.length
    const { files, bytes } = await exported(store, latest, { segmentBytes: size * 2 })
    assert.deepEqual(files, ['t-0/00000000000000000003.log', 't-0/00000000000000000009.log'])
    assert.ok(Buffer.concat(bytes).equals(join2(batches.slice(1))))
  })

  test('a point within a batch gives the records before it, at their offsets', async () => {
    const store = await made()
    const at = (ms: number): string => new Date(ms).toISOString()
    await commitBatches(store, [madeBatch({ from: 0, values: ['a'], timestamp: 5_000 })], {
      draft: { endsAt: at(10_000) },
    })
    const batch = madeBatch({ from: 1, values: ['b', 'c', 'd'], timestamp: 15_000, epoch: 3 })
    await commitBatches(store, [batch], { draft: { endsAt: at(20_000) } })
    const { bytes, result } = await exported(store, { kind: 'time', at: 15_001 })
    const [first, second, ...more] = splitBatches(bytes[0]!)
    assert.equal(first?.header.lastOffset, 0)
    assert.deepEqual(more, [])
    assert.deepEqual(
      recordCodec.decode(second!).map(({ offset, value }) => `${offset} ${String(value)}`),
      ['1 b', '2 c'],
    )
    assert.equal(second?.header.leaderEpoch, 3)
    assert.ok(recordCodec.isIntact(second))
    assert.equal(result.records, 3)
  })

  test('transactions are there as they are in the log, markers and aborted ones too; so are empty partitions', async () => {
    const source = new SimSource(5)
    await source.init()
    const [at] = source.topic('t', 2)
    const [a, b] = [source.newProducer(), source.newProducer()]
    source.produce(at!, 2, a)
    source.produce(at!, 3, b)
    source.end(at!, a, false)
    source.end(at!, b, true)
    await source.backUp()
    const { dir, bytes } = await exported(source.store as MemoryStore)
    assert.deepEqual(readdirSync(dir).sort(), ['t-0', 't-1'])
    assert.deepEqual(
      splitBatches(bytes[0]!).map(({ header }) => [header.baseOffset, header.isControl, header.producerId]),
      [
        [0, false, a],
        [2, false, b],
        [5, true, a],
        [6, true, b],
      ],
    )
  })

  test('a folder that holds something is left as it is', async () => {
    const store = await made()
    await commitBatches(store, [madeBatch({ from: 0, values: ['a'] })])
    const { dir } = await exported(store)
    const error = await exported(store, latest, { dir }).catch(findKdrError)
    assert.equal((error as { code?: string }).code, 'not-empty')
  })

  test('a batch that does not match its checksum is not handed out', async () => {
    const store = await made()
    await commitBatches(store, [madeBatch({ from: 0, values: ['a'] })], { compression: 'none' })
    const [name] = [...store.objects.keys()].filter(each => each.endsWith('.pack'))
    store.objects.get(name!)![70]! ^= 1
    await assert.rejects(exported(store), /is damaged at offset 0: a batch does not match its checksum/)
  })
})
