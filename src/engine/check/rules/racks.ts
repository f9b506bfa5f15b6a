// Whether a cluster survives the loss of one rack. What is weaker than that anyway (one replica, no broker may be away, too few in
// sync now) has findings of its own. Pure.
import { type Finding, finding } from '../../../model/findings.ts'
import type { PartitionView, TopicView } from '../../../ports/cluster.ts'
import { clusterAt, counted, knownBrokers, listed, type SeenCluster, topicAt } from '../observation.ts'
import { afterLoss, rackLosses, votersAmongBrokers } from '../racks.ts'
import { planFile } from '../spread.ts'
import { minInSync } from './topics.ts'

export function rackFindings(cluster: SeenCluster): Finding[] {
  const racks = new Set(cluster.brokers.map(({ rack }) => rack))
  const named = racks.size - (racks.has(undefined) ? 1 : 0)
  if (named === 0) return []
  return [
    ...(racks.has(undefined) ? withoutRack(cluster) : []),
    ...(named > 1 && !racks.has(undefined) ? losses(cluster) : []),
  ]
}

const SELECTOR = 'replica.selector.class'

/** `own`: the rack that kdr is in, by the config. While a broker is away nobody knows whether it stands there. */
export function closestFindings(cluster: SeenCluster, own: string | undefined): Finding[] {
  const { name, brokers, health } = cluster
  if (own === undefined || knownBrokers(cluster).size > brokers.length) return []
  const where = clusterAt(cluster)
  const racks = [...new Set(brokers.map(({ rack }) => rack))].filter(rack => rack !== undefined)
  if (!racks.includes(own)) {
    const message = `no broker of "${name}" is in rack "${own}", which the config names`
    const seen = racks.length === 0 ? 'none says where it is' : listed(racks.toSorted())
    return [finding('C054', { where, message, evidence: [`racks of its brokers: ${seen}`] })]
  }
  const elsewhere = new Set(brokers.filter(({ rack }) => rack !== own).map(({ id }) => id))
  const without = health.flatMap(({ broker, configs }) =>
    elsewhere.has(broker) && !('unseen' in configs) && !configs.get(SELECTOR)?.value ? [broker] : [],
  )
  if (without.length === 0) return []
  return [
    finding('C054', {
      where,
      message: `${counted(without.length, 'broker')} of "${name}" do not send readers to rack "${own}"`,
      evidence: [`without ${SELECTOR}: ${listed(without)}`],
    }),
  ]
}

function withoutRack(cluster: SeenCluster): Finding[] {
  const without = cluster.brokers.filter(({ rack }) => rack === undefined).map(({ id }) => id)
  return [
    finding('C050', {
      where: clusterAt(cluster),
      message: `${counted(without.length, 'broker')} of "${cluster.name}" do not say in which rack they are`,
      evidence: [`without broker.rack: ${listed(without)}`],
    }),
  ]
}

function losses(cluster: SeenCluster): Finding[] {
  const rackOf = new Map(cluster.brokers.map(({ id, rack }) => [id, rack]))
  const values = { at: cluster.at, cluster: cluster.name, plan: planFile(cluster.name) }
  const together = (partition: PartitionView): boolean =>
    partition.replicas.length > 1 && new Set(partition.replicas.map(id => rackOf.get(id))).size === 1
  const inOneRack = [...cluster.topics.values()].flatMap(topic => {
    const some = topic.partitions.filter(together)
    if (some.length === 0) return []
    return [
      finding('C051', {
        where: topicAt(cluster, topic.name),
        message: `${counted(some.length, 'partition')} of "${topic.name}" with all replicas in one rack`,
        evidence: some
          .slice(0, 5)
          .map(
            ({ partition, replicas: [id = -1] }) => `partition ${partition}: rack ${rackOf.get(id) ?? '?'}`,
          ),
        values,
      }),
    ]
  })
  const stops = rackLosses(cluster).flatMap(({ rack, brokers }) => {
    const lost = new Set(brokers)
    const refusing = [...cluster.topics.values()].flatMap(topic =>
      topic.partitions
        .filter(partition => !together(partition) && stopsWithoutRack(cluster, topic, partition, lost))
        .map(({ partition }) => `${topic.name}/${partition}`),
    )
    const where = `${clusterAt(cluster)} rack:${rack}`
    return [
      ...(refusing.length === 0
        ? []
        : [
            finding('C052', {
              where,
              message: `without rack ${rack}, ${counted(refusing.length, 'partition')} of "${cluster.name}" would refuse acks=all`,
              evidence: [listed(refusing)],
              values,
            }),
          ]),
      ...(stopsControllers(cluster, lost)
        ? [
            finding('C053', {
              where,
              message: `without rack ${rack}, half of the controllers of "${cluster.name}" or more are gone`,
              evidence: [`controllers in the rack: ${listed(votersIn(cluster, lost))}`],
            }),
          ]
        : []),
    ]
  })
  return [...inOneRack, ...stops]
}

const votersIn = (cluster: SeenCluster, lost: ReadonlySet<number>): number[] =>
  votersAmongBrokers(cluster)?.filter(id => lost.has(id)) ?? []

/** One or two have a finding of their own (C041). */
function stopsControllers(cluster: SeenCluster, lost: ReadonlySet<number>): boolean {
  const voters = votersAmongBrokers(cluster)?.length ?? 0
  return voters > 2 && votersIn(cluster, lost).length >= voters / 2
}

/** It could lose one broker, and does not survive this rack. */
function stopsWithoutRack(
  cluster: SeenCluster,
  { name }: TopicView,
  partition: PartitionView,
  lost: ReadonlySet<number>,
): boolean {
  const least = minInSync(cluster.topicConfigs.get(name)) ?? 1
  const canLoseOne = partition.replicas.length > Math.max(1, least)
  // As it is meant to be, and not as it happens to be while a replica is away.
  const whole = { ...partition, isr: partition.replicas }
  return canLoseOne && afterLoss(whole, lost, least).refuses
}
