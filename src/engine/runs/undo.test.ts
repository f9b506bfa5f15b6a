import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeStore } from '../../../test/support/fenced-cluster.ts'
import { makeRecord } from '../../../test/support/runs.ts'
import { holdKey, readHold, toRecord } from '../../model/state-records.ts'
import type { RunContext } from './context.ts'
import { undoRun } from './undo.ts'

const hold = async (store: FakeStore, run: string): Promise<void> =>
  await store.put(holdKey('ew'), toRecord('hold', { run, at: 1, generation: 1 }))

describe('a run that is given up', () => {
  test('holds nothing any more, even where its hold lands late; the next run does', async () => {
    const store = new FakeStore()
    const record = { ...makeRecord(), link: 'ew', run: 'ew-1' }
    await hold(store, 'ew-1')
    assert.equal(readHold(store, 'ew')?.run, 'ew-1')
    const context = { store, record, source: undefined, guard: () => Promise.resolve() }
    await undoRun(context as unknown as RunContext, false)
    assert.equal(readHold(store, 'ew'), undefined)

    await hold(store, 'ew-1')
    assert.equal(readHold(store, 'ew'), undefined)
    await hold(store, 'ew-2')
    assert.equal(readHold(store, 'ew')?.run, 'ew-2')
  })
})
