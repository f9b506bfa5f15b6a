// Groups and rights for the last time: nobody else copies any more, and the mirrors hold what the offsets imply. What each group
// may see again is counted below what it had committed at the old active.
import { compilePatterns } from '../../model/patterns.ts'
import { readGroups } from '../../model/group-records.ts'
import { KdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import { isPlanned, type StepData } from '../../model/runs.ts'
import type { Cluster, GroupOffsets } from '../../ports/cluster.ts'
import type { HeldPartition, RunContext, StepEnd } from './context.ts'
import { assertStillDrained } from './drain.ts'
import { heldBy, mirrorsOf, nameOf } from './mirrors.ts'
import { standAside } from './stand-aside.ts'

const NAMES_SHOWN = 5

type Repeats = StepData['final-sync']['mayRepeat']

export async function finalSync(context: RunContext): Promise<StepEnd<'final-sync'>> {
  const { source, target, record, services } = context
  await standAside(context)
  const held = await heldBy(target, await mirrorsOf(context))
  if (source === undefined) {
    const mayRepeat = await unknownRepeats(context, held)
    return {
      what: `"${record.active}" does not answer: groups go on from what was last copied`,
      data: { groups: mayRepeat.length, mayRepeat },
      isSkipped: true,
    }
  }
  await services.syncRights()
  const isSynced = await services.syncGroups(held)
  const { groups, mayRepeat } = await repeats(context, source, held)
  const again =
    mayRepeat.length === 0 ? 'none sees anything again' : `${mayRepeat.length} may see records again`
  if (!isSynced && isPlanned(record.kind))
    throw new KdrError(
      'not-ready',
      `groups at "${record.active}" have read more than "${record.standby}" holds: something was written there since it was drained`,
      { hint: `Then go on: kdr ${record.kind} ${record.link} --resume ${record.run}` },
    )
  await assertStillDrained(context)
  return {
    what: isSynced
      ? `${groups} group(s) stand where they stood: ${again}`
      : `"${record.standby}" lacks what the groups have read: ${groups} group(s) go on from what was last copied, ${again}`,
    data: { groups, mayRepeat },
  }
}

/** Per group, what it had committed at the source above what it has at the target. */
export async function repeats(
  { settings, target }: Pick<RunContext, 'settings' | 'target'>,
  source: Cluster,
  held: readonly HeldPartition[],
): Promise<{ readonly groups: number; readonly mayRepeat: Repeats }> {
  const filter = compilePatterns(settings.groups, 'groups')
  const listed = await source.listGroups()
  const groups = listed.map(({ group }) => group).filter(group => filter.matches(group))
  const [there, here] = await Promise.all([source.groupOffsets(groups), target.groupOffsets(groups)])
  const unread = groups.filter((_, index) => there[index]?.code !== KafkaCode.NONE)
  if (unread.length > 0)
    throw new KdrError(
      'not-ready',
      `where ${unread.length} group(s) stand cannot be read at "${settings.source}": ${unread.slice(0, NAMES_SHOWN).join(', ')}`,
    )
  const mirrors = new Map(held.map(each => [nameOf(each), each]))
  let carried = 0
  const mayRepeat = groups.flatMap((group, index) => {
    const committed = byName(there[index])
    // Not known: as if nothing had been copied of it.
    const copied = here[index]?.code === KafkaCode.NONE ? byName(here[index]) : new Map<string, number>()
    const mirrored = [...committed].filter(([name]) => mirrors.has(name))
    if (mirrored.length > 0) carried++
    const again = mirrored.reduce(
      (sum, [name, offset]) => sum + Math.max(0, offset - (copied.get(name) ?? mirrors.get(name)!.logStart)),
      0,
    )
    return again > 0 ? [{ group, mayRepeat: again }] : []
  })
  return { groups: carried, mayRepeat }
}

/** What it had committed last nobody knows: at most all that stands above what was copied of it. */
async function unknownRepeats(
  { settings, store, target }: RunContext,
  held: readonly HeldPartition[],
): Promise<Repeats> {
  const groups = readGroups(store, settings.name)
    .filter(({ state }) => state !== 'skipped')
    .map(({ group }) => group)
  const offsets = await target.groupOffsets(groups)
  const mirrors = new Map(held.map(each => [nameOf(each), each]))
  return groups.map((group, index) => ({
    group,
    mayRepeat: [...byName(offsets[index])].reduce(
      (sum, [name, offset]) => sum + Math.max(0, (mirrors.get(name)?.logEnd ?? offset) - offset),
      0,
    ),
  }))
}

function byName(offsets: GroupOffsets | undefined): Map<string, number> {
  return new Map((offsets?.offsets ?? []).map(each => [nameOf(each), each.offset]))
}
