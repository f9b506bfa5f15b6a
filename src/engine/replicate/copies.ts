// The copies of a link and the loops that drive them: starts what a topic's verdict allows, stops what it forbids or an
// operator has paused.
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { Fault, PartitionState } from '../../model/link.ts'
import { priorityOf } from '../../model/link-settings.ts'
import { pausedSentence, pauseOf, readPauses, type Scope, type ScopedPause } from '../../model/pauses.ts'
import { readLeaving, readLedger } from '../../model/state-records.ts'
import { findKdrError } from '../../model/errors.ts'
import { NO_TOPIC_ID } from '../../ports/cluster.ts'
import type { LinkContext, SlotIdentity } from './context.ts'
import { drive, type DriveParts } from './drive.ts'
import { Fetchers } from './fetchers.ts'
import { Filler } from './filler.ts'
import type { PartitionHooks } from './hooks.ts'
import { AppendLanes } from './lanes.ts'
import { PartitionCopy } from './partition.ts'
import { isRemembered, recall, recallReport, remember } from './partition-memory.ts'
import { Seeder } from './seed.ts'
import type { TopicConfigSync } from './topic-configs.ts'
import type { TopicVerdict } from './topic-verdicts.ts'

/** The lowest goes first. */
const PRIORITY = { high: 0, normal: 1, low: 2 } as const

type Driven = {
  readonly copy: PartitionCopy
  stop: AbortController
  driving: Promise<void> | undefined
  /** Why none of the topic's partitions may be copied. */
  topicFault: Fault | undefined
  pause: ScopedPause | undefined
}

export class Copies {
  readonly #context: LinkContext
  readonly #configs: TopicConfigSync
  readonly #filler: Filler
  readonly #parts: DriveParts
  readonly #driven = new Map<string, Driven>()
  readonly #recopied = new Set<string>()

  constructor(context: LinkContext, configs: TopicConfigSync) {
    this.#context = context
    this.#configs = configs
    this.#filler = new Filler(context)
    this.#parts = {
      lanes: new AppendLanes(context),
      fetchers: new Fetchers(context),
      seeder: new Seeder(context),
      beforeSeed: async copy => await configs.beginSeeding(copy),
    }
    // One for all: adding a listener takes a look at each of thousands that are there.
    context.signal.addEventListener('abort', () => {
      for (const { stop } of this.#driven.values()) stop.abort()
    })
  }

