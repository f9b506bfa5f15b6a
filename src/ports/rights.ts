// Who may do what on a cluster: ACLs, client quotas, SCRAM users. Words are Kafka's own (`TOPIC`, `PREFIXED`, `WRITE`,
// `ALLOW`, `SCRAM-SHA-512`); a number that kdr has no word for stays that number, so that it is carried over all the same.
import type { AclRule } from '../model/rights.ts'
import type { Outcome } from './cluster.ts'

/** `user`, `client-id`, `ip`. A name that is null stands for all that have no quota of their own. */
export type QuotaEntity = readonly { readonly type: string; readonly name: string | null }[]
export type Quota = { readonly entity: QuotaEntity; readonly values: Readonly<Record<string, number>> }
/** `null` takes the value away. */
export type QuotaChange = {
  readonly entity: QuotaEntity
  readonly values: Readonly<Record<string, number | null>>
}

export type ScramMechanism = 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
export type ScramUser = { readonly name: string; readonly mechanisms: readonly string[] }

/** A cluster that lacks one of these throws KdrError('cluster-lacks'). */
export interface RightsAdmin {
  /** All of them. SECURITY_DISABLED: the cluster has no authorizer. */
  describeAcls(): Promise<Outcome & { readonly rules: readonly AclRule[] }>
  /** In the order of `rules`; one that is there already is success. */
  createAcls(rules: readonly AclRule[]): Promise<Outcome[]>
  /** Exactly these, in their order; one that is not there is success. */
  deleteAcls(rules: readonly AclRule[]): Promise<Outcome[]>
  describeQuotas(): Promise<Outcome & { readonly quotas: readonly Quota[] }>
  /** In the order of `changes`. */
  alterQuotas(changes: readonly QuotaChange[]): Promise<Outcome[]>
  describeScramUsers(): Promise<Outcome & { readonly users: readonly ScramUser[] }>
  /** Makes the user, or gives it another password. */
  alterScramUser(user: {
    readonly name: string
    readonly mechanism: ScramMechanism
    readonly password: string
  }): Promise<Outcome>
}
