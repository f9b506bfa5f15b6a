// How safely topics keep what they are given: replicas, how many of them must be in sync, and who may become leader. Pure.
import { type Finding, finding, type Fix } from '../../../model/findings.ts'
import type { ConfigEntry, TopicView } from '../../../ports/cluster.ts'
import {
  clusterAt,
  counted,
  isInternal,
  knownBrokers,
  type SeenCluster,
  topicAt,
  type Wish,
  wishFor,
} from '../observation.ts'
import { planFile } from '../spread.ts'

export function topicFindings(cluster: SeenCluster): Finding[] {
  const wish = wishFor(cluster)
  return [
    ...fewBrokers(cluster, wish),
    ...[...cluster.topics.values()].flatMap(topic => {
      const configs = cluster.topicConfigs.get(topic.name)
      return [
        ...replicas(cluster, topic, wish),
        ...inSync(cluster, topic, { wish, configs }),
        ...unclean(cluster, topic, configs),
      ]
    }),
  ]
}

function fewBrokers(cluster: SeenCluster, wish: Wish): Finding[] {
  const count = knownBrokers(cluster).size
  if (count >= 3) return []
  const message =
    `"${cluster.name}" has ${counted(count, 'broker')}; measured against ` +
    `${counted(wish.replicas, 'replica')}, ${wish.inSync} in sync, instead of 3 and 2`
  return [finding('C003', { where: clusterAt(cluster), message })]
}

/** The weakest partition counts. */
export const replicasOf = ({ partitions }: TopicView): number =>
  partitions.length === 0 ? 0 : Math.min(...partitions.map(({ replicas: ids }) => ids.length))

function replicas(cluster: SeenCluster, topic: TopicView, wish: Wish): Finding[] {
  const count = replicasOf(topic)
  if (count === 0 || count >= wish.replicas) return []
  const weak = topic.partitions.filter(({ replicas: ids }) => ids.length < wish.replicas)
  const facts = {
    where: topicAt(cluster, topic.name),
    message: `"${topic.name}" has ${counted(count, 'replica')} instead of ${wish.replicas}`,
    evidence: [`${weak.length} of ${counted(topic.partitions.length, 'partition')}`],
    values: { at: cluster.at, cluster: cluster.name, plan: planFile(cluster.name) },
  }
  if (isInternal(topic)) return [finding('C020', facts)]
  return [finding('C012', { ...facts, severity: count === 1 ? 'error' : 'warning' })]
}

type Configs = ReadonlyMap<string, ConfigEntry> | undefined

export function minInSync(configs: Configs): number | undefined {
  const text = configs?.get('min.insync.replicas')?.value
  return text === undefined || text === null ? undefined : Number(text)
}

function inSync(
  cluster: SeenCluster,
  topic: TopicView,
  { wish, configs }: { readonly wish: Wish; readonly configs: Configs },
): Finding[] {
  const least = minInSync(configs)
  const count = replicasOf(topic)
  if (least === undefined || count === 0) return []
  const of = `"${topic.name}"`
  const told = (wanted: number) => ({
    where: topicAt(cluster, topic.name),
    evidence: [`min.insync.replicas=${least}, ${counted(count, 'replica')}`],
    values: { at: cluster.at, topic: topic.name, wanted },
  })
  if (least > count)
    return [
      finding('C015', {
        ...told(Math.max(1, Math.min(wish.inSync, count - 1))),
        message: `${of} wants ${least} replicas in sync and has ${count}`,
      }),
    ]
  if (least === count && count > 1)
    return [
      finding('C014', {
        ...told(count - 1),
        message: `${of} takes no write with acks=all while any broker of its replicas is away`,
      }),
    ]
  if (least < wish.inSync && count > wish.inSync)
    return [
      finding('C013', {
        ...told(wish.inSync),
        fix: isWhole(topic)
          ? setting(cluster, topic, { 'min.insync.replicas': String(wish.inSync) })
          : undefined,
        message: `${of} acknowledges what only ${least === 1 ? 'its leader' : `${least} replicas`} may have`,
      }),
    ]
  return []
}

/** With a replica behind, a higher number may refuse writes at once. */
const isWhole = ({ partitions }: TopicView): boolean =>
  partitions.every(({ leader, replicas: ids, isr }) => leader >= 0 && isr.length === ids.length)

const setting = (
  { name }: SeenCluster,
  topic: TopicView,
  configs: Readonly<Record<string, string>>,
): Fix => ({ kind: 'topic-configs', cluster: name, topic: topic.name, configs })

/** Where the topic itself says so; what the brokers say for all is a finding of theirs. */
function unclean(cluster: SeenCluster, topic: TopicView, configs: Configs): Finding[] {
  const entry = configs?.get('unclean.leader.election.enable')
  if (entry?.value !== 'true' || !entry.isOverride) return []
  return [
    finding('C017', {
      where: topicAt(cluster, topic.name),
      message: `"${topic.name}" may lose acknowledged records in an unclean election`,
      evidence: ['unclean.leader.election.enable=true'],
      values: { at: cluster.at, topic: topic.name },
      fix: setting(cluster, topic, { 'unclean.leader.election.enable': 'false' }),
    }),
  ]
}
