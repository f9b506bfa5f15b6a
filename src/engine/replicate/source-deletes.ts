// Topics that are missing at the source. A name that is not in the metadata proves nothing: a right that was taken away
// looks the same. So the source is asked by topic id, and only its word that there is no such topic counts as deleted.
// When that was first seen is recorded; under `onSourceDelete: { deleteAfter }` the mirror goes that long after it, and not
// before the source, still the recorded cluster, has confirmed it once more.
import { closeEntry, writeJournal } from '../../model/journal.ts'
import { codeName, isAuthorization, isGone, KafkaCode } from '../../model/kafka-codes.ts'
import {
  keysOfMirror,
  readLink,
  readTopics,
  toRecord,
  topicKey,
  type TopicRecord,
} from '../../model/state-records.ts'
import { readPauses } from '../../model/pauses.ts'
import { type Cluster, type ClusterView, NO_TOPIC_ID } from '../../ports/cluster.ts'
import type { Level } from '../../ports/log.ts'
import type { LinkContext } from './context.ts'

/**
 * `deleted`: the cluster says so. `hidden`: kdr may not see it any more. `unknown`: the cluster has it, or does not say;
 * nothing follows from that.
 */
export type Missing = 'deleted' | 'hidden' | 'unknown'

const POLICY = 'policy onSourceDelete'
/** Wall clock and monotonic clock may drift apart by this much before the wall clock is taken to have jumped. */
const CLOCK_JUMP_MS = 60_000

/** In the order of `ids`. Another cluster than the recorded one knows nothing of them. Throws KdrError('unreachable'). */
async function askMissing(
  cluster: Cluster,
  knownClusterId: string | undefined,
  ids: readonly string[],
): Promise<Missing[]> {
  if (ids.length === 0) return []
  const { clusterId, topics } = await cluster.topicsById(ids)
  return ids.map((id, index) => {
    const code = topics[index]?.code ?? KafkaCode.UNKNOWN_SERVER_ERROR
    if (id === NO_TOPIC_ID || clusterId !== knownClusterId) return 'unknown'
    if (code === KafkaCode.UNKNOWN_TOPIC_ID) return 'deleted'
    return isAuthorization(code) ? 'hidden' : 'unknown'
  })
}

/** Of mirrors that `target` does not show: what it says when asked by id. A right that is gone hides a topic too. */
export async function observeMirrors(
  { store, link, target: cluster }: LinkContext,
  target: ClusterView,
  records: ReadonlyMap<string, TopicRecord>,
): Promise<ReadonlyMap<string, Missing>> {
  const absent = [...records].flatMap(([topic, { targetTopicId }]) =>
    targetTopicId === undefined || target.topics.has(topic) ? [] : [{ topic, id: targetTopicId }],
  )
  const known = readLink(store, link)?.targetClusterId
  const found = await askMissing(
    cluster,
    known,
    absent.map(({ id }) => id),
  )
  return new Map(absent.map(({ topic }, index) => [topic, found[index] ?? 'unknown']))
}

export class SourceDeletes {
  readonly #context: LinkContext
  readonly #told = new Set<string>()
  #clockOffset: number

  constructor(context: LinkContext) {
    this.#context = context
    this.#clockOffset = this.#offsetNow()
  }

  /**
   * Of each mirrored topic that the link wants and `source` does not show: what the source says when asked by id. The control
   * worker records when a deletion was first seen, and takes that back when the name is there again. Throws
   * KdrError('unreachable').
   */
  async observe(source: ClusterView, isWanted: (topic: string) => boolean): Promise<Map<string, Missing>> {
    const { store, link, clock, slots } = this.#context
    const records = [...readTopics(store, link)].filter(([topic]) => isWanted(topic))
    for (const [topic, record] of slots.hasControl ? records : [])
      if (source.topics.has(topic) && record.sourceDeletedAt !== undefined)
        await this.#record(topic, { ...record, sourceDeletedAt: undefined })
    const absent = records.filter(([topic]) => !source.topics.has(topic))
    const found = await this.#ask(absent.map(([, record]) => record.sourceTopicId))
    const hasJumped = this.#hasClockJumped(absent)
    const missing = new Map<string, Missing>()
    for (const [index, [topic, record]] of absent.entries()) {
      const what = found[index] ?? 'unknown'
      missing.set(topic, what)
      if (what !== 'deleted' || !slots.hasControl) continue
      const since = record.sourceDeletedAt
      if (since === undefined || hasJumped || since > clock.now())
        await this.#record(topic, { ...record, sourceDeletedAt: clock.now() })
    }
    return missing
  }

