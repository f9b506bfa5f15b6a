// Stops the writers at the old active: by denials for every principal that a rule lets write to a mirrored topic, by the operator's
// command, or both; then looks what that is worth. A run does not go on with writers that it has not stopped, unless somebody
// accepts that both sides may be written to. A cluster that is dark is fenced when it answers again before the run is over.
import { type FenceRecord, fenceKey, readFence } from '../../model/denied.ts'
import { findKdrError, KdrError } from '../../model/errors.ts'
import { type AclRule, aclKey } from '../../model/rights.ts'
import type { StepData } from '../../model/runs.ts'
import { toRecord } from '../../model/state-records.ts'
import type { Cluster } from '../../ports/cluster.ts'
import type { RunContext, StepEnd } from './context.ts'
import { deniedAt, deny, type FenceSite, lift, refresh, rulesAt, siteOf } from './denials.ts'
import { EVERYBODY, planFence } from './plan-fence.ts'
import { type Before, mayWriteItself, probeBefore, watchFence, type Watching } from './prove-fence.ts'
import { sourcePartitions } from './source-partitions.ts'

export type FenceLimits = {
  /** `broker.session.timeout.ms`; what the brokers say, else Kafka's default. */
  readonly sessionMs?: number
  /** For the rules to reach every broker, and for what is under way to end. */
  readonly withinMs?: number
  readonly commandMs?: number
}

const SESSION_MS = 9_000
const WITHIN_MS = 30_000
const COMMAND_MS = 60_000
/** The ends are looked at a little longer than the session lasts. */
const MARGIN_MS = 500

type Data = StepData['fence-applications']
type Known = RunContext & { readonly source: Cluster }

/** What was done, and to whom nothing was. */
type Done = {
  readonly denied: readonly AclRule[]
  readonly forEverybody: readonly AclRule[]
  /** How many are denied, by whomever. */
  readonly principals: number
  readonly hasRules: boolean
  readonly hasCommand: boolean
  readonly left: readonly string[]
}

/** With these a fence has failed, and somebody may accept that; others stop the run as what they are. */
const IS_NO_FENCE: ReadonlySet<string> = new Set([
  'not-fenced',
  'not-allowed',
  'unreachable',
  'cluster-lacks',
  'timed-out',
])

/** Throws KdrError('not-fenced') unless that was accepted. What it has denied by then stays: `unfence` takes it away. */
export async function fenceApplications(
  context: RunContext,
  limits: FenceLimits = {},
): Promise<StepEnd<'fence-applications'>> {
  const { source, record, options } = context
  if (source === undefined)
    return {
      what: `"${record.active}" does not answer: it is not fenced. When it answers again before this run is over, it is fenced first; later, stop its applications before it starts`,
      data: { state: 'registered', denied: [], probed: 0, left: [] },
      isSkipped: true,
    }
  const site = siteOf(context)!
  try {
    await refresh(site)
    return await fence({ ...context, source }, site, limits)
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined || !IS_NO_FENCE.has(known.code)) throw error
    const standing = await liftForEverybody(site)
    const why = standing === undefined ? known.message : `${known.message}; ${standing}`
    if (!options.acceptSplitBrain) throw notFenced(record.active, known, why)
    const left = known.facts['left']
    return {
      what: `went on without a fence at "${record.active}", as was accepted (--accept-split-brain): ${why}`,
      data: { state: 'none', denied: deniedAt(site), probed: 0, left: Array.isArray(left) ? left : [] },
    }
  }
}

/**
 * Takes away exactly these rules of kdr's at the old active; without `denied` all that are remembered, those of a step that has
 * failed and of frozen groups too.
 */
export async function unfence(
  context: Parameters<typeof siteOf>[0],
  denied?: readonly AclRule[],
): Promise<void> {
  const site = siteOf(context)
  if (site !== undefined) await liftAll(site, denied)
}

/** The same for a cluster that is not the old active any more: on the way back. */
export async function liftAll(site: FenceSite, denied?: readonly AclRule[]): Promise<void> {
  await refresh(site)
  await lift(site, denied ?? deniedAt(site))
  if (deniedAt(site).length > 0) return
  await site.guard()
  const [store] = site.stores
  if (store.get(fenceKey(site.of)) !== undefined) await store.put(fenceKey(site.of), undefined)
}

