// Consumer groups follow the data, never ahead of what they imply (DESIGN 2.5): the groups are read first, then the ends
// of the link's topics; the offsets are committed at the target when every cursor has passed those ends. Otherwise an
// exactly-once application could find its input consumed and its output missing.
import { KdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import type { Clock } from '../../ports/clock.ts'
import type { GroupAdmin, GroupOffset, LogReader, TopicAdmin, TopicPartition } from '../../ports/cluster.ts'
import type { Log } from '../../ports/log.ts'

/**
 * Where a mirror partition stands. `isAnchored`: the cursor is the target's; before, nothing is known. `isStopped`: it will
 * not go on by itself, so nobody waits for it.
 */
export type MirrorPosition = TopicPartition & {
  /** The mirror's. */
  readonly topicId: string
  readonly cursor: number
  readonly logStart: number
  readonly isAnchored: boolean
  readonly isStopped: boolean
}

export type GroupSyncInput = {
  readonly source: GroupAdmin & LogReader & Pick<TopicAdmin, 'describe'>
  readonly target: GroupAdmin
  readonly isWanted: (group: string) => boolean
  readonly positions: () => readonly MirrorPosition[]
  /** Asked before each commit: throws when another worker does it by now. */
  readonly assertControl: () => Promise<void>
  readonly clock: Clock
  readonly log: Log
}

type Captured = {
  readonly offsets: ReadonlyMap<string, readonly GroupOffset[]>
  /** By name; none when there is nothing to commit. */
  readonly ends: ReadonlyMap<string, CapturedEnd>
}
/** Where a partition ended at the source when the groups had been read. */
type CapturedEnd = TopicPartition & { readonly end: number }

const LOOK_EVERY_MS = 100
/** How often it is asked whether what is waited for is still there. */
const LOOKS_BEFORE_DOUBT = 100

export class GroupSync {
  readonly #input: GroupSyncInput
  readonly #applied = new Map<string, string>()
  readonly #told = new Set<string>()

  constructor(input: GroupSyncInput) {
    this.#input = input
  }

  /** Captures, waits for the cursors, applies. False: `signal` ended it, or what was captured no longer holds. */
  async round(signal: AbortSignal): Promise<boolean> {
    const captured = await this.capture()
    for (let looks = 1; !this.isCovered(captured); looks++) {
      if (signal.aborted) return false
      await this.#input.clock.sleep(LOOK_EVERY_MS, signal)
      if (this.#isOutdated(captured)) return false
      if (looks % LOOKS_BEFORE_DOUBT === 0 && (await this.#areEndsGone(captured))) return false
    }
    await this.apply(captured)
    return true
  }

  async capture(): Promise<Captured> {
    const { source, isWanted, positions } = this.#input
    const offsets = new Map<string, readonly GroupOffset[]>()
    for (const { group } of await source.listGroups()) {
      if (!isWanted(group)) continue
      const answer = await source.groupOffsets(group)
      if (answer.code === KafkaCode.NONE) offsets.set(group, answer.offsets)
      else
        this.#tellOnce(`offsets of group "${group}" cannot be read at the source: ${codeName(answer.code)}`)
    }
    // Nobody waits for nothing: it would cost a look at thousands of partitions with each round.
    if (offsets.size === 0) return { offsets, ends: new Map() }
    const mirrored = [...positions().filter(at => !at.isStopped), ...(await this.#unknownPartitions())]
    const answers = await source.offsets(mirrored, 'highWatermark')
    const unknown = answers.find(answer => answer.code !== KafkaCode.NONE)
    if (unknown !== undefined)
      throw new KdrError('unreachable', `the source's ends are not all known: ${codeName(unknown.code)}`)
    const ends = mirrored.map(({ topic, partition }, index) => {
      const at = { topic, partition, end: answers[index]?.offset ?? 0 }
      return [nameOf(at), at] as const
    })
    return { offsets, ends: new Map(ends) }
  }

  /**
   * An unclean election, a topic that is gone, or another one of its name, perhaps with fewer partitions: no cursor will
   * ever pass those ends. The next round asks anew.
   */
  async #areEndsGone(captured: Captured): Promise<boolean> {
    const waiting = this.#uncovered(captured)
    const answers = await this.#input.source.offsets(waiting, 'highWatermark')
    return waiting.some(({ end }, index) => {
      const { code, offset } = answers[index]!
      return code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION || (code === KafkaCode.NONE && offset < end)
    })
  }

  /** That mirrored topics have at the source and nobody copies yet: an offset may imply what stands in them. */
  async #unknownPartitions(): Promise<TopicPartition[]> {
    const { source, positions } = this.#input
    const { topics } = await source.describe()
    const known = positions()
    const names = new Set(known.map(nameOf))
    const mirrored = new Set(known.filter(at => !at.isStopped).map(({ topic }) => topic))
    return [...mirrored].flatMap(topic =>
      (topics.get(topic)?.partitions ?? [])
        .map(({ partition }) => ({ topic, partition }))
        .filter(at => !names.has(nameOf(at))),
    )
  }

  /** Commits what changed since the last time, inside what the mirrors hold, for as long as what was captured holds. */
  async apply(captured: Captured): Promise<void> {
    const { target, positions, assertControl } = this.#input
    const at = new Map(positions().map(position => [nameOf(position), position]))
    for (const [group, committed] of captured.offsets) {
      const clamped = committed.flatMap(offset => clamp(offset, at.get(nameOf(offset))))
      // A mirror that was made anew has lost what was committed for it.
      const content = JSON.stringify(clamped.map(each => [each, at.get(nameOf(each))?.topicId]))
      if (clamped.length === 0 || this.#applied.get(group) === content) continue
      await assertControl()
      // What had stopped may have gone on meanwhile.
      if (!this.isCovered(captured)) return
      const outcome = await target.commitGroupOffsets(group, clamped)
      if (outcome.code === KafkaCode.NONE) this.#applied.set(group, content)
      else if (outcome.code === KafkaCode.UNKNOWN_MEMBER_ID) {
        this.#tellOnce(`group "${group}" has members at the target: its offsets are left alone`)
      } else
        this.#tellOnce(
          `offsets of group "${group}" cannot be committed at the target: ${codeName(outcome.code)}`,
        )
    }
  }

  /** Whether every cursor has passed the ends, so that the offsets may be applied. */
  isCovered(captured: Captured): boolean {
    if (captured.offsets.size === 0) return true
    return !this.#isOutdated(captured) && this.#uncovered(captured).length === 0
  }

  /** A partition that had stopped, or was not known, is copied now: offsets may imply what stands up to an end not captured. */
  #isOutdated({ ends }: Captured): boolean {
    return this.#input.positions().some(at => !at.isStopped && !ends.has(nameOf(at)))
  }

  /** What is waited for. */
  #uncovered({ ends }: Captured): CapturedEnd[] {
    const left = new Map(ends)
    for (const at of this.#input.positions()) {
      const name = nameOf(at)
      const captured = left.get(name)
      if (captured !== undefined && (at.isStopped || (at.isAnchored && at.cursor >= captured.end)))
        left.delete(name)
    }
    return [...left.values()]
  }

  #tellOnce(sentence: string): void {
    if (this.#told.has(sentence)) return
    this.#told.add(sentence)
    this.#input.log.event('warn', sentence)
  }
}

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/** Topics that are not mirrored are left out. */
function clamp(offset: GroupOffset, at: MirrorPosition | undefined): GroupOffset[] {
  if (at?.isAnchored !== true) return []
  return [{ ...offset, offset: Math.max(at.logStart, Math.min(offset.offset, at.cursor)) }]
}
