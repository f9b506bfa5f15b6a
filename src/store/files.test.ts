import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { storeConformance } from '../../test/store/conformance.ts'
import { findKdrError } from '../model/errors.ts'
import type { ObjectStore } from '../ports/store.ts'
import { behind, failure, openFileStore } from './files.ts'
import { MemoryStore } from './memory.ts'
import { openStore } from './open.ts'
import { patientStore } from './patient.ts'

const root = mkdtempSync(join(tmpdir(), 'kdr-store-'))
after(() => rmSync(root, { recursive: true }))

let count = 0
const unique = (): string => `${process.pid}-${count++}`
const fresh = (): { readonly dir: string; readonly store: ObjectStore } => {
  const dir = join(root, unique(), 'vault')
  return { dir, store: openFileStore(dir, unique) }
}

describe('a store in a folder', () => {
  storeConformance(() => Promise.resolve(fresh().store))

  test('takes an object of many pieces, empty ones among them', async () => {
    const { store } = fresh()
    const pieces = Array.from({ length: 3_000 }, (_none, i) => Buffer.alloc(i % 3, String(i % 10)))
    await store.create('many', pieces)
    assert.deepEqual(await store.get('many'), Buffer.concat(pieces))
  })

  test('goes on where the disk has stopped within a piece', () => {
    const pieces = [Buffer.from('abc'), Buffer.alloc(0), Buffer.from('de')]
    const left = Array.from({ length: 6 }, (_none, bytes) => Buffer.concat(behind(pieces, bytes)).toString())
    assert.deepEqual(left, ['abcde', 'bcde', 'cde', 'de', 'e', ''])
    assert.equal(behind(pieces, 5).length, 0)
  })

  test('what lost the race, or failed, leaves nothing behind', async () => {
    const { dir, store } = fresh()
    await store.create('a', [Buffer.from('x')])
    await store.create('a', [Buffer.from('y')])
    assert.deepEqual(readdirSync(join(dir, '.unfinished')), [])
  })

  test('two processes with the same folder see the same objects', async () => {
    const { dir, store } = fresh()
    await store.create('a/b', [Buffer.from('x')])
    assert.equal(await openFileStore(dir, unique).create('a/b', [Buffer.from('y')]), 'exists')
  })

  test('reading an empty folder makes nothing', async () => {
    const { dir, store } = fresh()
    assert.equal(await store.get('a'), undefined)
    assert.equal(existsSync(dir), false)
  })

  test('a name that leads out of the folder is refused', async () => {
    const { store } = fresh()
    await assert.rejects(async () => await store.put('../a', []), /no name of an object/)
    await assert.rejects(async () => await store.get('a/../../b'), /no name of an object/)
  })

  test('a folder that may not be written to is said', { skip: process.getuid?.() === 0 }, async () => {
    const { dir, store } = fresh()
    await store.put('a', [])
    chmodSync(dir, 0o500)
    const error = await store.put('b/c', []).catch(findKdrError)
    chmodSync(dir, 0o700)
    assert.equal(error?.code, 'not-allowed')
  })

  test('a file in the place of the folder is said', async () => {
    const { dir, store } = fresh()
    await store.put('a', [Buffer.from('x')])
    const error = await openFileStore(join(dir, 'a'), unique).put('b', []).catch(findKdrError)
    assert.equal(error?.code, 'store-unreachable')
  })

  test('a disk that is full is said at once: asking again makes no room', async () => {
    const full = Object.assign(new Error('no space left on device, write'), { code: 'ENOSPC' })
    let asked = 0
    const inner = Object.assign(new MemoryStore(), {
      put: () => {
        asked++
        throw failure('cannot write "a"', full.code, full)
      },
    })
    const store = patientStore(inner, {
      clock: { monotonic: () => 0, sleep: () => Promise.resolve() },
      fraction: () => 0,
    })
    await store.head('a')
    const error = await store.put('a', []).catch(findKdrError)
    assert.deepEqual([error?.code, asked], ['store-lacks', 1])
    assert.match(error?.message ?? '', /cannot write "a": no space left/)
    assert.match(error?.hint ?? '', /Make room there/)
  })
})

describe('the url of a vault', () => {
  test('a folder', () =>
    assert.match(openStore({ url: `file://${root}/v` }, unique).name, /^file:\/\/.*\/v$/))
  test('another host has no folder here', () =>
    assert.throws(
      () => openStore({ url: 'file://host/v' }, unique),
      error => findKdrError(error)?.code === 'config-invalid',
    ))
  test('a bucket, with a prefix or without', () => {
    for (const [url, name] of [
      ['s3://bucket', 's3://bucket'],
      ['s3://bucket/', 's3://bucket'],
      ['s3://bucket/a/b/', 's3://bucket/a/b'],
    ] as const)
      assert.equal(openStore({ url }, unique).name, name)
  })
  test('what comes later', () =>
    assert.throws(
      () => openStore({ url: 'gs://bucket/prefix' }, unique),
      error => findKdrError(error)?.code === 'not-available',
    ))
})
