// How brokers are set up, each held against what is asked for and against the others. Pure.
import { type Finding, finding } from '../../../model/findings.ts'
import type { BrokerConfig, BrokerHealth, FeatureView } from '../../../ports/health.ts'
import {
  clusterAt,
  counted,
  knownBrokers,
  listed,
  type SeenCluster,
  type Wish,
  wishFor,
} from '../observation.ts'

export function brokerFindings(cluster: SeenCluster): Finding[] {
  const shown = cluster.health.flatMap(each => {
    const { configs } = each
    return 'unseen' in configs ? [] : [{ broker: each.broker, configs }]
  })
  return [
    ...silent(cluster),
    ...defaults(cluster, shown),
    ...internals(cluster, shown),
    ...differences(cluster, shown),
    ...versions(cluster),
    ...features(cluster),
  ]
}

type Shown = { readonly broker: number; readonly configs: ReadonlyMap<string, BrokerConfig> }

function silent(cluster: SeenCluster): Finding[] {
  return cluster.health.flatMap(({ broker, unreachable }) =>
    unreachable === undefined
      ? []
      : [
          finding('C005', {
            where: `${clusterAt(cluster)} broker:${broker}`,
            message: `broker ${broker} of "${cluster.name}" is listed as alive and does not answer kdr`,
            evidence: [unreachable],
          }),
        ],
  )
}

const WEEK_MINUTES = 10_080

/** Of the brokers that say otherwise than they should. */
function defaults(cluster: SeenCluster, shown: readonly Shown[]): Finding[] {
  const wish = wishFor(cluster)
  const where = clusterAt(cluster)
  const those = (name: string, isWrong: (value: string) => boolean) =>
    shown.flatMap(({ broker, configs }) => {
      const value = configs.get(name)?.value
      return value !== undefined && isWrong(value) ? [`broker ${broker}: ${name}=${value}`] : []
    })
  const below = (least: number) => (value: string) => Number(value) < least
  const create = those('auto.create.topics.enable', value => value === 'true')
  const retention = those('offsets.retention.minutes', below(WEEK_MINUTES))
  const unclean = those('unclean.leader.election.enable', value => value === 'true')
  const weak = [
    ...those('default.replication.factor', below(wish.replicas)),
    ...those('min.insync.replicas', below(wish.inSync)),
  ]
  const values = { at: cluster.at }
  const found: Finding[] = []
  if (create.length > 0) {
    const message = `brokers of "${cluster.name}" make a topic for whoever asks for it`
    found.push(finding('C022', { where, message, evidence: create }))
  }
  if (retention.length > 0) {
    const message = `groups of "${cluster.name}" without members lose their offsets within a week`
    found.push(finding('C023', { where, message, evidence: retention, values }))
  }
  if (weak.length > 0) {
    const message = `topics that say nothing of replicas get less than ${wish.replicas}, ${wish.inSync} in sync, at "${cluster.name}"`
    const hint = `set default.replication.factor=${wish.replicas} and min.insync.replicas=${wish.inSync} in server.properties of every broker`
    found.push(finding('C024', { where, message, evidence: weak, hint }))
  }
  if (unclean.length > 0) {
    const message = `"${cluster.name}" elects unclean leaders wherever a topic does not say otherwise`
    const name = 'unclean.leader.election.enable'
    const isOwn = shown.some(({ configs }) => configs.get(name)?.from === 'this-broker')
    const fix = isOwn
      ? undefined
      : ({ kind: 'broker-default', cluster: cluster.name, name, value: 'false' } as const)
    found.push(finding('C025', { where, message, evidence: unclean, values, fix }))
  }
  return found
}

const INTERNALS: readonly (readonly [topic: string, config: string, of: keyof Wish])[] = [
  ['__consumer_offsets', 'offsets.topic.replication.factor', 'replicas'],
  ['__transaction_state', 'transaction.state.log.replication.factor', 'replicas'],
  ['__transaction_state', 'transaction.state.log.min.isr', 'inSync'],
  ['__share_group_state', 'share.coordinator.state.topic.replication.factor', 'replicas'],
  ['__share_group_state', 'share.coordinator.state.topic.min.isr', 'inSync'],
]

