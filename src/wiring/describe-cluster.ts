// A cluster as `kdr doctor` shows it: its id, its brokers, their versions.
import type { ClusterFacts } from '../cli/app.ts'
import type { Config } from '../config/index.ts'
import { readBrokerFacts } from '../kafka/broker-facts.ts'
import { connectCluster } from '../kafka/cluster.ts'
import { clusterOf, optionsOf } from './clusters.ts'
import { systemClock } from './system.ts'

/** Throws KdrError: unreachable, not-allowed, cluster-lacks. */
export async function describeCluster(config: Config, name: string): Promise<ClusterFacts> {
  const options = await optionsOf(clusterOf(config, name), systemClock)
  const cluster = await connectCluster(options)
  try {
    const { clusterId, brokers, topics } = await cluster.describe()
    const partitions = [...topics.values()].reduce((sum, topic) => sum + topic.partitions.length, 0)
    return {
      name,
      clusterId,
      topics: topics.size,
      partitions,
      brokers: await readBrokerFacts(options, brokers),
    }
  } finally {
    await cluster.close()
  }
}
