// What a failback would do where the link waits since a failover: how far the cluster that has come back differs, what is exported, what is
// deleted and copied anew, and what would be lost with that. Observed, nothing changed.
import { compilePatterns } from '../../model/patterns.ts'
import type { Plan } from '../../model/runs.ts'
import { divergedTopics, type Stranded } from '../../model/stranded.ts'
import type { RunContext } from './context.ts'
import { expectedOf, type Move } from './expected.ts'
import { roomAt } from './room.ts'
import { observeTails, type TailsInput } from './tails.ts'

const NAMES_SHOWN = 5

export type ReturnInput = Omit<TailsInput, 'returned' | 'active' | 'link' | 'topics'> &
  Pick<RunContext, 'settings' | 'clock'> & {
    readonly returned: TailsInput['returned'] & RunContext['target']
    readonly active: RunContext['target']
    readonly isHome: boolean
    readonly runs: Parameters<typeof expectedOf>[1]
  }

/** Throws KdrError('unreachable') when one of the two cannot be read. */
export async function observeReturn(input: ReturnInput): Promise<Plan> {
  const { settings, active, returned, clock, isHome, runs } = input
  const link = settings.name
  const { stranded } = await observeTails({ ...input, link, topics: settings.topics })
  const room = await roomAt(returned, settings.target)
  const partitions = stranded.partitions.length
  const move: Move = { kind: 'failback', link, partitions, source: active }
  return {
    kind: 'failback',
    link,
    active: settings.source,
    standby: settings.target,
    at: clock.now(),
    isActiveThere: true,
    topics: new Set(stranded.partitions.map(({ topic }) => topic)).size,
    loss: { basis: 'exact', records: 0, ms: 0, topics: [], partitions: [] },
    groups: [],
    transactions: [],
    producers: [],
    heldBack: 0,
    missingUsers: [],
    leftBehind: [],
    refusals: room.refusals,
    warnings: [
      ...room.warnings,
      ...olderOf(stranded),
      ...lackingOf(stranded, settings.source),
      ...(await onlyThere(input)),
      ...(await stillMoving(input, stranded)),
    ],
    stranded,
    ...(isHome ? { isHome } : { expected: await expectedOf(move, runs) }),
  }
}

/** Records below where the active begins: with a topic that is copied anew they are gone. */
function olderOf(stranded: Stranded): string[] {
  return divergedTopics(stranded).flatMap(topic => {
    const offsets = stranded.partitions
      .filter(each => each.topic === topic)
      .reduce((sum, { older }) => sum + older, 0)
    return offsets === 0
      ? []
      : [
          `"${topic}": ${offsets} offset(s) are older than what the active still holds; "${stranded.cluster}" alone has them, and copied anew it has them no more`,
        ]
  })
}

/** Records that only the active still holds, of topics that go on with what they hold. */
function lackingOf({ partitions, cluster }: Stranded, active: string): string[] {
  return [...Map.groupBy(partitions, ({ topic }) => topic)].flatMap(([topic, some]) => {
    const offsets = some.reduce((sum, { lacks = 0 }) => sum + lacks, 0)
    return offsets === 0 || some.some(({ state }) => state === 'diverged')
      ? []
      : [
          `"${topic}": "${cluster}" has deleted ${offsets} offset(s) that "${active}" still holds, and is not given them again`,
        ]
  })
}

/** Somebody writes there: it is fenced first, and then looked at again. */
async function stillMoving(
  { returned, clock }: ReturnInput,
  { partitions, cluster }: Stranded,
): Promise<string[]> {
  const before = await returned.offsets(partitions, 'logEnd')
  await clock.sleep(500)
  const after = await returned.offsets(partitions, 'logEnd')
  const grown = partitions.filter((_at, index) => after[index]!.offset > before[index]!.offset)
  return grown.length === 0
    ? []
    : [
        `applications still write to "${cluster}" (${grown.length} partition(s)): what is stranded grows until they are fenced`,
      ]
}

/** Topics that only the cluster that has come back has: they stay there as they are. */
async function onlyThere({ returned, active, settings }: ReturnInput): Promise<string[]> {
  const filter = compilePatterns(settings.topics, 'topics')
  const [there, here] = await Promise.all([returned.describe(), active.describe()])
  const names = [...there.topics.values()]
    .filter(({ name, isInternal }) => !isInternal && filter.matches(name) && !here.topics.has(name))
    .map(({ name }) => `"${name}"`)
  return names.length === 0
    ? []
    : [
        `${names.length} topic(s) are at "${settings.target}" alone, and stay there as they are: ${names.slice(0, NAMES_SHOWN).join(', ')}`,
      ]
}
