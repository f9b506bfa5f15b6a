// `--break-glass`: kdr's own topics take writes with the replicas that are left, for one run. Where too few are in sync, brokers do not only
// refuse writes; a leader that is new does not even say up to where its log may be read (OFFSET_NOT_AVAILABLE, KIP-966), so that nobody
// could tell where the link stands. So it may have to be broken before anything is read, and approved: what no run has taken on by the
// end is put back as it was.
import type { Journal } from '../engine/runs/journal.ts'
import {
  breakGlass,
  putBack,
  restoreGlass,
  RUN_TOPICS,
  weakSentence,
  weakTopics,
} from '../engine/runs/break-glass.ts'
import { recordCodec } from '../kafka/records.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import { type Lowered, putBackCommand, type RunKind, type RunRecord } from '../model/runs.ts'
import type { Clock } from '../ports/clock.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { Sides } from './run-context.ts'

/** A leader that is new is silent for a moment, as a rule. */
const MUTE_FOR_MS = 5_000
const READABLE_WITHIN_MS = 20_000
const LOOK_EVERY_MS = 200
const WRITE_TIMEOUT_MS = 2_000

export type GlassOptions = {
  readonly kind: RunKind
  readonly link: string
  /** `--break-glass`. */
  readonly mayBreak: boolean
  readonly clock: Clock
  /** Whether a run goes on there, that may count on what is lowered. Throws KdrError. */
  readonly isInUse: (cluster: Cluster) => Promise<boolean>
  /** What a person may have to put back by hand. */
  readonly say?: ((sentence: string) => void) | undefined
}

type Broken = { readonly cluster: Cluster; readonly lowered: readonly Lowered[] }

export class Glass {
  readonly #options: GlassOptions
  readonly #broken = new Map<string, Broken>()
  #breaking: Promise<unknown> = Promise.resolve()
  #isTakenOn = false
  #isLost = false

  constructor(options: GlassOptions) {
    this.#options = options
  }

