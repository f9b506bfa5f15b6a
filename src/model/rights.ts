// What a link knows of ACLs, quotas and users, as `_kdr.state` keeps it. Rules that kdr has put at the target are remembered one by
// one: only those does it ever take away.
import { hashOf } from './slots.ts'

/** A rule of the authorizer, in Kafka's own words; a number that kdr has no word for stays that number. */
export type AclRule = {
  /** TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID, DELEGATION_TOKEN, USER. */
  readonly type: string
  /** LITERAL, where the name `*` stands for all, or PREFIXED. */
  readonly pattern: string
  readonly name: string
  /** `User:name`; `User:*` is everybody. */
  readonly principal: string
  /** An address, or `*`. */
  readonly host: string
  readonly operation: string
  /** ALLOW or DENY. */
  readonly permission: string
}

/**
 * Why a rule of the source is not at the target. `writes-to-mirrors`: it would let others write to mirrors, delete or alter them.
 * `stops-kdr`: it denies everybody what kdr itself does there. `denied-at-source`: it allows what a rule that stops kdr denies.
 */
export type HeldWhy = 'writes-to-mirrors' | 'stops-kdr' | 'denied-at-source'
export type HeldAcl = { readonly rule: AclRule; readonly why: HeldWhy }

/** `followed`: as at the source. `off`: there is nothing to follow. `refused`: something is missing; `sentence` says what. */
export type RightsState = 'followed' | 'off' | 'refused'
export type RightsReport = { readonly state: RightsState; readonly sentence?: string }

export type AclsReport = RightsReport & {
  /** Of the source's rules, those that are in force at the target. */
  readonly synced: number
}
/** What the target has set itself, and kdr leaves alone. */
export type QuotaDifference = {
  readonly entity: string
  readonly key: string
  readonly source: number | null
  readonly target: number | null
}
export type QuotasReport = RightsReport & {
  readonly synced: number
  readonly different: readonly QuotaDifference[]
}
/** `login`: whether the password of the config opens the target. */
export type ConfiguredUser = {
  readonly user: string
  readonly mechanism: string
  readonly isMadeByKdr: boolean
  readonly login: 'proven' | 'refused' | 'unproven'
  readonly sentence?: string
}
export type UsersReport = RightsReport & {
  /** Users of the source that the target has too. */
  readonly present: number
  /** Names at the target; at most MISSING_KEPT of `missingCount`. */
  readonly missing: readonly string[]
  readonly missingCount: number
  readonly configured: readonly ConfiguredUser[]
}
/** `followed`: nobody but super users can change the mirrors. */
export type GuardReport = RightsReport & {
  /** Of mirrors, those on which everybody is denied. */
  readonly topics: number
}
/** A record holds 64 KB. */
export const MISSING_KEPT = 500
export const DIFFERENCES_KEPT = 200

export type Rights = {
  readonly acls: AclsReport
  readonly quotas: QuotasReport
  readonly users: UsersReport
  readonly guard: GuardReport
}

type StateReader = {
  get(key: string): unknown
  entries(prefix: string): readonly (readonly [string, unknown])[]
}

export const rightsKey = (link: string, part: keyof Rights): string => `rights/${link}/${part}`

export function readRights<Part extends keyof Rights>(
  store: StateReader,
  link: string,
  part: Part,
): Rights[Part] | undefined {
  return store.get(rightsKey(link, part)) as Rights[Part] | undefined
}

/**
 * Rules and quotas are kept in many small records, each in the one that follows from its hash: a record is written whole, so that
 * none is ever in two of them or in none.
 */
const BUCKETS = 256
export const bucketOf = (key: string): number => hashOf(key) % BUCKETS

type AclTuple = readonly [
  type: string,
  pattern: string,
  name: string,
  principal: string,
  host: string,
  operation: string,
  permission: string,
]
/** `applied`: put there by kdr, or about to be. */
export type AclBucket = {
  readonly applied: readonly AclTuple[]
  readonly held: readonly (readonly [rule: AclTuple, why: HeldWhy])[]
}

export function toTuple({ type, pattern, name, principal, host, operation, permission }: AclRule): AclTuple {
  return [type, pattern, name, principal, host, operation, permission]
}
export function fromTuple([type, pattern, name, principal, host, operation, permission]: AclTuple): AclRule {
  return { type, pattern, name, principal, host, operation, permission }
}

/** What makes a rule this rule. */
export const aclKey = (rule: AclRule): string => JSON.stringify(toTuple(rule))

/** Rules by their keys. */
export type AclMemory = {
  readonly applied: ReadonlyMap<string, AclRule>
  readonly held: ReadonlyMap<string, HeldAcl>
}

export function readAcls(store: StateReader, link: string): AclMemory {
  return memoryOf(store, `acls/${link}/`)
}

/** Keys of what any link has put at this store's cluster. */
export function readAppliedByAll(store: StateReader): Set<string> {
  return new Set(memoryOf(store, 'acls/').applied.keys())
}

function memoryOf(store: StateReader, prefix: string): AclMemory {
  const buckets = store.entries(prefix).map(([, record]) => record as AclBucket)
  const applied = buckets.flatMap(bucket => bucket.applied.map(fromTuple))
  const held = buckets.flatMap(bucket => bucket.held.map(([rule, why]) => ({ rule: fromTuple(rule), why })))
  return {
    applied: new Map(applied.map(rule => [aclKey(rule), rule])),
    held: new Map(held.map(each => [aclKey(each.rule), each])),
  }
}

/** By bucket; those without any rule are missing. */
export function aclBuckets({ applied, held }: AclMemory): Map<number, AclBucket> {
  const keys = [...new Set([...applied.keys(), ...held.keys()])].toSorted()
  return new Map(
    [...Map.groupBy(keys, bucketOf)].map(([bucket, some]) => [
      bucket,
      {
        applied: some.flatMap(key => pick(applied.get(key), toTuple)),
        held: some.flatMap(key => pick(held.get(key), ({ rule, why }) => [toTuple(rule), why] as const)),
      },
    ]),
  )
}

const pick = <From, To>(value: From | undefined, make: (value: From) => To): To[] =>
  value === undefined ? [] : [make(value)]

/** What kdr has set at the target, by quota: the values, of which all but one are from before a change that was cut off. */
export type QuotaBucket = {
  readonly applied: readonly (readonly [quota: string, values: readonly number[]])[]
}

export function readQuotas(store: StateReader, link: string): Map<string, readonly number[]> {
  return new Map(
    store
      .entries(`quotas/${link}/`)
      .flatMap(([, record]) => (record as QuotaBucket).applied.map(each => each)),
  )
}

export function quotaBuckets(applied: ReadonlyMap<string, readonly number[]>): Map<number, QuotaBucket> {
  const sorted = [...applied].toSorted(([a], [b]) => (a < b ? -1 : 1))
  return new Map(
    [...Map.groupBy(sorted, ([key]) => bucketOf(key))].map(([bucket, some]) => [bucket, { applied: some }]),
  )
}

/** A user that kdr has made at the target: its password may be set again when the one of the config has changed. */
export type MadeUser = { readonly mechanism: string; readonly at: number }
export const userKey = (link: string, user: string, mechanism: string): string =>
  `user/${link}/${mechanism}/${user}`

export function readMadeUser(
  store: StateReader,
  link: string,
  user: { readonly name: string; readonly mechanism: string },
): MadeUser | undefined {
  return store.get(userKey(link, user.name, user.mechanism)) as MadeUser | undefined
}
