// The configs of mirror topics: follow the source's, but for what a mirror must not have (mirror-configs.ts). A mirror that is
// being seeded or trimmed must not be one that only compacts: whoever does that leaves a mark, and the control worker, the
// only one who changes topics, sees to it.
import { KdrError } from '../../model/errors.ts'
import { codeName, KafkaCode, lackingRight } from '../../model/kafka-codes.ts'
import type { Deletion } from '../../model/link.ts'
import { overridesFor } from '../../model/link-settings.ts'
import {
  readSeeding,
  readTopic,
  readTopics,
  seedingKey,
  toRecord,
  topicKey,
} from '../../model/state-records.ts'
import type { ConfigEntry, TopicConfigs, TopicView } from '../../ports/cluster.ts'
import type { LinkContext } from './context.ts'
import { configChanges, configDrift, heldBackConfigs, isCopied, mirrorConfigs } from './mirror-configs.ts'
import type { PartitionCopy } from './partition.ts'

/** A retention that was cut at the source explains a jump of the log start only after this long. */
const RETENTION_SETTLES_MS = 86_400_000
/** The control worker looks at the marks every DISCOVER_EVERY_MS. */
const READY_WITHIN_MS = 10_000
const LOOK_EVERY_MS = 250

export class TopicConfigSync {
  readonly #context: LinkContext
  #knownAtTarget: ReadonlySet<string> = new Set()
  readonly #source = new Map<string, ReadonlyMap<string, ConfigEntry>>()
  readonly #retention = new Map<string, { readonly ms: number | undefined; readonly at: number }>()
  /** Topics whose configs follow a mark. */
  readonly #marked = new Set<string>()
  readonly #reported = new Set<string>()

  constructor(context: LinkContext) {
    this.#context = context
  }