/** Those that are there already are judged as they are. */
function internals(cluster: SeenCluster, shown: readonly Shown[]): Finding[] {
  const wish = wishFor(cluster)
  const known = knownBrokers(cluster).size
  return INTERNALS.flatMap(([topic, name, of]) => {
    const values = shown.flatMap(({ configs }) => configs.get(name)?.value ?? [])
    if (cluster.topics.has(topic) || values.length === 0) return []
    const wanted = wish[of]
    const isTooMany = of === 'replicas' && values.some(value => Number(value) > known)
    const isTooFew = values.some(value => Number(value) < wanted)
    if (!isTooMany && !isTooFew) return []
    const message = isTooMany
      ? `"${topic}" cannot be made at "${cluster.name}": it would need more brokers than are there`
      : `"${topic}" will be made at "${cluster.name}" with less than it should have`
    return [
      finding('C021', {
        where: `${clusterAt(cluster)} config:${name}`,
        message,
        evidence: [`${name}=${listed([...new Set(values)])}, ${counted(known, 'broker')}`],
        hint: `set ${name}=${wanted} in server.properties of every broker, and restart one after the other`,
        severity: isTooMany ? 'error' : 'warning',
      }),
    ]
  })
}

/** What is each broker's own, by nature. */
const OWN =
  /^(node\.id|broker\.id|broker\.rack|host\.name|port|listeners|advertised\..*|log\.dirs?|metadata\.log\.dir|process\.roles|early\.start\.listeners|listener\.name\..*|ssl\..*|sasl\..*|.*\.jaas\.config|zookeeper\.connect|controller\.quorum\.(voters|bootstrap\.servers)|confluent\..*|remote\.log\.metadata\..*)$/

function differences(cluster: SeenCluster, shown: readonly Shown[]): Finding[] {
  const names = new Set(shown.flatMap(({ configs }) => [...configs.keys()]))
  return [...names]
    .filter(name => !OWN.test(name))
    .toSorted()
    .flatMap(name => difference(cluster, name, shown))
}

function difference(cluster: SeenCluster, name: string, shown: readonly Shown[]): Finding[] {
  // A version that does not know it has no value of it.
  const known = shown.flatMap(({ broker, configs }) => {
    const config = configs.get(name)
    return config === undefined ? [] : [{ broker, ...config }]
  })
  const byValue = [...Map.groupBy(known, ({ value }) => value)].toSorted(
    ([, a], [, b]) => b.length - a.length,
  )
  const [common, ...odd] = byValue
  if (common === undefined || odd.length === 0) return []
  // The odd one first: it is what somebody has changed, unless two of two differ.
  const set = byValue.flatMap(([, some]) => some).filter(({ from }) => from === 'this-broker')
  const hint =
    set.length > 0
      ? set
          .map(({ broker }) => {
            const at = `kafka-configs.sh ${cluster.at} --alter --entity-type brokers --entity-name ${broker}`
            return `${at} --delete-config ${name}`
          })
          .join(' && ')
      : `make ${name} equal in server.properties of all brokers, and restart those that change`
  return [
    finding('C030', {
      where: `${clusterAt(cluster)} config:${name}`,
      message: `brokers of "${cluster.name}" differ in ${name}`,
      evidence: byValue.map(
        ([value, some]) => `${name}=${value} at broker ${listed(some.map(({ broker }) => broker))}`,
      ),
      hint,
    }),
  ]
}

function versions(cluster: SeenCluster): Finding[] {
  const answering = cluster.health.filter(({ unreachable }) => unreachable === undefined)
  const kinds = [...Map.groupBy(answering, ({ speaks }) => speaks).values()]
  if (kinds.length < 2) return []
  return [
    finding('C031', {
      where: clusterAt(cluster),
      message: `brokers of "${cluster.name}" run ${kinds.length} different versions of Kafka`,
      evidence: kinds.map(some => `alike: broker ${listed(some.map(({ broker }) => broker))}`),
    }),
  ]
}

/** The level of the metadata is the one that an upgrade ends with. */
const LAST_STEP = 'metadata.version'

function features(cluster: SeenCluster): Finding[] {
  const all = cluster.health.flatMap((each: BrokerHealth): FeatureView[] =>
    'unseen' in each.features ? [] : each.features.filter(({ name }) => name === LAST_STEP),
  )
  const level = Math.max(...all.flatMap(feature => feature.level ?? []))
  const reach = Math.min(...all.map(({ highest }) => highest))
  if (all.length === 0 || !Number.isFinite(level) || level >= reach) return []
  return [
    finding('C032', {
      where: clusterAt(cluster),
      message: `the upgrade of "${cluster.name}" was not finished: ${LAST_STEP} is at ${level}, and all brokers know ${reach}`,
      values: { at: cluster.at, feature: LAST_STEP, level: reach },
    }),
  ]
}
