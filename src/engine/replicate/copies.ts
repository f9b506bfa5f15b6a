// The copies of a link and the loops that drive them: starts what a topic's verdict allows, stops what it forbids, and
// does to them what an operator asks for.
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import type { Fault } from '../../model/link.ts'
import {
  type CommandRecord,
  type PartitionRecord,
  partitionKey,
  readCommands,
  readPartition,
  readTopics,
  toRecord,
} from '../../model/state-records.ts'
import type { LinkContext } from './context.ts'
import { drive, type DriveParts } from './drive.ts'
import { Fetchers } from './fetchers.ts'
import { Filler } from './filler.ts'
import { AppendLanes } from './lanes.ts'
import { PartitionCopy, type PartitionHooks } from './partition.ts'
import { Seeder } from './seed.ts'
import type { TopicVerdict } from './topic-verdicts.ts'
import type { Topics } from './topics.ts'

type Driven = {
  readonly copy: PartitionCopy
  stop: AbortController
  driving: Promise<void> | undefined
  /** Why none of the topic's partitions may be copied. */
  topicFault: Fault | undefined
}

export class Copies {
  readonly #context: LinkContext
  readonly #topics: Topics
  readonly #filler: Filler
  readonly #parts: DriveParts
  readonly #driven = new Map<string, Driven>()

