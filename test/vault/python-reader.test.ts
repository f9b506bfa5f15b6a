// docs/formats/vault.md says enough to read a vault without kdr: the reader that stands there, in 30 lines of Python and nothing
// but its standard library, reads what kdr has written.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openFileStore } from '../../src/store/files.ts'
import { transactional } from './golden.ts'
import {
  commitBatches,
  madeBatch,
  madeDraft,
  madeTopic,
  madeVault,
  SET,
  unique,
  writeBatches,
  writerOf,
} from './made.ts'

const PAGE = fileURLToPath(new URL('../../docs/formats/vault.md', import.meta.url))
const PYTHON = 'python3'
const skip = spawnSync(PYTHON, ['--version']).status === 0 ? false : 'there is no python3'

const dir = mkdtempSync(join(tmpdir(), 'kdr-golden-'))
after(() => rmSync(dir, { recursive: true }))

const reader = /```python\n([\s\S]*?)```/.exec(readFileSync(PAGE, 'utf8'))?.[1] ?? ''

describe('the reader of docs/formats/vault.md', { skip }, () => {
  test('has 30 lines at most', () => assert.ok(reader.split('\n').length - 1 <= 30))

  test('reads what kdr has written', async () => {
    const root = join(dir, 'vault')
    const store = openFileStore(root, unique)
    await madeVault(store)
    const plain = { compression: 'none' } as const
    // A log that starts later, then one that was truncated, then a transaction that was aborted.
    await commitBatches(store, [madeBatch({ from: 5, values: ['gone', 'a'] })], { ...plain, start: 6 })
    await commitBatches(
      store,
      [madeBatch({ from: 7, values: ['b'] }), madeBatch({ from: 8, values: ['taken back'] })],
      plain,
    )
    await commitBatches(store, [madeBatch({ from: 8, values: ['ü'], epoch: 2, timestamp: 2_000 })], {
      ...plain,
      clip: 8,
    })
    const writer = await writerOf(store, plain)
    const aborted = [
      transactional(madeBatch({ from: 9, values: ['aborted'] }), 77n),
      madeBatch({ from: 10, values: ['c'] }),
      transactional(madeBatch({ from: 11, values: ['marker'] }), 77n, true),
      transactional(madeBatch({ from: 12, values: ['committed'] }), 77n),
    ]
    const segment = await writeBatches(writer, aborted, { aborted: [{ producerId: 77n, firstOffset: 9 }] })
    const other = await writeBatches(writer, [madeBatch({ from: 0, values: ['other'] })], { partition: 1 })
    const partitions = [
      { partition: 0, start: 6, end: 13, segments: [segment] },
      { partition: 1, start: 0, end: 1, segments: [other] },
    ]
    await writer.commit(madeDraft([madeTopic(partitions)]))

    const script = join(dir, 'reader.py')
    writeFileSync(script, reader)
    const lines = execFileSync(PYTHON, [script, root, SET], { encoding: 'utf8' }).trim().split('\n')
    assert.deepEqual(
      lines.map(line => JSON.parse(line) as unknown),
      [
        ['t', 0, 6, 1_001, 'k6', 'a'],
        ['t', 0, 7, 1_000, 'k7', 'b'],
        ['t', 0, 8, 2_000, 'k8', 'ü'],
        ['t', 0, 10, 1_000, 'k10', 'c'],
        ['t', 0, 12, 1_000, 'k12', 'committed'],
        ['t', 1, 0, 1_000, 'k0', 'other'],
      ],
    )
  })
})
