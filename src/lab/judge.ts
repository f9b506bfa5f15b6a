// Java's own Kafka clients as the judge of kdr: typed calls of the program in the folder judge.

import { JudgeError, type JudgeOptions, startJudgeProcess } from './judge-process.ts'

export { JudgeError }

/** A cluster, as the lab gives it; `properties` are Java client properties (see `saslOf`). */
export type At = { readonly bootstrap: string; readonly properties?: Readonly<Record<string, string>> }

export type Isolation = 'committed' | 'uncommitted'
export type Codec = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** Bytes travel as base64; `b64` makes it of text. */
export type Base64 = string

export type TestRecord = {
  readonly partition?: number
  readonly key?: Base64 | null
  readonly value?: Base64 | null
  readonly headers?: readonly (readonly [key: string, value: Base64 | null])[]
  readonly timestamp?: number
}

export type ProducerOptions = {
  readonly compression?: Codec
  readonly acks?: 'all' | '1' | '0'
  readonly idempotent?: boolean
  readonly lingerMs?: number
  readonly batchBytes?: number
  readonly transactionalId?: string
}

/**
 * Given records, or `count` made ones, the same for the same `seed`. `noise` (default): half of each value is random, so
 * that it compresses like real data. `json`: orders of a shop.
 */
export type Send = {
  readonly topic: string
  /** Default: round robin. */
  readonly partition?: number
} & (
  | { readonly records: readonly TestRecord[] }
  | {
      readonly count: number
      /** Default 100. */
      readonly sizeBytes?: number
      /** Keys are `key-N`, N below this; 0 for null keys. Default 1000. */
      readonly keys?: number
      readonly timestampBase?: number
      readonly timestampStep?: number
      readonly seed?: number
      readonly format?: 'noise' | 'json'
    }
)

export type Sent = {
  /** In the order of the records; empty when more than 10,000. */
  readonly offsets: readonly number[]
  readonly partitions: readonly {
    readonly partition: number
    readonly first: number
    readonly last: number
  }[]
}

export type TopicDescription = {
  readonly topicId: string
  readonly partitions: readonly {
    readonly partition: number
    readonly leader: number
    readonly replicas: readonly number[]
    readonly isr: readonly number[]
  }[]
}

export type Digest = {
  readonly partition: number
  readonly logStart: number
  /** The high watermark; the last stable offset when `committed`. */
  readonly end: number
  readonly count: number
  readonly bytes: number
  /** Of offset, timestamp, key, value and headers of every record. */
  readonly sha256: string
}

export type ListedRecord = {
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly timestampType: 'CreateTime' | 'LogAppendTime' | 'NoTimestampType'
  readonly key: Base64 | null
  readonly value: Base64 | null
  readonly headers: readonly (readonly [key: string, value: Base64 | null])[]
}

export type PartitionComparison = {
  readonly topic: string
  /** -1 when the numbers of partitions differ. */
  readonly partition: number
  /** Same records, same log start, same end. */
  readonly identical: boolean
  readonly logStart: readonly [a: number, b: number]
  readonly end: readonly [a: number, b: number]
  readonly same: number
  readonly onlyA: number
  readonly onlyB: number
  readonly different: number
  readonly firstDifference?: { readonly offset: number; readonly what: string }
}
export type Comparison = { readonly identical: boolean; readonly partitions: readonly PartitionComparison[] }

export type Acl = {
  readonly type: 'TOPIC' | 'GROUP' | 'CLUSTER' | 'TRANSACTIONAL_ID' | 'DELEGATION_TOKEN' | 'USER'
  /** Default: that of the cluster resource. */
  readonly name?: string
  readonly pattern?: 'LITERAL' | 'PREFIXED'
  readonly principal: string
  readonly host?: string
  readonly operation: string
  readonly permission?: 'ALLOW' | 'DENY'
}

export type LedgerEntry = readonly [partition: number, offset: number, n: number, ackMs: number]

/** `failed` counts failed sends and transactions. */
export type WorkloadReport = {
  readonly sent: number
  readonly acknowledged: number
  readonly failed: number
  readonly lastError: string | null
  readonly lastAckMs: number
  readonly ledger?: readonly LedgerEntry[]
}

export type TopicAudit = {
  readonly acknowledged: number
  readonly present: number
  readonly missing: number
  readonly firstMissing: readonly LedgerEntry[]
  /** Numbers that stand there more than once. */
  readonly repeated: number
  /** Acknowledged ones at another partition or offset. */
  readonly moved: number
  readonly unacknowledged: number
  /** Records that the workload has not written. */
  readonly foreign: number
}

