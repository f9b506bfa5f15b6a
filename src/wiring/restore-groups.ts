// The groups of a restore: committed as the sync of a link does it, and then looked at.
import type { RestoreReport } from '../cli/app-vault.ts'
import type { Replication } from '../engine/replicate/replication.ts'
import { namingRight } from '../engine/status/missing-right.ts'
import { GroupSync } from '../engine/sync/groups.ts'
import { readGroups } from '../model/group-records.ts'
import type { SetState } from '../model/vault.ts'
import type { Cluster } from '../ports/cluster.ts'
import { positionsOf } from './position.ts'

/** A new cluster makes its `__consumer_offsets` with the first commit. */
const ROUNDS = 6
const BETWEEN_MS = 1_500

export async function restoreGroups({
  replication,
  state,
  link,
  occupied,
}: {
  readonly replication: Replication
  readonly state: SetState
  readonly link: string
  /** Groups with members: nothing can be committed for them. */
  readonly occupied: readonly string[]
}): Promise<Pick<RestoreReport, 'groups' | 'groupsLeft'>> {
  const { source, target, store, assertControl, lease, log, clock } = replication.context
  const busy = new Set(occupied)
  const free = { ...state, groups: new Map([...state.groups].filter(([name]) => !busy.has(name))) }
  let left = await lacking(target, free)
  for (let rounds = 0; left.length > 0 && rounds < ROUNDS; rounds++) {
    if (rounds > 0) await clock.sleep(BETWEEN_MS)
    const sync = new GroupSync({
      source,
      target,
      isWanted: group => !busy.has(group),
      positions: () => positionsOf(replication),
      assertControl,
      link,
      store,
      mayStill: () => lease.isHeld,
      clock,
      log,
      limits: undefined,
    })
    const captured = await sync.capture()
    if (sync.isCovered(captured)) await sync.apply(captured)
    left = await lacking(target, free)
  }
  const alone = occupied.map(group => ({
    group,
    what: `group "${group}" has members at "${target.name}", and is left as it is`,
  }))
  // What was refused is known by the sync alone.
  const refused = new Map(
    readGroups(store, link).flatMap(({ group, reason, sentence }) =>
      reason === 'no-rights' && sentence !== undefined ? [[group, namingRight(sentence)] as const] : [],
    ),
  )
  const lacked = left.map(({ group, what }) => {
    const why = refused.get(group)
    return { group, what: why === undefined ? what : `${what}: ${why}` }
  })
  return { groups: free.groups.size - left.length, groupsLeft: [...alone, ...lacked] }
}

/** Offsets that point behind what was restored are clamped. */
async function lacking(target: Cluster, { groups, topics }: SetState): Promise<RestoreReport['groupsLeft']> {
  const names = [...groups.keys()]
  if (names.length === 0) return []
  const answers = await target.groupOffsets(names)
  return names.flatMap((group, index) => {
    const found = new Map(
      (answers[index]?.offsets ?? []).map(each => [`${each.topic}/${each.partition}`, each.offset]),
    )
    const wrong = (groups.get(group)?.offsets ?? []).filter(([topic, partition, offset]) => {
      const log = topics.get(topic)?.partitions[partition]
      if (log === undefined) return false
      return found.get(`${topic}/${partition}`) !== Math.min(Math.max(offset, log.start), log.end)
    })
    const [first] = wrong
    if (first === undefined) return []
    const [topic, partition, offset] = first
    const at = found.get(`${topic}/${partition}`)
    const what = `group "${group}" has ${at === undefined ? 'no offset' : `offset ${at}`} in "${topic}" partition ${partition}, not ${offset}`
    return [{ group, what: `${what}${wrong.length === 1 ? '' : `, and ${wrong.length - 1} more`}` }]
  })
}
