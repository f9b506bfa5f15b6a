// The topics of one link: finds them, creates their mirrors, keeps partitions and configs in step, and says for each
// topic which partitions may be copied. Decisions are in plan-topics.ts and mirror-configs.ts; this file carries them out.
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import type { Deletion, Fault } from '../../model/link.ts'
import { overridesFor } from '../../model/link-settings.ts'
import { compilePatterns } from '../../model/patterns.ts'
import type { ConfigEntry, TopicConfigs, TopicView } from '../../ports/cluster.ts'
import type { LinkContext } from './context.ts'
import { configChanges, configDrift, isCopied, mirrorConfigs } from './mirror-configs.ts'
import { isForgotten, planTopics, type TopicAction } from './plan-topics.ts'
import { observeMirrors, SourceDeletes } from './source-deletes.ts'
import { expired, mirrored, refused, stopped, type TopicVerdict, waiting } from './topic-verdicts.ts'
import {
  forgottenKey,
  readForgotten,
  readPartition,
  readTopics,
  toRecord,
  topicKey,
  type TopicRecord,
} from '../../model/state-records.ts'

/** The first difference between a non-empty topic at the target and its source, in words. */
export type FirstDifference = (topic: string) => Promise<string>

/** A retention that was cut at the source explains a jump of the log start only after this long. */
const RETENTION_SETTLES_MS = 86_400_000
const CHANGES_NOTHING: ReadonlySet<TopicAction['kind']> = new Set(['mirror', 'stop', 'delete'])
/** Topics that are created or changed side by side. */
const AT_ONCE = 16

export class Topics {
  readonly #context: LinkContext
  readonly #firstDifference: FirstDifference
  readonly #isWanted: (topic: string) => boolean
  #knownAtTarget: ReadonlySet<string> = new Set()
  readonly #sourceConfigs = new Map<string, ReadonlyMap<string, ConfigEntry>>()
  readonly #retention = new Map<string, { readonly ms: number | undefined; readonly at: number }>()
  readonly #seeding = new Set<string>()
  readonly #notEmpty = new Map<string, Fault>()
  readonly #reported = new Set<string>()
  readonly #sourceDeletes: SourceDeletes

  constructor(context: LinkContext, firstDifference: FirstDifference) {
    this.#context = context
    this.#firstDifference = firstDifference
    const filter = compilePatterns(context.settings.topics, 'topics')
    this.#isWanted = topic => filter.matches(topic)
    this.#sourceDeletes = new SourceDeletes(context)
  }

  /**
   * Age after which the source deletes records; undefined when it does not, or that is not known yet.
   */
  retentionMs(topic: string): number | undefined {
    if (!this.#sourceConfigs.has(topic)) return undefined
    const now = this.#retentionNow(topic)
    const known = this.#retention.get(topic)
    const at = this.#context.clock.now()
    const isLonger = now === undefined || (known?.ms !== undefined && now >= known.ms)
    if (known === undefined || isLonger || at - known.at > RETENTION_SETTLES_MS) {
      this.#retention.set(topic, { ms: now, at })
      return now
    }
    // Cut a short while ago: a slip of the hand must not explain what it does.
    return known.ms
  }

  #retentionNow(topic: string): number | undefined {
    const configs = this.#sourceConfigs.get(topic)
    const retention = Number(configs?.get('retention.ms')?.value ?? -1)
    return retention >= 0 && configs?.get('cleanup.policy')?.value?.includes('delete') === true
      ? retention
      : undefined
  }

