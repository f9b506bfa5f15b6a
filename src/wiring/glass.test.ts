import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { recordCodec } from '../kafka/records.ts'
import { readBatchHeader } from '../model/batch.ts'
import { KdrError } from '../model/errors.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { RunRecord } from '../model/runs.ts'
import type { Cluster, ConfigEntry } from '../ports/cluster.ts'
import { Glass, type GlassOptions } from './glass.ts'

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

/**
 * `_kdr.state` with one replica in sync of two that a write needs. `says`: its leader, asked for its end, with that setting; `onAlter`:
 * before the setting is changed.
 */
function weak(
  name: string,
  says: (min: string) => number = () => KafkaCode.NONE,
  onAlter: (min: string) => Promise<void> | void = () => undefined,
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
      await onAlter(changes[SETTING] ?? '')
      min = changes[SETTING] ?? ''
      return { code: 0 }
    },
    offsets: async partitions => partitions.map(() => ({ code: says(min), offset: 0, leaderEpoch: 0 })),
  }
  return { cluster: cluster as Cluster, min: () => min }
}

const said: string[] = []
const glassOf = (mayBreak: boolean, more: Partial<GlassOptions> = {}): Glass =>
  new Glass({
    kind: 'failover',
    link: 'l',
    mayBreak,
    clock,
    isInUse: async () => false,
    say: sentence => void said.push(sentence),
    ...more,
  })
const run = { run: 'r' } as RunRecord
const mute = (min: string): number => (min === '1' ? KafkaCode.NONE : KafkaCode.OFFSET_NOT_AVAILABLE)
/** With the patience of a store. */
const readable = (min: () => string) => async () => {
  for (const until = ms + 30_000; ms < until; ) {
    if (min() === '1') return 'read'
    await clock.sleep(200)
  }
  throw new KdrError('unreachable', 'OFFSET_NOT_AVAILABLE')
}

const refuse = (): void => {
  throw new KdrError('not-ready', 'refused')
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

  test('an active that is lost by halves keeps nobody from a standby that is well', async () => {
    const [east, west] = [weak('east', mute), weak('west')]
    const read = async () => {
      await clock.sleep(30_000)
      return 'read'
    }
    for (const mayBreak of [false, true])
      assert.equal(await glassOf(mayBreak).reading([east.cluster, west.cluster], read), 'read')
    assert.deepEqual([east.min(), west.min()], ['2', '2'])
  })

  test('what is no failover waits as long as a store does', async () => {
    const { cluster, min } = weak('west', mute)
    const begun = ms
    const glass = glassOf(false, { kind: 'switchover' })
    await assert.rejects(glass.reading([cluster], readable(min)), { code: 'not-ready' })
    assert.ok(ms - begun >= 30_000, `${ms - begun} ms`)
  })

  test('where one cluster cannot be broken, the other one is', async () => {
    const [east, west] = [weak('east', mute, refuse), weak('west', mute)]
    assert.equal(await glassOf(true).reading([east.cluster, west.cluster], readable(west.min)), 'read')
    await assert.rejects(glassOf(true).reading([east.cluster], readable(east.min)), /refused/)
  })

  test('what no run has taken on is put back: it was not approved, or refused', async () => {
    const { cluster, min } = weak('west')
    const glass = glassOf(true)
    said.length = 0
    await glass.breakAt(cluster)
    assert.equal(min(), '1')
    assert.match(
      said.join(),
      /_kdr\.state of "west" takes writes with 1 .* --add-config min\.insync\.replicas=2$/,
    )
    await glass.close('west')
    assert.equal(min(), '2')
  })

  test('a run takes on what was lowered at its standby, as it was at first, when it is written down', async () => {
    const [east, west] = [weak('east', mute), weak('west', mute)]
    const glass = glassOf(true)
    await glass.reading([east.cluster, west.cluster], readable(west.min))
    await glass.putBack(name => name !== 'west')
    assert.deepEqual([east.min(), west.min()], ['2', '1'])
    const written: RunRecord[] = []
    const journal = { writeRun: async (record: RunRecord) => void written.push(record) }
    const taken = await glass.takenOn('west', { ...run, lowered: [{ topic: '_kdr.state', was: 3 }] }, journal)
    assert.deepEqual([taken.lowered, written], [[{ topic: '_kdr.state', was: 3 }], [taken]])
    await glass.close('west')
    assert.equal(west.min(), '1')
  })

  test('a run that could not write it down has not taken it on', async () => {
    const west = weak('west')
    const glass = glassOf(true)
    await glass.breakAt(west.cluster)
    const journal = { writeRun: () => Promise.reject(new KdrError('unreachable', 'gone')) }
    await assert.rejects(glass.takenOn('west', run, journal), { code: 'unreachable' })
    await glass.close('west')
    assert.equal(west.min(), '2')
  })

  test('what was changed without an answer is put back too; what cannot be is said', async () => {
    let isGone = true
    const silent = (): void => {
      if (isGone) throw new KdrError('unreachable', 'no answer')
    }
    const { cluster, min } = weak('west', undefined, silent)
    for (const mayReturn of [true, false]) {
      const glass = glassOf(true)
      isGone = true
      await assert.rejects(glass.breakAt(cluster), /no answer/)
      isGone = !mayReturn
      said.length = 0
      await glass.close('west')
      assert.equal(min(), '2')
      assert.equal(said.length, mayReturn ? 0 : 1)
    }
    assert.match(
      said[0] ?? '',
      /_kdr\.state of "west" still takes writes .*: no answer\. To put it back: kafka-configs/,
    )
  })

  test('what another run counts on stays as it is', async () => {
    for (const more of [{ isInUse: async () => true }, {}]) {
      const { cluster, min } = weak('west')
      const glass = glassOf(true, more)
      await glass.breakAt(cluster)
      if (!('isInUse' in more))
        assert.throws(() => glass.lostTo(new KdrError('other-controller', 'bob')), /bob/)
      said.length = 0
      await glass.close('west')
      assert.equal(min(), '1')
      assert.match(said[0] ?? '', /another run counts on it/)
    }
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