  /** Age after which the source deletes records; undefined when it does not, or that is not known yet. */
  retentionMs(topic: string): number | undefined {
    if (!this.#source.has(topic)) return undefined
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

  /** What the source deletes by, as its configs say now; undefined when they are not known yet. */
  deletion(topic: string): Deletion | undefined {
    const configs = this.#source.get(topic)
    if (configs === undefined) return undefined
    const isDeleted = configs.get('cleanup.policy')?.value?.includes('delete') === true
    const bytes = Number(configs.get('retention.bytes')?.value ?? -1)
    return { afterMs: this.#retentionNow(topic) ?? null, isBySize: isDeleted && bytes >= 0 }
  }

  isKnown(topic: string): boolean {
    return this.#source.has(topic)
  }

  isCompacted(topic: string): boolean {
    return this.#source.get(topic)?.get('cleanup.policy')?.value?.includes('compact') === true
  }

  /** Those of the source. Throws KdrError('unreachable'). */
  async read(topics: readonly string[]): Promise<void> {
    if (topics.length === 0) return
    if (this.#knownAtTarget.size === 0) await this.#learnTargetConfigs()
    const answers = await this.#context.source.topicConfigs(topics)
    for (const [topic, answer] of answers) {
      if (answer.code === KafkaCode.NONE) this.#source.set(topic, answer.entries)
      else
        this.#tellOnce(
          `configs of "${topic}" cannot be read at the source: ${codeName(answer.code)}${lackingRight(answer.code, 'DESCRIBE_CONFIGS on it')}`,
        )
      this.#tellUnknown(topic, answer)
    }
  }

  forget(topic: string): void {
    this.#source.delete(topic)
    this.#marked.delete(topic)
  }

  /** What the mirror of this topic is to have. */
  desired(
    source: TopicView,
    isSeeding: boolean = readSeeding(this.#context.store, this.#context.link).has(source.name),
  ): Record<string, string> {
    const mirror = this.#context.targetWatch.topic(source.name)
    return mirrorConfigs({
      source: this.#source.get(source.name) ?? new Map<string, ConfigEntry>(),
      knownAtTarget: this.#knownAtTarget,
      replicationFactor: mirror?.partitions[0]?.replicas.length ?? this.replicationFactor(source),
      overrides: overridesFor(source.name, this.#context.settings.overrides).configs,
      isSeeding,
    })
  }

  /** What the source has where a mirror must be otherwise. */
  heldBack(topic: string): Record<string, string | null> {
    return heldBackConfigs({
      source: this.#source.get(topic) ?? new Map<string, ConfigEntry>(),
      knownAtTarget: this.#knownAtTarget,
      overrides: overridesFor(topic, this.#context.settings.overrides).configs,
    })
  }

  replicationFactor(source: TopicView): number {
    const wanted = overridesFor(source.name, this.#context.settings.overrides).replicationFactor
    const brokers = this.#context.targetWatch.view?.brokers.length ?? 1
    return wanted ?? Math.min(source.partitions[0]?.replicas.length ?? 1, brokers)
  }

  /** Brings all mirrors in step; changes made by others at the target are told, not fought. For the control worker. */
  async sync(): Promise<void> {
    const { link, store } = this.#context
    const topics = [...readTopics(store, link)]
      .filter(([, record]) => record.phase === 'mirroring')
      .map(([topic]) => topic)
    await this.read(topics)
    const seeding = readSeeding(store, link)
    for (const topic of topics) await this.#apply(topic, seeding.has(topic))
    await this.#reportDrift(topics)
  }

  /** Readies a mirror for null keys and DeleteRecords. Throws KdrError('unreachable') when that takes too long. */
  async beginSeeding({ topic, identity }: PartitionCopy): Promise<void> {
    const { store, link, slots, clock, sourceWatch } = this.#context
    if (!this.#source.has(topic)) await this.read([topic])
    const source = sourceWatch.topic(topic)
    if (source === undefined) return
    const policy = this.desired(source, true)['cleanup.policy']
    if (policy === this.desired(source, false)['cleanup.policy']) return
    const key = seedingKey(link, topic, identity.slot)
    if (store.get(key) === undefined) await store.put(key, toRecord('seeding', {}))
    const until = clock.monotonic() + READY_WITHIN_MS
    for (;;) {
      if (slots.hasControl) await this.#apply(topic, true)
      else await store.refresh()
      const isApplied = readTopic(store, link, topic)?.applied['cleanup.policy'] === policy
      if (isApplied && ((await this.#policyAtTarget(topic)) ?? policy) === policy) return
      if (clock.monotonic() > until)
        throw new KdrError(
          'unreachable',
          `"${topic}" could not be given "cleanup.policy=${policy ?? ''}" yet`,
        )
      await clock.sleep(LOOK_EVERY_MS)
    }
  }

  /** Takes back the marks of this worker's slots in topics where nothing is seeded or trimmed any more. */
  async endSeeding(isBusy: (topic: string, slot: number) => boolean): Promise<void> {
    const { store, link, slots } = this.#context
    const held = new Set(slots.held)
    for (const [topic, marked] of readSeeding(store, link))
      for (const slot of marked)
        if (held.has(slot) && !isBusy(topic, slot)) await store.put(seedingKey(link, topic, slot), undefined)
  }

  /** What marks that have come or gone ask for. For the control worker. */
  async followMarks(): Promise<void> {
    const seeding = readSeeding(this.#context.store, this.#context.link)
    for (const topic of new Set([...seeding.keys(), ...this.#marked])) {
      if (!this.#source.has(topic)) await this.read([topic])
      await this.#apply(topic, seeding.has(topic))
      if (seeding.has(topic)) this.#marked.add(topic)
      else this.#marked.delete(topic)
    }
  }

  async #apply(topic: string, isSeeding: boolean): Promise<void> {
    const { store, link, target, log, sourceWatch } = this.#context
    const record = readTopic(store, link, topic)
    const source = sourceWatch.topic(topic)
    if (record === undefined || source === undefined || !this.#source.has(topic)) return
    const desired = this.desired(source, isSeeding)
    const seen = isSeeding ? await this.#seen(topic, record.applied) : record.applied
    const changes = configChanges(seen, desired)
    const held = this.heldBack(topic)
    if (isEmpty(changes)) {
      const isKnown = isEmpty(configChanges(record.applied, desired))
      if (isKnown && JSON.stringify(held) === JSON.stringify(record.held)) return
      await this.#context.assertControl()
      await store.put(topicKey(link, topic), toRecord('topic', { ...record, applied: desired, held }))
      return
    }
    await this.#context.assertControl()
    const outcome = await target.alterTopicConfigs(topic, changes)
    if (outcome.code !== KafkaCode.NONE) {
      this.#tellOnce(
        `configs of "${topic}" cannot be changed at the target: ${codeName(outcome.code)} ${outcome.message ?? ''}`,
      )
      return
    }
    await store.put(topicKey(link, topic), toRecord('topic', { ...record, applied: desired, held }))
    log.event('info', `configs of "${topic}" follow the source`, { changes })
  }

  /**
   * While a mirror is seeded its policy is what the target says, not what kdr has last been told: a change whose answer was lost
   * may have been made, also after a later one, and a compacted topic refuses null keys for ever.
   */
  async #seen(topic: string, applied: Readonly<Record<string, string>>): Promise<Record<string, string>> {
    const policy = await this.#policyAtTarget(topic)
    return policy === undefined ? { ...applied } : { ...applied, 'cleanup.policy': policy }
  }

  /** Undefined: the target does not say. */
  async #policyAtTarget(topic: string): Promise<string | undefined> {
    const found = (await this.#context.target.topicConfigs([topic])).get(topic)
    return found?.code === KafkaCode.NONE
      ? (found.entries.get('cleanup.policy')?.value ?? undefined)
      : undefined
  }

  #retentionNow(topic: string): number | undefined {
    const configs = this.#source.get(topic)
    const retention = Number(configs?.get('retention.ms')?.value ?? -1)
    return retention >= 0 && configs?.get('cleanup.policy')?.value?.includes('delete') === true
      ? retention
      : undefined
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
}

const isEmpty = (changes: object): boolean => Object.keys(changes).length === 0
