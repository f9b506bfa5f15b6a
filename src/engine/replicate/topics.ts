// The topics of one link: finds them, creates their mirrors, keeps partitions in step, and says for each topic which partitions
// may be copied. Decisions are in plan-topics.ts; this file carries them out. Only the control worker changes anything; the
// others look too, and wait for what it does.
import { InvariantViolation } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import type { Fault } from '../../model/link.ts'
import { compilePatterns } from '../../model/patterns.ts'
import type { TopicView } from '../../ports/cluster.ts'
import type { LinkContext } from './context.ts'
import { createMirrors, recordMirror } from './create-mirrors.ts'
import { isForgotten, planTopics, type TopicAction } from './plan-topics.ts'
import { observeMirrors, SourceDeletes } from './source-deletes.ts'
import type { TopicConfigSync } from './topic-configs.ts'
import { expired, mirrored, refused, stopped, type TopicVerdict, waiting } from './topic-verdicts.ts'
import {
  forgottenKey,
  linkKey,
  readForgotten,
  readLeaving,
  readLink,
  readPartition,
  readSeeding,
  readStopped,
  readTopic,
  readTopics,
  stoppedKey,
  toRecord,
  topicKey,
  type TopicRecord,
} from '../../model/state-records.ts'

/** The first difference between a non-empty topic at the target and its source, in words. */
export type FirstDifference = (topic: string) => Promise<string>

const CHANGES_NOTHING: ReadonlySet<TopicAction['kind']> = new Set(['mirror', 'stop', 'delete'])
/** Topics that are created or changed side by side. */
const AT_ONCE = 16

export class Topics {
  readonly #context: LinkContext
  readonly #firstDifference: FirstDifference
  readonly #isWanted: (topic: string) => boolean
  readonly #configs: TopicConfigSync
  readonly #notEmpty = new Map<string, Fault>()
  readonly #sourceDeletes: SourceDeletes

  constructor(context: LinkContext, configs: TopicConfigSync, firstDifference: FirstDifference) {
    this.#context = context
    this.#configs = configs
    this.#firstDifference = firstDifference
    const filter = compilePatterns(context.settings.topics, 'topics')
    this.#isWanted = topic => filter.matches(topic)
    this.#sourceDeletes = new SourceDeletes(context)
  }