  constructor(context: LinkContext, topics: Topics) {
    this.#context = context
    this.#topics = topics
    this.#filler = new Filler(context)
    this.#parts = {
      lanes: new AppendLanes(context),
      fetchers: new Fetchers(context),
      seeder: new Seeder(context),
      beforeSeed: async copy => await topics.setSeeding(copy.topic, true),
    }
  }

  all(): PartitionCopy[] {
    return [...this.#driven.values()].map(({ copy }) => copy)
  }

  /** What a look at the topics found: new partitions start, forbidden ones stop. */
  take(verdicts: readonly TopicVerdict[]): void {
    for (const verdict of verdicts) {
      for (let partition = 0; partition < verdict.partitions; partition++)
        this.#takePartition(verdict, partition)
    }
    this.#parts.fetchers.followLeaders()
  }

  /** Topics that were seeded, and none of whose partitions needs it any more. */
  seeded(): Set<string> {
    const done = new Set<string>()
    const busy = new Set<string>()
    for (const { copy } of this.#driven.values()) {
      const isBusy =
        copy.state === 'seeding' || copy.state === 'waiting' || copy.targetLogStart < copy.acceptedLogStart
      const group = isBusy ? busy : done
      group.add(copy.topic)
    }
    return done.difference(busy)
  }

  /** What operators asked for since the last look (kdr link ...). */
  async obey(): Promise<void> {
    const { store, link, log } = this.#context
    for (const [key, command] of readCommands(store, link)) {
      const meant = [...this.#driven.values()].filter(({ copy }) => isMeant(copy, command))
      log.event('info', `${command.verb}: ${meant.length} partition(s)`, { ...command })
      if (command.verb === 'resume')
        for (const driven of meant) resume(driven, command.acceptLogStart === true)
      if (command.verb === 'recopy' && this.#isForMirror(command)) await this.#recopy(meant)
      await store.put(key, undefined)
    }
  }

  /** A recopy that comes a second time, because its end was not recorded, does not meet the mirror made since. */
  #isForMirror({ topic, targetTopicId }: CommandRecord): boolean {
    return (
      topic !== undefined &&
      targetTopicId !== undefined &&
      readTopics(this.#context.store, this.#context.link).get(topic)?.targetTopicId === targetTopicId
    )
  }

  /** Stops all copies of a topic, for good; resolves when nothing of them is in flight. */
  async drop(topic: string): Promise<void> {
    const meant = [...this.#driven.values()].filter(({ copy }) => copy.topic === topic)
    await this.#halt(meant)
    for (const { copy } of meant) this.#driven.delete(copy.name)
  }

  /** Stops all; resolves when nothing is in flight. */
  async stop(): Promise<void> {
    await this.#halt([...this.#driven.values()])
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

  /**
   * Deletes the mirror topics, and all that is known of them: the next look creates them anew. Nothing of ours is in
   * flight by then; where produce requests name topics by id (Kafka 4.1), nobody's late batch can land in the new one.
   */
  async #recopy(meant: readonly Driven[]): Promise<void> {
    const { target, store, link, log, assertGeneration } = this.#context
    await this.#halt(meant)
    for (const topic of new Set(meant.map(({ copy }) => copy.topic))) {
      await assertGeneration()
      const outcome = await target.deleteTopic(topic)
      if (outcome.code !== KafkaCode.NONE && outcome.code !== KafkaCode.UNKNOWN_TOPIC_OR_PARTITION) {
        log.event('error', `mirror topic "${topic}" cannot be deleted: ${codeName(outcome.code)}`)
        continue
      }
      await this.#topics.forget(topic)
      for (const { copy } of meant) {
        if (copy.topic !== topic) continue
        await store.put(partitionKey(link, topic, copy.partition), undefined)
        this.#driven.delete(copy.name)
      }
    }
  }

  #takePartition(verdict: TopicVerdict, partition: number): void {
    const { link, store } = this.#context
    const name = `${verdict.topic}/${partition}`
    const driven = this.#driven.get(name) ?? {
      copy: new PartitionCopy({ link, topic: verdict.topic, partition }, this.#hooks()),
      stop: new AbortController(),
      driving: undefined,
      topicFault: undefined,
    }
    this.#driven.set(name, driven)
    const { copy } = driven
    if (verdict.fault !== undefined) {
      fault(driven, verdict.fault)
      return
    }
    if (verdict.waitsFor !== undefined) {
      if (driven.driving === undefined) copy.note = verdict.waitsFor
      return
    }
    const isStopped = copy.state === 'faulted' && driven.topicFault === undefined
    if (driven.driving !== undefined || isStopped) return
    driven.topicFault = undefined
    copy.fault = undefined
    copy.state = 'waiting'
    copy.adoptedUpTo = verdict.record?.adoptedUpTo[partition] ?? 0
    copy.fillsWithTombstones =
      this.#context.settings.largeGap === 'tombstones' && this.#topics.isCompacted(verdict.topic)
    const known = readPartition(store, link, copy)
    copy.lineage.entries = known?.epochs ?? []
    copy.origin = known?.origin ?? 0
    copy.lineage.hasBegun = known !== undefined
    driven.stop = new AbortController()
    driven.driving = this.#drive(driven)
  }

  async #drive(driven: Driven): Promise<void> {
    const signal = AbortSignal.any([this.#context.signal, driven.stop.signal])
    try {
      await drive(this.#context, driven.copy, this.#parts, signal)
    } catch (error) {
      this.#context.fail(error)
    } finally {
      driven.driving = undefined
      if (driven.topicFault !== undefined) fault(driven, driven.topicFault)
    }
  }

  #hooks(): PartitionHooks {
    const { store, link } = this.#context
    return {
      onSendable: copy => this.#parts.lanes.offer(copy),
      onGap: (copy, gap) => this.#filler.add(copy, gap),
      onRoom: copy => this.#parts.fetchers.onRoom(copy),
      onBuffered: bytes => this.#parts.fetchers.onBuffered(bytes),
      saveLineage: async copy =>
        await store.put(
          partitionKey(link, copy.topic, copy.partition),
          toRecord('partition', {
            epochs: copy.lineage.entries,
            origin: copy.origin,
          } satisfies PartitionRecord),
        ),
    }
  }
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

/** Tries again what stopped; what stopped as a topic is looked at again anyway. */
function resume({ copy, driving }: Driven, acceptLogStart: boolean): void {
  if (acceptLogStart) copy.acceptedLogStart = copy.sourceLogStart
  if (driving !== undefined || copy.state !== 'faulted') return
  copy.fault = undefined
  copy.state = 'waiting'
}

/** A recopy is of whole topics: a partition alone cannot be made anew. */
function isMeant(copy: PartitionCopy, { verb, topic, partition }: CommandRecord): boolean {
  if (topic !== undefined && copy.topic !== topic) return false
  return partition === undefined || verb === 'recopy' || copy.partition === partition
}

/** The next look at the topic may find it gone, and it is no accident. */
function isPassing({ reason }: Fault): boolean {
  return reason === 'no-rights' || reason === 'source-deleted'
}
