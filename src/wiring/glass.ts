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
import type { Lowered, RunKind, RunRecord } from '../model/runs.ts'
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
}

type Broken = { readonly cluster: Cluster; readonly lowered: readonly Lowered[] }

export class Glass {
  readonly #options: GlassOptions
  readonly #broken = new Map<string, Broken>()
  readonly #breaking = new Set<Promise<boolean>>()
  #isTakenOn = false

  constructor(options: GlassOptions) {
    this.#options = options
  }

  /**
   * What `read` finds. Where kdr's own topics stay silent meanwhile at one of `there`, the clusters that answer, the glass is broken, and
   * `read` goes on. Throws KdrError('not-ready') where that is needed, and not asked for.
   */
  async reading<Found>(there: readonly Cluster[], read: () => Promise<Found>): Promise<Found> {
    const over = new AbortController()
    const looks = there.map(async cluster => await this.#breakWhereMute(cluster, over.signal))
    const found = read()
    try {
      return await Promise.race([found, Promise.all(looks).then(async () => await found)])
    } finally {
      over.abort()
      // Nobody waits for it any more where the glass may not be broken.
      found.catch(() => undefined)
      await Promise.allSettled(this.#breaking)
    }
  }

  async #breakWhereMute(cluster: Cluster, over: AbortSignal): Promise<void> {
    const { clock } = this.#options
    let since: number | undefined
    while (!over.aborted) {
      // What cannot be asked has lost more than replicas: `read` will say so.
      const isMute = await hasMute(cluster).catch(() => false)
      if (over.aborted) return
      since = isMute ? (since ?? clock.monotonic()) : undefined
      if (since !== undefined && clock.monotonic() - since >= MUTE_FOR_MS) {
        const breaking = this.breakAt(cluster)
        this.#breaking.add(breaking)
        await breaking
        since = undefined
      }
      await clock.sleep(LOOK_EVERY_MS)
    }
  }

  /** Whether anything was lowered. Throws KdrError('not-ready') where that is needed, and not asked for. */
  async breakAt(cluster: Cluster): Promise<boolean> {
    const { kind, link, mayBreak, clock } = this.#options
    const weak = await weakTopics(cluster)
    if (weak.length === 0) return false
    if (!mayBreak)
      throw new KdrError('not-ready', weakSentence(weak, cluster.name), {
        hint:
          kind === 'failover'
            ? `Bring its brokers back; if that takes too long: kdr failover ${link} --break-glass`
            : 'Bring its brokers back.',
      })
    const before = this.#broken.get(cluster.name)?.lowered ?? []
    this.#broken.set(cluster.name, { cluster, lowered: before })
    await breakGlass(cluster, weak, lowered => {
      this.#broken.set(cluster.name, {
        cluster,
        lowered: firstOfEach([...(this.#broken.get(cluster.name)?.lowered ?? []), lowered]),
      })
    })
    await untilReadable(cluster, { topics: weak.map(({ topic }) => topic), clock })
    return true
  }

  /** At the standby, for the record of the run that begins: from now on it is the run that puts it back. */
  takenOn(standby: string, before: readonly Lowered[]): readonly Lowered[] {
    this.#isTakenOn = true
    return firstOfEach([...before, ...(this.#broken.get(standby)?.lowered ?? [])])
  }

  /** What no run has taken on is as it was; `standby`: of the run that has. */
  async close(standby?: string): Promise<void> {
    for (const [name, { cluster, lowered }] of this.#broken)
      if (!this.#isTakenOn || name !== standby) await restoreGlass(cluster, lowered)
    this.#broken.clear()
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
  const left = await putBack(target, lowered)
  if (left.length === lowered.length) return ended
  const record = { ...ended, lowered: left }
  await journal.writeRun(record)
  return record
}
