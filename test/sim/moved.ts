// What must hold when a link has been moved: oracles over both clusters, as they stand. They look at the logs themselves,
// not through ports.
import { recordCodec } from '../../src/kafka/records.ts'
import type { BatchHeader } from '../../src/model/batch.ts'
import type { RunReport } from '../../src/model/runs.ts'
import { holdKey, readHold, type SlotRecord } from '../../src/model/state-records.ts'
import { STATE_TOPIC } from '../../src/state/topic-store.ts'
import type { SimCluster } from './cluster.ts'
import { GROUP, LINK, type MovingWorld } from './moving-world.ts'
import { idOf } from './workload.ts'

/** What a run leaves that others depend on. Beats and reports of workers are their own. */
const LASTING = ['link', 'hold', 'topic', 'partition', 'slot', 'ledger', 'command']
/** Beside these, two records say the same. */
const TIMES = new Set(['movedAt', 'at', 'run'])

export type Snapshot = {
  readonly topics: Readonly<Record<string, readonly unknown[]>>
  readonly groups: Readonly<Record<string, unknown>>
  readonly state: Readonly<Record<string, string>>
}

/** The target as applications and the next run would find it, and what the source knows of the link. */
export function snapshot({ target, source }: MovingWorld): Snapshot {
  const topics = [...target.topics.values()].filter(({ name }) => !name.startsWith('_kdr.'))
  return {
    topics: Object.fromEntries(
      topics.map(({ name, configs, partitions }) => [
        name,
        [sorted(configs), ...partitions.map(({ log }) => [log.logStart, log.end])],
      ]),
    ),
    groups: Object.fromEntries([...target.groups].map(([group, offsets]) => [group, sorted(offsets)])),
    state: { ...stateOf(target), ...stateOf(source) },
  }
}

function sorted<T>(of: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...of].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

function recordsOf(cluster: SimCluster): Map<string, unknown> {
  const { entries } = cluster.partition({ topic: STATE_TOPIC, partition: 0 })?.log ?? { entries: [] }
  const state = new Map<string, unknown>()
  for (const { header, bytes } of entries)
    for (const { key, value } of recordCodec.decode({ header, bytes }))
      if (value === null) state.delete(String(key))
      else state.set(String(key), JSON.parse(String(value)))
  return state
}

/** The link's records in `_kdr.state`, times aside. */
function stateOf(cluster: SimCluster): Record<string, string> {
  const state = recordsOf(cluster)
  const records = { get: (key: string) => state.get(key), entries: () => [...state] }
  // One that has come too late is there, and holds nothing.
  if (readHold(records, LINK) === undefined) state.delete(holdKey(LINK))
  const lasting = [...state].filter(([key]) => {
    const [kind = '', link] = key.split('/')
    return link === LINK && LASTING.includes(kind)
  })
  return Object.fromEntries(
    lasting.map(([key, record]) => [
      `${cluster.options.name} ${key}`,
      JSON.stringify(record, (of, it: unknown) => (TIMES.has(of) ? 0 : it)),
    ]),
  )
}

/** What differs, as sentences. */
export function differences(before: unknown, after: unknown, path = ''): string[] {
  if (!isObject(before) || !isObject(after))
    return before === after ? [] : [`${path}: ${JSON.stringify(before)} became ${JSON.stringify(after)}`]
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].flatMap(name =>
    differences(before[name], after[name], path === '' ? name : `${path}.${name}`),
  )
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null

/** Of a plan, what depends on when it was made. */
const PASSING = new Set(['ms', 'at', 'startedAt', 'endedAt', 'lastSeenMs', 'ageMs', 'rto', 'run'])

/** A report but for its times, and for where groups that go on stood when it was planned. */
export function timeless({ plan, ...report }: RunReport): unknown {
  const planned = { ...plan, groups: [] }
  const kept: unknown = JSON.parse(
    JSON.stringify({ ...report, plan: planned }, (name, value: unknown) =>
      PASSING.has(name) ? undefined : value,
    ),
  )
  return kept
}

