// What oracles see of a worker's calls to a cluster, at the moment that they take effect.
import type * as port from '../../src/ports/cluster.ts'
import type { SimPartition } from './cluster.ts'
import type { SimProcess } from './network.ts'

/** Sees what a worker does to a cluster: for oracles, which may not wait until the history's end. */
export type PortObserver = {
  /** Before a produce request leaves. */
  readonly sending: (process: SimProcess, entry: port.AppendEntry) => void
  /** A batch was appended at `base`: as its bytes were sent, to the log that stands there. */
  readonly appended: (process: SimProcess, of: port.AppendEntry, at: SimPartition, base: number) => void
  /** The worker has been told that its batch stands at `base`. */
  readonly told: (process: SimProcess, entry: port.AppendEntry, base: number) => void
  readonly marked: (of: port.TopicPartition, at: SimPartition, producerId: bigint) => void
  readonly trimming: (of: port.TopicPartition, at: SimPartition, before: number) => void
  readonly committing: (process: SimProcess, group: string, offsets: readonly port.GroupOffset[]) => void
}
