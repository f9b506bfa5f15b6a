// Clusters as `kdr init` sees them.

import type { InspectedCluster, InspectedTopic } from '../../src/config/index.ts'

export function inspected(changes: Partial<InspectedCluster> = {}): InspectedCluster {
  return {
    clusterId: 'abc',
    brokers: 3,
    racks: [],
    topics: [],
    groups: [],
    users: [],
    defaults: { 'min.insync.replicas': '1', 'auto.create.topics.enable': 'false' },
    hasAuthorizer: false,
    unseen: [],
    ...changes,
  }
}

export function topicsOf(...names: readonly string[]): InspectedTopic[] {
  return names.map(name => ({
    name,
    partitions: 1,
    replicationFactor: 3,
    configs: { 'cleanup.policy': 'delete' },
  }))
}
