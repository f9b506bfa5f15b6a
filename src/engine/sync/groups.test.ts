// The group sync over clusters of a few lines: what it commits, when, and what it leaves in `_kdr.state`.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { cutGroups, type GroupEntry, readGroups } from '../../model/group-records.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import { type GroupOffset, type GroupOffsets, NO_TOPIC_ID } from '../../ports/cluster.ts'
import type { StateRecord, StateStore } from '../../ports/state.ts'
import { GroupSync, type GroupSyncInput } from './groups.ts'
import type { MirrorPosition } from './mirrors.ts'

const HOUR = 3_600_000
const MINUTE = 60_000

class FakeGroups {
  readonly held = new Map<string, Map<number, number>>()
  readonly types = new Map<string, string>()
  readonly states = new Map<string, string>()
  readonly commits: string[] = []
  /** How often a group still answers that a transaction is under way. */
  readonly pending = new Map<string, number>()
  isAway = false

  set(group: string, ...offsets: readonly number[]): void {
    this.held.set(group, new Map(offsets.entries()))
  }

  async listGroups() {
    if (this.isAway) throw new Error('away')
    return [...new Set([...this.held.keys(), ...this.types.keys()])].map(group => ({
      group,
      type: this.types.get(group) ?? 'classic',
      state: this.states.get(group) ?? 'Empty',
    }))
  }

  /** The same object where nothing has changed, as the adapter does. */
  async groupOffsets(groups: readonly string[]): Promise<GroupOffsets[]> {
    const answers = this.#answers(groups)
    for (const answer of answers) {
      const text = JSON.stringify(answer)
      if (!this.#same.has(text)) this.#same.set(text, answer)
    }
    return answers.map(answer => this.#same.get(JSON.stringify(answer))!)
  }

  readonly #same = new Map<string, GroupOffsets>()

  #answers(groups: readonly string[]): GroupOffsets[] {
    return groups.map(group => {
      const left = this.pending.get(group) ?? 0
      this.pending.set(group, left - 1)
      const all = [...(this.held.get(group) ?? [])]
      return left > 0
        ? { code: 0, offsets: [], pending: all.map(([partition]) => ({ topic: 't', partition })) }
        : {
            code: 0,
            offsets: all.map(([partition, offset]) => ({ topic: 't', partition, offset, metadata: '' })),
            pending: [],
          }
    })
  }

  async commitGroupOffsets(group: string, offsets: readonly GroupOffset[]) {
    if ((this.states.get(group) ?? 'Empty') !== 'Empty') return { code: KafkaCode.UNKNOWN_MEMBER_ID }
    this.commits.push(
      `${group} ${offsets.map(({ partition, offset }) => `${partition}=${offset}`).join(' ')}`,
    )
    const held = this.held.get(group) ?? new Map<number, number>()
    this.held.set(group, held)
    for (const { partition, offset } of offsets) held.set(partition, offset)
    return { code: 0 }
  }

  async deleteGroupOffsets(group: string, partitions: readonly { readonly partition: number }[]) {
    for (const { partition } of partitions) this.held.get(group)?.delete(partition)
    return { code: 0 }
  }

  async deleteGroup(group: string) {
    return { code: this.held.delete(group) ? 0 : KafkaCode.GROUP_ID_NOT_FOUND }
  }
}

class FakeStore implements StateStore {
  readonly records = new Map<string, StateRecord>()
  readonly position = 0
  puts: string[] = []