  /**
   * Deletes a mirror whose time has come; `drop` ends its copies. False: not now, or it cannot be done. A topic at the
   * target that is not the link's own any more is left alone, and forgotten. The journal has an entry of it.
   */
  async deleteMirror(topic: string, drop: () => Promise<void>): Promise<boolean> {
    const { store, link, targetWatch, log, clock, assertControl } = this.#context
    const record = readTopics(store, link).get(topic)
    if (record?.sourceDeletedAt === undefined) return false
    if (readPauses(store, link).some(({ scope }) => scope.topic === undefined || scope.topic === topic)) {
      this.#tellOnce('info', `"${topic}" is paused: its mirror is not deleted before that is over`)
      return false
    }
    const [now] = await this.#ask([record.sourceTopicId])
    if (now !== 'deleted') return false
    await drop()
    await assertControl()
    const id = `${POLICY}-${record.targetTopicId ?? topic}`
    const since = new Date(record.sourceDeletedAt).toISOString()
    const what = `mirror topic "${topic}" is deleted: its source was seen to be deleted at ${since}`
    await writeJournal(store, link, {
      id,
      at: clock.now(),
      by: POLICY,
      verb: 'delete',
      topic,
      what,
      state: 'recorded',
    })
    const isOwn = targetWatch.topic(topic)?.id === record.targetTopicId
    if (isOwn && !(await this.#deleteTopic(topic, record.targetTopicId))) return false
    const outcome = isOwn ? `deleted mirror topic "${topic}"` : `mirror topic "${topic}" is there no more`
    log.event('warn', `${outcome}: its source was seen to be deleted at ${since} (onSourceDelete)`, {
      link,
      sourceTopicId: record.sourceTopicId,
      targetTopicId: record.targetTopicId,
    })
    for (const key of [...keysOfMirror(store, link, topic), topicKey(link, topic)])
      await store.put(key, undefined)
    await closeEntry(store, link, id, { state: 'done', outcome, doneAt: clock.now() })
    return true
  }

  async #deleteTopic(topic: string, id: string | undefined): Promise<boolean> {
    const { code } = await this.#context.target.deleteTopic(topic, id)
    if (code === KafkaCode.NONE || isGone(code)) return true
    this.#tellOnce(
      'error',
      `mirror topic "${topic}" cannot be deleted at the target: ${codeName(code)}; trying again`,
    )
    return false
  }

  async #ask(ids: readonly string[]): Promise<Missing[]> {
    const { source, store, link } = this.#context
    return await askMissing(source, readLink(store, link)?.sourceClusterId, ids)
  }

  async #record(topic: string, record: TopicRecord): Promise<void> {
    await this.#context.store.put(topicKey(this.#context.link, topic), toRecord('topic', record))
  }

  #offsetNow(): number {
    const { clock } = this.#context
    return clock.now() - clock.monotonic()
  }

  /** A wait of days must not end because somebody set the clock: it starts again. */
  #hasClockJumped(waiting: readonly (readonly [string, TopicRecord])[]): boolean {
    const offset = this.#offsetNow()
    const jumpMs = offset - this.#clockOffset
    if (Math.abs(jumpMs) < CLOCK_JUMP_MS) return false
    this.#clockOffset = offset
    if (waiting.length > 0)
      this.#context.log.event(
        'warn',
        `the clock jumped by ${Math.round(jumpMs / 1_000)} s: the wait before mirrors of deleted topics are deleted starts again`,
        { link: this.#context.link },
      )
    return true
  }

  #tellOnce(level: Level, sentence: string): void {
    if (this.#told.has(sentence)) return
    this.#told.add(sentence)
    this.#context.log.event(level, sentence, { link: this.#context.link })
  }
}