  /** What the source deletes by, as its configs say now; undefined when they are not known yet. */
  deletion(topic: string): Deletion | undefined {
    const configs = this.#sourceConfigs.get(topic)
    if (configs === undefined) return undefined
    const isDeleted = configs.get('cleanup.policy')?.value?.includes('delete') === true
    const bytes = Number(configs.get('retention.bytes')?.value ?? -1)
    return { afterMs: this.#retentionNow(topic) ?? null, isBySize: isDeleted && bytes >= 0 }
  }

  isCompacted(topic: string): boolean {
    return this.#sourceConfigs.get(topic)?.get('cleanup.policy')?.value?.includes('compact') === true
  }

  /** One look at both clusters, and what follows from it. Throws KdrError('unreachable'). */
  async discover(): Promise<TopicVerdict[]> {
    const { sourceWatch, targetWatch, link, store, settings, clock } = this.#context
    const [source, target] = await Promise.all([sourceWatch.refresh(), targetWatch.refresh()])
    const missing = await this.#sourceDeletes.observe(source, this.#isWanted)
    const records = readTopics(store, link)
    const forgotten = readForgotten(store, link)
    const missingMirrors = await observeMirrors(this.#context, target, records)
    const actions = planTopics({
      link,
      isWanted: this.#isWanted,
      source,
      target,
      records,
      forgotten,
      missing,
      missingMirrors,
      onSourceDelete: settings.onSourceDelete,
      now: clock.now(),
    })
    for (const topic of forgotten.keys())
      if (!isForgotten({ forgotten, target }, topic)) await store.put(forgottenKey(link, topic), undefined)
    const verdicts: TopicVerdict[] = []
    const changes = actions.filter(action => !CHANGES_NOTHING.has(action.kind))
    await this.#readSourceConfigs(
      actions.flatMap(action => (needsConfigs(action, this.#sourceConfigs) ? [action.source.name] : [])),
    )
    for (let at = 0; at < actions.length; at += AT_ONCE) {
      const now = actions.slice(at, at + AT_ONCE)
      verdicts.push(...(await Promise.all(now.map(async action => await this.#carryOut(action, records)))))
    }
    if (changes.length > 0) await targetWatch.refresh()
    return verdicts
  }

  /** Brings the mirrors' configs in step with the source's; changes made by others at the target are told, not fought. */
  async syncConfigs(): Promise<void> {
    const { link, store } = this.#context
    const topics = [...readTopics(store, link)]
      .filter(([, record]) => record.phase === 'mirroring')
      .map(([topic]) => topic)
    await this.#readSourceConfigs(topics)
    for (const topic of topics) await this.#applyConfigs(topic)
    await this.#reportDrift(topics)
  }

  /** While it is seeded, a compacted mirror is `delete`: it would refuse null keys (DESIGN 2.1.4). */
  async setSeeding(topic: string, isSeeding: boolean): Promise<void> {
    if (this.#seeding.has(topic) === isSeeding) return
    if (isSeeding) this.#seeding.add(topic)
    else this.#seeding.delete(topic)
    if (!this.#sourceConfigs.has(topic)) await this.#readSourceConfigs([topic])
    await this.#applyConfigs(topic)
  }

  /** Deletes the mirrors whose time has come; `drop` ends the copies of one. Throws KdrError('unreachable'). */
  async deleteExpired(
    verdicts: readonly TopicVerdict[],
    drop: (topic: string) => Promise<void>,
  ): Promise<void> {
    for (const { topic, isExpired } of verdicts) {
      if (isExpired !== true) continue
      const isDeleted = await this.#sourceDeletes.deleteMirror(topic, async () => await drop(topic))
      if (isDeleted) this.#sourceConfigs.delete(topic)
    }
  }

  /** As if it had never been mirrored. */
  async forget(topic: string): Promise<void> {
    this.#seeding.delete(topic)
    this.#sourceConfigs.delete(topic)
    await this.#context.store.put(topicKey(this.#context.link, topic), undefined)
  }

  async #carryOut(action: TopicAction, records: ReadonlyMap<string, TopicRecord>): Promise<TopicVerdict> {
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
      case 'create':
        return await this.#create(action.source)
      case 'take-over':
        return await this.#takeOver(action.source, action.target, records.get(action.source.name))
      case 'add-partitions':
        return await this.#addPartitions(action.source, action.target, records.get(action.source.name))
    }
  }

  async #create(source: TopicView): Promise<TopicVerdict> {
    const { target, log, link } = this.#context
    const configs = this.#desired(source)
    const replicationFactor = this.#replicationFactor(source)
    await this.#context.assertGeneration()
    await this.#record(source, undefined, configs)
    const outcome = await target.createTopic({
      name: source.name,
      partitions: source.partitions.length,
      replicationFactor,
      configs,
    })
    if (outcome.code === KafkaCode.TOPIC_ALREADY_EXISTS) return waiting(source, 'is being created')
    if (outcome.code !== KafkaCode.NONE) return refused(source, 'cannot be created', outcome)
    const record = await this.#record(source, outcome.id, configs)
    log.event('info', `created mirror topic "${source.name}"`, {
      link,
      partitions: source.partitions.length,
      replicationFactor,
    })
    return mirrored(source.name, source.partitions.length, record)
  }

  /** A topic that stands at the target and that kdr did not make: taken over when it never held anything. */
  async #takeOver(
    source: TopicView,
    target: TopicView,
    before: TopicRecord | undefined,
  ): Promise<TopicVerdict> {
    const known = this.#notEmpty.get(target.id)
    if (known !== undefined) return stopped(source, known)
    if (before !== undefined && this.#isOwn(target))
      return mirrored(source.name, target.partitions.length, await this.#record(source, target.id, {}))
    const partitions = target.partitions.map(({ partition }) => ({ topic: target.name, partition }))
    const ends = await this.#context.target.offsets(partitions, 'logEnd')
    const failed = ends.find(end => end.code !== KafkaCode.NONE)
    if (failed !== undefined) return waiting(source, `the target answers ${codeName(failed.code)}`)
    const filled = ends.filter(end => end.offset > 0).length
    if (filled > 0) return await this.#refuseNonEmpty(source, target, filled)

    const desired = this.#desired(source)
    await this.#context.assertGeneration()
    const outcome = await this.#context.target.alterTopicConfigs(source.name, desired)
    if (outcome.code !== KafkaCode.NONE) return refused(source, 'cannot be given its configs', outcome)
    const record = await this.#record(source, target.id, desired)
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
    await this.#context.assertGeneration()
    const outcome = await this.#context.target.addPartitions(source.name, source.partitions.length)
    const isDone = outcome.code === KafkaCode.NONE || outcome.code === KafkaCode.INVALID_PARTITIONS
    if (!isDone) return refused(source, 'cannot be given more partitions', outcome)
    this.#context.log.event('info', `"${source.name}" has ${source.partitions.length} partitions now`, {
      before: target.partitions.length,
    })
    return mirrored(source.name, source.partitions.length, record)
  }

  #replicationFactor(source: TopicView): number {
    const wanted = overridesFor(source.name, this.#context.settings.overrides).replicationFactor
    const brokers = this.#context.targetWatch.view?.brokers.length ?? 1
    return wanted ?? Math.min(source.partitions[0]?.replicas.length ?? 1, brokers)
  }

  #desired(source: TopicView): Record<string, string> {
    const mirror = this.#context.targetWatch.topic(source.name)
    return mirrorConfigs({
      source: this.#sourceConfigs.get(source.name) ?? new Map<string, ConfigEntry>(),
      knownAtTarget: this.#knownAtTarget,
      replicationFactor: mirror?.partitions[0]?.replicas.length ?? this.#replicationFactor(source),
      overrides: overridesFor(source.name, this.#context.settings.overrides).configs,
      isSeeding: this.#seeding.has(source.name),
    })
  }

  async #applyConfigs(topic: string): Promise<void> {
    const { store, link, target, log, sourceWatch } = this.#context
    const record = readTopics(store, link).get(topic)
    const source = sourceWatch.topic(topic)
    if (record === undefined || source === undefined || !this.#sourceConfigs.has(topic)) return
    const desired = this.#desired(source)
    const changes = configChanges(record.applied, desired)
    if (Object.keys(changes).length === 0) return
    await this.#context.assertGeneration()
    const outcome = await target.alterTopicConfigs(topic, changes)
    if (outcome.code !== KafkaCode.NONE) {
      this.#tellOnce(
        `configs of "${topic}" cannot be changed at the target: ${codeName(outcome.code)} ${outcome.message ?? ''}`,
      )
      return
    }
    await store.put(topicKey(link, topic), toRecord('topic', { ...record, applied: desired }))
    log.event('info', `configs of "${topic}" follow the source`, { changes })
  }

  async #reportDrift(topics: readonly string[]): Promise<void> {
    const { target, store, link } = this.#context
    const records = readTopics(store, link)
    for (const [topic, configs] of await target.topicConfigs(topics)) {
      const record = records.get(topic)
      if (configs.code !== KafkaCode.NONE || record === undefined) continue
      for (const { name, applied, found } of configDrift(record.applied, configs.entries)) {
        this.#tellOnce(
          `"${topic}": somebody set ${name} to "${found}" at the target (kdr had set "${applied}"); kdr leaves it`,
        )
      }
    }
  }

  async #readSourceConfigs(topics: readonly string[]): Promise<void> {
    if (topics.length === 0) return
    if (this.#knownAtTarget.size === 0) await this.#learnTargetConfigs()
    const answers = await this.#context.source.topicConfigs(topics)
    for (const [topic, answer] of answers) {
      if (answer.code === KafkaCode.NONE) this.#sourceConfigs.set(topic, answer.entries)
      else this.#tellOnce(`configs of "${topic}" cannot be read at the source: ${codeName(answer.code)}`)
      this.#tellUnknown(topic, answer)
    }
  }

  /** Any topic shows which topic configs its brokers know: `_kdr.state` is there before all others. */
  async #learnTargetConfigs(): Promise<void> {
    const [any] = (await this.#context.target.topicConfigs(['_kdr.state'])).values()
    if (any !== undefined) this.#knownAtTarget = new Set(any.entries.keys())
  }

  #tellUnknown(topic: string, { entries }: TopicConfigs): void {
    for (const [name, { isOverride }] of entries) {
      if (!isOverride || !isCopied(name) || this.#knownAtTarget.has(name)) continue
      this.#tellOnce(`"${topic}": the target does not know the config ${name}; it is left out`)
    }
  }

  #tellOnce(sentence: string): void {
    if (this.#reported.has(sentence)) return
    this.#reported.add(sentence)
    this.#context.log.event('warn', sentence, { link: this.#context.link })
  }

  async #record(
    source: TopicView,
    targetTopicId: string | undefined,
    applied: Record<string, string>,
  ): Promise<TopicRecord> {
    const record: TopicRecord = {
      phase: targetTopicId === undefined ? 'creating' : 'mirroring',
      sourceTopicId: source.id,
      targetTopicId,
      applied,
      adoptedUpTo: [],
    }
    await this.#context.store.put(topicKey(this.#context.link, source.name), toRecord('topic', record))
    return record
  }
}

function needsConfigs(
  action: TopicAction,
  known: ReadonlyMap<string, unknown>,
): action is Exclude<TopicAction, { readonly kind: 'stop' | 'delete' }> {
  if (action.kind === 'stop' || action.kind === 'delete') return false
  return action.kind !== 'mirror' || !known.has(action.source.name)
}
