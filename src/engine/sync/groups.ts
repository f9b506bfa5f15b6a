// Consumer groups follow the data: captured at the source (capture.ts), decided one by one (decide.ts), committed at the
// target when the mirrors hold what the offsets imply. What is known of each is left in `_kdr.state` for `kdr status`.
import { findKdrError } from '../../model/errors.ts'
import type { GoneOffset, GroupReason, GroupStanding } from '../../model/group-records.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { GroupAdmin, GroupOffsets, ListedGroup, Outcome, TopicAdmin } from '../../ports/cluster.ts'
import type { Log } from '../../ports/log.ts'
import { areEndsGone, capture, type Captured, type CaptureInput, isCovered, isOutdated } from './capture.ts'
import {
  type Act,
  behind,
  decide,
  deletable,
  type GroupSight,
  hasMembers,
  place,
  type Placed,
  refused,
  type Verdict,
} from './decide.ts'
import { GroupMemory, type GroupMemoryInput } from './group-memory.ts'
import { Mirrors } from './mirrors.ts'

export type { MirrorPosition } from './mirrors.ts'

export type GroupLimits = {
  /** A group, or an offset, that is gone at the source is deleted at the target so long after that was first seen. */
  readonly deleteAfterMs: number
}
const LIMITS: GroupLimits = { deleteAfterMs: 3_600_000 }

export type GroupSyncInput = CaptureInput &
  GroupMemoryInput & {
    readonly target: GroupAdmin & Pick<TopicAdmin, 'brokerConfigs'>
    /** Asked before whatever changes the target: throws when another worker does it by now. */
    readonly assertControl: () => Promise<void>
    readonly log: Log
    readonly limits?: GroupLimits | undefined
  }

/** What this worker has committed last: when (monotonic). */
type Applied = { readonly at: number; readonly offsets: readonly Placed[] }
type Targets = ReadonlyMap<string, ListedGroup>

const LOOK_EVERY_MS = 100
/** How often it is asked whether what is waited for is still there. */
const LOOKS_BEFORE_DOUBT = 100
/** Commits on the way. */
const ACTS_AT_ONCE = 64
/** What the target has refused is tried again so much later. */
const AGAIN_MS = 15_000
/** Committed again when this share of the time is over for which the target keeps it. */
const REFRESHES = 4
const RETENTION = 'offsets.retention.minutes'
/** Kafka's default of it. */
const RETENTION_MINUTES = 10_080
const RETENTION_KNOWN_MS = 3_600_000
/** Sentences that a round logs; `kdr status` has all of them. */
const TOLD_AT_ONCE = 10
/** What somebody should look at, and nothing else has told. */
const LOUD: readonly (GroupReason | undefined)[] = [
  'members-at-target',
  'no-rights',
  'refused',
  'share-group',
  'streams-group',
]

export class GroupSync {
  readonly #input: GroupSyncInput
  readonly #memory: GroupMemory
  readonly #applied = new Map<string, Applied>()
  /** Groups in step, by the answer of the source that they are in step with, as long as the mirrors are as good as these. */
  readonly #settled = new Map<string, GroupOffsets>()
  #mirrors = new Mirrors([])
  /** When the target refused something (monotonic). */
  readonly #refusedAt = new Map<string, number>()
  readonly #told = new Set<string>()
  /** Sentences of this round. */
  readonly #loud = new Set<string>()
  #retention = { ms: 0, readAt: -Infinity }

  constructor(input: GroupSyncInput) {
    this.#input = input
    this.#memory = new GroupMemory(input)
  }