async function fence(
  context: Known,
  site: FenceSite,
  limits: FenceLimits,
): Promise<StepEnd<'fence-applications'>> {
  const { source, probe } = context
  const rules = context.fence.acl ? await rulesAt(site) : undefined
  if (rules === undefined && context.fence.command === undefined)
    throw new KdrError(
      'not-fenced',
      context.fence.acl
        ? `"${source.name}" has no authorizer, and the config has no \`fence.command\`: nothing stops applications from writing there`
        : '`fence.acl` is off, and the config has no `fence.command`: nothing stops applications from writing',
    )
  const before = await lookBefore(context, site)
  if ('why' in before && probe !== undefined && !context.options.acceptSplitBrain)
    throw new KdrError('not-fenced', before.why, {
      hint: 'Give `fence.probe` the credentials of an application that writes to the topics of the link, or none. To go on without proof: `--accept-split-brain`.',
    })
  const done = await stopWriters(context, site, rules, limits)
  const isProbed = 'couldWrite' in before
  if (done.principals === 0 && done.left.length === 0 && !done.hasCommand && !isProbed)
    throw new KdrError(
      'not-fenced',
      `no rule at "${source.name}" lets anybody write to a mirrored topic, so that there is nobody to deny: whoever writes there is a super user, or everybody may (\`allow.everyone.if.no.acl.found\`)`,
      {
        hint: 'Give a `fence.command`, or, to show that nobody may write, a `fence.probe`. To go on without a fence: `--accept-split-brain`.',
      },
    )
  const sessionMs = (limits.sessionMs ?? (await sessionOf(source))) + MARGIN_MS
  const watching = await watchFence(context, source, {
    stillMs: sessionMs,
    withinMs: limits.withinMs ?? WITHIN_MS,
    probe: isProbed ? probe : undefined,
  })
  const isShown = isProbed && watching.why === undefined
  const left = [...done.left, ...(await leftOfEverybody(context, site, done, isShown))]
  if (watching.why !== undefined)
    throw new KdrError('not-fenced', watching.why, {
      facts: { left },
      ...(isProbed &&
        !done.hasRules && {
          hint: 'A command that stops programs leaves their credentials as they are: it needs no `fence.probe`. Or let kdr deny them with ACLs (`fence.acl`).',
        }),
    })
  if (left.includes(EVERYBODY) && !done.hasCommand)
    throw new KdrError(
      'not-fenced',
      `everybody may write to mirrored topics of "${source.name}" (a rule allows ${EVERYBODY}), and a denial for everybody would stop kdr's own way back, or cannot be shown not to`,
      {
        facts: { left },
        hint: 'Name the writers in rules of their own and take that one away, or give a `fence.command`. To go on without a fence: `--accept-split-brain`.',
      },
    )
  const isOurs = new Set(deniedAt(site).map(aclKey))
  const denied = done.denied.filter(rule => isOurs.has(aclKey(rule)))
  return endOf(context, { before, done: { ...done, denied, left }, watching, sessionMs })
}

/** What an earlier attempt has seen still holds: the fence that it left would hide it now. */
async function lookBefore(context: Known, site: FenceSite): Promise<Before> {
  const { probe, record, source, store } = context
  if (probe === undefined) return { why: 'there is no `fence.probe`' }
  const known = readFence(store, site.of)
  const mayStand = known?.run === record.run || deniedAt(site).some(({ type }) => type === 'TOPIC')
  if (known?.principal === probe.principal && mayStand) return { couldWrite: known.couldWrite }
  const before = await probeBefore(context, source, probe).catch((error: unknown): Before => {
    const failed = findKdrError(error)
    if (failed?.code !== 'unreachable' && failed?.code !== 'not-allowed') throw error
    return { why: `the credentials of \`fence.probe\` could not be tried: ${failed.message}` }
  })
  if ('couldWrite' in before) {
    const seen: FenceRecord = {
      run: record.run,
      principal: probe.principal,
      couldWrite: before.couldWrite,
    }
    await context.guard()
    await store.put(fenceKey(site.of), toRecord('fence', seen))
  }
  return before
}

async function stopWriters(
  context: Known,
  site: FenceSite,
  rules: readonly AclRule[] | undefined,
  limits: FenceLimits,
): Promise<Done> {
  const done = rules === undefined ? NOTHING_DENIED : await denyWriters(context, site, rules)
  const { command } = context.fence
  if (command === undefined) return done
  context.progress('runs `fence.command`')
  await context.guard()
  const end = await context.commands.run(command, context.facts, limits.commandMs ?? COMMAND_MS)
  if (end.code !== 0)
    throw new KdrError('not-fenced', `\`fence.command\` ended with code ${end.code}: ${end.output}`, {
      facts: { left: done.left },
    })
  return { ...done, hasCommand: true }
}

