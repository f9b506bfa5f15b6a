// What kdr has put at a cluster to fence applications, or to keep everybody from its mirrors (`guarded/`), as `_kdr.state` keeps
// it: written before the rules are, a fence's at both sides.
// Only these does kdr ever take away again, and following ACLs passes them by: at the new active they would stop everybody.
import { type AclRule, aclKey, bucketOf, fromTuple, toTuple } from './rights.ts'
import { toRecord } from './state-records.ts'

type Tuple = ReturnType<typeof toTuple>
type DeniedRecord = { readonly rules: readonly Tuple[] }

/**
 * That an application with the credentials of `fence.probe` could write before its fence, and to how many partitions: once the
 * fence stands that cannot be seen any more, and what it refuses then proves nothing by itself.
 */
export type FenceRecord = { readonly run: string; readonly principal: string; readonly couldWrite: number }

const DENIED = 'denied/'
const GUARDED = 'guarded/'

type StateReader = {
  get(key: string): unknown
  entries(prefix: string): readonly (readonly [string, unknown])[]
}

/** Which cluster's rules: one link may have fenced either of its sides. `isGuard`: those that stand on mirrors (`denyWrites`). */
export type Fenced = { readonly link: string; readonly clusterId: string; readonly isGuard?: boolean }

export const fenceKey = ({ link, clusterId }: Fenced): string => `fence/${link}/${clusterId}`

export function readFence(store: StateReader, of: Fenced): FenceRecord | undefined {
  return store.get(fenceKey(of)) as FenceRecord | undefined
}

export const deniedPrefix = ({ link, clusterId, isGuard = false }: Fenced): string =>
  `${isGuard ? GUARDED : DENIED}${link}/${clusterId}/`

/** Rules that kdr has put there, or was about to. */
export function readDenied(store: StateReader, of: Fenced): AclRule[] {
  return store.entries(deniedPrefix(of)).flatMap(([, record]) => rulesOf(record))
}

/** Keys of the rules that any link has put at the cluster; at any cluster where that is not known. */
export function readDeniedByAll(store: StateReader, clusterId: string | undefined): Set<string> {
  const isThere = (key: string): boolean => clusterId === undefined || key.split('/').at(-2) === clusterId
  const own = [DENIED, GUARDED].flatMap(kind => store.entries(kind)).filter(([key]) => isThere(key))
  return new Set(own.flatMap(([, record]) => rulesOf(record).map(aclKey)))
}

/** What links keep everybody from there, by link. */
export function readGuarded(store: StateReader, clusterId: string): Map<string, AclRule[]> {
  const links = store.entries(GUARDED).flatMap(([key]) => {
    const [, link, cluster] = key.split('/')
    return link !== undefined && cluster === clusterId ? [link] : []
  })
  return new Map(
    [...new Set(links)].map(link => [link, readDenied(store, { link, clusterId, isGuard: true })]),
  )
}

/** The records that say so, by key: each rule in the one that follows from its hash. */
export function deniedRecords(
  of: Fenced,
  rules: readonly AclRule[],
): Map<string, ReturnType<typeof toRecord>> {
  const unique = new Map(rules.map(rule => [aclKey(rule), rule]))
  const keys = [...unique.keys()].toSorted()
  return new Map(
    [...Map.groupBy(keys, bucketOf)].map(([bucket, some]) => {
      const record: DeniedRecord = { rules: some.map(key => toTuple(unique.get(key)!)) }
      return [`${deniedPrefix(of)}${bucket}`, toRecord('denied', record)]
    }),
  )
}

const rulesOf = (record: unknown): AclRule[] => (record as DeniedRecord).rules.map(fromTuple)