  all(): PartitionCopy[] {
    return [...this.#driven.values()].map(({ copy }) => copy)
  }

  /** Some topic is between its old mirror and its new one: that none of its copies is left says nothing. */
  get isRecopying(): boolean {
    return this.#recopied.size > 0
  }

  /** What a look at the topics found. */
  take(verdicts: readonly TopicVerdict[]): void {
    this.takeReady(verdicts)
    const { store, link } = this.#context
    const leaving = readLeaving(store, link)
    for (const topic of this.#recopied) if (!leaving.has(topic)) this.#recopied.delete(topic)
    this.#parts.fetchers.followLeaders()
  }

  /** A part of it, while the look goes on: new partitions start, forbidden ones stop. */
  takeReady(verdicts: readonly TopicVerdict[]): void {
    const { store, link } = this.#context
    const pauses = readPauses(store, link)
    for (const verdict of verdicts) {
      for (let partition = 0; partition < verdict.partitions; partition++) {
        const of = { topic: verdict.topic, partition }
        const identity = this.#context.slots.identityOf(of)
        if (identity !== undefined)
          this.#takePartition(verdict, identity, { partition, pause: pauseOf(pauses, of) })
      }
    }
    const driven = Map.groupBy(this.#driven.values(), ({ copy }) => copy.topic)
    for (const verdict of verdicts) this.#endRest(verdict, driven.get(verdict.topic) ?? [])
  }

  /** Something of the topic's partitions in this slot is seeded or trimmed, or may be before long. */
  isSeeding(topic: string, slot: number): boolean {
    return [...this.#driven.values()].some(
      ({ copy }) =>
        copy.topic === topic &&
        copy.identity.slot === slot &&
        (copy.state === 'seeding' || copy.state === 'waiting' || copy.targetLogStart < copy.acceptedLogStart),
    )
  }

  /** Writes down again what something late has been written over. A failure shows at the next look. */
  keepMemory(): void {
    for (const copy of this.all())
      if (!isRemembered(this.#context, copy)) void remember(this.#context, copy).catch(() => undefined)
  }

  /** What is paused is looked at all the same: its lag is no secret. Throws KdrError('unreachable'). */
  async observePaused(): Promise<void> {
    const paused = this.all().filter(copy => copy.state === 'paused')
    if (paused.length === 0) return
    const { source, target, clock } = this.#context
    const [ends, starts, cursors] = await Promise.all([
      source.offsets(paused, 'highWatermark'),
      source.offsets(paused, 'logStart'),
      target.offsets(paused, 'logEnd'),
    ])
    paused.forEach((copy, index) => {
      const [end, start, cursor] = [ends[index], starts[index], cursors[index]]
      // Of a copy that was never anchored nothing else knows it.
      if (!copy.isAnchored && cursor?.code === KafkaCode.NONE) copy.appended = cursor.offset
      if (end?.code === KafkaCode.NONE && start?.code === KafkaCode.NONE)
        copy.observeSource({ highWatermark: end.offset, logStart: start.offset }, clock.monotonic())
    })
  }

  /**
   * Tries again what stopped in this scope, and is not `told` yet; what stopped as a topic is looked at again anyway. With
   * `acceptLogStart` the log starts where they stand at the source now are accepted, durably. Throws KdrError('unreachable').
   */
  async resume(scope: Scope, acceptLogStart: boolean, told: WeakSet<PartitionCopy>): Promise<void> {
    const meant = this.#meant(scope).filter(({ copy }) => !told.has(copy))
    if (acceptLogStart) await this.#acceptLogStarts(meant.map(({ copy }) => copy))
    for (const driven of meant) {
      told.add(driven.copy)
      resume(driven)
    }
  }

  async #acceptLogStarts(copies: readonly PartitionCopy[]): Promise<void> {
    if (copies.length === 0) return
    const starts = await this.#context.source.offsets(copies, 'logStart')
    await Promise.all(
      copies.map(async (copy, index) => {
        const start = starts[index]
        const offset = start?.code === KafkaCode.NONE ? start.offset : copy.sourceLogStart
        copy.acceptedLogStart = Math.max(copy.acceptedLogStart, offset)
        // Of one that has not begun nothing is kept: all that it holds was seeded.
        if (copy.lineage.hasBegun) await remember(this.#context, copy)
      }),
    )
  }

  /** `waiting` until what goes on with it has come to an end, or to records. */
  stateOf(of: { readonly topic: string; readonly partition: number }): PartitionState | undefined {
    const [driven] = this.#meant(of)
    if (driven === undefined) return undefined
    return driven.driving !== undefined && !driven.copy.isOpen ? 'waiting' : driven.copy.state
  }

  /** The ledger has changed: a partition that stopped for it goes on. */
  onAccepted(of: { readonly topic: string; readonly partition: number }): void {
    const { store, link } = this.#context
    for (const driven of this.#meant(of)) {
      driven.copy.ledger = readLedger(store, link, of)
      resume(driven)
    }
  }

  /**
   * Stops all copies of a topic, for good; resolves when nothing of them is in flight. `isRecopied`: the next look makes
   * new ones.
   */
  async drop(topic: string, isRecopied = false): Promise<void> {
    const meant = this.#meant({ topic })
    if (isRecopied) this.#recopied.add(topic)
    await this.#halt(meant)
    for (const { copy } of meant)
      if (this.#driven.get(copy.name)?.copy === copy) this.#driven.delete(copy.name)
  }

  #meant({ topic, partition }: Scope): Driven[] {
    return [...this.#driven.values()].filter(
      ({ copy }) =>
        (topic === undefined || copy.topic === topic) &&
        (partition === undefined || copy.partition === partition),
    )
  }

  /** Stops all; resolves when nothing is in flight. */
  async stop(): Promise<void> {
    await this.#halt([...this.#driven.values()])
  }

  /** Stops the copies of these slots, for good. Answers the slots of which something is still in doubt. */
  async leave(slots: ReadonlySet<number>): Promise<ReadonlySet<number>> {
    const leaving = [...this.#driven.values()].filter(({ copy }) => slots.has(copy.identity.slot))
    for (const { copy } of leaving) this.#driven.delete(copy.name)
    await this.#halt(leaving)
    return inDoubt(leaving)
  }

  /** The slots of which something is still in doubt. */
  inDoubt(): ReadonlySet<number> {
    return inDoubt([...this.#driven.values()])
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#parts.lanes.close(), this.#parts.fetchers.close()])
  }

  async #halt(driven: readonly Driven[]): Promise<void> {
    for (const { copy, stop } of driven) {
      stop.abort()
      copy.break({ why: 'closed' })
    }
    await Promise.allSettled(driven.map(async ({ driving }) => await driving))
  }

  /** Partitions that the topic had when it was another one: what stops it stops them; when it goes on, they are no more. */
  #endRest({ partitions, fault: reason, waitsFor }: TopicVerdict, ofTopic: readonly Driven[]): void {
    for (const driven of ofTopic) {
      if (driven.copy.partition < partitions) continue
      if (reason !== undefined) fault(driven, reason)
      else if (waitsFor === undefined && driven.driving === undefined) this.#driven.delete(driven.copy.name)
    }
  }

  #takePartition(
    verdict: TopicVerdict,
    identity: SlotIdentity,
    { partition, pause }: { partition: number; pause: ScopedPause | undefined },
  ): void {
    const { link, store, log } = this.#context
    const before = this.#driven.get(`${verdict.topic}/${partition}`)
    if (before !== undefined && isOfAnother(before, verdict)) {
      // The topic was copied anew while this worker stood still.
      before.stop.abort()
      before.copy.break({ why: 'closed' })
      if (before.driving !== undefined) return
      this.#driven.delete(before.copy.name)
    }
    const driven = this.#drivenOf(verdict.topic, partition, identity)
    const { copy } = driven
    copy.judgedMirror = verdict.record?.targetTopicId ?? NO_TOPIC_ID
    if (verdict.fault !== undefined) {
      fault(driven, verdict.fault)
      return
    }
    if (verdict.waitsFor !== undefined) {
      if (driven.driving === undefined) copy.note = verdict.waitsFor
      return
    }
    driven.pause = pause
    if (pause !== undefined) {
      if (copy.state !== 'paused' && copy.state !== 'faulted')
        log.event('info', pausedSentence(link, copy.name, pause))
      hold(driven, pause)
      return
    }
    // Accepted by a worker that was the link's before this one.
    if (copy.fault?.loss !== undefined && copy.ledger !== readLedger(store, link, copy)) this.onAccepted(copy)
    const isStopped = copy.state === 'faulted' && driven.topicFault === undefined
    if (driven.driving !== undefined || isStopped) return
    driven.topicFault = undefined
    copy.fault = undefined
    copy.note = undefined
    copy.state = 'waiting'
    copy.fillsWithTombstones =
      this.#context.settings.largeGap === 'tombstones' && this.#configs.isCompacted(verdict.topic)
    recall(this.#context, copy, verdict.record)
    driven.stop = new AbortController()
    driven.driving = this.#drive(driven)
  }

  #drivenOf(topic: string, partition: number, identity: SlotIdentity): Driven {
    const { link } = this.#context
    const name = `${topic}/${partition}`
    const known = this.#driven.get(name)
    if (known !== undefined) return known
    const copy = new PartitionCopy({ link, topic, partition, identity }, this.#hooks())
    recallReport(this.#context, copy)
    copy.pace.limits = this.#context.pace
    copy.pace.priority = PRIORITY[priorityOf(topic, this.#context.settings.priorities)]
    const driven: Driven = {
      copy,
      stop: new AbortController(),
      driving: undefined,
      topicFault: undefined,
      pause: undefined,
    }
    this.#driven.set(name, driven)
    return driven
  }

  async #drive(driven: Driven): Promise<void> {
    const { stop } = driven
    if (this.#context.signal.aborted) stop.abort()
    try {
      await drive(this.#context, driven.copy, this.#parts, stop.signal)
    } catch (error) {
      if (!(await this.#isTaken(driven.copy, error))) this.#context.fail(error)
    } finally {
      driven.driving = undefined
      if (driven.topicFault !== undefined) fault(driven, driven.topicFault)
      else if (driven.pause !== undefined) hold(driven, driven.pause)
    }
  }

  /** Whoever takes a slot without cluster rights raises its epoch: to be fenced is no news then. */
  async #isTaken({ identity }: PartitionCopy, error: unknown): Promise<boolean> {
    if (findKdrError(error)?.code !== 'other-controller') return false
    const { slots } = this.#context
    return await slots.stillHeld([identity.slot]).then(
      held => !held.has(identity.slot),
      () => false,
    )
  }

  #hooks(): PartitionHooks {
    return {
      codec: this.#context.codec,
      onSendable: copy => this.#parts.lanes.offer(copy),
      onGap: (copy, gap) => this.#filler.add(copy, gap),
      onRoom: copy => this.#parts.fetchers.onRoom(copy),
      onBuffered: bytes => this.#parts.fetchers.onBuffered(bytes),
      saveLineage: async copy => await remember(this.#context, copy),
    }
  }
}

/** It was made for a mirror that the link has given up since. */
function isOfAnother({ copy }: Driven, { record }: TopicVerdict): boolean {
  return (
    record?.targetTopicId !== undefined &&
    copy.targetTopicId !== NO_TOPIC_ID &&
    copy.targetTopicId !== record.targetTopicId
  )
}

function inDoubt(driven: readonly Driven[]): ReadonlySet<number> {
  return new Set(driven.filter(({ copy }) => copy.isInDoubt).map(({ copy }) => copy.identity.slot))
}

/** Stops a copy for its topic's sake: at once, or when its drive has ended. */
function fault(driven: Driven, reason: Fault): void {
  const { copy } = driven
  driven.topicFault = reason
  // Its cursor is not that of a mirror of this topic.
  copy.isAnchored = false
  if (driven.driving === undefined) {
    copy.state = isPassing(reason) ? 'waiting' : 'faulted'
    copy.fault = reason
    return
  }
  driven.stop.abort()
  copy.break({ why: 'fault', fault: reason })
}

/** Stops a copy for an operator's sake. One that has stopped for a reason of its own keeps that. */
function hold({ copy, stop, driving }: Driven, pause: ScopedPause): void {
  if (driving !== undefined) {
    stop.abort()
    copy.break({ why: 'closed' })
    return
  }
  if (copy.state === 'faulted') return
  copy.state = 'paused'
  copy.fault = undefined
  copy.note = pausedSentence(copy.link, copy.name, pause)
}

function resume({ copy, driving }: Driven): void {
  if (driving !== undefined || copy.state !== 'faulted') return
  copy.fault = undefined
  copy.state = 'waiting'
}

/** The next look at the topic may find it gone, and it is no accident. */
function isPassing({ reason }: Fault): boolean {
  return reason === 'no-rights' || reason === 'source-deleted'
}
