// What the demo writes: topics of the three kinds that matter to a mirror, each with one Java producer.

export type TopicKind = 'plain' | 'transactional' | 'compacted'

export type DemoTopic = {
  readonly name: string
  readonly kind: TopicKind
  readonly partitions: number
  readonly configs: Readonly<Record<string, string>>
  /** Records at once, before the link starts: its backlog. */
  readonly burst: number
  /** Records a second from then on. */
  readonly rate: number
  readonly producer: {
    readonly keys: number
    readonly sizeBytes: number
    readonly compression?: 'zstd'
    readonly transactionalId?: string
    readonly perTransaction?: number
    readonly abortEvery?: number
  }
}

export const DEMO_TOPICS: readonly DemoTopic[] = [
  {
    name: 'clicks',
    kind: 'plain',
    partitions: 4,
    configs: {},
    burst: 40_000,
    rate: 600,
    producer: { keys: 0, sizeBytes: 200, compression: 'zstd' },
  },
  {
    name: 'customers',
    kind: 'compacted',
    partitions: 2,
    // Small segments and an eager cleaner: it compacts while we watch.
    configs: { 'cleanup.policy': 'compact', 'segment.bytes': '1048576', 'min.cleanable.dirty.ratio': '0.01' },
    burst: 15_000,
    rate: 200,
    producer: { keys: 500, sizeBytes: 200 },
  },
  {
    name: 'orders',
    kind: 'plain',
    partitions: 3,
    configs: {},
    burst: 25_000,
    rate: 400,
    producer: { keys: 1000, sizeBytes: 300 },
  },
  {
    name: 'payments',
    kind: 'transactional',
    partitions: 2,
    configs: {},
    burst: 2_000,
    rate: 150,
    producer: {
      keys: 1000,
      sizeBytes: 200,
      transactionalId: 'payments',
      perTransaction: 50,
      abortEvery: 10,
    },
  },
]

/** What `lose-one` takes a record from. */
export const SABOTAGED = { topic: 'payments', partition: 0 } as const
