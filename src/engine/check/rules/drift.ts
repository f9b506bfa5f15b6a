// Three ways of seeing a mirror held against each other: what the source has, what kdr has set, what the target shows. Reported, never
// fought over. Pure.
import { type Finding, finding } from '../../../model/findings.ts'
import type { ConfigEntry } from '../../../ports/cluster.ts'
import { counted, listed, type SeenCluster } from '../observation.ts'
import { gigabytes } from './disks.ts'
import { replicasOf } from './topics.ts'

export type MirrorFacts = {
  readonly topic: string
  /** What the mirror is to have by what the source has now, and the overrides; undefined: not known. */
  readonly wanted: Readonly<Record<string, string>> | undefined
  /** What kdr set last; undefined: no mirror is known. */
  readonly applied: Readonly<Record<string, string>> | undefined
  /** Of its overrides; undefined: as at the source. */
  readonly replicas: number | undefined
}

export type DriftSight = {
  readonly link: string
  readonly source: SeenCluster
  readonly target: SeenCluster
  /** Every topic of the source that the link takes. */
  readonly mirrors: readonly MirrorFacts[]
}

export function driftFindings(sight: DriftSight): Finding[] {
  return [
    ...missing(sight),
    ...sight.mirrors.flatMap(mirror => [...partitions(sight, mirror), ...configs(sight, mirror)]),
    ...replicas(sight),
    ...room(sight),
  ]
}

function missing({ link, target, mirrors }: DriftSight): Finding[] {
  const absent = mirrors.filter(({ topic }) => !target.topics.has(topic)).map(({ topic }) => topic)
  if (absent.length === 0) return []
  return [
    finding('C074', {
      where: `link:${link}`,
      message: `${counted(absent.length, 'topic')} of link "${link}" not at "${target.name}"`,
      evidence: [listed(absent)],
      values: { link },
    }),
  ]
}

function partitions({ link, source, target }: DriftSight, { topic }: MirrorFacts): Finding[] {
  const there = source.topics.get(topic)?.partitions.length
  const here = target.topics.get(topic)?.partitions.length
  if (there === undefined || here === undefined || there === here) return []
  return [
    finding('C075', {
      where: `link:${link} topic:${topic}`,
      message: `"${topic}" has ${counted(there, 'partition')} at "${source.name}" and ${here} at "${target.name}"`,
      values: { link, topic },
      ...(here < there && { hint: `kdr status --link ${link}` }),
    }),
  ]
}

/** What somebody has changed at the target is one thing; what has not been carried over yet another. */
function configs({ link, source, target }: DriftSight, { topic, applied, wanted }: MirrorFacts): Finding[] {
  const found = target.topicConfigs.get(topic)
  if (applied === undefined || found === undefined) return []
  const changed = Object.entries(applied).flatMap(([name, value]) => {
    const now = found.get(name)?.value ?? ''
    return now === value ? [] : [{ name, value, now }]
  })
  const late = Object.entries(wanted ?? {}).filter(([name, value]) => applied[name] !== value)
  const [first] = changed
  return [
    ...(first === undefined
      ? []
      : [
          finding('C076', {
            where: `link:${link} topic:${topic}`,
            message: `somebody has changed the mirror "${topic}" at "${target.name}"`,
            evidence: changed.map(({ name, value, now }) => `${name}: kdr had set ${value}, found ${now}`),
            values: { at: target.at, topic },
            hint: restore(target, topic, changed),
            fix: changed.every(isNarrower)
              ? {
                  kind: 'topic-configs',
                  cluster: target.name,
                  topic,
                  configs: Object.fromEntries(changed.map(({ name, value }) => [name, value])),
                  link,
                }
              : undefined,
          }),
        ]),
    ...(late.length === 0
      ? []
      : [
          finding('C077', {
            where: `link:${link} topic:${topic}`,
            message: `configs of "${topic}" at "${source.name}" have not followed to "${target.name}"`,
            evidence: late.map(
              ([name, value]) => `${name}: ${value} wanted, ${applied[name] ?? 'nothing'} set`,
            ),
            values: { link },
          }),
        ]),
  ]
}

type Changed = { readonly name: string; readonly value: string; readonly now: string }

/** Configs by which a mirror deletes or refuses by itself; -1 is without end. */
const BOUNDS = /^(retention\.(ms|bytes)|max\.message\.bytes|message\.timestamp\.\w+\.max\.ms)$/

const isNarrower = ({ name, value, now }: Changed): boolean =>
  BOUNDS.test(name) && now !== '-1' && (value === '-1' || Number(value) > Number(now))

function restore({ at }: SeenCluster, topic: string, changed: readonly Changed[]): string {
  const configs = changed.map(({ name, value }) => `${name}=${value.includes(',') ? `[${value}]` : value}`)
  return `kafka-configs.sh ${at} --alter --entity-type topics --entity-name ${topic} --add-config ${configs.join(',')}`
}

function replicas({ link, source, target, mirrors }: DriftSight): Finding[] {
  const weaker = mirrors.flatMap(({ topic, replicas: wanted }) => {
    const there = source.topics.get(topic)
    const here = target.topics.get(topic)
    if (there === undefined || here === undefined) return []
    const least = wanted ?? replicasOf(there)
    return replicasOf(here) < least ? [`${topic}: ${replicasOf(here)} instead of ${least}`] : []
  })
  if (weaker.length === 0) return []
  return [
    finding('C082', {
      where: `link:${link}`,
      message: `${counted(weaker.length, 'mirror')} of link "${link}" with fewer replicas than wanted`,
      evidence: [listed(weaker), `"${target.name}" has ${counted(target.brokers.length, 'broker')}`],
    }),
  ]
}

/** What is still to be copied, times its replicas, against what is left on all disks of the target. (Brokers on one volume show it twice.) */
function room({ link, source, target, mirrors }: DriftSight): Finding[] {
  const { partitionBytes: there } = source
  const { partitionBytes: here } = target
  const volumes = target.logDirs.filter(({ usableBytes }) => usableBytes >= 0)
  if (there === undefined || here === undefined || volumes.length === 0) return []
  const needed = mirrors.reduce((sum, { topic, replicas: wanted }) => {
    const view = source.topics.get(topic)
    if (view === undefined) return sum
    const copies = Math.min(wanted ?? replicasOf(view), Math.max(1, target.brokers.length))
    const missingBytes = view.partitions.reduce((total, { partition }) => {
      const key = `${topic}/${partition}`
      return total + Math.max(0, (there.get(key) ?? 0) - (here.get(key) ?? 0))
    }, 0)
    return sum + missingBytes * copies
  }, 0)
  const left = volumes.reduce((sum, { usableBytes }) => sum + usableBytes, 0)
  if (needed <= left) return []
  return [
    finding('C083', {
      where: `link:${link}`,
      message: `what link "${link}" has to copy does not fit at "${target.name}"`,
      evidence: [`${gigabytes(needed)} needed, ${gigabytes(left)} left on all its disks`],
    }),
  ]
}

/** Set on the topic itself, as `--compare` shows them. */
export function overridesOf(entries: ReadonlyMap<string, ConfigEntry> | undefined): Map<string, string> {
  return new Map(
    [...(entries ?? [])].flatMap(([name, { value, isOverride, isSensitive }]) =>
      isOverride && !isSensitive && value !== null ? [[name, value] as const] : [],
    ),
  )
}
