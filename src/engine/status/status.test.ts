// How far a partition is behind, in time, when nobody can say whether there is more at the source.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { LinkSettings } from '../../model/link-settings.ts'
import { linkKey, reportKey, toRecord, workerKey } from '../../model/state-records.ts'
import type { LogReader } from '../../ports/cluster.ts'
import { observeStatus } from './status.ts'

const NOW = 1_000_000
const CURSOR = 100

const side = (offset: number | undefined): LogReader =>
  ({
    offsets: (of: readonly unknown[]) =>
      Promise.resolve(
        of.map(() => ({
          code: offset === undefined ? KafkaCode.LEADER_NOT_AVAILABLE : KafkaCode.NONE,
          offset: offset ?? -1,
          leaderEpoch: 0,
        })),
      ),
  }) as unknown as LogReader

/** `sourceEnd`: what its leader answers now; undefined: it has none. The worker has reported `lagMs` three seconds ago. */
async function lagMsWith(lagMs: number, sourceEnd: number | undefined): Promise<number | null> {
  const at = NOW - 3_000
  const partition = {
    partition: 0,
    state: 'mirroring',
    cursor: CURSOR,
    sourceEnd: CURSOR,
    lagRecords: 0,
    lagMs,
  }
  const records: Readonly<Record<string, object>> = {
    [linkKey('l')]: toRecord('link', { generation: 1, source: 'a', target: 'b' }),
    [workerKey('l', 'w')]: toRecord('worker', { at: NOW, state: 'running', slots: [], sourceSeenAt: NOW }),
    [reportKey('l', 't', 0, 0)]: toRecord('report', {
      at,
      worker: 'w',
      generation: 1,
      targetTopicId: 'id',
      partitions: [partition],
    }),
  }
  const status = await observeStatus({
    settings: {
      name: 'l',
      source: 'east',
      target: 'west',
      mode: 'exact',
      topics: ['*'],
      groups: ['*'],
    } as unknown as LinkSettings,
    isHome: true,
    stale: [],
    source: side(sourceEnd),
    sourceProblem: undefined,
    target: side(CURSOR),
    store: {
      refresh: () => Promise.resolve(),
      get: (key: string) => records[key],
      entries: (prefix: string) => Object.entries(records).filter(([key]) => key.startsWith(prefix)),
    } as never,
    clock: { now: () => NOW, monotonic: () => NOW, sleep: () => Promise.resolve() },
  })
  return status.lagMs
}

describe('a partition whose cursor stands where its source was last seen to end', () => {
  test('is late by nothing where its leader says now that there is nothing more', async () => {
    assert.equal(await lagMsWith(40_000, CURSOR), 0)
  })

  test('is late by what the worker has said, and the age of that, where its leader does not answer', async () => {
    assert.equal(await lagMsWith(40_000, undefined), 43_000)
  })

  test('is late by nothing where its leader does not answer, and the worker has seen no delay', async () => {
    assert.equal(await lagMsWith(0, undefined), 0)
  })

  test('is late where its leader has more by now', async () => {
    assert.equal(await lagMsWith(0, CURSOR + 5), 3_000)
  })
})
