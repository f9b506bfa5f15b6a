// Kafka's own group coordinator, as kdr's workers use it: who is alive, and who holds which slot.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { assignSlots } from '../../src/engine/replicate/assign-slots.ts'
import { connectCluster } from '../../src/kafka/cluster.ts'
import type { Cluster } from '../../src/ports/cluster.ts'
import { SESSION_MS, type SlotGroup } from '../../src/ports/slot-group.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { waitFor, withLab } from '../support/lab.ts'

const SLOTS = 16
const context = withLab([{ name: 'west' }])
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

async function worker(name: string): Promise<Beating> {
  const { bootstrap } = context.cluster('west')
  const cluster = await connectCluster({ name: 'west', bootstrap, clientId: name, clock: systemClock })
  clusters.push(cluster)
  return new Beating(cluster.slotGroup('_kdr.link')).start()
}

const all = (workers: readonly Beating[]) => workers.flatMap(({ slots }) => slots).toSorted((a, b) => a - b)
const every = Array.from({ length: SLOTS }, (_, slot) => slot)

describe('slots of a link', () => {
  after(async () => {
    for (const cluster of clusters) await cluster.close()
  })

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
