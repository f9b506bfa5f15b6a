// What could not be looked at. It is said first: without it, "no finding" would not be the truth. Pure.
import { type Finding, finding } from '../../../model/findings.ts'
import {
  clusterAt,
  type DarkCluster,
  listed,
  type NotSeen,
  type SeenCluster,
  TOPIC_CONFIGS,
} from '../observation.ts'

export function darkFinding({ name, dark }: DarkCluster): Finding {
  return finding('C001', {
    where: clusterAt({ name }),
    message: `cluster "${name}" cannot be reached`,
    evidence: [dark],
  })
}

export function notSeenFindings(where: string, notSeen: readonly NotSeen[]): Finding[] {
  return notSeen.map(({ what, why, severity }) =>
    finding('C002', {
      where,
      message: `${what} could not be looked at`,
      evidence: [why],
      ...(severity !== undefined && { severity }),
    }),
  )
}

/** A broker that does not answer at all has a finding of its own. */
export function unseenOfBrokers(cluster: SeenCluster): Finding[] {
  const blind = cluster.health.flatMap(({ broker, unreachable, configs }) =>
    unreachable === undefined && 'unseen' in configs ? [{ broker, why: configs.unseen }] : [],
  )
  const isSaid = cluster.notSeen.some(({ what }) => what === TOPIC_CONFIGS)
  const topics = isSaid ? [] : [...cluster.topics.keys()].filter(name => !cluster.topicConfigs.has(name))
  const notSeen = [
    ...(blind.length === 0
      ? []
      : [{ what: `configs of broker ${listed(blind.map(({ broker }) => broker))}`, why: blind[0]!.why }]),
    ...(topics.length === 0
      ? []
      : [
          {
            what: `configs of topic ${listed(topics)}`,
            why: 'they are not shown to kdr (kdr needs DESCRIBE_CONFIGS on the topic)',
          },
        ]),
  ]
  return notSeenFindings(clusterAt(cluster), notSeen)
}
