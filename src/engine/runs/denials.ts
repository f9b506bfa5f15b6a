// Puts denials at the old active, and takes them away again. What is about to be put there is recorded first, in `_kdr.state` of
// both sides: a crash in between leaves no denial that nobody knows to be kdr's, and whoever follows ACLs passes them by
// (copied to the new active they would stop every application there). Rules that were there before are never claimed.
import { deniedPrefix, deniedRecords, type Fenced, readDenied } from '../../model/denied.ts'
import { KdrError } from '../../model/errors.ts'
import { codeName, isAuthorization, KafkaCode } from '../../model/kafka-codes.ts'
import { type AclRule, aclKey } from '../../model/rights.ts'
import { isSameValue } from '../../model/same-value.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Outcome } from '../../ports/cluster.ts'
import type { RightsAdmin } from '../../ports/rights.ts'
import type { StateStore } from '../../ports/state.ts'
import type { RunContext } from './context.ts'

/** The cluster that is fenced, and who remembers it: the first must, the others help those who look there. */
export type FenceSite = {
  readonly of: Fenced
  readonly cluster: Pick<RightsAdmin, 'describeAcls' | 'createAcls' | 'deleteAcls'> & {
    readonly name: string
  }
  readonly stores: readonly [StateStore, ...StateStore[]]
  readonly clock: Clock
  readonly guard: () => Promise<void>
}

/** A cluster that can hardly be written to must not hold up its own fence. */
const SECOND_COPY_MS = 5_000

type SiteContext = Pick<RunContext, 'record' | 'source' | 'store' | 'sourceStore' | 'clock' | 'guard'>

/** The old active of a run; undefined while it is dark. */
export function siteOf(context: SiteContext): FenceSite | undefined {
  const { record, source, store, sourceStore, clock, guard } = context
  if (source === undefined) return undefined
  return {
    of: { link: record.link, clusterId: record.activeClusterId },
    cluster: source,
    stores: sourceStore === undefined ? [store] : [store, sourceStore],
    clock,
    guard,
  }
}

/** Undefined: it has no authorizer. Throws KdrError: not-allowed, unreachable. */
export async function rulesAt({ cluster }: FenceSite): Promise<readonly AclRule[] | undefined> {
  const answer = await cluster.describeAcls()
  if (answer.code === KafkaCode.SECURITY_DISABLED) return undefined
  assertDone(answer, {
    may: 'read the ACLs',
    cluster: cluster.name,
    right: 'DESCRIBE (and ALTER, to change them)',
  })
  return answer.rules
}

/** Before `deniedAt` is asked. */
export async function refresh(site: FenceSite): Promise<void> {
  await inAll(site, async store => await store.refresh())
}

/** What kdr has put there, by what either side remembers. */
export function deniedAt({ stores, of }: FenceSite): AclRule[] {
  const rules = stores.flatMap(store => readDenied(store, of))
  return [...new Map(rules.map(rule => [aclKey(rule), rule])).values()]
}

/**
 * In the order of `wanted`, which keep their order at the brokers. `rules`: what is there. Those that are there already are kdr's
 * only if they are remembered as such. Returns kdr's among `wanted`. Throws KdrError('not-allowed') without ALTER on the cluster.
 */
export async function deny(
  site: FenceSite,
  rules: readonly AclRule[],
  wanted: readonly AclRule[],
): Promise<readonly AclRule[]> {
  const known = deniedAt(site)
  const isKnown = new Set(known.map(aclKey))
  const isThere = new Set(rules.map(aclKey))
  const missing = wanted.filter(rule => !isThere.has(aclKey(rule)))
  await remember(site, [...known, ...missing])
  if (missing.length > 0) {
    await site.guard()
    const outcomes = await site.cluster.createAcls(missing)
    for (const outcome of outcomes)
      assertDone(outcome, { may: 'change the ACLs', cluster: site.cluster.name, right: 'ALTER' })
  }
  return wanted.filter(rule => isKnown.has(aclKey(rule)) || !isThere.has(aclKey(rule)))
}

/** Takes exactly these away, and then forgets them. One that is not there any more is success. Throws KdrError as `deny` does. */
export async function lift(site: FenceSite, denied: readonly AclRule[]): Promise<void> {
  if (denied.length === 0) return
  await site.guard()
  const outcomes = await site.cluster.deleteAcls(denied)
  for (const outcome of outcomes)
    assertDone(outcome, { may: 'change the ACLs', cluster: site.cluster.name, right: 'ALTER' })
  const isGone = new Set(denied.map(aclKey))
  await remember(
    site,
    deniedAt(site).filter(rule => !isGone.has(aclKey(rule))),
  )
}

async function remember(site: FenceSite, rules: readonly AclRule[]): Promise<void> {
  await inAll(site, async store => await rememberIn(store, site, rules))
}

/** In the first for certain, in the others if they do it in time. */
async function inAll(
  { stores: [first, ...others], clock }: FenceSite,
  act: (store: StateStore) => Promise<void>,
): Promise<void> {
  const isOver = new AbortController()
  const helping = Promise.allSettled(others.map(act)).then(() => isOver.abort())
  await act(first)
  await Promise.race([helping, clock.sleep(SECOND_COPY_MS, isOver.signal)])
  isOver.abort()
}

async function rememberIn(
  store: StateStore,
  { of, guard }: FenceSite,
  rules: readonly AclRule[],
): Promise<void> {
  const wanted = deniedRecords(of, rules)
  const gone = store.entries(deniedPrefix(of)).filter(([key]) => !wanted.has(key))
  const changed = [...wanted].filter(([key, record]) => !isSameValue(store.get(key), record))
  if (gone.length + changed.length === 0) return
  await guard()
  await Promise.all([
    ...changed.map(async ([key, record]) => await store.put(key, record)),
    ...gone.map(async ([key]) => await store.put(key, undefined)),
  ])
}

function assertDone(
  { code, message }: Outcome,
  { may, cluster, right }: { readonly may: string; readonly cluster: string; readonly right: string },
): void {
  if (code === KafkaCode.NONE) return
  if (isAuthorization(code))
    throw new KdrError(
      'not-allowed',
      `kdr may not ${may} of "${cluster}": it needs ${right} on the cluster (${codeName(code)})`,
    )
  const why = message === undefined ? '' : `: ${message}`
  throw new KdrError('unreachable', `kdr could not ${may} of "${cluster}": ${codeName(code)}${why}`)
}
