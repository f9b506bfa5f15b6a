// The consumer groups of a cluster, round by round: their offsets, and then the ends of the partitions that these are in, each once
// however many groups read it. Only what groups have committed is watched; a partition without a commit has no lag that anybody knows.
import { graver } from '../../model/consumer-state.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { Cluster, ClusterView, GroupOffsets, ListedGroup, TopicPartition } from '../../ports/cluster.ts'
import { CommitWindow } from './commit-window.ts'
import { EndHistory } from './end-history.ts'
import type { MonitorLimits } from './limits.ts'
import type { GroupSight } from './sight.ts'

export type GroupSource = Pick<Cluster, 'listGroups' | 'groupOffsets' | 'offsets'>

/** Asked for at once: so that what is too much is not all in memory before it is left out. */
const GROUPS_AT_ONCE = 200
/** So many looks a group that does not answer is as it was: its coordinator may be moving. */
const SILENT_LOOKS = 6

/** Of one log: a topic that was made anew has others. */
type LogEnds = TopicPartition & {
  readonly history: EndHistory
  /** Undefined: never seen. */
  end: number | undefined
  /** The lowest offset that a group has there. */
  lowest: number
  askedIn: number
  seenIn: number
}
type TopicEnds = { readonly id: string; readonly logs: (LogEnds | undefined)[] }
/** `isPending`: a transaction has another one under way; this is the one before. */
type Commit = {
  readonly log: LogEnds
  readonly window: CommitWindow
  readonly offset: number
  readonly isPending: boolean
}
type Known = {
  readonly offsets: GroupOffsets
  readonly commits: readonly Commit[]
  /** Otherwise some are about what the cluster does not show, yet or any more. */
  readonly isWhole: boolean
  readonly topicsRound: number
  seenIn: number
}

export type GroupsSeen = { readonly groups: readonly GroupSight[]; readonly unwatched: number }

export class GroupWatch {
  readonly #limits: Pick<MonitorLimits, 'windowMs' | 'maxOffsets'>
  readonly #isWanted: (group: string) => boolean
  #topics = new Map<string, TopicEnds>()
  #known = new Map<string, Known>()
  #view: ClusterView | undefined
  #round = 0
  /** The round in which a topic went or was made anew. */
  #topicsRound = 0

  constructor(limits: Pick<MonitorLimits, 'windowMs' | 'maxOffsets'>, isWanted: (group: string) => boolean) {
    this.#limits = limits
    this.#isWanted = isWanted
  }

  /** `now`: monotonic ms. Throws KdrError: unreachable, not-allowed. */
  async look(cluster: GroupSource, view: ClusterView, now: () => number): Promise<GroupsSeen> {
    this.#round++
    this.#forgetTopics(view)
    const listed = (await cluster.listGroups()).filter(
      ({ group, type }) => type !== 'share' && this.#isWanted(group),
    )
    const unwatched = await this.#readCommits(cluster, listed)
    const logs = this.#asked()
    const ends = await cluster.offsets(logs, 'highWatermark')
    const at = now()
    logs.forEach((log, index) => {
      const answer = ends[index]
      if (answer?.code !== KafkaCode.NONE) return
      log.end = answer.offset
      log.seenIn = this.#round
      log.history.observe(answer.offset, at)
      log.history.forget(log.lowest)
    })
    const members = new Map(listed.map(each => [each.group, hasMembers(each)]))
    const groups = [...this.#known]
      .filter(([, { commits }]) => commits.length > 0)
      .map(([group, known]) => this.#sightOf(group, known, { at, hasMembers: members.get(group) ?? false }))
    return { groups, unwatched }
  }

  /** Logs that are gone are no logs of whoever has their name now. */
  #forgetTopics(view: ClusterView): void {
    if (this.#view === view) return
    this.#view = view
    for (const [name, { id }] of this.#topics) {
      if (view.topics.get(name)?.id === id) continue
      this.#topics.delete(name)
      this.#topicsRound = this.#round
    }
  }

  /** Returns how many groups are left out. */
  async #readCommits(cluster: GroupSource, listed: readonly ListedGroup[]): Promise<number> {
    const before = this.#known
    const known = new Map<string, Known>()
    let room = this.#limits.maxOffsets
    let unwatched = 0
    for (let at = 0; at < listed.length; at += GROUPS_AT_ONCE) {
      const names = listed.slice(at, at + GROUPS_AT_ONCE).map(({ group }) => group)
      const answers = room > 0 ? await cluster.groupOffsets(names) : []
      for (const [index, group] of names.entries()) {
        const answer = answers[index]
        const old = before.get(group)
        const now = answer?.code === KafkaCode.NONE ? this.#knownOf(answer, old) : this.#asItWas(old)
        if (answer === undefined || now === undefined || now.commits.length > room) unwatched++
        else {
          room -= now.commits.length
          known.set(group, now)
        }
      }
    }
    this.#known = known
    return unwatched
  }

  #asItWas(old: Known | undefined): Known | undefined {
    return old !== undefined && this.#round - old.seenIn <= SILENT_LOOKS ? old : undefined
  }

