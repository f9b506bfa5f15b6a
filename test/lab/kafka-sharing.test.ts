// What brokers remember for kdr: who of its workers is alive and holds which slot (the group coordinator), and what a fetch
// session has asked for.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { assignSlots } from '../../src/engine/replicate/assign-slots.ts'
import { splitBatches } from '../../src/model/batch.ts'
import { connectCluster } from '../../src/kafka/cluster.ts'
import type { Cluster } from '../../src/ports/cluster.ts'
import { SESSION_MS, type SlotGroup } from '../../src/ports/slot-group.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { freshTopic, waitFor, withLab } from '../support/lab.ts'

const SLOTS = 16
const context = withLab([
  { name: 'west' },
  { name: 'forgetful', properties: { 'max.incremental.fetch.session.cache.slots': '0' } },
])
const clusters: Cluster[] = []

/** A worker that beats until it is stopped, and joins again when it has to. */
class Beating {
  readonly group: SlotGroup
  slots: readonly number[] = []
  isFrozen = false
  #isOver = false
  #loop: Promise<void> | undefined

  constructor(group: SlotGroup) {
    this.group = group
  }

  async start(): Promise<this> {
    await this.#join()
    this.#loop = this.#run()
    return this
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#loop
    await this.group.leave()
  }

  async #join(): Promise<void> {
    const slots = await this.group.join(this.slots, members => assignSlots(SLOTS, members))
    this.slots = slots === 'gone' ? [] : slots
    if (slots === 'gone') await this.#join()
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      await systemClock.sleep(200)
      if (this.isFrozen) continue
      const state = await this.group.heartbeat()
      if (state === 'gone') this.slots = []
      if (state !== 'member') await this.#join()
    }
  }
}

async function connect(name: string, clientId: string): Promise<Cluster> {
  const { bootstrap } = context.cluster(name)
  const cluster = await connectCluster({ name, bootstrap, clientId, clock: systemClock })
  clusters.push(cluster)
  return cluster
}

async function worker(name: string): Promise<Beating> {
  const cluster = await connect('west', name)
  return new Beating(cluster.slotGroup('_kdr.link')).start()
}

const all = (workers: readonly Beating[]) => workers.flatMap(({ slots }) => slots).toSorted((a, b) => a - b)
const every = Array.from({ length: SLOTS }, (_, slot) => slot)

after(async () => {
  for (const cluster of clusters) await cluster.close()
})

describe('slots of a link', () => {
  test('are shared by all that join, handed on when one leaves or freezes, and dealt anew to one that wakes', async () => {
    const first = await worker('first')
    assert.deepEqual(first.slots, every)
    const second = await worker('second')
    await waitFor(() => all([first, second]).join() === every.join(), { what: 'both to share the slots' })
    assert.equal(first.slots.length, SLOTS / 2)
    // When one says good-bye, the other has all at once.
    await second.stop()
    await waitFor(() => first.slots.length === SLOTS, { timeoutMs: 3_000, what: 'the first to hold all' })
    // When one does not beat, it is given up when its session has run out, and learns so when it wakes.
    const third = await worker('third')
    await waitFor(() => all([first, third]).join() === every.join(), { what: 'the third to share the slots' })
    third.isFrozen = true
    const frozenAt = systemClock.monotonic()
    await waitFor(() => first.slots.length === SLOTS, { what: 'the first to hold all again' })
    assert.ok(systemClock.monotonic() - frozenAt > SESSION_MS - 1_500)
    assert.equal(await third.group.heartbeat(), 'gone')
    third.slots = []
    third.isFrozen = false
    await waitFor(() => all([first, third]).join() === every.join(), { what: 'the third to be back' })
    await Promise.all([first.stop(), third.stop()])
  })
})

describe('a fetch session', () => {
  for (const [name, what] of [
    ['west', 'a broker that keeps it'],
    ['forgetful', 'a broker that keeps none'],
  ] as const) {
    test(`tells only news, with ${what}`, async () => {
      const at = { bootstrap: context.cluster(name).bootstrap, topic: freshTopic() }
      await context.judge.createTopic({ ...at, partitions: 3 })
      const cluster = await connect(name, 'session')
      const view = (await cluster.describe()).topics.get(at.topic)
      const asked = (partition: number, offset: number) => ({
        topic: at.topic,
        partition,
        topicId: view?.id ?? '',
        offset,
        leaderEpoch: -1,
        lastFetchedEpoch: -1,
        maxBytes: 100_000,
      })
      const session = await cluster.openFetchSession(view?.partitions[0]?.leader ?? -1)
      const round = { isolation: 'committed', maxWaitMs: 200, maxBytes: 1_000_000 } as const
      const next = async () =>
        (await session.next(round))
          .filter(({ records }) => records.length > 0)
          .map(({ partition, records }) => [partition, splitBatches(records)[0]?.header.baseOffset] as const)

      for (const partition of [0, 1, 2]) session.ask(asked(partition, 0))
      assert.deepEqual(await next(), [])
      // What is not answered for comes again; what is asked further on, or forgotten, does not.
      await context.judge.produce({ ...at, partition: 1, count: 1 })
      assert.deepEqual(await next(), [[1, 0]])
      assert.deepEqual(await next(), [[1, 0]])
      session.ask(asked(1, 1))
      assert.deepEqual(await next(), [])
      session.forget(asked(2, 0))
      await context.judge.produce({ ...at, count: 3 })
      assert.deepEqual(
        new Map(await next()),
        new Map([
          [0, 0],
          [1, 1],
        ]),
      )
      // A topic that is gone is an error of its partitions, round after round.
      await context.judge.deleteTopic(at)
      const failed = async () => (await session.next(round)).filter(({ code }) => code !== 0).length
      await waitFor(async () => (await failed()) === 2, { what: 'the broker to say that the topic is gone' })
      await session.close()
    })
  }
})