  /** Captures, waits for the cursors, applies. False: `signal` ended it, or what was captured no longer holds. */
  async round(signal: AbortSignal): Promise<boolean> {
    await this.#refresh()
    const captured = await this.capture()
    for (let looks = 1; !this.isCovered(captured); looks++) {
      if (signal.aborted) return false
      await this.#input.clock.sleep(LOOK_EVERY_MS, signal)
      if (isOutdated(this.#input, captured)) return false
      if (looks % LOOKS_BEFORE_DOUBT !== 0) continue
      if (await areEndsGone(this.#input, captured)) return false
      await this.#noteBehind(captured)
      await this.#refresh()
    }
    return await this.apply(captured)
  }

  /** Another worker does it: what this one knows will be old. */
  forget(): void {
    this.#memory.forget()
    this.#applied.clear()
    this.#settled.clear()
    this.#refusedAt.clear()
  }

  async capture(): Promise<Captured> {
    await this.#load()
    return await capture(this.#input, this.#memory.groups())
  }

  /** Whether every cursor has passed the ends, so that the offsets may be applied. */
  isCovered(captured: Captured): boolean {
    return isCovered(this.#input, captured)
  }

  /** Does what is to be done with each group. False: what was captured holds no longer, and the rest is left as it is. */
  async apply(captured: Captured): Promise<boolean> {
    const { assertControl, positions } = this.#input
    const mirrors = new Mirrors(positions())
    if (!mirrors.areAsGoodAs(this.#mirrors)) this.#settled.clear()
    this.#mirrors = mirrors
    const sights = await this.#look(captured)
    const open = sights.filter(sight => {
      const verdict = this.#decide(sight, mirrors)
      if (verdict.act === undefined) this.#note(sight, verdict)
      return verdict.act !== undefined && !this.#isRefused(sight.group)
    })
    for (let at = 0; at < open.length; at += ACTS_AT_ONCE) {
      await assertControl()
      // What had stopped may have gone on meanwhile.
      if (!this.isCovered(captured)) return false
      await this.#actOn(open.slice(at, at + ACTS_AT_ONCE), new Mirrors(positions()))
    }
    this.#tell()
    await this.#memory.save(captured.at)
    return true
  }

  async #load(): Promise<void> {
    if (this.#memory.isLoaded) return
    // It reads what others have written, too.
    await this.#input.assertControl()
    this.#memory.load()
  }

  async #look({ listed, offsets }: Captured): Promise<GroupSight[]> {
    const targets = await this.#targets()
    for (const group of this.#memory.groups())
      if (!listed.has(group) && !offsets.has(group)) this.#drop(group)
    const sights: GroupSight[] = []
    for (const group of new Set([...listed.keys(), ...offsets.keys()])) {
      const read = offsets.get(group)
      const target = targets.get(group)
      // Nearly all of ten thousand: not looked at any further.
      const isSettled = read !== undefined && this.#settled.get(group) === read
      if (isSettled && target !== undefined && !hasMembers(target)) continue
      const applied = this.#applied.get(group)?.offsets
      const entry = this.#memory.get(group)
      sights.push({ group, source: listed.get(group), offsets: read, target, applied, entry })
    }
    return sights
  }

  async #targets(): Promise<Targets> {
    return new Map((await this.#input.target.listGroups()).map(each => [each.group, each]))
  }

  #decide(sight: GroupSight, mirrors: Mirrors): Verdict {
    const { deleteAfterMs } = this.#input.limits ?? LIMITS
    return decide(sight, mirrors, { now: this.#input.clock.now(), deleteAfterMs })
  }

  /** All at once; throws the first failure when all have ended. `mirrors` are those of this moment. */
  async #actOn(sights: readonly GroupSight[], mirrors: Mirrors): Promise<void> {
    const ended = await Promise.allSettled(
      sights.map(async sight => {
        const verdict = this.#decide(sight, mirrors)
        const { act } = verdict
        if (act === undefined) return this.#note(sight, verdict)
        const { code } = await this.#act(sight.group, act, mirrors)
        if (code === KafkaCode.NONE) this.#succeeded(sight, verdict, act)
        else this.#failed(sight, refused(sight.group, act, code))
      }),
    )
    for (const one of ended) if (one.status === 'rejected') throw one.reason
  }

  async #act(group: string, act: Act, mirrors: Mirrors): Promise<Outcome> {
    const { target } = this.#input
    if (act.do === 'commit') return await target.commitGroupOffsets(group, act.offsets)
    if (act.do === 'delete-offsets') return await target.deleteGroupOffsets(group, act.partitions)
    const [held] = await target.groupOffsets([group])
    if (held?.code !== KafkaCode.NONE) return held ?? { code: KafkaCode.UNKNOWN_SERVER_ERROR }
    const what = deletable(held.offsets, mirrors)
    if (what !== 'group')
      return what.length === 0 ? { code: KafkaCode.NONE } : await target.deleteGroupOffsets(group, what)
    const outcome = await target.deleteGroup(group)
    return outcome.code === KafkaCode.GROUP_ID_NOT_FOUND ? { code: KafkaCode.NONE } : outcome
  }

  #succeeded(sight: GroupSight, verdict: Verdict, act: Act): void {
    const { clock, log } = this.#input
    const { group } = sight
    this.#refusedAt.delete(group)
    switch (act.do) {
      case 'commit':
        this.#applied.set(group, { at: clock.monotonic(), offsets: act.offsets })
        this.#note(sight, verdict, true)
        break
      case 'delete-offsets':
        log.event(
          'info',
          `${act.partitions.length} offset(s) of group "${group}" are deleted: gone at the source`,
        )
        this.#note(sight, verdict)
        break
      case 'delete-group':
        log.event('info', `group "${group}" is deleted: gone at the source`)
        this.#drop(group)
        break
    }
  }

  #failed(sight: GroupSight, standing: GroupStanding): void {
    this.#refusedAt.set(sight.group, this.#input.clock.monotonic())
    this.#applied.delete(sight.group)
    this.#note(sight, { standing, goneAt: sight.entry?.goneAt, gone: sight.entry?.gone })
  }

  #isRefused(group: string): boolean {
    return this.#input.clock.monotonic() - (this.#refusedAt.get(group) ?? -Infinity) < AGAIN_MS
  }

  #note(
    { group, entry, offsets }: GroupSight,
    { standing, goneAt, gone = [] }: Verdict,
    isOwn = entry?.isOwn,
  ): void {
    this.#settled.delete(group)
    if (standing === undefined) return this.#drop(group)
    const isSettled = standing.state === 'synced' && gone.length === 0 && this.#applied.has(group)
    if (isSettled && offsets !== undefined) this.#settled.set(group, offsets)
    const isUsed = standing.reason === 'members-at-target'
    // They commit for themselves now: that is not to be deleted, nor taken for ours.
    if (isUsed) this.#applied.delete(group)
    const left: { goneAt?: number; gone?: readonly GoneOffset[] } = {}
    if (goneAt !== undefined && !isUsed) left.goneAt = goneAt
    if (gone.length > 0 && !isUsed) left.gone = gone
    const what = { ...standing, ...left, group, isOwn: isOwn === true && !isUsed }
    this.#memory.note(what, this.#input.clock.now())
    if (LOUD.includes(standing.reason) && standing.sentence !== undefined) this.#loud.add(standing.sentence)
  }

  #drop(group: string): void {
    this.#memory.drop(group)
    this.#applied.delete(group)
    this.#settled.delete(group)
    this.#refusedAt.delete(group)
  }

  /** What was captured still waits: whatever would be committed is not in step. */
  async #noteBehind(captured: Captured): Promise<void> {
    const mirrors = new Mirrors(this.#input.positions())
    for (const sight of await this.#look(captured)) {
      const { act } = this.#decide(sight, mirrors)
      const { group, entry, applied } = sight
      const kept = { goneAt: entry?.goneAt, gone: entry?.gone }
      if (act?.do === 'commit') this.#note(sight, { standing: behind(group, applied !== undefined), ...kept })
    }
    await this.#memory.save()
  }

  /** The target forgets offsets of a group that nobody uses, some time after their commit. */
  async #refresh(): Promise<void> {
    if (this.#applied.size === 0) return
    const { clock, assertControl, positions } = this.#input
    const refreshMs = (await this.#retentionMs()) / REFRESHES
    const isDue = ({ at }: Applied): boolean => clock.monotonic() - at >= refreshMs
    const due = [...this.#applied].filter(([, applied]) => isDue(applied))
    if (due.length === 0) return
    const targets = await this.#targets()
    for (let at = 0; at < due.length; at += ACTS_AT_ONCE) {
      await assertControl()
      const mirrors = new Mirrors(positions())
      const part = due.slice(at, at + ACTS_AT_ONCE)
      await Promise.all(
        part.map(async ([group, { offsets }]) => await this.#commitAgain(group, offsets, targets, mirrors)),
      )
    }
  }

  /** As it was committed: that is covered. Where a mirror is another by now, the next round decides. */
  async #commitAgain(
    group: string,
    offsets: readonly Placed[],
    targets: Targets,
    mirrors: Mirrors,
  ): Promise<void> {
    const { placed } = place(
      offsets.filter(each => mirrors.at(each)?.topicId === each.topicId),
      mirrors,
    )
    const isFree = !hasMembers(targets.get(group)) && placed.length > 0
    const outcome = isFree ? await this.#input.target.commitGroupOffsets(group, placed) : undefined
    if (outcome?.code === KafkaCode.NONE)
      this.#applied.set(group, { at: this.#input.clock.monotonic(), offsets: placed })
    else {
      this.#applied.delete(group)
      this.#settled.delete(group)
    }
  }

  async #retentionMs(): Promise<number> {
    const { target, clock } = this.#input
    if (clock.monotonic() - this.#retention.readAt < RETENTION_KNOWN_MS) return this.#retention.ms
    const configs = await target.brokerConfigs([RETENTION]).catch((error: unknown) => {
      if (findKdrError(error)?.code === 'not-allowed') return new Map<string, string>()
      throw error
    })
    const minutes = Number(configs.get(RETENTION) ?? RETENTION_MINUTES)
    this.#retention = { ms: minutes * 60_000, readAt: clock.monotonic() }
    return this.#retention.ms
  }

  /** Each sentence once. */
  #tell(): void {
    const fresh = [...this.#loud].filter(sentence => !this.#told.has(sentence))
    this.#loud.clear()
    for (const sentence of fresh) this.#told.add(sentence)
    for (const sentence of fresh.slice(0, TOLD_AT_ONCE)) this.#input.log.event('warn', sentence)
    const more = fresh.length - TOLD_AT_ONCE
    if (more > 0) this.#input.log.event('warn', `${more} more group(s) are not in step: see kdr status`)
  }
}