const NOTHING_DENIED: Done = {
  denied: [],
  forEverybody: [],
  principals: 0,
  hasRules: false,
  hasCommand: false,
  left: [],
}

async function denyWriters(context: Known, site: FenceSite, rules: readonly AclRule[]): Promise<Done> {
  const { own, probe, source } = context
  const { view, partitions } = await sourcePartitions(context, source)
  const topics = new Set(partitions.map(({ topic }) => topic))
  const others = new Set([...view.topics.keys()].filter(topic => !topics.has(topic)))
  const plan = planFence(rules, { own, topics, others, last: probe?.principal })
  // A denial for everybody is only tried where it can be seen at once whether it stops kdr too.
  const forEverybody = probe === undefined ? [] : plan.forEverybody
  const principals = new Set([...forEverybody, ...plan.denials].map(({ principal }) => principal)).size
  context.progress(`denies ${principals} principal(s) to write`)
  const denied = await deny(site, rules, [...forEverybody, ...plan.denials])
  return {
    denied,
    forEverybody,
    principals,
    hasRules: true,
    hasCommand: false,
    left: plan.forEverybody.length > forEverybody.length ? [EVERYBODY] : [],
  }
}

/** `isShown`: every broker has the denials. One that stops kdr, or is not shown not to, is taken away at once. */
async function leftOfEverybody(
  context: Known,
  site: FenceSite,
  { forEverybody }: Done,
  isShown: boolean,
): Promise<readonly string[]> {
  if (forEverybody.length === 0) return []
  const { partitions } = await sourcePartitions(context, context.source)
  const led = partitions.filter(({ leader }) => leader >= 0)
  if (isShown && (await mayWriteItself(context, context.source, led))) return []
  await lift(site, deniedAt(site).filter(isForEverybody))
  return [EVERYBODY]
}

/** After a failure, whatever it was: whether such a denial stops kdr is not known then. Returns what stands all the same. */
async function liftForEverybody(site: FenceSite): Promise<string | undefined> {
  try {
    await lift(site, deniedAt(site).filter(isForEverybody))
    return undefined
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined || !IS_NO_FENCE.has(known.code)) throw error
    return `and a denial for ${EVERYBODY} may stand, which \`kdr runs abort\` takes away (${known.message})`
  }
}

const isForEverybody = ({ principal }: AclRule): boolean => principal === EVERYBODY

/** What the brokers say; Kafka's default where they do not. */
export async function sessionOf(source: Pick<Cluster, 'brokerConfigs'>): Promise<number> {
  const name = 'broker.session.timeout.ms'
  const configs = await source.brokerConfigs([name]).catch((error: unknown) => {
    if (findKdrError(error)?.code !== 'not-allowed') throw error
    return new Map<string, string>()
  })
  const value = Number(configs.get(name))
  return value > 0 ? value : SESSION_MS
}

function endOf(
  context: Known,
  {
    before,
    done,
    watching,
    sessionMs,
  }: {
    readonly before: Before
    readonly done: Done
    readonly watching: Watching
    readonly sessionMs: number
  },
): StepEnd<'fence-applications'> {
  const { source, probe } = context
  const { left } = done
  const isProven = 'couldWrite' in before && watching.leaderless === 0 && left.length === 0
  const by = [
    ...(done.hasRules ? [`denied ${done.principals} principal(s) to write at "${source.name}"`] : []),
    ...(done.hasCommand ? ['ran `fence.command`'] : []),
  ].join(' and ')
  const still = `nothing was written there for ${sessionMs} ms`
  const proof =
    'couldWrite' in before
      ? `every leader refuses ${probe?.principal ?? 'the application'}, who could write to ${before.couldWrite} partition(s) before`
      : `not proven, as ${before.why}`
  const without = [
    ...(watching.leaderless > 0
      ? [`${watching.leaderless} partition(s) have no leader and were not asked`]
      : []),
    ...(left.length > 0 ? [`no rule stops ${left.join(', ')}`] : []),
  ]
  const data: Data = {
    state: isProven ? 'proven' : 'configured',
    denied: done.denied,
    probed: watching.asked,
    left,
  }
  return { what: [`${by}: ${proof}`, still, ...without].join('; '), data }
}

function notFenced(active: string, error: KdrError, why: string): KdrError {
  return new KdrError('not-fenced', `applications at "${active}" are not fenced: ${why}`, {
    cause: error,
    facts: error.facts,
    ...(error.code === 'not-fenced' && { hint: error.hint }),
  })
}
