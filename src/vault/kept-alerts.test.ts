import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { KeptAlert } from '../model/alerts.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import { MemoryStore } from '../store/memory.ts'
import { readKeptAlerts, writeKeptAlerts } from './kept-alerts.ts'
import { alertsName } from './names.ts'

const LATE: KeptAlert = {
  name: 'KdrBackupStale',
  labels: { set: 'all' },
  value: 1,
  since: 1,
  firesSince: 2,
  isTold: true,
}

describe('what fires of a set, in its vault', () => {
  test('is as it was kept last', async () => {
    const store = new MemoryStore()
    assert.deepEqual(await readKeptAlerts(store, 'all'), [])
    await writeKeptAlerts(store, 'all', [LATE])
    assert.deepEqual(await readKeptAlerts(store, 'all'), [LATE])
    await writeKeptAlerts(store, 'all', [])
    assert.deepEqual(await readKeptAlerts(store, 'all'), [])
  })

  test('is none where it is damaged or may not be read, and holds up no backup; a vault that does not answer is asked again', async () => {
    const store = new MemoryStore()
    await store.put(alertsName('all'), [Buffer.from('{')])
    assert.deepEqual(await readKeptAlerts(store, 'all'), [])
    const failing = (code: 'not-allowed' | 'store-unreachable') =>
      Object.assign(new MemoryStore(), { get: () => Promise.reject(new KdrError(code, 'no')) })
    assert.deepEqual(await readKeptAlerts(failing('not-allowed'), 'all'), [])
    await assert.rejects(
      readKeptAlerts(failing('store-unreachable'), 'all'),
      error => findKdrError(error)?.code === 'store-unreachable',
    )
  })
})
