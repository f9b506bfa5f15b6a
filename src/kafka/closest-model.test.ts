// A leader and a closer follower as Kafka's are (ReplicaManager, KIP-320, KIP-392), which append, lag, lose their ends in unclean elections
// and learn of epochs late, in any order, also while a lane asks them: it gives only records of the history that it asks for.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Random } from '../../test/sim/random.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { FetchPartition } from '../ports/cluster.ts'
import { openClosestLane } from './closest-lane.ts'
import { ClosestReplicas } from './closest-replicas.ts'
import type { ClusterContext } from './context.ts'
import type { RawFetchAnswer, RawFetched, RawFetchRequest } from './raw/fetch.ts'

const SEEDS = 60
const [LEADER, NEAR] = [1, 2]
/** Whatever wants to know the epoch that it was asked under. */
const ANY_EPOCH = -1

type Entry = { readonly epoch: number; readonly id: number }
type Log = { epoch: number; entries: Entry[]; highWatermark: number; start: number }

/** Entries as one whole batch, as far as the lane looks. */
function batchOf(entries: readonly Entry[]): Buffer {
  if (entries.length === 0) return Buffer.alloc(0)
  const text = JSON.stringify(entries)
  const bytes = Buffer.alloc(12 + text.length)
  bytes.writeInt32BE(text.length, 8)
  bytes.write(text, 12)
  return bytes
}

const entriesOf = (records: Buffer): Entry[] =>
  records.length === 0 ? [] : (JSON.parse(records.toString('utf8', 12)) as Entry[])

function commonLength(a: readonly (Entry | undefined)[], b: readonly Entry[]): number {
  const at = a.findIndex((entry, offset) => entry !== undefined && entry.id !== b[offset]?.id)
  return Math.min(at < 0 ? a.length : at, b.length)
}

class Brokers {
  readonly leader: Log = { epoch: 1, entries: [], highWatermark: 0, start: 0 }
  readonly #near: Log = { epoch: 1, entries: [], highWatermark: 0, start: 0 }
  /** The leader's log at the end of each of its epochs. */
  readonly #ended = new Map<number, readonly Entry[]>()
  readonly #random: Random
  readonly #onlyInSync: boolean
  /** What the leader knows of the follower; -1: it has not fetched since the leader lost its end. */
  #fetched = { end: -1, start: -1, isInSync: true }
  #ids = 0
  isStill = false

  constructor(random: Random) {
    this.#random = random
    this.#onlyInSync = random.chance(0.5)
  }

  historyOf(epoch: number): readonly Entry[] | undefined {
    return epoch === this.leader.epoch ? this.leader.entries : this.#ended.get(epoch)
  }

