// Before the groups' offsets are carried over for the last time: what a consumer commits after that at the old active is lost,
// and it reads again what it had done. How that is prevented is the operator's choice (`consumers:`); by default it is not, and
// the report says how much may be repeated. A failover waits for no consumer.
import { KdrError } from '../../model/errors.ts'
import { compilePatterns } from '../../model/patterns.ts'
import type { AclRule } from '../../model/rights.ts'
import type { StepData } from '../../model/runs.ts'
import type { Cluster, ListedGroup } from '../../ports/cluster.ts'
import type { RunContext, StepEnd } from './context.ts'
import { deny, refresh, rulesAt, siteOf } from './denials.ts'
import { planDenials } from './plan-fence.ts'
import { groupsOfOthers } from './shared-groups.ts'
import { someOf } from './source-partitions.ts'

export type FreezeLimits = {
  /** For members to go. */
  readonly withinMs?: number
  readonly commandMs?: number
}

const WITHIN_MS = 60_000
const COMMAND_MS = 60_000
const LOOK_AGAIN_MS = 500
const EMPTY = 'Empty'
/** Of these kdr carries no offsets. */
const NOT_CARRIED: ReadonlySet<string> = new Set(['share', 'streams'])

type Data = StepData['freeze-groups']
type Known = RunContext & { readonly source: Cluster }

/** Throws KdrError('not-ready') with the groups that still have members. */
export async function freezeGroups(
  context: RunContext,
  limits: FreezeLimits = {},
): Promise<StepEnd<'freeze-groups'>> {
  const { source, record, consumers } = context
  const policy = typeof consumers === 'string' ? consumers : 'stop'
  if (source === undefined)
    return {
      what: `"${record.active}" does not answer`,
      data: { policy, groups: [], denied: [] },
      isSkipped: true,
    }
  const known = { ...context, source }
  const groups = await wantedGroups(known)
  if (policy === 'leave' || record.kind === 'failover')
    return {
      what:
        policy === 'leave'
          ? `left ${withMembers(groups).length} group(s) with members to themselves (\`consumers: leave\`)`
          : 'a failover does not wait for consumers',
      data: dataOf('leave', groups, []),
      isSkipped: true,
    }
  return policy === 'fence' ? await fence(known, groups, limits) : await stop(known, limits)
}

async function stop(context: Known, limits: FreezeLimits): Promise<StepEnd<'freeze-groups'>> {
  const { consumers, source } = context
  if (typeof consumers !== 'string') {
    context.progress('runs the command of `consumers.stop`')
    await context.guard()
    const end = await context.commands.run(consumers.stop, context.facts, limits.commandMs ?? COMMAND_MS)
    if (end.code !== 0)
      throw new KdrError(
        'not-ready',
        `the command of \`consumers.stop\` ended with code ${end.code}: ${end.output}`,
      )
  }
  const groups = await untilEmpty(context, limits, 'Stop these consumers, then resume the run.')
  return {
    what: `${groups.length} group(s) at "${source.name}" have no members`,
    data: dataOf('stop', groups, []),
  }
}

/** From then on nothing is committed; members fall out when their sessions are over, 45 s by default, or when they give up. */
async function fence(
  context: Known,
  before: readonly ListedGroup[],
  limits: FreezeLimits,
): Promise<StepEnd<'freeze-groups'>> {
  const { source, own } = context
  const site = siteOf(context)!
  await refresh(site)
  const rules = await rulesAt(site)
  const occupied = withMembers(before)
  if (rules === undefined) {
    if (occupied.length > 0)
      throw new KdrError(
        'not-ready',
        `"${source.name}" has no authorizer, so that \`consumers: fence\` cannot stop ${someOf(occupied)}`,
        {
          hint: 'Stop these consumers (`consumers: { stop: COMMAND }`), or let them be (`consumers: leave`).',
        },
      )
    return {
      what: `no group has members; "${source.name}" has no authorizer`,
      data: dataOf('fence', before, []),
    }
  }
  const names = new Set(before.map(({ group }) => group))
  const others = new Set(
    (await source.listGroups()).map(({ group }) => group).filter(each => !names.has(each)),
  )
  const plan = planDenials(rules, own, { type: 'GROUP', operation: 'READ', names, others })
  context.progress(`denies ${principalsOf(plan.denials)} principal(s) their groups`)
  const denied = await deny(site, rules, plan.denials)
  const groups = await untilEmpty(
    context,
    limits,
    'A super user, or everybody where a rule allows that, is stopped by no denial. Stop these consumers, then resume the run.',
  )
  const open =
    plan.forEverybody.length > 0 ? '; some of them are open to everybody, whom kdr does not deny' : ''
  return {
    what: `denied ${principalsOf(denied)} principal(s) to read as groups of "${source.name}"; ${groups.length} group(s) have no members${open}`,
    data: dataOf('fence', groups, denied),
  }
}

async function untilEmpty(
  context: Known,
  { withinMs = WITHIN_MS }: FreezeLimits,
  hint: string,
): Promise<readonly ListedGroup[]> {
  const { clock, source } = context
  const until = clock.monotonic() + withinMs
  for (;;) {
    const groups = await wantedGroups(context)
    const occupied = withMembers(groups)
    if (occupied.length === 0) return groups
    if (clock.monotonic() >= until)
      throw new KdrError(
        'not-ready',
        `group(s) ${someOf(occupied)} at "${source.name}" still have members after ${withinMs} ms`,
        { hint, facts: { groups: occupied } },
      )
    context.progress(`waits for the members of ${someOf(occupied)} to go`)
    await clock.sleep(LOOK_AGAIN_MS)
  }
}

/** Of the link. Those that read topics of another one alone, which stays, go on. */
async function wantedGroups(context: Known): Promise<readonly ListedGroup[]> {
  const { source, settings, record } = context
  // Groups are listed by brokers: by those of now.
  await source.describe()
  const wanted = compilePatterns(settings.groups, 'groups')
  const groups = await source.listGroups()
  const { elsewhere } = await groupsOfOthers({ ...context, together: record.together ?? [] })
  const others = new Set(elsewhere.map(({ group }) => group))
  return groups.filter(
    ({ group, type }) => !NOT_CARRIED.has(type) && wanted.matches(group) && !others.has(group),
  )
}

const withMembers = (groups: readonly ListedGroup[]): string[] =>
  groups.filter(({ state }) => state !== EMPTY && state !== 'Dead').map(({ group }) => group)

const principalsOf = (rules: readonly AclRule[]): number =>
  new Set(rules.map(({ principal }) => principal)).size

function dataOf(policy: Data['policy'], groups: readonly ListedGroup[], denied: readonly AclRule[]): Data {
  const occupied = new Set(withMembers(groups))
  return {
    policy,
    groups: groups.map(({ group }) => ({ group, members: occupied.has(group) ? -1 : 0 })),
    denied,
  }
}
