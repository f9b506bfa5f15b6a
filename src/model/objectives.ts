// Which objective holds for a link, a topic of it, a set or a plan: the first of the config that matches; and whether a link is
// within those that concern it. Pure.
import { compilePatterns } from './patterns.ts'

export type Objective = {
  /** `*`, or patterns such as `link:east-west topic:pay-*`. */
  readonly for: string
  readonly rpoMs?: number | undefined
  readonly rtoMs?: number | undefined
}

/** `place`: words such as `link:east-west topic:pay-in`. A pattern about a topic says nothing of a link as a whole. */
export function objectiveFor(objectives: readonly Objective[], place: string): Objective | undefined {
  const words = place.split(' ')
  return objectives.find(objective =>
    objective.for
      .split(/\s+/)
      .filter(word => word !== '')
      .every(
        pattern => pattern === '*' || words.some(word => compilePatterns([pattern], 'any').matches(word)),
      ),
  )
}

/** As the config has them. */
export type Objectives = {
  readonly objectives: readonly Objective[]
  readonly plans: Readonly<
    Record<
      string,
      { readonly links: readonly string[]; readonly objectives: { readonly rpoMs?: number | undefined } }
    >
  >
}

/** Of the link as a whole, or of a topic of it: the strictest of what `objectives:` says first and of the plans that name the link. */
export function rpoObjectiveOf(
  { objectives, plans }: Objectives,
  link: string,
  topic?: string,
): number | undefined {
  const place = topic === undefined ? `link:${link}` : `link:${link} topic:${topic}`
  const wanted = [
    objectiveFor(objectives, place)?.rpoMs,
    ...Object.values(plans).map(plan => (plan.links.includes(link) ? plan.objectives.rpoMs : undefined)),
  ].filter(each => each !== undefined)
  return wanted.length === 0 ? undefined : Math.min(...wanted)
}

export type MeasuredPartition = {
  readonly state: string
  readonly lagRecords: number
  /** Undefined: not told. */
  readonly isAnchored?: boolean
}

/** One that waits with records to copy, or has stopped, may never have been looked at: its lag in time is then a zero that means nothing. */
export const isLagKnown = ({ state, lagRecords, isAnchored = true }: MeasuredPartition): boolean =>
  state !== 'faulted' && (state !== 'waiting' || (lagRecords === 0 && isAnchored))

/** Of a status of a link, what an objective is held against. */
export type Measured = {
  readonly name: string
  readonly state: string
  readonly lagMs: number | null
  readonly rpoMs: number | null
  readonly sourceSeenAt: string | null
  readonly topics: readonly {
    readonly name: string
    readonly partitions: readonly (MeasuredPartition & { readonly lagMs: number })[]
  }[]
  /** Topics of it of which nobody has told anything. */
  readonly unreported?: readonly string[]
}

export type TopicBeyond = { readonly topic: string; readonly rpoMs: number; readonly rpoObjectiveMs: number }

export type LinkObjective = {
  /** The strictest of those that concern it. */
  readonly rpoObjectiveMs: number
  /** Each topic is held against its own. `unknown`: nobody can say how far behind it is. */
  readonly rpoObjectiveState: 'met' | 'missed' | 'unknown'
  /** Topics beyond theirs, the worst first. */
  readonly beyondObjective: readonly TopicBeyond[]
}

/** Undefined: none concerns it. */
export function linkObjective(wanted: Objectives, link: Measured): LinkObjective | undefined {
  const whole = rpoObjectiveOf(wanted, link.name)
  const topics = link.topics.flatMap(({ name, partitions }) => {
    const limitMs = rpoObjectiveOf(wanted, link.name, name)
    const lagMs = partitions.reduce((most, each) => Math.max(most, each.lagMs), 0)
    const isKnown = partitions.length > 0 && partitions.every(isLagKnown)
    return limitMs === undefined ? [] : [{ name, lagMs, limitMs, isKnown }]
  })
  const untold = (link.unreported ?? []).flatMap(topic => rpoObjectiveOf(wanted, link.name, topic) ?? [])
  const limits = [...(whole === undefined ? [] : [whole]), ...topics.map(({ limitMs }) => limitMs), ...untold]
  if (limits.length === 0) return undefined
  const rpoObjectiveMs = Math.min(...limits)
  const { lagMs, rpoMs } = link
  if (lagMs === null || rpoMs === null || !isMeasured(link))
    return { rpoObjectiveMs, rpoObjectiveState: 'unknown', beyondObjective: [] }
  // Since the source was last seen, every topic may have gone on there.
  const unseenMs = rpoMs - lagMs
  const beyondObjective = topics
    .map(each => ({
      topic: each.name,
      rpoMs: each.lagMs + unseenMs,
      rpoObjectiveMs: each.limitMs,
    }))
    .filter(each => each.rpoMs > each.rpoObjectiveMs)
    .toSorted((a, b) => b.rpoMs - b.rpoObjectiveMs - (a.rpoMs - a.rpoObjectiveMs))
  const isMissed = beyondObjective.length > 0 || (whole !== undefined && topics.length === 0 && rpoMs > whole)
  const isKnown = untold.length === 0 && topics.every(each => each.isKnown)
  // What is beyond it for certain is, whatever else nobody knows.
  return {
    rpoObjectiveMs,
    rpoObjectiveState: isMissed ? 'missed' : isKnown ? 'met' : 'unknown',
    beyondObjective,
  }
}

/** Of a link that has copied nothing yet nothing is known, whatever its zeros say. */
const isMeasured = ({ sourceSeenAt, topics, state }: Measured): boolean =>
  sourceSeenAt !== null && (topics.length > 0 || state === 'mirroring' || state === 'promoted')
