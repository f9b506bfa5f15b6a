// The groups of the source, and what their offsets imply (DESIGN 2.5): the groups are read first, then the ends of the
// link's topics; the offsets may be committed at the target when every cursor has passed those ends. Otherwise an
// exactly-once application could find its input consumed and its output missing.
import { KdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import type { Clock } from '../../ports/clock.ts'
import {
  type GroupAdmin,
  type GroupOffsets,
  type ListedGroup,
  type LogReader,
  NO_TOPIC_ID,
  type TopicAdmin,
  type TopicPartition,
} from '../../ports/cluster.ts'
import { isCarried, nameOf } from './decide.ts'
import type { MirrorPosition } from './mirrors.ts'

export type CaptureInput = {
  readonly source: GroupAdmin & LogReader & Pick<TopicAdmin, 'describe'>
  readonly isWanted: (group: string) => boolean
  readonly positions: () => readonly MirrorPosition[]
  readonly clock: Clock
}

export type Captured = {
  /** When it began, ms since 1970: what the target holds afterwards is that old. */
  readonly at: number
  /** Of the link, of all types. */
  readonly listed: ReadonlyMap<string, ListedGroup>
  /** Of those that are carried, listed or known before. */
  readonly offsets: ReadonlyMap<string, GroupOffsets>
  /** By name; undefined when there is nothing to commit, so that nothing is implied. */
  readonly ends: ReadonlyMap<string, CapturedEnd> | undefined
  /** Names of those that had stopped, so that nobody waits for them. */
  readonly stopped: ReadonlySet<string>
}
/** Where a partition ended at the source when the groups had been read. */
type CapturedEnd = TopicPartition & { readonly end: number }

/** A transaction's commit is pending for some milliseconds, but an application may always have one: it is met in between. */
const PENDING_LOOKS = 8
const PENDING_LOOK_MS = 60

/** `known`: groups that are asked for though the source does not list them: a list may leave out what is there. */
export async function capture(input: CaptureInput, known: Iterable<string>): Promise<Captured> {
  const { source, isWanted, positions, clock } = input
  const at = clock.now()
  const listed = new Map<string, ListedGroup>()
  for (const each of await source.listGroups()) if (isWanted(each.group)) listed.set(each.group, each)
  const asked = [...listed.values()].filter(isCarried).map(({ group }) => group)
  for (const group of known) if (!listed.has(group) && isWanted(group)) asked.push(group)
  const offsets = await readOffsets(input, asked)
  // Nobody waits for nothing: it would cost a look at thousands of partitions with each round.
  if (![...offsets.values()].some(each => each.offsets.length > 0))
    return { at, listed, offsets, ends: undefined, stopped: new Set() }
  const { stopped, going } = Object.groupBy(positions(), each => (each.isStopped ? 'stopped' : 'going'))
  const mirrored = [...(going ?? []), ...(await unknownPartitions(input))]
  const answers = await source.offsets(mirrored, 'highWatermark')
  const unknown = answers.find(answer => answer.code !== KafkaCode.NONE)
  if (unknown !== undefined)
    throw new KdrError('unreachable', `the source's ends are not all known: ${codeName(unknown.code)}`)
  const ends = mirrored.map(({ topic, partition }, index) => {
    const of = { topic, partition, end: answers[index]?.offset ?? 0 }
    return [nameOf(of), of] as const
  })
  return { at, listed, offsets, ends: new Map(ends), stopped: new Set(stopped?.map(nameOf)) }
}

/** Where a transaction has a commit under way it is asked again a few times; others do not wait for it any longer. */
async function readOffsets(
  { source, clock }: CaptureInput,
  groups: readonly string[],
): Promise<Map<string, GroupOffsets>> {
  const offsets = new Map<string, GroupOffsets>()
  let asked = groups
  for (let looks = 1; asked.length > 0; looks++) {
    const answers = await source.groupOffsets(asked)
    asked.forEach((group, index) => offsets.set(group, answers[index]!))
    asked = asked.filter((_group, index) => answers[index]!.pending.length > 0)
    if (asked.length === 0 || looks === PENDING_LOOKS) break
    await clock.sleep(PENDING_LOOK_MS)
  }
  return offsets
}

/**
 * That mirrored topics have at the source and nobody copies yet: an offset may imply what stands in them. What has stopped
 * partitions, all of them even, does not keep a topic's others from being copied; a topic without a mirror has none.
 */
async function unknownPartitions({ source, positions }: CaptureInput): Promise<TopicPartition[]> {
  const { topics } = await source.describe()
  const known = positions()
  const names = new Set(known.map(nameOf))
  const isMirrored = ({ isStopped, topicId }: MirrorPosition): boolean =>
    !isStopped || topicId !== NO_TOPIC_ID
  const mirrored = new Set(known.filter(isMirrored).map(({ topic }) => topic))
  return [...mirrored].flatMap(topic =>
    (topics.get(topic)?.partitions ?? [])
      .map(({ partition }) => ({ topic, partition }))
      .filter(at => !names.has(nameOf(at))),
  )
}

/** Whether every cursor has passed the ends, so that the offsets may be applied. */
export function isCovered({ positions }: CaptureInput, captured: Captured): boolean {
  if (captured.ends === undefined) return true
  return !isOutdated({ positions }, captured) && uncovered({ positions }, captured).length === 0
}

type Positions = Pick<CaptureInput, 'positions'>

/**
 * A partition that had stopped, or was not known, is copied now, or will be: of one that had stopped nothing is known while
 * its topic is copied anew. Offsets may imply what stands up to an end not captured.
 */
export function isOutdated({ positions }: Positions, { ends, stopped }: Captured): boolean {
  if (ends === undefined) return false
  const left = new Set(stopped)
  for (const at of positions()) {
    const name = nameOf(at)
    if (!at.isStopped && !ends.has(name)) return true
    left.delete(name)
  }
  return left.size > 0
}

/** What is waited for. */
function uncovered({ positions }: Positions, { ends }: Captured): CapturedEnd[] {
  const left = new Map(ends)
  for (const at of positions()) {
    const name = nameOf(at)
    const captured = left.get(name)
    if (captured !== undefined && (at.isStopped || (at.isAnchored && at.cursor >= captured.end)))
      left.delete(name)
  }
  return [...left.values()]
}

/**
 * An unclean election, a topic that is gone, or another one of its name, perhaps with fewer partitions: no cursor will
 * ever pass those ends. The next round asks anew.
 */
export async function areEndsGone({ source, positions }: CaptureInput, captured: Captured): Promise<boolean> {
  const waiting = uncovered({ positions }, captured)
  const answers = await source.offsets(waiting, 'highWatermark')
  return waiting.some(({ end }, index) => {
    const { code, offset } = answers[index]!
    return code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION || (code === KafkaCode.NONE && offset < end)
  })
}
