// One link's replication by this worker: takes its share of the slots, keeps their partitions going, reports. The parts
// do the work; this file owns their lifetimes, and what becomes of an error that no partition can answer for.
import { findKdrError, type KdrError } from '../../model/errors.ts'
import type { Deletion, PartitionReport } from '../../model/link.ts'
import type { Entropy } from '../../ports/clock.ts'
import type { LinkContext } from './context.ts'
import { Commands } from './commands.ts'
import { Copies } from './copies.ts'
import { HeadroomWatch } from './headroom.ts'
import { checkIdle } from './idle.ts'
import { BEAT_EVERY_MS, DISCOVER_EVERY_MS, REPORT_EVERY_MS, TRIM_EVERY_MS, WATCH_EVERY_MS } from './limits.ts'
import { OpenTransactions } from './open-transactions.ts'
import type { PartitionCopy } from './partition.ts'
import { Reporter } from './reporter.ts'
import { readSlots, readWorkers, workerKey } from '../../model/state-records.ts'
import { Membership } from './membership.ts'
import { takeAlone } from './slots.ts'
import { TopicConfigSync } from './topic-configs.ts'
import { type FirstDifference, Topics } from './topics.ts'
import { trim } from './trim.ts'
import { Troubles } from './troubles.ts'

/** A stop waits this long for what is in flight, then this long for each further step. */
const FINISH_MS = 5_500
const CLOSE_MS = 1_000
/** A worker that said nothing for this long, and holds nothing, is forgotten. */
const FORGET_WORKER_MS = 600_000

export type PartitionProgress = PartitionReport & {
  readonly topic: string
  readonly records: number
  readonly bytes: number
}

export class Replication {
  readonly context: LinkContext
  readonly #configs: TopicConfigSync
  readonly #topics: Topics
  readonly #reporter: Reporter
  readonly #headroom: HeadroomWatch
  readonly #transactions: OpenTransactions
  readonly #reads: { close(): Promise<void> }
  readonly #stopping: AbortController
  readonly #worker: string
  readonly #copies: Copies
  readonly #commands: Commands
  readonly #entropy: Entropy
  #membership: Membership | undefined
  readonly #aside = Promise.withResolvers<void>()
  /** One look at the topics at a time. */
  #looking: Promise<void> = Promise.resolve()
  /** Up to here of `_kdr.state` has been done what is asked of every worker. */
  #looked = 0
  /** How often slots were about to be taken: a look that began before has not seen to them. */
  #takes = 0
  readonly #loops: Promise<void>[] = []
  /** Rejects when the link as a whole cannot go on: taken over, another cluster, a bug. Never resolves. */
  readonly failed: Promise<never>
  readonly #troubles: Troubles

