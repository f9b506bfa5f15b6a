import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordCodec } from '../kafka/records.ts'
import { readBatchHeader } from '../model/batch.ts'
import { KdrError } from '../model/errors.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { Cluster, ConfigEntry } from '../ports/cluster.ts'
import { Glass } from './glass.ts'

const SETTING = 'min.insync.replicas'
const clock = { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() }

/** `_kdr.state` with one replica in sync of two that a write needs; nothing can be read of it until that is lowered. */
function weak(name: string): { readonly cluster: Cluster; readonly min: () => string } {
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
    offsets: async partitions => partitions.map(() => ({ code: 0, offset: 0, leaderEpoch: 0 })),
  }
  return { cluster: cluster as Cluster, min: () => min }
}

const glassOf = (mayBreak: boolean): Glass => new Glass({ kind: 'failover', link: 'l', mayBreak, clock })
const readable = (min: () => string) => async () => {
  if (min() !== '1') throw new KdrError('unreachable', 'OFFSET_NOT_AVAILABLE')
  return 'read'
}

describe('the glass', () => {
  test('is broken for who asked for it, and told of to who did not', async () => {
    const { cluster, min } = weak('west')
    await assert.rejects(glassOf(false).reading([cluster], readable(min)), { code: 'not-ready' })
    assert.equal(min(), '2')
    assert.equal(await glassOf(true).reading([cluster], readable(min)), 'read')
    assert.equal(min(), '1')
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
    const [east, west] = [weak('east'), weak('west')]
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

  test('where all can be read, the other cluster is not looked at', async () => {
    const east = weak('east')
    assert.equal(await glassOf(false).reading([east.cluster], () => Promise.resolve(1)), 1)
  })
})
