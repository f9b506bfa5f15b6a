import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { recordCodec } from '../kafka/records.ts'
import { readBatchHeader } from '../model/batch.ts'
import { KdrError } from '../model/errors.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { Cluster, ConfigEntry } from '../ports/cluster.ts'
import { Glass } from './glass.ts'

const SETTING = 'min.insync.replicas'
let ms = 0
const clock = {
  now: () => ms,
  monotonic: () => ms,
  sleep: async (forMs: number) => {
    await setImmediate()
    ms += forMs
  },
}

/** `_kdr.state` with one replica in sync of two that a write needs. `says`: its leader, asked for its end, with that setting. */
function weak(
  name: string,
  says: (min: string) => number = () => KafkaCode.NONE,
): { readonly cluster: Cluster; readonly min: () => string } {
  let min = '2'
  const partition = { partition: 0, leader: 1, leaderEpoch: 0, replicas: [1, 2], isr: [1] }
  const entry = (): ConfigEntry => ({ value: min, isOverride: true, isReadOnly: false, isSensitive: false })
  const cluster: Partial<Cluster> = {
    name,
    describe: async () => ({
      clusterId: name,
      brokers: [],
      topics: new Map([
        ['_kdr.state', { name: '_kdr.state', id: 'i', isInternal: false, partitions: [partition] }],
      ]),
    }),
    topicConfigs: async () => new Map([['_kdr.state', { code: 0, entries: new Map([[SETTING, entry()]]) }]]),
    alterTopicConfigs: async (_topic, changes) => {
      min = changes[SETTING] ?? ''
      return { code: 0 }
    },
    offsets: async partitions => partitions.map(() => ({ code: says(min), offset: 0, leaderEpoch: 0 })),
  }
  return { cluster: cluster as Cluster, min: () => min }
}

const glassOf = (mayBreak: boolean): Glass => new Glass({ kind: 'failover', link: 'l', mayBreak, clock })
const mute = (min: string): number => (min === '1' ? KafkaCode.NONE : KafkaCode.OFFSET_NOT_AVAILABLE)
/** With the patience of a store. */
const readable = (min: () => string) => async () => {
  for (const until = ms + 30_000; ms < until; ) {
    if (min() === '1') return 'read'
    await clock.sleep(200)
  }
  throw new KdrError('unreachable', 'OFFSET_NOT_AVAILABLE')
}

describe('the glass', () => {
  test('is broken for who asked for it, and told of to who did not, long before a store gives up', async () => {
    const { cluster, min } = weak('west', mute)
    const begun = ms
    await assert.rejects(glassOf(false).reading([cluster], readable(min)), { code: 'not-ready' })
    assert.equal(min(), '2')
    assert.equal(await glassOf(true).reading([cluster], readable(min)), 'read')
    assert.equal(min(), '1')
    assert.ok(ms - begun < 2 * 10_000, `${ms - begun} ms`)
  })

  test('a leader that is silent for a moment breaks nothing', async () => {
    const until = ms + 3_000
    const { cluster, min } = weak('west', () =>
      ms < until ? KafkaCode.OFFSET_NOT_AVAILABLE : KafkaCode.NONE,
    )
    const read = async () => {
      await clock.sleep(10_000)
      return 'read'
    }
    assert.equal(await glassOf(true).reading([cluster], read), 'read')
    assert.equal(min(), '2')
  })

  test('a cluster that cannot be asked keeps nobody from reading', async () => {
    const { cluster } = weak('east')
    const gone: Cluster = { ...cluster, describe: () => Promise.reject(new KdrError('unreachable', 'gone')) }
    assert.equal(await glassOf(false).reading([gone], () => Promise.resolve('read')), 'read')
    const silent: Cluster = { ...cluster, describe: async () => await new Promise(() => undefined) }
    assert.equal(await glassOf(false).reading([silent], () => Promise.resolve('read')), 'read')
  })

  test('what no run has taken on is put back: it was not approved, or refused', async () => {
    const { cluster, min } = weak('west')
    const glass = glassOf(true)
    await glass.breakAt(cluster)
    assert.equal(min(), '1')
    await glass.close('west')
    assert.equal(min(), '2')
  })

  test('a run takes on what was lowered at its standby, as it was at first; the other cluster is as before', async () => {
    const [east, west] = [weak('east', mute), weak('west', mute)]
    const glass = glassOf(true)
    await glass.reading([east.cluster, west.cluster], readable(west.min))
    assert.deepEqual(glass.takenOn('west', [{ topic: '_kdr.state', was: 3 }]), [
      { topic: '_kdr.state', was: 3 },
    ])
    await glass.close('west')
    assert.deepEqual([east.min(), west.min()], ['2', '1'])
  })

  test('something is written where a new leader does not say by itself up to where its log may be read', async () => {
    const { cluster } = weak('west')
    const written: string[] = []
    const said = (): number => (written.length === 0 ? KafkaCode.OFFSET_NOT_AVAILABLE : KafkaCode.NONE)
    const silent: Cluster = {
      ...cluster,
      offsets: async partitions => partitions.map(() => ({ code: said(), offset: 0, leaderEpoch: 0 })),
      openAppendLane: async broker => ({
        broker,
        isClosed: false,
        append: async entries => {
          for (const { topic, batch } of entries) {
            const [record] = recordCodec.decode({ bytes: batch, header: readBatchHeader(batch) })
            written.push(`${topic} ${String(record?.key)} ${String(record?.value)}`)
          }
          return []
        },
        close: async () => undefined,
      }),
    }
    assert.equal(await glassOf(true).breakAt(silent), true)
    assert.deepEqual(written, ['_kdr.state nothing null'])
  })
})