  happen(most: number): void {
    for (let times = this.#random.between(0, most - 1); times > 0 && !this.isStill; times--) this.#something()
  }

  async answer(broker: number, request: RawFetchRequest): Promise<RawFetchAnswer> {
    this.happen(3)
    const partitions = request.partitions.map(asked => this.#answer(broker, asked, request.rack))
    this.happen(2)
    return await Promise.resolve({ code: 0, throttleMs: 0, sessionId: 0, partitions })
  }

  #something(): void {
    const { leader } = this
    const random = this.#random
    const what = random.between(0, 11)
    if (what < 3)
      for (let more = random.between(0, 3); more >= 0; more--)
        leader.entries.push({ epoch: leader.epoch, id: this.#ids++ })
    else if (what < 7) this.#follow()
    else if (what === 7) this.#near.epoch = leader.epoch
    else if (what === 8 && random.chance(0.3)) {
      this.#fetched = { ...this.#fetched, isInSync: false }
      leader.highWatermark = leader.entries.length
    } else if (what === 9 && random.chance(0.2))
      leader.start = Math.max(leader.start, random.between(0, leader.highWatermark))
    else if (what === 10 && random.chance(0.25)) this.#lose()
    else if (what === 11 && random.chance(0.3)) this.#beginEpoch(1)
  }

  #beginEpoch(later: number): void {
    this.#ended.set(this.leader.epoch, [...this.leader.entries])
    this.leader.epoch += later
  }

  /** An unclean election. */
  #lose(): void {
    const { leader } = this
    this.#beginEpoch(1 + this.#random.between(0, 1))
    leader.entries.length = Math.max(leader.start, this.#random.between(0, leader.entries.length))
    leader.highWatermark = Math.min(leader.highWatermark, leader.entries.length)
    this.#fetched = { end: -1, start: -1, isInSync: false }
  }

  /** One fetch of the follower: it cuts what its leader has not, or takes some more. */
  #follow(): void {
    const [leader, near] = [this.leader, this.#near]
    if (near.epoch !== leader.epoch) return
    const common = commonLength(near.entries, leader.entries)
    if (common < near.entries.length) {
      near.entries.length = common
      near.highWatermark = Math.min(near.highWatermark, common)
      return
    }
    leader.highWatermark = Math.max(leader.highWatermark, common)
    this.#fetched = { end: common, start: near.start, isInSync: common >= leader.highWatermark }
    near.entries.push(...leader.entries.slice(common, common + this.#random.between(0, 4)))
    near.highWatermark = Math.min(leader.highWatermark, near.entries.length)
    near.start = Math.max(near.start, Math.min(leader.start, near.entries.length))
  }

  #answer(broker: number, asked: FetchPartition, rack: string | undefined): RawFetched {
    const log = broker === LEADER ? this.leader : this.#near
    const { epoch, entries, highWatermark, start: logStart } = log
    const { topicId, partition, offset, leaderEpoch, lastFetchedEpoch } = asked
    const none = { topicId, partition, diverging: undefined, aborted: [], preferredReplica: -1 }
    const refused = (code: number): RawFetched => ({
      ...none,
      code,
      highWatermark: -1,
      lastStable: -1,
      logStart: -1,
      records: Buffer.alloc(0),
    })
    if (leaderEpoch !== ANY_EPOCH && leaderEpoch < epoch) return refused(KafkaCode.FENCED_LEADER_EPOCH)
    if (leaderEpoch > epoch) return refused(KafkaCode.UNKNOWN_LEADER_EPOCH)
    const ends = { code: 0, highWatermark, lastStable: highWatermark, logStart }
    const { end, start, isInSync } = this.#fetched
    const isNamed = end >= offset && start <= offset && (isInSync || !this.#onlyInSync)
    // It does not look at its log then.
    if (broker === LEADER && rack !== undefined && isNamed)
      return { ...none, ...ends, preferredReplica: NEAR, records: Buffer.alloc(0) }
    if (lastFetchedEpoch >= 0) {
      const known = entries.findLast(entry => entry.epoch <= lastFetchedEpoch)?.epoch
      if (known === undefined) return refused(KafkaCode.OFFSET_OUT_OF_RANGE)
      const later = entries.findIndex(entry => entry.epoch > known)
      const endOffset = later < 0 ? entries.length : later
      if (known < lastFetchedEpoch || endOffset < offset)
        return { ...none, ...ends, diverging: { epoch: known, endOffset }, records: Buffer.alloc(0) }
    }
    if (offset > entries.length || offset < logStart) return refused(KafkaCode.OFFSET_OUT_OF_RANGE)
    const to = Math.min(highWatermark, offset + 1 + this.#random.between(0, 5))
    return { ...none, ...ends, records: batchOf(entries.slice(offset, to)) }
  }
}

/** As the engine reads: whatever says that its history is gone makes it look where it parts, and go on there. */
async function read(seed: number): Promise<{ readonly near: number; readonly diverged: number }> {
  const random = new Random(seed)
  const brokers = new Brokers(random.stream('brokers'))
  let now = 0
  const clock = {
    now: () => now,
    monotonic: () => now,
    sleep: async (_ms: number, signal?: AbortSignal) => {
      await new Promise<void>(wake => signal?.addEventListener('abort', () => wake()))
    },
  }
  const connection = (broker: number) => ({
    firstByteMs: 1,
    receivedBytes: 0,
    versions: { need: () => 17 },
    callAlone: async (_api: unknown, _held: unknown, request: RawFetchRequest) =>
      await brokers.answer(broker, request),
  })
  const context = {
    clock,
    pool: { openOwn: async (broker: number) => await Promise.resolve(connection(broker)) },
    view: () => ({ brokers: [LEADER, NEAR].map(id => ({ id, rack: `rack-${id}` })) }),
  } as unknown as ClusterContext
  const entry = { value: 'delete', isOverride: false, isReadOnly: false, isSensitive: false }
  const configs = new Map([['t', { code: 0, entries: new Map([['cleanup.policy', entry]]) }]])
  const replicas = new ClosestReplicas(clock, () => Promise.resolve(configs))
  const lane = await openClosestLane(context, LEADER, { rack: `rack-${NEAR}`, replicas })

  const copied: (Entry | undefined)[] = []
  const { leader } = brokers
  let [leaderEpoch, lastFetchedEpoch, near, diverged] = [leader.epoch, -1, 0, 0]
  for (let round = 0; round < 180; round++) {
    brokers.isStill = round >= 120
    brokers.happen(4)
    now += random.chance(0.3) ? random.between(0, 19_999) : 1
    const of = { topic: 't', topicId: 'id', partition: 0, offset: copied.length, maxBytes: 1_000 }
    const asked = { ...of, leaderEpoch, lastFetchedEpoch }
    const limits = { isolation: 'committed', maxWaitMs: 10, maxBytes: 1_000 } as const
    const [answer] = await lane.fetch({ ...limits, partitions: [asked] })
    if (answer === undefined) continue
    const { code, diverging, records, replica } = answer
    const isOther = code === KafkaCode.FENCED_LEADER_EPOCH || code === KafkaCode.UNKNOWN_LEADER_EPOCH
    if (isOther && lastFetchedEpoch >= 0) leaderEpoch = leader.epoch
    else if (code !== 0 || diverging !== undefined) {
      diverged++
      ;[leaderEpoch, lastFetchedEpoch] = [leader.epoch, -1]
      copied.length = commonLength(copied, leader.entries)
      while (copied.length < leader.start) copied.push(undefined)
    } else if (records.length > 0) {
      const entries = entriesOf(records)
      copied.push(...entries)
      lastFetchedEpoch = entries.at(-1)?.epoch ?? lastFetchedEpoch
      if (replica !== undefined) near++
      const history = brokers.historyOf(leaderEpoch) ?? assert.fail(`no epoch ${leaderEpoch}`)
      const what = `seed ${seed}, round ${round}, by ${replica ?? 'the leader'}`
      assert.equal(commonLength(copied, history), copied.length, what)
    }
  }
  assert.ok(
    copied.length >= leader.highWatermark,
    `seed ${seed}: ${copied.length} of ${leader.highWatermark}`,
  )
  return { near, diverged }
}

test('whatever happens to a leader and its follower, a lane gives the history that it is asked for, and all of it', async () => {
  let [near, diverged] = [0, 0]
  for (let seed = 1; seed <= SEEDS; seed++) {
    const found = await read(seed)
    near += found.near
    diverged += found.diverged
  }
  assert.ok(
    near > SEEDS && diverged > SEEDS,
    `${near} answers of the follower, ${diverged} histories that parted`,
  )
})
