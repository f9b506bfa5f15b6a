// What `kdr init` has seen of a real cluster, as far as it was allowed to look.

export type InspectedTopic = {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor?: number | undefined
  /** What is set on the topic itself, and its `cleanup.policy` whoever has set that. Undefined: not seen. */
  readonly configs?: Readonly<Record<string, string>> | undefined
}

/** `type`: classic, consumer, share, streams. */
export type InspectedGroup = { readonly group: string; readonly type: string }

/** Something that was asked for and not shown. `needs`: what would show it. */
export type Unseen = { readonly what: string; readonly why: string; readonly needs: string }

export type InspectedCluster = {
  readonly clusterId: string
  readonly brokers: number
  /** Of its brokers, each once. */
  readonly racks: readonly string[]
  /** Without those that Kafka keeps for itself. */
  readonly topics: readonly InspectedTopic[]
  readonly groups: readonly InspectedGroup[]
  /** SCRAM users. */
  readonly users: readonly string[]
  /** Configs of a broker, by name. */
  readonly defaults: Readonly<Record<string, string>>
  /** With one, brokers leave out what a principal may not see, and say nothing. */
  readonly hasAuthorizer: boolean
  readonly unseen: readonly Unseen[]
}