  #knownOf(offsets: GroupOffsets, old: Known | undefined): Known {
    // A group that answers as before, about topics that are as before, is as it was.
    if (old?.offsets === offsets && old.isWhole && old.topicsRound === this.#topicsRound) {
      old.seenIn = this.#round
      return old
    }
    const before = new Map(old?.commits.map(commit => [commit.log, commit]))
    const commits = offsets.offsets.flatMap(({ topic, partition, offset }): Commit[] => {
      const log = this.#logOf(topic, partition)
      if (log === undefined) return []
      return [{ log, window: before.get(log)?.window ?? new CommitWindow(), offset, isPending: false }]
    })
    const pending = offsets.pending.flatMap(({ topic, partition }): Commit[] => {
      const log = this.#logOf(topic, partition)
      const commit = log && before.get(log)
      return commit === undefined ? [] : [{ ...commit, isPending: true }]
    })
    return {
      offsets,
      commits: [...commits, ...pending],
      isWhole: commits.length === offsets.offsets.length && offsets.pending.length === 0,
      topicsRound: this.#topicsRound,
      seenIn: this.#round,
    }
  }

  /** Undefined: the cluster does not have it. */
  #logOf(topic: string, partition: number): LogEnds | undefined {
    const there = this.#view?.topics.get(topic)
    if (there?.partitions[partition] === undefined) return undefined
    const ends = this.#topics.get(topic) ?? { id: there.id, logs: [] }
    this.#topics.set(topic, ends)
    const log: LogEnds = ends.logs[partition] ?? {
      topic,
      partition,
      history: new EndHistory(),
      end: undefined,
      lowest: 0,
      askedIn: 0,
      seenIn: 0,
    }
    ends.logs[partition] = log
    return log
  }

  /** Each log that a group has an offset in. */
  #asked(): LogEnds[] {
    const asked: LogEnds[] = []
    for (const { commits } of this.#known.values())
      for (const { log, offset } of commits) {
        if (log.askedIn === this.#round) log.lowest = Math.min(log.lowest, offset)
        else {
          log.askedIn = this.#round
          log.lowest = offset
          asked.push(log)
        }
      }
    return asked
  }

  #sightOf(
    group: string,
    { commits, seenIn }: Known,
    { at, hasMembers }: { readonly at: number; readonly hasMembers: boolean },
  ): GroupSight {
    const how = { windowMs: this.#limits.windowMs, hasMembers }
    let state: GroupSight['state'] = 'ok'
    let worst: Commit | undefined
    let lagRecords = 0
    let lagMs = 0
    let isLagAtLeast = false
    for (const commit of commits) {
      const { log, window, offset, isPending } = commit
      if (log.end === undefined) {
        // Nobody leads it, or kdr may not ask.
        state = graver(state, 'unknown')
        continue
      }
      // What was not asked for now says nothing about how it moves.
      const isSeen = !isPending && log.seenIn === this.#round && seenIn === this.#round
      if (isSeen) window.observe(offset, log.end, at)
      const mine = window.state(how)
      const isGraver = mine !== state && graver(mine, state) === mine
      if (isGraver || (mine === state && mine !== 'ok' && window.lag > (worst?.window.lag ?? 0)))
        worst = commit
      state = graver(state, mine)
      lagRecords += window.lag
      lagMs = Math.max(lagMs, log.history.lagMs(offset, at))
      isLagAtLeast ||= log.history.isAtLeast(offset)
    }
    const { topic, partition, end = 0 } = worst?.log ?? { topic: '', partition: 0 }
    return {
      group,
      state,
      hasMembers,
      lagRecords,
      lagMs: Math.round(lagMs),
      isLagAtLeast,
      partitions: commits.length,
      ...(worst !== undefined && { worst: { topic, partition, state, committed: worst.offset, end } }),
    }
  }
}

/** Nobody is in a group that is empty; what is between two assignments has members. */
const hasMembers = ({ state }: ListedGroup): boolean => state !== 'Empty' && state !== 'Dead'
