// What a log says of a cluster that is watched: what has changed since the look before, and now and then how it stands. Pure.
import type { GroupSight, WatchedCluster } from '../../engine/monitor/sight.ts'
import { CONSUMER_STATES, type ConsumerState } from '../../model/consumer-state.ts'
import { formatCount, formatDuration, plural } from '../format.ts'

export type Change = {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly group?: string
}

/** Of one round: the others are counted. */
const GROUPS_TOLD = 10
const TOPICS_TOLD = 3

/** `before`: undefined at the first look, which tells what is not well. */
export function changesOf(before: WatchedCluster | undefined, now: WatchedCluster): Change[] {
  const { name, problem } = now
  if (problem !== undefined)
    return problem === before?.problem
      ? []
      : [{ level: 'error', message: `cluster "${name}" cannot be looked at: ${problem}` }]
  const back: Change[] =
    before?.problem === undefined ? [] : [{ level: 'info', message: `cluster "${name}" answers again` }]
  return [
    ...back,
    ...brokers(before, now),
    ...partitions(before, now),
    ...controllers(before, now),
    ...unseen(before, now),
    ...groups(before, now),
  ]
}

function brokers(before: WatchedCluster | undefined, { name, brokers: all }: WatchedCluster): Change[] {
  const known = new Map(before?.brokers.map(each => [each.broker, each]))
  return all.flatMap(({ broker, isThere, logDirsOffline = 0 }): Change[] => {
    const { isThere: wasThere = true, logDirsOffline: wereOffline = 0 } = known.get(broker) ?? {}
    const of = `broker ${broker} of "${name}"`
    const found: Change[] = []
    if (!isThere && wasThere) found.push({ level: 'error', message: `${of} is not there` })
    if (isThere && !wasThere) found.push({ level: 'info', message: `${of} is there again` })
    if (logDirsOffline > wereOffline)
      found.push({ level: 'error', message: `${of} cannot use ${logDirsOffline} of its log directories` })
    return found
  })
}

const COUNTS = [
  ['offline', 'without a leader'],
  ['underMinIsr', 'with fewer replicas in sync than writes with acks=all ask for'],
  ['underReplicated', 'with replicas that are not in sync'],
] as const

/** That it begins, and that it is over; how many they are meanwhile, the metrics tell. */
function partitions(before: WatchedCluster | undefined, { name, partitions: now }: WatchedCluster): Change[] {
  if (now === undefined) return []
  return COUNTS.flatMap(([count, what]): Change[] => {
    const is = now[count] ?? 0
    const was = before?.partitions?.[count] ?? 0
    if (is > 0 === was > 0) return []
    if (is === 0) return [{ level: 'info', message: `no partition of "${name}" is ${what} any more` }]
    const hit = now.troubled.filter(each => (each[count] ?? 0) > 0)
    const names = hit.slice(0, TOPICS_TOLD).map(({ topic }) => `"${topic}"`)
    const more = hit.length > TOPICS_TOLD ? ' and others' : ''
    const of = names.length === 0 ? '' : `: of ${names.join(', ')}${more}`
    return [{ level: 'warn', message: `${plural(is, 'partition')} of "${name}" ${what}${of}` }]
  })
}

function controllers(
  before: WatchedCluster | undefined,
  { name, controllers: now }: WatchedCluster,
): Change[] {
  const hadLeader = (before?.controllers?.leader ?? 0) >= 0
  if (now === undefined || now.leader >= 0 === hadLeader) return []
  return now.leader < 0
    ? [{ level: 'error', message: `no controller of "${name}" leads` }]
    : [{ level: 'info', message: `controller ${now.leader} of "${name}" leads` }]
}

function unseen(before: WatchedCluster | undefined, { name, notSeen }: WatchedCluster): Change[] {
  const known = new Set(before?.notSeen.map(({ what }) => what))
  return notSeen
    .filter(({ what }) => !known.has(what))
    .map(({ what, why }) => ({ level: 'warn', message: `${what} of "${name}" cannot be seen: ${why}` }))
}

const SENTENCES: Readonly<Record<Exclude<ConsumerState, 'ok' | 'unknown'>, string>> = {
  lagging: 'falls behind: it goes on, and does not gain on the end',
  rewound: 'went back to an earlier offset',
  stalled: 'has members, and commits nothing new',
  stopped: 'has no members, and nobody commits',
}

function groups(before: WatchedCluster | undefined, { name, groups: all }: WatchedCluster): Change[] {
  const known = new Map(before?.groups.map(each => [each.group, each.state]))
  const changed = all.flatMap(each => {
    const was = known.get(each.group) ?? 'ok'
    const change = each.state === was ? undefined : changeOf(each, was, name)
    return change === undefined ? [] : [change]
  })
  const more = changed.length - GROUPS_TOLD
  return more <= 0
    ? changed
    : [
        ...changed.slice(0, GROUPS_TOLD),
        {
          level: 'warn',
          message: `and the states of ${plural(more, 'more group')} of "${name}" have changed`,
        },
      ]
}

function changeOf(
  { group, state, lagRecords, lagMs, isLagAtLeast, worst }: GroupSight,
  was: ConsumerState,
  cluster: string,
): Change | undefined {
  const of = `group "${group}" of "${cluster}"`
  if (state === 'unknown') return undefined
  if (state === 'ok')
    return was === 'unknown'
      ? undefined
      : { level: 'info', message: `${of} is well again (was ${was.toUpperCase()})`, group }
  const where =
    worst === undefined
      ? ''
      : `; worst in "${worst.topic}"/${worst.partition}, at offset ${formatCount(worst.committed)} of ${formatCount(worst.end)}`
  const time = `${isLagAtLeast ? 'at least ' : ''}${formatDuration(lagMs)}`
  return {
    level: 'warn',
    message: `${of} is ${state.toUpperCase()}: ${SENTENCES[state]}; ${plural(lagRecords, 'record')}, ${time} behind${where}`,
    group,
  }
}

/** How it stands, in one line. */
export function clusterSummary({ name, problem, brokers, partitions, groups }: WatchedCluster): string {
  if (problem !== undefined) return `cluster "${name}": ${problem}`
  if (partitions === undefined) return `cluster "${name}": not looked at yet`
  const missing = brokers.filter(({ isThere }) => !isThere).length
  const troubles = [
    ...(missing > 0 ? [`${plural(missing, 'broker')} not there`] : []),
    ...COUNTS.flatMap(([count, what]) => {
      const is = partitions[count] ?? 0
      return is > 0 ? [`${formatCount(is)} ${what}`] : []
    }),
  ]
  const states = Map.groupBy(groups, ({ state }) => state)
  const ofGroups = CONSUMER_STATES.flatMap(state => {
    const found = states.get(state)?.length ?? 0
    return found > 0 ? [`${formatCount(found)} ${state.toUpperCase()}`] : []
  })
  const named = groups.length === 0 ? '' : `: ${ofGroups.join(', ')}`
  return (
    `cluster "${name}": ${plural(brokers.length - missing, 'broker')}, ${plural(partitions.partitions, 'partition')}` +
    `, ${troubles.length === 0 ? 'all well' : troubles.join(', ')}; ${plural(groups.length, 'group')}${named}`
  )
}