  /**
   * What `read` finds, if need be after the glass was broken at `there`, the clusters that answer: where it cannot be read, and for a
   * failover as soon as kdr's own topics stay silent at all of them. Throws KdrError('not-ready') where that is needed, and not asked for.
   */
  async reading<Found>(there: readonly Cluster[], read: () => Promise<Found>): Promise<Found> {
    try {
      return await this.#unlessMute(there, read)
    } catch (error) {
      if (findKdrError(error)?.code !== 'unreachable') throw error
      if (!(await this.#breakAll(there))) throw error
      return await read()
    }
  }

  /** Whether anything was lowered. Throws KdrError('not-ready') where that is needed, and not asked for. */
  async breakAt(cluster: Cluster): Promise<boolean> {
    await this.#breaking
    return await this.#breakAt(cluster)
  }

  /**
   * It is the run that begins which puts back what was lowered at its standby, from when that is written down on. Returns it with all of
   * that, as it was at first.
   */
  async takenOn(standby: string, run: RunRecord, journal: Pick<Journal, 'writeRun'>): Promise<RunRecord> {
    const lowered = firstOfEach([...(run.lowered ?? []), ...(this.#broken.get(standby)?.lowered ?? [])])
    if (lowered.length === 0) return run
    const record = { ...run, lowered }
    await journal.writeRun(record)
    this.#isTakenOn = true
    return record
  }

  /** Another controller was faster: it counts on what is lowered. */
  readonly lostTo = (error: unknown): never => {
    this.#isLost = findKdrError(error)?.code === 'other-controller'
    throw error
  }

  /** What no run has taken on is as it was. `standby`: of the run; undefined while there is none. Does not throw: what stays is said. */
  async close(standby?: string): Promise<void> {
    await this.putBack(name => !this.#isTakenOn || name !== standby)
  }

  /** Where `isWanted` says so, by the name of the cluster. */
  async putBack(isWanted: (cluster: string) => boolean): Promise<void> {
    await this.#breaking
    for (const [name, { cluster, lowered }] of this.#broken) {
      if (!isWanted(name)) continue
      this.#broken.delete(name)
      const isLeft = this.#isLost || (await this.#options.isInUse(cluster).catch(() => false))
      for (const each of lowered) await this.#putBack(cluster, each, isLeft)
    }
  }

  async #putBack(cluster: Cluster, lowered: Lowered, isLeft: boolean): Promise<void> {
    const stays = `${lowered.topic} of "${cluster.name}" still takes writes with too few replicas`
    const { say } = this.#options
    if (isLeft)
      return say?.(`${stays}: another run counts on it. When that is over: ${putBackCommand(lowered)}`)
    try {
      await restoreGlass(cluster, [lowered])
    } catch (error) {
      say?.(
        `${stays}: ${findKdrError(error)?.message ?? String(error)}. To put it back: ${putBackCommand(lowered)}`,
      )
    }
  }

  async #unlessMute<Found>(there: readonly Cluster[], read: () => Promise<Found>): Promise<Found> {
    const found = read()
    if (this.#options.kind !== 'failover' || there.length === 0) return await found
    const over = new AbortController()
    const broken = this.#breakWhenMute(there, over.signal)
    try {
      return await Promise.race([found, broken.then(async () => await found)])
    } finally {
      over.abort()
      // Nobody waits for it any more where the glass may not be broken.
      found.catch(() => undefined)
    }
  }

  /** Resolves when the glass was broken, or `over`. One that answers might do for a failover: then `read` finds out. */
  async #breakWhenMute(there: readonly Cluster[], over: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const since = new Map<Cluster, number>()
    while (!over.aborted) {
      await Promise.all(
        there.map(async cluster => {
          // What cannot be asked now says neither.
          const isMute = await hasMute(cluster).catch(() => undefined)
          if (isMute === false) since.delete(cluster)
          else if (isMute === true && !since.has(cluster)) since.set(cluster, clock.monotonic())
        }),
      )
      const isLong = (cluster: Cluster): boolean =>
        clock.monotonic() - (since.get(cluster) ?? Infinity) >= MUTE_FOR_MS
      if (!over.aborted && there.every(isLong) && (await this.#breakAll(there))) return
      await clock.sleep(LOOK_EVERY_MS)
    }
  }

  /** Whether anything was lowered anywhere. Throws the first failure where nothing was. */
  async #breakAll(there: readonly Cluster[]): Promise<boolean> {
    const breaking = Promise.allSettled(there.map(async cluster => await this.#breakAt(cluster)))
    this.#breaking = breaking
    const ended = await breaking
    if (ended.some(one => one.status === 'fulfilled' && one.value)) return true
    const failed = ended.find(one => one.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return false
  }

  async #breakAt(cluster: Cluster): Promise<boolean> {
    const { kind, link, mayBreak, clock, say } = this.#options
    const weak = await weakTopics(cluster)
    if (weak.length === 0) return false
    if (!mayBreak)
      throw new KdrError('not-ready', weakSentence(weak, cluster.name), {
        hint:
          kind === 'failover'
            ? `Bring its brokers back; if that takes too long: kdr failover ${link} --break-glass`
            : 'Bring its brokers back.',
      })
    // Before it is done: whoever is killed in between has said it.
    for (const { topic, inSync, wanted: was } of weak)
      say?.(
        `${topic} of "${cluster.name}" takes writes with ${inSync} replica(s) for this run; should nothing put that back: ${putBackCommand({ topic, was })}`,
      )
    await breakGlass(cluster, weak, lowered => {
      const before = this.#broken.get(cluster.name)?.lowered ?? []
      this.#broken.set(cluster.name, { cluster, lowered: firstOfEach([...before, lowered]) })
    })
    await untilReadable(cluster, { topics: weak.map(({ topic }) => topic), clock })
    return true
  }
}

/** Whether the leader of a topic that a run needs does not say up to where its log may be read. */
async function hasMute(cluster: Cluster): Promise<boolean> {
  const { topics } = await cluster.describe()
  const partitions = RUN_TOPICS.filter(topic => topics.has(topic)).map(topic => ({ topic, partition: 0 }))
  if (partitions.length === 0) return false
  const answers = await cluster.offsets(partitions, 'highWatermark')
  return answers.some(({ code }) => code === KafkaCode.OFFSET_NOT_AVAILABLE)
}

/** What it was at first counts. */
function firstOfEach(all: readonly Lowered[]): readonly Lowered[] {
  return [...Map.groupBy(all, ({ topic }) => topic).values()].flatMap(([first]) => first ?? [])
}

/**
 * A leader learns of a changed setting a moment later. What it does not tell in time, whoever reads then is told. A leader that is new goes
 * on not to tell while its log stands still: only what a follower takes moves its high watermark (`Partition.updateFollowerFetchState`).
 * So something is written that says nothing.
 */
async function untilReadable(
  cluster: Cluster,
  { topics, clock }: { readonly topics: readonly string[]; readonly clock: Clock },
): Promise<void> {
  const until = clock.monotonic() + READABLE_WITHIN_MS
  const partitions = topics.map(topic => ({ topic, partition: 0 }))
  for (;;) {
    const answers = await cluster.offsets(partitions, 'highWatermark')
    if (answers.every(({ code }) => code === KafkaCode.NONE) || clock.monotonic() > until) return
    // Another one may lead by now.
    await cluster.describe()
    for (const [index, topic] of topics.entries())
      if (answers[index]?.code === KafkaCode.OFFSET_NOT_AVAILABLE) await writeNothing(cluster, topic, clock)
    await clock.sleep(LOOK_EVERY_MS)
  }
}

/** The deletion of a key that nobody uses. What is refused is tried again at the next look. */
async function writeNothing(cluster: Cluster, topic: string, clock: Clock): Promise<void> {
  const seen = (await cluster.describe()).topics.get(topic)
  const leader = seen?.partitions[0]?.leader ?? -1
  if (seen === undefined || leader < 0) return
  const nothing = { offset: 0, timestamp: clock.now(), key: Buffer.from('nothing'), value: null, headers: [] }
  const batch = recordCodec.encode({ codec: 'none', baseOffset: 0, records: [nothing] })
  try {
    const lane = await cluster.openAppendLane(leader)
    try {
      await lane.append([{ topic, partition: 0, topicId: seen.id, batch }], WRITE_TIMEOUT_MS)
    } finally {
      await lane.close()
    }
  } catch (error) {
    if (findKdrError(error)?.code !== 'unreachable') throw error
  }
}

/** Of a run that is over, where brokers have come back meanwhile. What is left is for a person: the report says so. */
export async function glassMended(
  { target }: Pick<Sides, 'target'>,
  journal: Journal,
  ended: RunRecord,
): Promise<RunRecord> {
  const { lowered = [], state } = ended
  if (lowered.length === 0 || (state !== 'done' && state !== 'aborted')) return ended
  try {
    const left = await putBack(target, lowered)
    if (left.length === lowered.length) return ended
    const record = { ...ended, lowered: left }
    await journal.writeRun(record)
    return record
  } catch (error) {
    // The run is over, and its report names the command.
    if (findKdrError(error) === undefined) throw error
    return ended
  }
}
