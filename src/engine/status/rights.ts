// What `kdr status` says of ACLs, quotas and users: what the worker has left in `_kdr.state`.
import {
  type AclRule,
  type AclsReport,
  type GuardReport,
  type HeldWhy,
  type QuotasReport,
  readAcls,
  readRights,
  type RightsReport,
  type RightsState,
  type UsersReport,
} from '../../model/rights.ts'

/** `unknown`: no worker has looked yet. */
type Shown = {
  readonly state: RightsState | 'unknown'
  /** What is in the way; only with `refused`. */
  readonly problem?: string
  /** Why there is nothing to follow; only with `off`. */
  readonly note?: string
}

export type HeldAclStatus = AclRule & { readonly why: HeldWhy }
type AclsStatus = Shown &
  Omit<AclsReport, keyof RightsReport> & { readonly heldBack: readonly HeldAclStatus[] }
type QuotasStatus = Shown & Omit<QuotasReport, keyof RightsReport>
type UsersStatus = Shown & Omit<UsersReport, keyof RightsReport>

export type RightsStatus = {
  readonly acls: AclsStatus
  readonly quotas: QuotasStatus
  readonly users: UsersStatus
  /** Whether everybody else is denied to change the mirrors; only of a link that has, or had, `denyWrites`. */
  readonly guard?: Shown & Omit<GuardReport, keyof RightsReport>
}

type StateReader = {
  get(key: string): unknown
  entries(prefix: string): readonly (readonly [string, unknown])[]
}

export function rightsStatus(store: StateReader, link: string): RightsStatus {
  const acls = readRights(store, link, 'acls')
  const quotas = readRights(store, link, 'quotas')
  const users = readRights(store, link, 'users')
  const guard = readRights(store, link, 'guard')
  return {
    acls: {
      ...shown(acls),
      synced: acls?.synced ?? 0,
      heldBack: [...readAcls(store, link).held.values()].map(({ rule, why }) => ({ ...rule, why })),
    },
    quotas: { ...shown(quotas), synced: quotas?.synced ?? 0, different: quotas?.different ?? [] },
    users: {
      ...shown(users),
      present: users?.present ?? 0,
      missing: users?.missing ?? [],
      missingCount: users?.missingCount ?? 0,
      configured: users?.configured ?? [],
    },
    ...(guard !== undefined && { guard: { ...shown(guard), topics: guard.topics } }),
  }
}

function shown(report: RightsReport | undefined): Shown {
  if (report === undefined) return { state: 'unknown' }
  const { state, sentence } = report
  return {
    state,
    ...(sentence !== undefined && (state === 'off' ? { note: sentence } : { problem: sentence })),
  }
}
