// What only `kdr check` asks of a cluster: how each broker sees itself, and how its controllers stand. One that does not answer, or
// may not be asked, is a value that says so; the rest is told all the same.
import type { Outcome } from './cluster.ts'

/** Why something is not known: one sentence. */
export type Unseen = { readonly unseen: string }

export type BrokerConfig = {
  readonly value: string
  /** Who has set it: somebody while it runs, at this broker or for all; `file`: server.properties; or nobody. */
  readonly from: 'this-broker' | 'all-brokers' | 'file' | 'nobody'
}

export type FeatureView = {
  readonly name: string
  /** In force in the cluster; undefined: not at all. */
  readonly level: number | undefined
  /** What this broker could do. */
  readonly highest: number
}

export type CertificateView = {
  /** Its common name, or whatever it has instead. */
  readonly subject: string
  /** ms since 1970. */
  readonly validUntil: number
}

export type BrokerHealth = {
  readonly broker: number
  /** Undefined: it answers. */
  readonly unreachable: string | undefined
  /** All that are not secret. */
  readonly configs: ReadonlyMap<string, BrokerConfig> | Unseen
  readonly features: readonly FeatureView[] | Unseen
  /** `key:lowest-highest` of each API that it speaks: the same for the same version. */
  readonly speaks: string
  /** That it has shown to kdr, and those that signed it; empty without TLS. */
  readonly certificates: readonly CertificateView[]
}

export type VoterView = {
  readonly id: number
  readonly logEnd: number
  /** When it last had all that the leader has, as the leader says: ms since 1970; -1: not known. */
  readonly caughtUpAt: number
}

/** Of the metadata log. `leader`: -1 when there is none. */
export type QuorumView = {
  readonly leader: number
  readonly highWatermark: number
  readonly voters: readonly VoterView[]
}

export interface HealthReader {
  /** Of all that the cluster lists as alive, in their order. */
  brokers(): Promise<readonly BrokerHealth[]>
  /** Throws KdrError: unreachable, or cluster-lacks for one that keeps its metadata in ZooKeeper. */
  quorum(): Promise<Outcome & { readonly quorum?: QuorumView }>
  /** Bytes of the replicas on each broker that answers, by `topic/partition`: of each partition those of its largest replica. */
  partitionBytes(): Promise<ReadonlyMap<string, number>>
}
