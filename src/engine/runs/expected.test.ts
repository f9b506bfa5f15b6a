import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RunSummary } from '../../model/runs.ts'
import { expectedOf } from './expected.ts'

const ran = (of: Partial<RunSummary>): RunSummary => ({
  run: 'ew-1',
  kind: 'failover',
  link: 'ew',
  active: 'east',
  standby: 'west',
  state: 'done',
  startedAt: '2026-01-01T00:00:00.000Z',
  rtoMs: 7_000,
  ...of,
})
const source = { brokerConfigs: async () => new Map([['broker.session.timeout.ms', '4000']]) }
const move = { kind: 'failover', link: 'ew', partitions: 1_000, source: undefined } as const

describe('the time that a run is expected to take', () => {
  test('is that of the last one of its kind on this link', async () => {
    const runs = [
      ran({}),
      ran({ run: 'ew-2', startedAt: '2026-02-01T00:00:00.000Z', rtoMs: 9_000 }),
      ran({ run: 'ew-3', startedAt: '2026-03-01T00:00:00.000Z', rtoMs: 1, state: 'aborted' }),
      ran({ run: 'ew-4', startedAt: '2026-03-01T00:00:00.000Z', rtoMs: 1, kind: 'switchover' }),
      ran({ run: 'no-5', startedAt: '2026-03-01T00:00:00.000Z', rtoMs: 1, link: 'no' }),
    ]
    assert.deepEqual(await expectedOf(move, runs), { ms: 9_000, basis: 'last-run', run: 'ew-2' })
  })

  test('is else that of the lab, with the watch over a source that answers', async () => {
    assert.deepEqual(await expectedOf(move, []), { ms: 2_000, basis: 'lab' })
    assert.deepEqual(await expectedOf({ ...move, source }, []), { ms: 6_000, basis: 'lab' })
    assert.deepEqual(await expectedOf({ ...move, kind: 'switchover', partitions: 100, source }, []), {
      ms: 5_700,
      basis: 'lab',
    })
  })
})
