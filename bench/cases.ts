// What is measured. A case is data, a stage (which brokers, how they are reached) and who competes on it.

import type { Codec } from '../src/lab/judge.ts'

/**
 * `pair`: one source broker (and one beside it, for the follower), one target broker. `replicated`: three target
 * brokers, RF 3. `slow`: the same, and one of them, which leads nothing, stands still half of the time. `bare`: kdr has
 * no cluster rights at the target. `line`: a long line in front of the source.
 */
export type StageKind = 'pair' | 'replicated' | 'slow' | 'bare' | 'line'

/** `produce`: no mirror, but what the target's brokers take when that is all that happens. */
export type ContenderName = 'kdr' | 'mirrormaker' | 'follower' | 'produce'

export type Data = {
  readonly format: 'noise' | 'json'
  readonly recordBytes: number
  readonly compression: Codec
  /** Of the producer: what a batch holds. 1: one record. */
  readonly batchBytes: number
  readonly partitions: number
  /** Of SIZE_MB, which counts the records' values before they are compressed. */
  readonly share: number
  /** Records of a transaction, all in one partition. */
  readonly perTransaction?: number
}

type Common = {
  readonly name: string
  readonly title: string
  readonly contenders: readonly ContenderName[]
}

/** A backlog, as fast as it goes. */
export type CopyCase = Common & {
  readonly kind: 'copy'
  readonly stage: StageKind
  readonly data: Data
  /** Processes of kdr; default 1. */
  readonly workers?: number
  /** Of kdr's link; default: as users have it without saying anything. */
  readonly connectionsPerBroker?: number
}

/** A steady stream, and how much later its records come out at the target. */
export type LagCase = Common & {
  readonly kind: 'lag'
  readonly recordBytes: number
  readonly recordsPerSecond: number
  readonly partitions: number
  readonly warmUpSeconds: number
  readonly seconds: number
}

/** Partitions where nothing happens, and what they cost. */
export type IdleCase = Common & {
  readonly kind: 'idle'
  readonly topics: number
  readonly partitionsPerTopic: number
  readonly settleSeconds: number
  readonly seconds: number
}

/** A link moves: a switchover, and a failover from a cluster that does not answer. */
export type MoveCase = Common & {
  readonly kind: 'move'
  readonly topics: number
  readonly partitionsPerTopic: number
  readonly recordsPerPartition: number
  readonly groups: number
  /** Partitions in which each group has committed. */
  readonly offsetsPerGroup: number
}

/** A topic into a vault in a folder, and back. */
export type BackupCase = Common & {
  readonly kind: 'backup'
  readonly data: Data
}

/** A moment among so many commits. */
export type PointCase = Common & {
  readonly kind: 'point'
  readonly commits: number
}

export type Case = CopyCase | LagCase | IdleCase | MoveCase | BackupCase | PointCase

const BATCH_BYTES = 256 * 1024

const PLAIN: Data = {
  format: 'noise',
  recordBytes: 1_000,
  compression: 'none',
  batchBytes: BATCH_BYTES,
  partitions: 6,
  share: 1,
}
const LZ4: Data = { ...PLAIN, format: 'json', recordBytes: 350, compression: 'lz4' }
const ZSTD: Data = { ...LZ4, compression: 'zstd' }
const TINY: Data = { ...PLAIN, recordBytes: 200, batchBytes: 1, share: 0.1 }
const TRANSACTIONAL: Data = { ...PLAIN, perTransaction: 100, share: 0.5 }
const LINE: Data = { ...LZ4, share: 0.5 }

const ALL: readonly ContenderName[] = ['kdr', 'mirrormaker', 'follower']
/** Without transactions: their markers cannot be sent by Produce. */
const BULK: readonly ContenderName[] = [...ALL, 'produce']
const MIRRORS: readonly ContenderName[] = ['kdr', 'mirrormaker']

export const CASES: readonly Case[] = [
  copy('plain', '1 KB records, uncompressed', PLAIN, 'pair', BULK),
  copy('lz4', 'JSON, lz4', LZ4, 'pair', BULK),
  copy('zstd', 'JSON, zstd', ZSTD, 'pair', BULK),
  copy('tiny', 'one-record batches of 200 B', TINY, 'pair', BULK),
  copy('transactional', '1 KB records, 100 a transaction', TRANSACTIONAL, 'pair', ALL),
  copy('transactional-bare', 'the same, without cluster rights', TRANSACTIONAL, 'bare', ['kdr']),
  copy('line', 'JSON, lz4, over a long line', LINE, 'line', MIRRORS),
  {
    ...copy('line-64', 'the same, up to 64 connections', LINE, 'line', ['kdr']),
    connectionsPerBroker: 64,
  },
  {
    kind: 'lag',
    name: 'lag',
    title: 'steady 5 MB/s of 1 KB records',
    contenders: MIRRORS,
    recordBytes: 1_000,
    recordsPerSecond: 5_000,
    partitions: 6,
    warmUpSeconds: 15,
    seconds: 20,
  },
  {
    kind: 'idle',
    name: 'idle',
    title: '1,000 topics of 3 partitions, idle',
    contenders: MIRRORS,
    topics: 1_000,
    partitionsPerTopic: 3,
    settleSeconds: 10,
    seconds: 20,
  },
  move('move-100', '100 partitions, 100 groups', 20),
  move('move-1000', '1,000 partitions, 100 groups', 200),
  ...[1, 2, 3, 4].map(workers => ({
    ...copy(
      `workers-${workers}`,
      `24 partitions, workers: ${workers}`,
      { ...PLAIN, partitions: 24 },
      'pair',
      ['kdr'],
    ),
    workers,
  })),
  backup('backup-plain', '1 KB records, uncompressed', PLAIN),
  backup('backup-lz4', 'JSON, lz4', LZ4),
  backup('backup-zstd', 'JSON, zstd', ZSTD),
  {
    kind: 'point',
    name: 'point',
    title: 'a moment among 10,000 commits',
    contenders: ['kdr'],
    commits: 10_000,
  },
  copy('plain-rf3', '1 KB records, three target brokers, RF 3', PLAIN, 'replicated', MIRRORS),
  copy('lz4-rf3', 'JSON, lz4, three target brokers, RF 3', LZ4, 'replicated', MIRRORS),
  copy('zstd-rf3', 'JSON, zstd, three target brokers, RF 3', ZSTD, 'replicated', MIRRORS),
  copy('plain-slow', '1 KB records, RF 3, one follower slow', PLAIN, 'slow', MIRRORS),
  copy('lz4-slow', 'JSON, lz4, RF 3, one follower slow', LZ4, 'slow', MIRRORS),
  copy('zstd-slow', 'JSON, zstd, RF 3, one follower slow', ZSTD, 'slow', MIRRORS),
]

function copy(
  name: string,
  title: string,
  data: Data,
  stage: StageKind,
  contenders: readonly ContenderName[],
): CopyCase {
  return { kind: 'copy', name, title, data, stage, contenders }
}

function backup(name: string, title: string, data: Data): BackupCase {
  return { kind: 'backup', name, title, data, contenders: ['kdr', 'follower'] }
}

function move(name: string, title: string, topics: number): MoveCase {
  return {
    kind: 'move',
    name,
    title,
    contenders: ['kdr'],
    topics,
    partitionsPerTopic: 5,
    recordsPerPartition: 3,
    groups: 100,
    offsetsPerGroup: 20,
  }
}