  /**
   * One look at both clusters, and what follows from it. What is ready is told at once: a thousand new mirrors take a while.
   * Throws KdrError('unreachable').
   */
  async discover(onReady: (verdicts: readonly TopicVerdict[]) => void): Promise<TopicVerdict[]> {
    const { sourceWatch, targetWatch, link, store, settings, clock, slots } = this.#context
    const [source, target] = await Promise.all([sourceWatch.refresh(), targetWatch.refresh()])
    const missing = await this.#sourceDeletes.observe(source, this.#isWanted)
    const records = readTopics(store, link)
    const forgotten = readForgotten(store, link)
    const leaving = readLeaving(store, link)
    const missingMirrors = await observeMirrors(this.#context, target, records)
    const actions = planTopics({
      link,
      isWanted: topic => this.#isWanted(topic) && !leaving.has(topic),
      source,
      target,
      records,
      forgotten,
      missing,
      missingMirrors,
      onSourceDelete: settings.onSourceDelete,
      now: clock.now(),
    })
    await this.#configs.read(
      actions.flatMap(action => (needsConfigs(action, this.#configs) ? [action.source.name] : [])),
    )
    if (!slots.hasControl) return actions.map(action => this.#follow(action, records))
    for (const topic of forgotten.keys())
      if (!isForgotten({ forgotten, target }, topic)) await store.put(forgottenKey(link, topic), undefined)
    const verdicts: TopicVerdict[] = []
    const others = actions.filter(action => action.kind !== 'create')
    for (let at = 0; at < others.length; at += AT_ONCE) {
      const now = others.slice(at, at + AT_ONCE)
      verdicts.push(...(await Promise.all(now.map(async action => await this.#carryOut(action, records)))))
    }
    const created = actions.flatMap(action => (action.kind === 'create' ? [action.source] : []))
    if (created.length > 0) onReady(verdicts)
    verdicts.push(...(await this.#createAll(created, onReady)))
    const changes = actions.filter(action => !CHANGES_NOTHING.has(action.kind))
    if (changes.length > 0) await targetWatch.refresh()
    await this.#configs.followMarks()
    return verdicts
  }

  /** Deletes the mirrors whose time has come; `drop` ends the copies of one. Throws KdrError('unreachable'). */
  async deleteExpired(
    verdicts: readonly TopicVerdict[],
    drop: (topic: string) => Promise<void>,
  ): Promise<void> {
    for (const { topic, isExpired } of verdicts) {
      if (isExpired !== true) continue
      const isDeleted = await this.#sourceDeletes.deleteMirror(topic, async () => await drop(topic))
      if (isDeleted) this.#configs.forget(topic)
    }
  }

  /** As if it had never been mirrored. */
  async forget(topic: string, mayStill: () => boolean): Promise<void> {
    this.#configs.forget(topic)
    const { store, link } = this.#context
    const stopped = stoppedKey(link, topic)
    if (store.get(stopped) !== undefined) await store.put(stopped, undefined, mayStill)
    await store.put(topicKey(link, topic), undefined, mayStill)
  }

  /** What the others see of what only the control worker can do or find out. */
  #follow(action: TopicAction, records: ReadonlyMap<string, TopicRecord>): TopicVerdict {
    const known = this.#verdict(action, records)
    if (known !== undefined) return known
    const { source } = action as Extract<TopicAction, { readonly source: TopicView }>
    const fault = readStopped(this.#context.store, this.#context.link, source.name)
    return fault === undefined ? waiting(source, 'is being prepared at the target') : stopped(source, fault)
  }

  async #carryOut(action: TopicAction, records: ReadonlyMap<string, TopicRecord>): Promise<TopicVerdict> {
    const known = this.#verdict(action, records)
    if (known !== undefined) return known
    const verdict = await this.#change(action, records)
    await this.#tellOthers(verdict)
    return verdict
  }

  /** Of what changes nothing. */
  #verdict(action: TopicAction, records: ReadonlyMap<string, TopicRecord>): TopicVerdict | undefined {
    switch (action.kind) {
      case 'stop':
        return {
          topic: action.topic,
          partitions: action.partitions,
          record: undefined,
          waitsFor: undefined,
          fault: { reason: action.reason, sentence: action.sentence },
        }
      case 'delete':
        return { ...expired(action.topic), partitions: action.partitions }
      case 'mirror':
        return mirrored(action.source.name, action.target.partitions.length, records.get(action.source.name))
      default:
        return undefined
    }
  }

  async #change(action: TopicAction, records: ReadonlyMap<string, TopicRecord>): Promise<TopicVerdict> {
    switch (action.kind) {
      case 'take-over':
        return await this.#takeOver(action.source, action.target, records.get(action.source.name))
      case 'add-partitions':
        return await this.#addPartitions(action.source, action.target, records.get(action.source.name))
      default:
        throw new InvariantViolation('nothing is to be changed', { action: action.kind })
    }
  }

  async #createAll(
    topics: readonly TopicView[],
    onReady: (verdicts: readonly TopicVerdict[]) => void,
  ): Promise<TopicVerdict[]> {
    const seeding = readSeeding(this.#context.store, this.#context.link)
    const verdicts = await createMirrors(
      this.#context,
      topics.map(source => ({
        source,
        replicationFactor: this.#configs.replicationFactor(source),
        configs: this.#configs.desired(source, seeding.has(source.name)),
        held: this.#configs.heldBack(source.name),
      })),
      onReady,
    )
    await Promise.all(verdicts.map(async verdict => await this.#tellOthers(verdict)))
    return verdicts
  }

  async #tellOthers({ topic, fault }: TopicVerdict): Promise<void> {
    const { store, link } = this.#context
    const before = readStopped(store, link, topic)
    if (before?.sentence === fault?.sentence) return
    await store.put(stoppedKey(link, topic), fault && toRecord('stopped', { fault }))
  }

  /** A topic that stands at the target and that kdr did not make: taken over when it never held anything. */
  async #takeOver(
    source: TopicView,
    target: TopicView,
    before: TopicRecord | undefined,
  ): Promise<TopicVerdict> {
    const known = this.#notEmpty.get(target.id)
    if (known !== undefined) return stopped(source, known)
    if (before !== undefined && this.#isOwn(target)) {
      // The mirror of the topic that was recorded: where the source has another one by now, the next look says so.
      const mirroredTopic = { name: source.name, id: before.sourceTopicId }
      const record = await recordMirror(this.#context, mirroredTopic, target.id)
      return mirrored(source.name, target.partitions.length, record)
    }
    const other = this.#linkOf(target)
    if (other !== undefined) return this.#refuseAnothers(source, other)
    const partitions = target.partitions.map(({ partition }) => ({ topic: target.name, partition }))
    const ends = await this.#context.target.offsets(partitions, 'logEnd')
    const failed = ends.find(end => end.code !== KafkaCode.NONE)
    if (failed !== undefined) return waiting(source, `the target answers ${codeName(failed.code)}`)
    const filled = ends.filter(end => end.offset > 0).length
    if (filled > 0) return await this.#refuseNonEmpty(source, target, filled)

    const desired = this.#configs.desired(source)
    await this.#context.assertControl()
    const outcome = await this.#context.target.alterTopicConfigs(source.name, desired)
    if (outcome.code !== KafkaCode.NONE) return refused(source, 'cannot be given its configs', outcome)
    const record = await recordMirror(this.#context, source, target.id, {
      applied: desired,
      held: this.#configs.heldBack(source.name),
    })
    this.#context.log.event('info', `took over the empty topic "${source.name}"`, {
      link: this.#context.link,
    })
    if (target.partitions.length < source.partitions.length)
      return await this.#addPartitions(source, target, record)
    return mirrored(source.name, target.partitions.length, record)
  }

  /**
   * A worker that stood still and woke may have put the record of a topic back to what it was before its successor copied
   * there. What was written for the partitions still names the mirror.
   */
  #isOwn(target: TopicView): boolean {
    const { store, link } = this.#context
    return target.partitions.some(
      ({ partition }) =>
        readPartition(store, link, { topic: target.name, partition })?.targetTopicId === target.id,
    )
  }

  /** Two processes may have two configs, of which both give the topic to a link: empty, it would be taken by both. */
  #linkOf({ name, id }: TopicView): string | undefined {
    const { store, link } = this.#context
    const here = readLink(store, link)?.targetClusterId
    return store
      .entries(linkKey(''))
      .map(([key]) => key.slice(linkKey('').length))
      .find(
        other =>
          other !== link &&
          readLink(store, other)?.targetClusterId === here &&
          readTopic(store, other, name)?.targetTopicId === id,
      )
  }

  #refuseAnothers(source: TopicView, other: string): TopicVerdict {
    const { link } = this.#context
    const sentence =
      `"${source.name}": it is a mirror of link "${other}". Give it to one of the two in the config of every kdr run (SIGHUP reads it again); ` +
      `if "${other}" runs nowhere any more: kdr link adopt ${link} --topic ${source.name}`
    return stopped(source, { reason: 'not-empty', sentence })
  }

  async #refuseNonEmpty(source: TopicView, target: TopicView, filled: number): Promise<TopicVerdict> {
    const { link, log } = this.#context
    const difference = await this.#firstDifference(source.name)
    const sentence =
      `"${source.name}": the target already has a topic of this name, and ${filled} of its ${target.partitions.length} partition(s) ` +
      `are not empty (${difference}). Delete it at the target, or let kdr verify it and go on: kdr link adopt ${link} --topic ${source.name}`
    const fault: Fault = { reason: 'not-empty', sentence }
    this.#notEmpty.set(target.id, fault)
    log.event('error', sentence, { reason: fault.reason })
    return stopped(source, fault)
  }

  async #addPartitions(
    source: TopicView,
    target: TopicView,
    record: TopicRecord | undefined,
  ): Promise<TopicVerdict> {
    await this.#context.assertControl()
    const outcome = await this.#context.target.addPartitions(source.name, source.partitions.length)
    const isDone = outcome.code === KafkaCode.NONE || outcome.code === KafkaCode.INVALID_PARTITIONS
    if (!isDone) return refused(source, 'cannot be given more partitions', outcome)
    this.#context.log.event('info', `"${source.name}" has ${source.partitions.length} partitions now`, {
      before: target.partitions.length,
    })
    return mirrored(source.name, source.partitions.length, record)
  }
}

function needsConfigs(
  action: TopicAction,
  configs: TopicConfigSync,
): action is Exclude<TopicAction, { readonly kind: 'stop' | 'delete' }> {
  if (action.kind === 'stop' || action.kind === 'delete') return false
  return action.kind !== 'mirror' || !configs.isKnown(action.source.name)
}
