// What only `kdr check --fix` changes, beside topic configs. Rules as in ports/cluster.ts.
import type { Outcome, TopicPartition } from './cluster.ts'

export interface Mender {
  /** A config of all brokers, while they run; a broker that has a value of its own keeps that. */
  setBrokerDefault(name: string, value: string): Promise<Outcome>
  /** Where the first replica leads already: success. The first that is refused, if any. */
  electPreferred(partitions: readonly TopicPartition[]): Promise<Outcome>
}