  async refresh() {}
  get(key: string) {
    return this.records.get(key)
  }
  entries(prefix: string) {
    return [...this.records].filter(([key]) => key.startsWith(prefix))
  }
  async put(key: string, record: StateRecord | undefined) {
    this.puts.push(key)
    if (record === undefined) this.records.delete(key)
    else this.records.set(key, record)
  }
}

function world(given: Partial<GroupSyncInput> = {}) {
  const source = new FakeGroups()
  const target = new FakeGroups()
  const store = new FakeStore()
  const mirrors = [0, 1].map(partition => ({
    topic: 't',
    topicId: 'id',
    partition,
    cursor: 100,
    logStart: 0,
    isAnchored: true,
    isStopped: false,
  }))
  const ends = [100, 100]
  /** Of the topic, at the source. */
  const topic = { partitions: 2 }
  const time = { now: 1_800_000_000_000 }
  const clock = {
    now: () => time.now,
    monotonic: () => time.now,
    sleep: async (ms: number) => {
      time.now += ms
    },
  }
  const described = {
    describe: async () => ({
      topics: new Map([
        [
          't',
          { partitions: Array.from({ length: topic.partitions }, (_none, partition) => ({ partition })) },
        ],
      ]),
    }),
    offsets: async (partitions: readonly { readonly partition: number }[]) =>
      partitions.map(({ partition }) => ({ code: 0, offset: ends[partition]! })),
  }
  const start = () =>
    new GroupSync({
      source: Object.assign(source, described),
      target: Object.assign(target, {
        brokerConfigs: async () => new Map([['offsets.retention.minutes', '40']]),
      }),
      store,
      link: 'l',
      mayStill: () => true,
      isWanted: () => true,
      positions: (): readonly MirrorPosition[] => mirrors,
      assertControl: async () => undefined,
      clock,
      log: { event: () => undefined },
      ...given,
    } as unknown as GroupSyncInput)
  const sync = start()
  const round = async (of = sync) => await of.round(new AbortController().signal)
  const states = () =>
    Object.fromEntries(
      readGroups(store, 'l').map(({ group, state, reason }) => [group, `${state} ${reason ?? ''}`.trim()]),
    )
  return { source, target, store, mirrors, ends, topic, time, round, start, states }
}

describe('rounds of the group sync', () => {
  test('commit what has changed, and write only what has changed', async () => {
    const { source, target, store, round, states } = world()
    source.set('g', 10, 20)
    source.set('h', 5)
    await round()
    assert.deepEqual(target.commits.splice(0), ['g 0=10 1=20', 'h 0=5'])
    assert.deepEqual(states(), { g: 'synced', h: 'synced' })

    store.puts = []
    source.set('h', 3)
    await round()
    assert.deepEqual(target.commits, ['h 0=3'])
    assert.deepEqual(store.puts, ['groups-round/l'])
  })

  test('wait for what the offsets imply', async () => {
    const { source, target, mirrors, ends, time, round } = world()
    source.set('g', 10)
    ends[1] = 130
    const begun = time.now
    const watched = round()
    for (let looks = 0; looks < 50; looks++) await Promise.resolve()
    assert.deepEqual(target.commits, [])
    mirrors[1]!.cursor = 130
    assert.equal(await watched, true)
    assert.ok(time.now > begun)
    assert.deepEqual(target.commits, ['g 0=10'])
  })

  test('clamp at a partition that has stopped, and raise when it goes on', async () => {
    const { source, target, mirrors, ends, round, states } = world()
    ends[0] = 150
    mirrors[0]!.isStopped = true
    source.set('g', 150)
    await round()
    assert.deepEqual(target.commits.splice(0), ['g 0=100'])
    assert.deepEqual(states(), { g: 'clamped beyond-mirror' })

    mirrors[0]!.isStopped = false
    mirrors[0]!.cursor = 150
    await round()
    assert.deepEqual(target.commits, ['g 0=150'])
    assert.deepEqual(states(), { g: 'synced' })
  })

  test('wait for a partition that a topic got after all others of it had stopped', async () => {
    const { source, target, mirrors, ends, topic, round } = world()
    for (const mirror of mirrors) mirror.isStopped = true
    topic.partitions = 3
    ends[2] = 30
    source.set('g', 10)
    const early = round()
    for (let looks = 0; looks < 50; looks++) await Promise.resolve()
    assert.deepEqual(target.commits, [])
    mirrors.push({ ...mirrors[0]!, partition: 2, cursor: 30, isStopped: false })
    assert.equal(await early, true)
    assert.deepEqual(target.commits, ['g 0=10'])
  })

  test('wait for nothing of a topic that is not mirrored', async () => {
    const { source, target, mirrors, topic, round } = world()
    for (const mirror of mirrors)
      Object.assign(mirror, { isStopped: true, isAnchored: false, topicId: NO_TOPIC_ID })
    topic.partitions = 3
    source.set('g', 10)
    assert.equal(await round(), true)
    assert.deepEqual(target.commits, [])
  })

  test('begin anew when nothing is known any more of a partition that had stopped', async () => {
    const { source, target, mirrors, ends, round } = world()
    ends[0] = 130
    mirrors[1]!.isStopped = true
    source.set('g', 10)
    const early = round()
    for (let looks = 0; looks < 50; looks++) await Promise.resolve()
    mirrors.pop()
    for (const mirror of mirrors) Object.assign(mirror, { topicId: 'another', cursor: 130 })
    assert.equal(await early, false)
    assert.deepEqual(target.commits, [])
  })

  test('one pending group is met in between, and holds up no other', async () => {
    const { source, target, round, states } = world()
    source.set('busy', 7)
    source.set('g', 10)
    source.pending.set('busy', 3)
    await round()
    assert.deepEqual(target.commits.splice(0).toSorted(), ['busy 0=7', 'g 0=10'])

    source.pending.set('busy', 1_000)
    source.set('g', 11)
    await round()
    assert.deepEqual(target.commits, ['g 0=11'])
    assert.deepEqual(states(), { busy: 'skipped pending-transaction', g: 'synced' })
  })

  test('leave a group with members alone, and take it up again when they have left', async () => {
    const { source, target, round, states } = world()
    source.set('g', 10)
    await round()
    target.states.set('g', 'Stable')
    target.set('g', 77)
    source.set('g', 11)
    await round()
    assert.deepEqual(states(), { g: 'skipped members-at-target' })
    target.states.delete('g')
    await round()
    assert.deepEqual(target.commits, ['g 0=10', 'g 0=11'])
  })

  test('delete a group an hour after it was gone, also by another worker', async () => {
    const { source, target, time, round, start, states } = world()
    source.set('g', 10)
    target.set('foreign', 1)
    await round()
    source.held.delete('g')
    await round()
    assert.deepEqual(states(), { g: 'skipped deleted-at-source' })

    const successor = start()
    time.now += HOUR - MINUTE
    await round(successor)
    assert.deepEqual([...target.held.keys()].toSorted(), ['foreign', 'g'])
    time.now += 2 * MINUTE
    await round(successor)
    assert.deepEqual([...target.held.keys()], ['foreign'])
    assert.deepEqual(states(), {})
  })

  test('delete an offset an hour after it was gone', async () => {
    const { source, target, time, round } = world()
    source.set('g', 10, 20)
    await round()
    source.set('g', 10)
    await round()
    assert.equal(target.held.get('g')?.size, 2)
    time.now += HOUR
    await round()
    assert.deepEqual([...(target.held.get('g') ?? [])], [[0, 10]])
  })

  test('commit again at a quarter of the time that the target keeps it, the source away or not', async () => {
    const { source, target, time, round } = world()
    source.set('g', 10)
    await round()
    time.now += 9 * MINUTE
    await round()
    assert.equal(target.commits.length, 1)
    time.now += 2 * MINUTE
    source.isAway = true
    await assert.rejects(round())
    assert.deepEqual(target.commits, ['g 0=10', 'g 0=10'])

    time.now += 11 * MINUTE
    target.states.set('g', 'Stable')
    await assert.rejects(round())
    assert.equal(target.commits.length, 2)
  })

  test('say of a share group that it is not carried', async () => {
    const { source, target, round, states } = world()
    source.types.set('s', 'share')
    source.types.set('k', 'streams')
    await round()
    assert.deepEqual(target.commits, [])
    assert.deepEqual(states(), { s: 'skipped share-group', k: 'skipped streams-group' })
  })
})

test('pieces of a bucket hold less than 64 KB each, and all groups', () => {
  const entries = Array.from(
    { length: 2_000 },
    (_none, n): GroupEntry => ({
      group: `${String(n).padStart(4, '0')}-${'g'.repeat(240)}`,
      state: 'synced',
      since: 1,
      isOwn: true,
    }),
  )
  const pieces = cutGroups(entries.toReversed())
  assert.ok(pieces.length > 1)
  for (const piece of pieces) assert.ok(JSON.stringify(piece).length < 64_000)
  assert.deepEqual(pieces.flat(), entries)
})
