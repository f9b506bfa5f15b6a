// The Kafka APIs that kdr speaks, in which versions, and what it needs them for. A broker's own list (ApiVersions) is
// asked once per connection; the highest version that both know is used. Anything missing is said by name, with the
// oldest Kafka that has it. Transactions are pinned on purpose: EndTxn v5 would raise the producer epoch by itself.
import { KdrError } from '../model/errors.ts'

type ApiNeed = {
  readonly key: number
  readonly min: number
  readonly max: number
  readonly since: string
  readonly why: string
}

export const APIS = {
  Produce: { key: 0, min: 9, max: 13, since: '2.8', why: 'append batches' },
  Fetch: { key: 1, min: 13, max: 17, since: '3.1', why: 'read batches by topic id' },
  ListOffsets: { key: 2, min: 7, max: 7, since: '3.0', why: 'find the ends of a log' },
  Metadata: { key: 3, min: 12, max: 12, since: '3.1', why: 'find topics and leaders' },
  OffsetCommit: { key: 8, min: 8, max: 8, since: '2.4', why: 'write group offsets' },
  OffsetFetch: { key: 9, min: 8, max: 8, since: '3.0', why: 'read group offsets' },
  FindCoordinator: { key: 10, min: 4, max: 4, since: '3.0', why: 'find coordinators' },
  JoinGroup: { key: 11, min: 9, max: 9, since: '3.2', why: 'share the work of a link' },
  Heartbeat: { key: 12, min: 4, max: 4, since: '2.4', why: 'stay a worker of a link' },
  SyncGroup: { key: 14, min: 5, max: 5, since: '2.5', why: 'share the work of a link' },
  ListGroups: { key: 16, min: 4, max: 5, since: '2.6', why: 'list consumer groups' },
  CreateTopics: { key: 19, min: 7, max: 7, since: '2.8', why: 'create topics' },
  DeleteTopics: { key: 20, min: 6, max: 6, since: '2.8', why: 'delete topics' },
  DeleteRecords: { key: 21, min: 2, max: 2, since: '2.6', why: 'move the log start' },
  InitProducerId: { key: 22, min: 4, max: 4, since: '2.7', why: 'take a transactional id over' },
  OffsetForLeaderEpoch: { key: 23, min: 4, max: 4, since: '2.8', why: 'compare lineages' },
  AddPartitionsToTxn: { key: 24, min: 3, max: 3, since: '2.8', why: 'write empty transactions' },
  EndTxn: { key: 26, min: 3, max: 3, since: '2.8', why: 'write empty transactions' },
  WriteTxnMarkers: { key: 27, min: 1, max: 1, since: '2.8', why: 'fill gaps with markers' },
  DescribeAcls: { key: 29, min: 2, max: 3, since: '2.8', why: 'read ACLs' },
  CreateAcls: { key: 30, min: 2, max: 3, since: '2.8', why: 'carry ACLs over' },
  DeleteAcls: { key: 31, min: 2, max: 3, since: '2.8', why: 'take away ACLs that the source no longer has' },
  DescribeConfigs: { key: 32, min: 4, max: 4, since: '2.8', why: 'read configs' },
  DescribeLogDirs: { key: 35, min: 4, max: 4, since: '3.3', why: 'see how full the disks are' },
  CreatePartitions: { key: 37, min: 3, max: 3, since: '2.7', why: 'add partitions' },
  DeleteGroups: { key: 42, min: 2, max: 2, since: '2.4', why: 'delete groups that are gone at the source' },
  ElectLeaders: { key: 43, min: 2, max: 2, since: '2.4', why: 'elect preferred leaders' },
  IncrementalAlterConfigs: { key: 44, min: 1, max: 1, since: '2.4', why: 'change configs' },
  OffsetDelete: { key: 47, min: 0, max: 0, since: '2.4', why: 'delete offsets that are gone at the source' },
  DescribeClientQuotas: { key: 48, min: 1, max: 1, since: '2.8', why: 'read client quotas' },
  AlterClientQuotas: { key: 49, min: 1, max: 1, since: '2.8', why: 'carry client quotas over' },
  DescribeUserScramCredentials: { key: 50, min: 0, max: 0, since: '2.7', why: 'list SCRAM users' },
  AlterUserScramCredentials: { key: 51, min: 0, max: 0, since: '2.7', why: 'make SCRAM users' },
  DescribeQuorum: { key: 55, min: 1, max: 1, since: '3.3', why: 'see how the controllers stand' },
  DescribeTransactions: {
    key: 65,
    min: 0,
    max: 0,
    since: '3.0',
    why: 'await the markers of empty transactions, and tell open ones from hanging ones',
  },
  ListTransactions: { key: 66, min: 0, max: 0, since: '3.0', why: 'find hanging transactions' },
  DescribeProducers: { key: 61, min: 0, max: 0, since: '2.8', why: 'read producer states' },
} as const satisfies Record<string, ApiNeed>

export type ApiName = keyof typeof APIS

/** Without these nothing works, so that a connection is refused at once. */
const ALWAYS: readonly ApiName[] = ['Produce', 'Fetch', 'ListOffsets', 'Metadata']

export type VersionRange = {
  readonly apiKey: number
  readonly minVersion: number
  readonly maxVersion: number
}

export class BrokerVersions {
  readonly #what: string
  readonly #ranges: Map<number, VersionRange>

  constructor(what: string, ranges: readonly VersionRange[]) {
    this.#what = what
    this.#ranges = new Map(ranges.map(range => [range.apiKey, range]))
    for (const name of ALWAYS) this.need(name)
  }

  has(name: ApiName): boolean {
    return this.#best(name) !== undefined
  }

  /** The highest version that both sides speak. Throws KdrError('cluster-lacks') when there is none. */
  need(name: ApiName): number {
    const best = this.#best(name)
    if (best !== undefined) return best
    const api: ApiNeed = APIS[name]
    const range = this.#ranges.get(api.key)
    const offered =
      range === undefined ? 'does not have it' : `has v${range.minVersion} to v${range.maxVersion}`
    throw new KdrError(
      'cluster-lacks',
      `${this.#what} lacks ${name} v${api.min} (to ${api.why}; Kafka has it from ${api.since} on): it ${offered}`,
      { facts: { api: name, min: api.min, max: api.max } },
    )
  }

  #best(name: ApiName): number | undefined {
    const api: ApiNeed = APIS[name]
    const range = this.#ranges.get(api.key)
    if (range === undefined) return undefined
    const best = Math.min(api.max, range.maxVersion)
    return best >= api.min && best >= range.minVersion ? best : undefined
  }
}