const slotPrefix = `slot/${LINK}/`

/** Offsets of the source that the mirrors lack. */
export function lostOf(world: MovingWorld, { rpo }: RunReport): number {
  return rpo.partitions.reduce((sum, { cut, ...at }) => {
    const end = world.source.partition(at)?.log.end ?? 0
    return sum + Math.max(0, end - cut)
  }, 0)
}

/** Records by their offsets, as they stand; ids of the workload. */
export function recordsAt(
  cluster: SimCluster,
  at: { readonly topic: string; readonly partition: number },
): Map<number, string> {
  const { entries } = cluster.partition(at)?.log ?? { entries: [] }
  return new Map(
    entries
      .filter(({ header, bytes }) => !header.isControl && bytes.length > 0)
      .flatMap(({ header, bytes }) => recordCodec.decode({ header, bytes }))
      .map(record => [record.offset, idOf(record)]),
  )
}

/** What is wrong with the mirrors that were cut, and with what is said of them. Asked when the run has just ended. */
export function judgeCuts(world: MovingWorld, report: RunReport): string[] {
  const { kind, rpo, plan } = report
  const wrong: string[] = []
  const lost = lostOf(world, report)
  const slots = [...recordsOf(world.target)]
    .filter(([key]) => key.startsWith(slotPrefix))
    .map(([, record]) => record as SlotRecord)
  const isFence = ({ producerId, producerEpoch }: BatchHeader): boolean =>
    slots.some(each => BigInt(each.producerId) === producerId && each.producerEpoch < producerEpoch)
  for (const { topic, partition, of } of world.workloads) {
    const name = `${topic}/${partition}`
    const said = rpo.partitions.find(each => each.topic === topic && each.partition === partition)
    const log = world.target.partition({ topic, partition })?.log
    if (said === undefined || log === undefined) {
      wrong.push(`${name} was not cut`)
      continue
    }
    const { cut } = said
    const sourceEnd = of.at.log.end
    const fences = log.entries.filter(({ header }) => header.isControl && isFence(header))
    if (fences.length !== 1 || fences[0]?.base !== cut)
      wrong.push(
        `${name} is cut at ${cut}, but its fences are at ${fences.map(({ base }) => base).join(', ')}`,
      )
    if (log.end !== cut + 1) wrong.push(`${name} ends at ${log.end}, and was cut at ${cut}`)
    if (cut > sourceEnd) wrong.push(`${name} is cut at ${cut}, above the end of the source at ${sourceEnd}`)
    if (kind === 'switchover' && cut !== sourceEnd)
      wrong.push(`${name} is cut at ${cut}, and the source ends at ${sourceEnd}`)
    const have = recordsAt(world.target, { topic, partition })
    for (const [offset, id] of of.truth.readable())
      if (offset < cut && have.get(offset) !== id) wrong.push(`${name} lacks ${id} at ${offset}`)
    for (const [offset, id] of have)
      if (!of.truth.wasReadable(offset, id)) wrong.push(`${name} has ${id} at ${offset}, where it never was`)
  }
  if (kind === 'switchover' && (rpo.records !== 0 || rpo.basis !== 'exact'))
    wrong.push(`a switchover reports ${rpo.records} lost records, ${rpo.basis}`)
  const darkMs = (plan?.at ?? 0) - world.darkSince
  if (lost > 0 && rpo.ms < darkMs)
    wrong.push(`the loss is older than ${darkMs} ms, and ${rpo.ms} ms are reported`)
  if (kind === 'failover' && rpo.basis === 'exact' && rpo.records < lost)
    wrong.push(`${lost} offsets are lost, and ${rpo.records} are reported`)
  return wrong
}

/** After a switchover a group stands where it stood. */
export function judgeGroups({ source, target }: MovingWorld): string[] {
  const [there, here] = [source, target].map(cluster => sorted(cluster.groups.get(GROUP) ?? new Map()))
  return differences(there, here, `group ${GROUP}`)
}