/** A partition of a cluster, held against the ledger of what another one has acknowledged. */
export type LedgerAudit = {
  readonly partition: number
  readonly end: number
  readonly acknowledged: number
  /** With the same offset, key, value and timestamp, unless a problem says otherwise. */
  readonly present: number
  /** Compacted away: their keys were acknowledged again, later. */
  readonly superseded: number
  /** At or beyond the end. */
  readonly lost: number
  /** -1 when nothing is lost. */
  readonly firstLostAckMs: number
  /** Arrived, though the source had not yet told the producer. */
  readonly unacknowledged: number
  readonly problems: number
  /** By offset, at most 20. */
  readonly firstProblems: readonly { readonly offset: number; readonly what: string }[]
}

export type ConsumerReport = {
  readonly received: number
  /** Wall clock; -1 before the first record. */
  readonly firstAtMs: number
  readonly distinct: number
  readonly duplicates: number
  /** By `topic-partition`: the offset after the last received. */
  readonly positions: Readonly<Record<string, number>>
  readonly assigned: readonly string[]
  readonly lastError: string | null
}

/** Readable at the target minus readable at the source, in ms; -1 without any record. `missing`: not seen on both. */
export type LagReport = {
  readonly records: number
  readonly missing: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

export type GroupOffset = {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly metadata: string
  readonly leaderEpoch: number
}

type TopicAt = At & { readonly topic: string }
type PartitionAt = TopicAt & { readonly partition: number }
type Configs = Readonly<Record<string, string>>
type Range = {
  readonly partition?: number
  readonly from?: number
  readonly to?: number
  readonly isolation?: Isolation
}
type Handle<Name extends string> = { readonly [key in Name]: string }

/** Every call: its argument, and what it returns. The names are those of the program's commands. */
type Calls = {
  /** `replicas` (instead of `rf`): lists of brokers, taken in turn by the partitions. */
  createTopic: [
    TopicAt & {
      partitions?: number
      rf?: number
      replicas?: readonly (readonly number[])[]
      configs?: Configs
    },
    TopicDescription,
  ]
  createTopics: [At & { topics: readonly string[]; partitions?: number }, void]
  deleteTopic: [TopicAt, void]
  deleteTopics: [At & { topics: readonly string[] }, void]
  createPartitions: [TopicAt & { count: number }, void]
  describeTopic: [TopicAt, TopicDescription]
  listTopics: [At, string[]]
  /** Of a topic or, with `broker` ('' for all), of brokers. `null` removes one. */
  alterConfigs: [
    At & { topic?: string; broker?: string; configs: Readonly<Record<string, string | null>> },
    void,
  ]
  /** Only overrides, unless `all`. */
  describeConfigs: [At & { topic?: string; broker?: string; all?: boolean }, Record<string, string>]
  deleteRecords: [PartitionAt & { before: number }, { logStart: number }]
  /** Moves the partition, and its leader to the first of `replicas`. */
  reassign: [PartitionAt & { replicas: readonly number[] }, { leader: number }]
  /** Makes a replica that is not in sync the leader; fails while one in sync lives. */
  electUnclean: [PartitionAt, void]
  /** Of a client id, in bytes a second; null takes one away. */
  setQuota: [
    At & {
      clientId?: string
      /** By type, instead of `clientId`; `null` for the default. */
      entity?: Readonly<Record<string, string | null>>
      quotas: Readonly<Record<string, number | null>>
    },
    void,
  ]
  /** A line each: `client-id=c,user=<default> producer_byte_rate=1000.0`. */
  describeQuotas: [At, string[]]
  /** Without a password the user is taken away. */
  setUser: [At & { user: string; mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512'; password?: string }, void]
  /** The brokers of every partition; returns when those are in sync and no others are left. */
  setReplicas: [TopicAt & { replicas: readonly number[] }, void]
  createAcls: [At & { acls: readonly Acl[] }, void]
  /** All of them without `acls`. */
  deleteAcls: [At & { acls?: readonly Acl[] }, { deleted: number }]
  describeAcls: [At, Required<Acl>[]]
  /**
   * `end`: of a transaction. `open`: the producer goes away as by a crash. `perTransaction` (made records only): commits
   * after so many, all of one transaction in one partition.
   */
  produce: [
    At & ProducerOptions & Send & { end?: 'commit' | 'abort' | 'open'; perTransaction?: number },
    Sent,
  ]
  openProducer: [At & ProducerOptions, Handle<'producer'>]
  begin: [Handle<'producer'>, void]
  send: [Handle<'producer'> & Send, Sent]
  /** As a part of the transaction. */
  sendOffsets: [
    Handle<'producer'> & { group: string; offsets: readonly (Partial<GroupOffset> & { topic: string })[] },
    void,
  ]
  commit: [Handle<'producer'>, void]
  abort: [Handle<'producer'>, void]
  closeProducer: [Handle<'producer'> & { leaveOpen?: boolean }, void]
  digest: [TopicAt & Range, Digest[]]
  list: [TopicAt & Range, ListedRecord[]]
  compare: [{ a: At; b: At; topics: readonly string[]; isolation?: Isolation }, Comparison]
  /** High watermarks. */
  ends: [At & { topics: readonly string[] }, (readonly [topic: string, partition: number, end: number])[]]
  /**
   * Returns as soon as the high watermarks of a topic, or of all whose names begin with `prefix`, add up to `sum`, or
   * after `timeoutMs` (default 10 s): see what it returns. It looks every `everyMs` (20).
   */
  awaitEnds: [
    At & ({ topic: string } | { prefix: string }) & { sum: number; timeoutMs?: number; everyMs?: number },
    { sum: number; atMs: number },
  ]
  /** Reads a workload's records at both sides and notes when each came. The topic must be on both. */
  startLag: [{ source: At; target: At; topic: string; workload: string }, Handle<'lag'>]
  /** How many records each side has shown. */
  lagSeen: [Handle<'lag'>, { source: number; target: number }]
  /** Of the workload's records from `from` up to `to`. */
  stopLag: [Handle<'lag'> & { from: number; to: number }, LagReport]
  /** `burst`: so many first, at once. `rate`: records a second, then. `keys`: as for `Send`, default 0. `abortEvery` N: every Nth transaction. */
  startWorkload: [
    TopicAt &
      ProducerOptions & {
        burst?: number
        rate?: number
        keys?: number
        sizeBytes?: number
        perTransaction?: number
        abortEvery?: number
        /** Records carry timestamps that lie this far back. */
        ageMs?: number
      },
    Handle<'workload'>,
  ]
  workload: [Handle<'workload'> & { ledger?: boolean }, WorkloadReport]
  stopWorkload: [Handle<'workload'> & { ledger?: boolean; timeoutMs?: number }, WorkloadReport]
  auditTopic: [At & Handle<'workload'> & { topic?: string; isolation?: Isolation }, TopicAudit]
  /** `kind` says what may be missing before the tail: only of a compacted topic, records whose key came again. */
  auditLedger: [
    At &
      Handle<'workload'> & {
        kind: 'plain' | 'transactional' | 'compacted'
        /** By partition, where the copy ends; what stands above is not looked at. Default: its end. */
        cuts?: Readonly<Record<string, number>>
        consumers?: readonly string[]
      },
    LedgerAudit[],
  ]
  startConsumer: [
    At & {
      group: string
      topics: readonly string[]
      isolation?: Isolation
      protocol?: 'classic' | 'consumer'
      /** Default 200; 0 never commits. */
      commitEveryMs?: number
      /** After each poll: with few records a poll it cannot keep up. */
      restMs?: number
    },
    Handle<'consumer'>,
  ]
  consumer: [Handle<'consumer'>, ConsumerReport]
  /** It stays a member, and commits where it is; `paused: false` lets it go on. */
  pauseConsumer: [Handle<'consumer'> & { paused?: boolean }, void]
  stopConsumer: [Handle<'consumer'> & { crash?: boolean }, ConsumerReport]
  auditConsumers: [
    Handle<'workload'> & { consumers: readonly string[] },
    { acknowledged: number; missing: number; firstMissing: LedgerEntry[]; duplicates: number },
  ]
  groupOffsets: [At & { group: string }, GroupOffset[]]
  alterGroupOffsets: [
    At & { group: string; offsets: readonly (Partial<GroupOffset> & { topic: string })[] },
    void,
  ]
  deleteGroup: [At & { group: string }, void]
  /** Of one partition. */
  deleteGroupOffsets: [PartitionAt & { group: string }, void]
  /** `PREFIX-N` for N from `from` up to `to`, each at `offset` of every partition. */
  alterManyGroups: [
    TopicAt & { prefix: string; from: number; to: number; partitions: number; offset: number },
    void,
  ]
  /** One that a member has joined and left (Kafka 4.2 and later). */
  makeShareGroup: [At & { group: string; topics: readonly string[] }, void]
  listGroups: [At, { group: string; type: string; state: string }[]]
}

type CallName = keyof Calls

export type Judge = { readonly [Name in CallName]: (args: Calls[Name][0]) => Promise<Calls[Name][1]> } & {
  close(): Promise<void>
}

/** Close it, or this process does not end. */
export async function startJudge(options: JudgeOptions = {}): Promise<Judge> {
  const judge = await startJudgeProcess(options)
  // A proxy, so that a command is written down once here: in Calls.
  return new Proxy({ close: () => judge.close() } as Judge, {
    get: (own, name) => {
      // `then`: an object that is awaited is asked for it.
      if (name === 'close' || name === 'then' || typeof name === 'symbol')
        return Reflect.get(own, name) as unknown
      return (args: object) => judge.request(name, args)
    },
  })
}

export function b64(text: string | Uint8Array): Base64 {
  return Buffer.from(text as string).toString('base64')
}

/** Java client properties that sign in to a lab cluster with `security: 'acl'`. */
export function saslOf(username: string, password: string): Record<string, string> {
  const login = `username="${username}" password="${password}"`
  return {
    'security.protocol': 'SASL_PLAINTEXT',
    'sasl.mechanism': 'PLAIN',
    'sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required ${login};`,
  }
}
