// What operators ask of a running link (`kdr link ...`), and what the link's own policy asks for: carried out one by one by the
// control worker, each with its outcome in the journal. What concerns the copies of every worker waits until all of them have
// looked. A command that is met twice, because its end was not recorded, does no harm.
import { codeName, isGone, KafkaCode } from '../../model/kafka-codes.ts'
import { closeEntry, readJournal, writeJournal } from '../../model/journal.ts'
import { type AcceptedLoss, type Ledger, missingFrom, withLoss } from '../../model/ledger.ts'
import { covers, pauseKey, readPauses } from '../../model/pauses.ts'
import {
  type CommandRecord,
  commandKey,
  forgottenKey,
  type ForgottenRecord,
  keysOfMirror,
  leavingKey,
  ledgerKey,
  type PartitionLoss,
  readCommands,
  readLeaving,
  readLedger,
  readPartition,
  readReports,
  readSlots,
  readTopics,
  toRecord,
} from '../../model/state-records.ts'
import type { PartitionState } from '../../model/link.ts'
import type { TopicPartition } from '../../ports/cluster.ts'
import type { LinkContext } from './context.ts'
import type { Copies } from './copies.ts'
import { PRODUCE_TIMEOUT_MS } from './limits.ts'
import type { PartitionCopy } from './partition.ts'
import type { Topics } from './topics.ts'

/** `later`: it cannot be decided yet; asked again at the next look. */
type Outcome = { readonly state: 'done' | 'refused' | 'later'; readonly outcome: string }

const LATER: Outcome = { state: 'later', outcome: '' }
const done = (outcome: string): Outcome => ({ state: 'done', outcome })
const refused = (outcome: string): Outcome => ({ state: 'refused', outcome })

/** A topic that overfills again and again is not copied anew for ever: each time its mirror is away for a while. */
const RECOPIES_A_DAY = 3
const DAY_MS = 86_400_000
const POLICY = 'policy onOverfilled: recopy'

export class Commands {
  readonly #context: LinkContext
  readonly #copies: Copies
  readonly #topics: Topics
  /** Topics that the policy has copied anew often enough. */
  readonly #exhausted = new Set<string>()
  /** Commands to try again, and the copies of this worker that have followed them. */
  readonly #resumed = new Map<string, WeakSet<PartitionCopy>>()
  /** How far `_kdr.state` had been read when it was first waited for all workers to have seen this. */
  readonly #awaited = new Map<string, number>()
  /** Since when (monotonic) nobody copies to the mirror of a topic any more. */
  readonly #leftAt = new Map<string, number>()

  constructor(context: LinkContext, copies: Copies, topics: Topics) {
    this.#context = context
    this.#copies = copies
    this.#topics = topics
  }

  /** It has stopped, and its topic will be copied anew without anybody's word. */
  willRecopy({ topic, fault }: PartitionCopy): boolean {
    const isPolicy = this.#context.settings.onOverfilled === 'recopy'
    return isPolicy && fault?.reason === 'overfilled' && !this.#exhausted.has(topic)
  }

  /** What is asked of every worker. Resolves when nothing of topics that leave is in flight here. */
  async follow(): Promise<void> {
    const { store, link } = this.#context
    for (const topic of readLeaving(store, link)) await this.#copies.drop(topic, true)
    await this.#orderRecopies()
  }

  /**
   * What is asked of every worker's copies: once they are there, or a worker that has just begun would miss it; and again of
   * those that have come to it since. Throws KdrError('unreachable').
   */
  async resume(): Promise<void> {
    const { store, link } = this.#context
    for (const [key, command] of readCommands(store, link)) {
      if (command.verb !== 'resume') continue
      const told = this.#resumed.get(key) ?? new WeakSet<PartitionCopy>()
      await this.#copies.resume(command, command.acceptLogStart === true, told)
      this.#resumed.set(key, told)
    }
  }

