import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../test/sim/random.ts'
import { storeConformance } from '../../test/store/conformance.ts'
import { FaultyStore, NO_STORE_FAULTS } from '../../test/store/faulty.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import { MemoryStore } from './memory.ts'
import { patientStore } from './patient.ts'

/** Time passes only while somebody waits. */
function given() {
  let now = 0
  const clock = {
    monotonic: () => now,
    sleep: (ms: number) => {
      now += ms
      return Promise.resolve()
    },
  }
  return { clock, fraction: () => 0.5, elapsed: () => now }
}

const down = (): Promise<never> => Promise.reject(new KdrError('store-unreachable', '503 SlowDown'))

describe('a patient store over one that refuses and is cut', () => {
  let seed = 0
  storeConformance(async () => {
    const faulty = new FaultyStore(new MemoryStore(), new Random(seed++), () => Promise.resolve())
    const store = patientStore(faulty, given())
    // It is there.
    await store.head('any')
    faulty.faults = { ...NO_STORE_FAULTS, refused: 0.1, storm: 0.02, cut: 0.1 }
    return store
  })
})

describe('a patient store', () => {
  test('gives up on one that never answers within a second, and on one that did within a minute', async () => {
    const world = given()
    const inner = new MemoryStore()
    const store = patientStore(inner, world)
    const head = inner.head.bind(inner)
    inner.head = down
    await assert.rejects(store.head('a'), error => findKdrError(error)?.code === 'store-unreachable')
    assert.ok(world.elapsed() < 1_000)
    inner.head = head
    await store.head('a')
    inner.head = down
    const since = world.elapsed()
    await assert.rejects(store.head('a'), error => findKdrError(error)?.code === 'store-unreachable')
    const waited = world.elapsed() - since
    assert.ok(waited > 50_000 && waited <= 60_000, String(waited))
  })

  test('asks once where another answer will not come', async () => {
    const inner = new MemoryStore()
    let asked = 0
    inner.get = () => {
      asked++
      return Promise.reject(new KdrError('not-allowed', 'no'))
    }
    await assert.rejects(
      patientStore(inner, given()).get('a'),
      error => findKdrError(error)?.code === 'not-allowed',
    )
    assert.equal(asked, 1)
  })

  test('a creation that landed without an answer exists', async () => {
    const inner = new MemoryStore()
    const create = inner.create.bind(inner)
    let isLost = true
    inner.create = async (name, body) => {
      const answer = await create(name, body)
      if (!isLost) return answer
      isLost = false
      return await down()
    }
    assert.equal(await patientStore(inner, given()).create('a', [Buffer.from('x')]), 'exists')
    assert.equal(String(await inner.get('a')), 'x')
  })

  test('waits for nothing once it is told to stop', async () => {
    const world = given()
    const inner = new MemoryStore()
    const stopping = new AbortController()
    const store = patientStore(inner, { ...world, signal: stopping.signal })
    await store.head('a')
    inner.head = down
    stopping.abort()
    await assert.rejects(store.head('a'), error => findKdrError(error)?.code === 'store-unreachable')
    assert.equal(world.elapsed(), 0)
  })

  test('hands through what else the store has', () => {
    const inner = Object.assign(new MemoryStore(), { locks: { keepMs: 1 } })
    const store = patientStore(inner, given()) as typeof inner
    assert.equal(store.locks.keepMs, 1)
    assert.equal(store.name, 'memory:')
  })
})
