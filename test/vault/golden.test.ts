// The golden vaults: what an earlier kdr has written stays readable.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { recordCodec } from '../../src/kafka/records.ts'
import { openFileStore } from '../../src/store/files.ts'
import { locate, readState } from '../../src/vault/chain.ts'
import { readRecords } from '../../src/vault/records.ts'
import { verifyVault } from '../../src/vault/verify.ts'
import { SET, unique } from './made.ts'

const V1 = fileURLToPath(new URL('golden/v1', import.meta.url))
const store = openFileStore(V1, unique)
const PLAIN = [
  [2, 'b'],
  [3, 'ü'],
  [5, 'c'],
  [7, 'committed'],
] as const

async function valuesAt(number: number): Promise<(readonly [number, string])[]> {
  const state = await readState(store, SET, number)
  const found: (readonly [number, string])[] = []
  const all = { topic: 't', partition: undefined, from: undefined, to: undefined, codec: recordCodec }
  await readRecords({ store, set: SET, state }, all, ({ offset, value }) =>
    found.push([offset, String(value)]),
  )
  return found
}

describe('the golden vault of version 1', () => {
  test('reads as it was written', async () => {
    assert.deepEqual(await valuesAt(3), PLAIN.slice(0, 2))
    assert.deepEqual(await valuesAt(4), PLAIN)
    // A prune is the point before it.
    assert.deepEqual(await valuesAt(5), PLAIN)
    const compressed = Array.from({ length: 20 }, (_none, i) => [8 + i, `compressed ${i}`] as const)
    assert.deepEqual(await valuesAt(6), [...PLAIN, ...compressed])
    const state = await readState(store, SET, 6)
    assert.deepEqual([...state.topics.keys()], ['t'])
    assert.deepEqual(state.groups.get('g')?.offsets, [['t', 0, 7, null]])
    assert.deepEqual(state.rights.users, [{ name: 'app', mechanisms: ['SCRAM-SHA-512'] }])
  })

  test('begins with the commit that its prune says', async () => {
    assert.deepEqual(await locate(store, SET, { kind: 'latest' }), { number: 6, next: undefined })
    await assert.rejects(locate(store, SET, { kind: 'commit', number: 2 }), /was pruned: it has 3 to 6/)
  })

  test('is whole', async () => {
    const isIntact = recordCodec.isIntact.bind(recordCodec)
    const { problems, objects } = await verifyVault({ store, set: SET, number: 6, isFull: true, isIntact })
    assert.deepEqual(problems, [])
    assert.ok(objects > 10)
  })

  const skip = spawnSync('python3', ['--version']).status === 0 ? false : 'there is no python3'
  test('is read by the reader of docs/formats/vault.md, what is not compressed', { skip }, () => {
    const page = readFileSync(new URL('../../docs/formats/vault.md', import.meta.url), 'utf8')
    const reader = /```python\n([\s\S]*?)```/.exec(page)?.[1] ?? ''
    // Of compressed segments it would need a library.
    const plain = reader.replace('for s in log]:', 'for s in log if s["compression"] == "none"]:')
    assert.notEqual(plain, reader)
    const lines = execFileSync('python3', ['-c', plain, V1, SET], { encoding: 'utf8' }).trim().split('\n')
    assert.deepEqual(
      lines.map(line => (JSON.parse(line) as unknown[]).filter((_each, at) => at === 2 || at === 5)),
      PLAIN,
    )
  })
})