  /** What was asked for since the last look. Throws KdrError('unreachable' | 'other-controller'). */
  async obey(): Promise<void> {
    const { store, link, log, clock, assertControl } = this.#context
    for (const [key, command] of readCommands(store, link)) {
      // A worker that stood still and woke must not take what is meant for its successor.
      await assertControl()
      const { state, outcome } = await this.#carryOut(key, command)
      if (state === 'later') continue
      log.event(state === 'done' ? 'info' : 'error', `${command.verb}: ${outcome}`, { ...command })
      const id = key.slice(commandKey(link, '').length)
      await closeEntry(store, link, id, { state, outcome, doneAt: clock.now() })
      await store.put(key, undefined)
      this.#awaited.delete(key)
      this.#resumed.delete(key)
    }
    await this.#stayUnasked()
  }

  /**
   * Nobody asks for it (any more): a worker that stood still while its successor had a mirror deleted and made anew, and woke, says once
   * more that it is to be left. Nobody would copy to it, for ever.
   */
  async #stayUnasked(): Promise<void> {
    const { store, link, assertControl } = this.#context
    const asked = new Set([...readCommands(store, link).values()].map(({ topic }) => topic))
    for (const topic of readLeaving(store, link)) {
      if (asked.has(topic)) continue
      await assertControl()
      await this.#stay(topic)
    }
  }

  async #carryOut(key: string, command: CommandRecord): Promise<Outcome> {
    const { verb, topic } = command
    if (verb === 'resume') {
      const isSeen = this.#haveAllSeen(key) && this.#resumed.has(key)
      return isSeen ? done(this.#countOf(command)) : LATER
    }
    if (topic === undefined || !this.#isForMirror(command))
      return refused('the mirror that was meant is there no more')
    if (verb === 'recopy') return await this.#recopy(topic)
    if (verb === 'forget') return await this.#forget(topic, command)
    return await this.#acceptLosses(command)
  }

  /**
   * Every worker that lives has looked since this was first asked, and has done what it is to do; and no slot is on its way
   * from one to another, whose new holder may not have heard of it.
   */
  #haveAllSeen(what: string): boolean {
    const { store, slots } = this.#context
    const since = this.#awaited.get(what) ?? store.position
    this.#awaited.set(what, since)
    return slots.areAllHeld() && slots.livingOthers().every(({ record }) => record.looked >= since)
  }

  #countOf(command: CommandRecord): string {
    const { store, link } = this.#context
    const count = [...readReports(store, link)]
      .flatMap(([topic, { partitions }]) => partitions.map(({ partition }) => ({ topic, partition })))
      .filter(of => covers(command, of)).length
    return `${count} partition(s)`
  }

  /** A command that comes a second time does not meet the mirror that was made since. */
  #isForMirror({ topic = '', targetTopicId }: CommandRecord): boolean {
    const { store, link } = this.#context
    return targetTopicId !== undefined && readTopics(store, link).get(topic)?.targetTopicId === targetTopicId
  }

  /**
   * Deletes the mirror topic, and all that is known of it: the next look creates it anew. Nothing of ours is in flight by
   * then, and what was left unanswered can land no more: the new topic knows no sequence numbers that would refuse it, and
   * only batches, and these only since Kafka 4.1, name the topic that they are for by its id.
   */
  async #recopy(topic: string): Promise<Outcome> {
    const { target, targetWatch, assertControl, clock } = this.#context
    if (!(await this.#haveAllLeft(topic))) return LATER
    const leftAt = this.#leftAt.get(topic) ?? clock.monotonic()
    this.#leftAt.set(topic, leftAt)
    if (clock.monotonic() - leftAt < PRODUCE_TIMEOUT_MS) return LATER
    await assertControl()
    // What was seen there, the mirror or what somebody has put in its place: whoever stands still before this, and wakes, does not meet the
    // mirror that was made since.
    const { code } = await target.deleteTopic(topic, targetWatch.topic(topic)?.id)
    if (code !== KafkaCode.NONE && !isGone(code)) {
      await this.#stay(topic)
      return refused(`mirror topic "${topic}" cannot be deleted: ${codeName(code)}`)
    }
    await this.#unlearn(topic)
    return done(`mirror topic "${topic}" was deleted, and is copied anew`)
  }

  /** Lets go of a mirror: it stays as it is, and is nobody's. */
  async #forget(topic: string, { targetTopicId = '', at, by, reason }: CommandRecord): Promise<Outcome> {
    const { store, link } = this.#context
    if (!(await this.#haveAllLeft(topic))) return LATER
    const record: ForgottenRecord = { targetTopicId, at, by, ...(reason === undefined ? {} : { reason }) }
    await store.put(forgottenKey(link, topic), toRecord('forgotten', record))
    await this.#unlearn(topic)
    for (const { scope } of readPauses(store, link))
      if (scope.topic === topic) await store.put(pauseKey(link, scope), undefined)
    return done(`topic "${topic}" at the target is no mirror any more; it is left alone`)
  }

  /** Nobody copies to this mirror any more, and nothing is in flight to it. */
  async #haveAllLeft(topic: string): Promise<boolean> {
    const { store, link } = this.#context
    const key = leavingKey(link, topic)
    if (store.get(key) === undefined) {
      this.#awaited.delete(key)
      this.#leftAt.delete(topic)
      const targetTopicId = readTopics(store, link).get(topic)?.targetTopicId
      await store.put(key, toRecord('leaving', { targetTopicId }))
      await store.refresh()
    }
    await this.#copies.drop(topic, true)
    return this.#haveAllSeen(key)
  }

  /**
   * Not beyond the time of its worker: one that stood still must not take away, when it wakes, what its successor knows of a mirror that
   * was made since. Throws KdrError('unreachable').
   */
  async #unlearn(topic: string): Promise<void> {
    const { store, link, lease, slots } = this.#context
    const mayStill = (): boolean => lease.isHeld && slots.hasControl
    await Promise.all(
      keysOfMirror(store, link, topic).map(async key => await store.put(key, undefined, mayStill)),
    )
    // Behind the rest: a command that comes a second time finds by this that it is the mirror that was meant.
    await this.#topics.forget(topic, mayStill)
    await this.#stay(topic)
  }

  /** After all that was known of the mirror: whoever reads less would take it for another's. */
  async #stay(topic: string): Promise<void> {
    const { store, link } = this.#context
    const key = leavingKey(link, topic)
    await store.put(key, undefined)
    this.#awaited.delete(key)
    this.#leftAt.delete(topic)
  }

  /** The ledger first, then the copy goes on: a crash in between leaves nothing that is filled and not in it. */
  async #acceptLosses(command: CommandRecord): Promise<Outcome> {
    const { losses = [] } = command
    const outcomes: Outcome[] = []
    for (const loss of losses) outcomes.push(await this.#acceptLoss(loss, command))
    if (outcomes.some(({ state }) => state === 'later')) return LATER
    const state = outcomes.some(each => each.state === 'refused') ? 'refused' : 'done'
    return { state, outcome: outcomes.map(({ outcome }) => outcome).join('; ') }
  }

  async #acceptLoss(loss: PartitionLoss, command: CommandRecord): Promise<Outcome> {
    const { store, link } = this.#context
    const { topic, partition, from, to, cause } = loss
    const where = `"${topic}/${partition}" offsets ${from} to ${to - 1}`
    const known = readLedger(store, link, loss)
    const accepted: AcceptedLoss = {
      from,
      to,
      cause,
      by: command.by,
      at: command.at,
      ...(command.reason === undefined ? {} : { why: command.reason }),
      ...(command.acceptLogStart === true && cause === 'retention' ? { acceptLogStart: true } : {}),
    }
    const logStart = await this.#ask(loss, known)
    if (typeof logStart !== 'number') {
      if (logStart.state === 'refused') await this.#lookAgain(loss, command)
      return logStart
    }
    const ledger = withLoss(known, accepted, logStart)
    if (ledger === undefined)
      return refused(`${where}: the partition's ledger is full; copy the topic anew (kdr link recopy)`)
    await store.put(ledgerKey(link, topic, partition), toRecord('ledger', ledger))
    this.#copies.onAccepted(loss)
    return done(`${where} are in the ledger as lost (${cause})`)
  }

  /** What its fault said no longer holds, at whichever worker: whoever copies it finds out what does. */
  async #lookAgain({ topic, partition }: PartitionLoss, { at, by }: CommandRecord): Promise<void> {
    const { store, link } = this.#context
    const record: CommandRecord = { verb: 'resume', topic, partition, at, by }
    await store.put(commandKey(link, `again-${topic}-${partition}-${at}`), toRecord('command', record))
  }

  /** Whether the logs still stand as they did when the loss was accepted; the mirror's log start. */
  async #ask(loss: PartitionLoss, known: Ledger): Promise<number | Outcome> {
    const { reads, store, link } = this.#context
    const where = `"${loss.topic}/${loss.partition}"`
    const state = this.#stateOf(loss)
    if (state === 'mirroring') return refused(`${where} is being copied: nothing is to be accepted`)
    // Somebody is finding out where it stands: its slot has another holder by now, perhaps.
    if (state !== 'faulted' && state !== 'paused') return LATER
    const [end, targetStart, sourceStart] = await Promise.all([
      reads.targetLogEnd(loss),
      reads.targetStart(loss),
      reads.sourceStart(loss),
    ])
    if ([end, targetStart, sourceStart].some(({ code }) => code !== KafkaCode.NONE)) return LATER
    // Below its origin nothing was ever to be copied. What lies between was accepted before; it may be partly filled.
    const cursor = Math.max(end.offset, readPartition(store, link, loss)?.origin ?? 0)
    const between = { from: Math.min(cursor, loss.from), to: Math.max(cursor, loss.from) }
    if (cursor >= loss.to || missingFrom(known, between).length > 0)
      return refused(
        `${where}: the mirror ends at ${end.offset} by now, not at ${loss.from}; kdr looks at it again, and \`kdr status\` will say what is missing now`,
      )
    if (loss.cause === 'retention' && sourceStart.offset < loss.to)
      return refused(`${where}: the source begins at ${sourceStart.offset}, not at ${loss.to}`)
    return targetStart.offset
  }

  /** Of this worker's copy, or as the slot's present holder has reported it; undefined: that is not known yet. */
  #stateOf(of: TopicPartition): PartitionState | undefined {
    const { store, link, slots } = this.#context
    // A worker that has just begun has no copy yet: whatever it makes finds the ledger as it is then.
    if (slots.identityOf(of) !== undefined) return this.#copies.stateOf(of) ?? 'faulted'
    const holder = readSlots(store, link).get(slots.of(of))
    const reported = readReports(store, link)
      .get(of.topic)
      ?.partitions.find(({ partition }) => partition === of.partition)
    return reported?.generation === holder?.generation ? reported?.state : undefined
  }

  /** `onOverfilled: recopy`: nothing shortens a log, so the topic is copied anew; not without end. */
  async #orderRecopies(): Promise<void> {
    const { store, link, clock, log, settings } = this.#context
    if (settings.onOverfilled !== 'recopy') return
    const overfilled = this.#copies.all().filter(({ fault }) => fault?.reason === 'overfilled')
    for (const [topic, [copy]] of Map.groupBy(overfilled, each => each.topic)) {
      const now = clock.now()
      const targetTopicId = readTopics(store, link).get(topic)?.targetTopicId
      const isOrdered = [...readCommands(store, link).values()].some(
        ({ verb, topic: of }) => verb === 'recopy' && of === topic,
      )
      if (isOrdered || targetTopicId === undefined || copy?.targetTopicId !== targetTopicId) continue
      const before = readJournal(store, link).filter(
        entry => entry.topic === topic && entry.by === POLICY && now - entry.at < DAY_MS,
      )
      if (before.length >= RECOPIES_A_DAY) {
        if (!this.#exhausted.has(topic))
          log.event(
            'error',
            `"${topic}" has overfilled again; ${POLICY} has copied it anew ${RECOPIES_A_DAY} times within a day, and does no more for now`,
          )
        this.#exhausted.add(topic)
        continue
      }
      this.#exhausted.delete(topic)
      // The mirror's id: what several workers order at the same time is one order.
      const id = `policy-${topic}-${targetTopicId}`
      const what = `mirror topic "${topic}" is deleted and copied anew (${before.length + 1} of ${RECOPIES_A_DAY} times in a day)`
      const order = { at: now, by: POLICY, verb: 'recopy', topic } as const
      const why = copy.fault === undefined ? {} : { reason: copy.fault.sentence }
      await writeJournal(store, link, { id, ...order, ...why, what, state: 'recorded' })
      await store.put(commandKey(link, id), toRecord('command', { ...order, ...why, targetTopicId }))
      log.event('warn', `${POLICY}: ${what}`, { topic })
    }
  }
}