  constructor(
    context: LinkContext,
    own: {
      worker: string
      stopping: AbortController
      failed: Promise<never>
      reads: { close(): Promise<void> }
      firstDifference: FirstDifference
      entropy: Entropy
    },
  ) {
    this.context = context
    this.#stopping = own.stopping
    this.#worker = own.worker
    this.#reads = own.reads
    this.#entropy = own.entropy
    this.#configs = new TopicConfigSync(context)
    this.#topics = new Topics(context, this.#configs, own.firstDifference)
    const deletionOf = (topic: string): Deletion | undefined => this.#configs.deletion(topic)
    this.#reporter = new Reporter(context, own.worker, deletionOf)
    this.#headroom = new HeadroomWatch(context, deletionOf)
    this.#transactions = new OpenTransactions(context)
    this.#copies = new Copies(context, this.#configs)
    this.#commands = new Commands(context, this.#copies, this.#topics)
    this.failed = own.failed
    this.#troubles = new Troubles({
      ...context,
      clusters: [context.source.name, context.target.name],
      well: `link "${context.link}": all answer again`,
    })
    // Whoever awaits it hears of it; nobody has to.
    this.failed.catch(() => undefined)
  }

  /** The slots, the first look at both clusters, then the loops. */
  async begin(isAlone: boolean): Promise<void> {
    const { slots, lease } = this.context
    slots.connect({
      beat: async () => {
        this.#takes++
        this.#looked = 0
        await this.#sayBeat()
      },
      onLost: async lost => await this.#copies.leave(lost),
    })
    await lease.renew()
    this.#loops.push(this.#every('beat', BEAT_EVERY_MS, async () => await lease.renew()))
    await this.#join(isAlone)
    await this.#look()
    // What had to wait for the copies; `--once` may not look again.
    if (slots.hasControl) await this.#commands.obey()
    this.#loops.push(
      this.#every('discover', DISCOVER_EVERY_MS, async () => await this.#look()),
      this.#every('trim', TRIM_EVERY_MS, async () => await this.#trim()),
      this.#every('configs', this.context.settings.sync.configsMs, async () => await this.syncConfigs()),
      this.#every('watch', WATCH_EVERY_MS, async () => await this.#watch()),
      this.#every('report', REPORT_EVERY_MS, async () => await this.#reporter.report(this.copies())),
    )
    await lease.renew()
    await this.#reporter.report(this.copies())
  }

  /** Shows that this worker lives, and looks whether its slots are still its own. */
  async beat(): Promise<void> {
    const { slots } = this.context
    await this.#sayBeat()
    await slots.stillHeld()
    if (slots.isAside) this.#aside.resolve()
    slots.watchBeats()
  }

  /** Resolves when a run moves the link: this worker holds nothing of it any more. */
  get movedAway(): Promise<void> {
    return this.#aside.promise
  }

  async #sayBeat(): Promise<void> {
    await this.#reporter.beat(this.#troubles.sentence ?? 'mirroring', this.#looked)
  }

  async #join(isAlone: boolean): Promise<void> {
    const { link, slots, clock, log, target, signal, fail } = this.context
    if (isAlone) return await takeAlone(slots, { link, clock, entropy: this.#entropy })
    this.#membership = new Membership({
      link,
      group: target.slotGroup(`_kdr.${link}`),
      slots,
      clock,
      entropy: this.#entropy,
      log,
      signal,
      onTaken: async () => await this.#look(),
      tell: complaint => this.#troubles.tell('membership', complaint),
      fail,
    })
    await this.#membership.begin()
    this.#loops.push(this.#membership.run())
  }

  copies(): PartitionCopy[] {
    return this.#copies.all()
  }

  /** A topic, or this copy's, is about to be copied anew. */
  willRecopy(copy?: PartitionCopy): boolean {
    return copy === undefined ? this.#copies.isRecopying : this.#commands.willRecopy(copy)
  }

  progress(): PartitionProgress[] {
    const now = this.context.clock.monotonic()
    return this.copies().map(copy => ({
      ...copy.report(now),
      topic: copy.topic,
      records: copy.counter.records,
      bytes: copy.bytesCopied,
    }))
  }

  async syncConfigs(): Promise<void> {
    if (this.context.slots.hasControl) await this.#configs.sync()
  }

  /** One round of moving log starts; topics that were made ready for it get their configs back. */
  async trimNow(): Promise<void> {
    await this.#trim()
    await this.#endSeeding()
  }

  /** Finishes what is in flight, records a clean end, closes the connections: within 10 s, whatever the brokers do. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return
    this.#stopping.abort()
    const stopped = this.#copies.stop()
    const isInTime = await this.#within(FINISH_MS, stopped)
    if (!isInTime) await this.#within(CLOSE_MS, this.#copies.close())
    const isDrained = isInTime || (await this.#within(CLOSE_MS, stopped))
    await this.#within(2 * CLOSE_MS, this.#recordEnd(isDrained))
    await this.#within(CLOSE_MS, Promise.allSettled([this.#copies.close(), this.#reads.close()]))
  }

  /** False when `work` has not ended in time; it is then left to itself. */
  async #within(ms: number, work: Promise<unknown>): Promise<boolean> {
    const inTime = new AbortController()
    const done = work.then(() => true)
    const isInTime = await Promise.race([done, this.context.clock.sleep(ms, inTime.signal).then(() => false)])
    inTime.abort()
    return isInTime
  }

  /** Leaves out what a successor must wait for. Unreachable: the successor will wait, which is safe. */
  async #recordEnd(isDrained: boolean): Promise<void> {
    const { slots, lease } = this.context
    try {
      await Promise.allSettled(this.#loops)
      const inDoubt = isDrained ? this.#copies.inDoubt() : new Set(slots.held)
      await lease.hold()
      await this.#reporter.report(this.copies())
      await slots.giveBack(inDoubt)
      await this.#reporter.end()
      await this.#membership?.leave()
    } catch (error) {
      if (findKdrError(error) === undefined) throw error
    }
  }

  /** One look at the topics, and at what is asked of this worker. */
  async #look(): Promise<void> {
    const turn = this.#looking.then(async () => await this.#discover())
    this.#looking = turn.catch(() => undefined)
    await turn
  }

  async #discover(): Promise<void> {
    const { store, slots } = this.context
    await store.refresh()
    const { position } = store
    const takes = this.#takes
    await this.#commands.follow()
    if (slots.hasControl) await this.#commands.obey()
    const verdicts = await this.#topics.discover(ready => this.#copies.takeReady(ready))
    this.#copies.take(verdicts)
    await this.#commands.resume()
    if (slots.hasControl)
      await this.#topics.deleteExpired(verdicts, async topic => await this.#copies.drop(topic))
    this.#copies.keepMemory()
    await this.#copies.observePaused()
    await this.#endSeeding()
    if (slots.hasControl) await this.#forgetWorkers()
    if (this.#takes === takes) this.#looked = position
  }

  /** Those that have ended, and those that have been silent for long and hold nothing. */
  async #forgetWorkers(): Promise<void> {
    const { store, link, clock, slots } = this.context
    const living = new Set(slots.livingOthers().map(({ id }) => id))
    const owners = new Set([...readSlots(store, link).values()].map(({ owner }) => owner))
    for (const [id, { state, at }] of readWorkers(store, link)) {
      const isOver = state === 'stopped' || clock.now() - at > FORGET_WORKER_MS
      if (id !== this.#worker && isOver && !living.has(id) && !owners.has(id))
        await store.put(workerKey(link, id), undefined)
    }
  }

  async #endSeeding(): Promise<void> {
    await this.#configs.endSeeding((topic, slot) => this.#copies.isSeeding(topic, slot))
  }

  async #trim(): Promise<void> {
    await trim(this.context, this.copies(), {
      retentionOf: topic => this.#configs.retentionMs(topic),
      beforeTrim: async copy => await this.#configs.beginSeeding(copy),
    })
    await checkIdle(this.context, this.copies())
  }

  /** What `kdr status` warns of before it is too late. */
  async #watch(): Promise<void> {
    await this.#headroom.look(this.copies())
    await this.#transactions.look(this.copies())
  }

  /** Repeats until the link stops. An unreachable cluster is told and tried again; anything else ends the link. */
  async #every(loop: string, ms: number, act: () => Promise<void>): Promise<void> {
    const { clock, signal } = this.context
    while (!signal.aborted) {
      await clock.sleep(ms, signal)
      if (signal.aborted) return
      try {
        await act()
        this.#troubles.tell(loop, undefined)
      } catch (error) {
        const known = findKdrError(error)
        // The control slot has gone to another worker in the middle of something.
        if (known?.code === 'other-controller') continue
        if (known === undefined || !isPassingError(known)) {
          this.context.fail(error)
          return
        }
        this.#troubles.tell(loop, known.message)
      }
    }
  }
}

function isPassingError(error: KdrError): boolean {
  return error.code === 'unreachable' || error.code === 'not-allowed' || error.code === 'not-ready'
}
