// What a history of the agreement test does: operations of the port in symbolic words, so that the same operation can be
// done on the simulated and on the real cluster. They are data: a failing history prints them.
import type { CodecName } from '../../../src/model/batch.ts'
import type { LogPoint } from '../../../src/ports/cluster.ts'

/** `a`, `b`: every side has its own name for it. */
export type TopicSymbol = string
/** `a#1` is the id of the first topic that was called `a`; `none` is no id, `wrong` one that nobody has. */
export type IdSymbol = string
export type At = { readonly topic: TopicSymbol; readonly partition: number }

/**
 * What is wrong with a batch. `sequence`: a producer id, and no sequence; `deltas`: its records begin at another offset
 * than itself; `maxTimestamp`: later than that of each record.
 */
export type Flaw =
  | 'checksum'
  | 'baseOffset'
  | 'control'
  | 'transactional'
  | 'recordCount'
  | 'sequence'
  | 'deltas'
  | 'maxTimestamp'

export type BatchSpec = {
  /** A producer id of the history's own choice; `undefined` is a plain batch. */
  readonly producerId: string | undefined
  readonly epoch: number
  readonly sequence: number
  readonly count: number
  /** How much older than the beginning of the run; below zero for younger. */
  readonly ageMs: number
  readonly codec: CodecName
  readonly hasKeys: boolean
  readonly valueBytes: number
  readonly flaw?: Flaw
}

export type Entry = At & { readonly id: IdSymbol; readonly batch: BatchSpec }
export type FetchOf = At & {
  readonly id: IdSymbol
  readonly offset: number
  /** Relative to the current one; `undefined` is unknown. */
  readonly leaderEpoch: number | undefined
  readonly lastFetchedEpoch: number
  readonly maxBytes: number
}
/** The broker that the metadata names for the first partition, or one that it does not name. */
export type Broker = 'leader' | 'other'
/** A transactional id: `K…` of kdr (empty transactions), `T…` of an application. */
export type Transaction = string

export type Operation =
  | { readonly do: 'describe' }
  | {
      readonly do: 'create'
      readonly topic: TopicSymbol
      readonly partitions: number
      readonly replicationFactor: number
      readonly configs: Readonly<Record<string, string>>
    }
  | { readonly do: 'delete'; readonly topic: TopicSymbol }
  | { readonly do: 'addPartitions'; readonly topic: TopicSymbol; readonly total: number }
  | {
      readonly do: 'alter'
      readonly topic: TopicSymbol
      readonly changes: Readonly<Record<string, string | null>>
    }
  | { readonly do: 'configs'; readonly topics: readonly TopicSymbol[] }
  | { readonly do: 'append'; readonly broker: Broker; readonly entries: readonly Entry[] }
  | {
      readonly do: 'markers'
      readonly broker: Broker
      readonly producerId: string
      readonly epoch: number
      readonly coordinatorEpoch: number
      readonly fills: readonly (At & { readonly count: number })[]
    }
  | { readonly do: 'trim'; readonly targets: readonly (At & { readonly before: number })[] }
  | { readonly do: 'offsets'; readonly point: LogPoint; readonly partitions: readonly At[] }
  | { readonly do: 'times'; readonly partitions: readonly (At & { readonly ageMs: number })[] }
  | { readonly do: 'epochEnds'; readonly partitions: readonly (At & { readonly epoch: number })[] }
  | { readonly do: 'producers'; readonly partitions: readonly At[] }
  | {
      readonly do: 'fetch'
      readonly broker: Broker
      readonly isolation: 'committed' | 'uncommitted'
      readonly partitions: readonly FetchOf[]
    }
  | { readonly do: 'init'; readonly transaction: Transaction }
  /** `epoch`: relative to that of the last `init`. `isStranger`: under the producer id of somebody else. */
  | {
      readonly do: 'empty'
      readonly transaction: Transaction
      readonly epoch: number
      readonly isStranger: boolean
      readonly partitions: readonly At[]
    }
  /** An application adds the partition to its transaction, and sends. */
  | {
      readonly do: 'send'
      readonly transaction: Transaction
      readonly at: At
      readonly batch: Omit<BatchSpec, 'producerId' | 'epoch'>
    }
  | { readonly do: 'end'; readonly transaction: Transaction; readonly isCommit: boolean }
  | {
      readonly do: 'commitOffsets'
      readonly group: string
      readonly offsets: readonly (At & { readonly offset: number; readonly metadata: string | null })[]
    }
  | { readonly do: 'groupOffsets'; readonly group: string }
  | { readonly do: 'groups' }

export type Kind = Operation['do']
