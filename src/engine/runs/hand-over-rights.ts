// Rules of the authorizers that go with topics which are handed over. Rules of the source that were held back are released by whoever
// promotes their topics; denials (of applications at a standby, of kdr itself at an active) are lifted by whoever moves them. Each link
// knows only its own: without these a failover would leave applications without their rights, and a failback would leave them fenced.
import { type Fenced, deniedPrefix, deniedRecords, readDenied } from '../../model/denied.ts'
import { KdrError } from '../../model/errors.ts'
import type { LinkSettings } from '../../model/link-settings.ts'
import { aclBuckets, aclKey, type AclRule, readAcls } from '../../model/rights.ts'
import { readLink, readTopics, toRecord } from '../../model/state-records.ts'
import type { StateStore } from '../../ports/state.ts'
import { covers } from './plan-fence.ts'

type Input = {
  readonly from: LinkSettings
  readonly to: LinkSettings
  readonly store: StateStore
  /** It remembers denials too. Undefined: it does not answer, or kdr may not read it. */
  readonly sourceStore?: StateStore | undefined
}

/** Throws KdrError('not-ready') where denials cannot go along. */
export function assertDenialsPart(input: Input, topics: readonly string[]): void {
  const { from, to, sourceStore } = input
  const parts = sitesOf(input).map(site => split(input, site, topics))
  const [shared] = parts.flatMap(({ both }) => both)
  if (shared !== undefined)
    throw new KdrError(
      'not-ready',
      `a denial of kdr's for "${shared.principal}" (${shared.type} "${shared.name}", ${shared.pattern}) is for topics of both "${from.name}" and "${to.name}"`,
      {
        hint: 'Move both links together. To part them: let rules name the topics of each application, and move the link there and back as a whole, which fences it anew.',
      },
    )
  if (sourceStore === undefined && parts.some(({ moving }) => moving.length > 0))
    throw new KdrError(
      'not-ready',
      `"${from.source}" cannot be asked, and it too remembers what kdr has denied for these topics`,
      { hint: `When it answers, repeat the command; or move link "${from.name}" as a whole.` },
    )
}

/** To the taker, whether or not it has them. */
export async function giveRights(input: Input, topics: readonly string[]): Promise<void> {
  const { from, to, store } = input
  const [theirs, own] = [readAcls(store, from.name), readAcls(store, to.name)]
  const held = [...theirs.held].filter(([key]) => !own.applied.has(key))
  const buckets = aclBuckets({ applied: own.applied, held: new Map([...held, ...own.held]) })
  if (held.length > 0)
    await Promise.all(
      [...buckets].map(async ([n, bucket]) => {
        await store.put(`acls/${to.name}/${n}`, toRecord('acls', bucket))
      }),
    )
  for (const site of sitesOf(input)) {
    const { moving } = split(input, site, topics)
    const of = { link: to.name, clusterId: site.of.clusterId }
    if (moving.length > 0) await remember(site.store, of, [...readDenied(site.store, of), ...moving])
  }
}

/** From the giver: of denials there is one who lifts them. What was held back it reads anew from the source. */
export async function letGoOfDenials(input: Input, topics: readonly string[]): Promise<void> {
  for (const site of sitesOf(input)) {
    const { moving, staying } = split(input, site, topics)
    if (moving.length > 0) await remember(site.store, site.of, staying)
  }
}

type Site = { readonly store: StateStore; readonly of: Fenced }

/** Each cluster's denials in each memory. */
function sitesOf({ from, store, sourceStore }: Input): Site[] {
  const record = readLink(store, from.name)
  const ids = record === undefined ? [] : [record.sourceClusterId, record.targetClusterId]
  const stores = sourceStore === undefined ? [store] : [store, sourceStore]
  return stores.flatMap(each => ids.map(clusterId => ({ store: each, of: { link: from.name, clusterId } })))
}

/** A transactional id goes with the topics of its principal, which the taker may have already: whoever was killed repeats it. */
function split(
  { from, to, store }: Input,
  site: Site,
  topics: readonly string[],
): Record<'moving' | 'staying' | 'both', readonly AclRule[]> {
  const gone = new Set(topics)
  const left = [...readTopics(store, from.name).keys()].filter(topic => !gone.has(topic))
  const rules = readDenied(site.store, site.of)
  const known = [...rules, ...readDenied(site.store, { link: to.name, clusterId: site.of.clusterId })]
  const meets = (rule: AclRule, names: readonly string[]): boolean =>
    rule.type === 'TOPIC' && names.some(name => covers(rule, name))
  const isOf = (rule: AclRule, names: readonly string[]): boolean =>
    rule.type === 'TRANSACTIONAL_ID'
      ? known.some(other => other.principal === rule.principal && meets(other, names))
      : meets(rule, names)
  const moving = rules.filter(rule => isOf(rule, topics))
  const isMoving = new Set(moving.map(aclKey))
  return {
    moving,
    staying: rules.filter(rule => !isMoving.has(aclKey(rule))),
    both: moving.filter(rule => isOf(rule, left)),
  }
}

async function remember(store: StateStore, of: Fenced, rules: readonly AclRule[]): Promise<void> {
  const wanted = deniedRecords(of, rules)
  const gone = store.entries(deniedPrefix(of)).filter(([key]) => !wanted.has(key))
  await Promise.all([
    ...[...wanted].map(async ([key, record]) => await store.put(key, record)),
    ...gone.map(async ([key]) => await store.put(key, undefined)),
  ])
}
