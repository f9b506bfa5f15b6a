// A cluster as `kdr doctor` shows it: its id, its brokers, their versions. A broker that does not answer is a value.
import type { ClusterFacts } from '../cli/app.ts'
import type { Config } from '../config/index.ts'
import { APIS } from '../kafka/versions.ts'
import type { BrokerHealth } from '../ports/health.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { systemClock } from './system.ts'

/** Throws KdrError: unreachable, not-allowed, cluster-lacks. */
export async function describeCluster(config: Config, name: string): Promise<ClusterFacts> {
  const cluster = await openCluster(clusterOf(config, name), systemClock)
  try {
    const { clusterId, brokers, topics } = await cluster.describe()
    const partitions = [...topics.values()].reduce((sum, topic) => sum + topic.partitions.length, 0)
    const looks = new Map((await cluster.health.brokers()).map(look => [look.broker, look]))
    return {
      name,
      clusterId,
      topics: topics.size,
      partitions,
      brokers: brokers.map(({ id, host, port }) => ({ id, host, port, ...factsOf(looks.get(id)) })),
    }
  } finally {
    await cluster.close()
  }
}

type Facts =
  /** Of the APIs that kdr needs: the range that the broker has. */
  | { readonly features: Readonly<Record<string, number>>; readonly apis: Readonly<Record<string, string>> }
  | { readonly problem: string }

/** Undefined: it has gone meanwhile. */
export function factsOf(look: BrokerHealth | undefined): Facts {
  if (look === undefined) return { problem: 'the cluster no longer lists it' }
  const { unreachable, features, speaks } = look
  if (unreachable !== undefined) return { problem: unreachable }
  if ('unseen' in features) return { problem: features.unseen }
  const inForce = features.flatMap(({ name, level }) => (level === undefined ? [] : [[name, level] as const]))
  const ranges = new Map(speaks.split(' ').map(each => each.split(':') as [string, string]))
  const apis = Object.entries(APIS).map(([api, { key }]) => {
    const range = ranges.get(String(key))
    return [api, range === undefined ? 'missing' : range.replace('-', ' to ')] as const
  })
  return { features: Object.fromEntries(inForce), apis: Object.fromEntries(apis) }
}
