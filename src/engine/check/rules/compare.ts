// Any two clusters, side by side: what one has and the other has not, or has otherwise. Pure.
import { type Finding, finding } from '../../../model/findings.ts'
import { aclKey, type AclRule } from '../../../model/rights.ts'
import { counted, isInternal, listed, type RightsSight, type SeenCluster } from '../observation.ts'
import { overridesOf } from './drift.ts'
import { notSeenFindings } from './seen.ts'
import { replicasOf } from './topics.ts'

export type CompareSight = { readonly cluster: SeenCluster; readonly rights: RightsSight }

export function compareFindings(a: CompareSight, b: CompareSight): Finding[] {
  const where = `compare:${a.cluster.name},${b.cluster.name}`
  return [
    ...[a, b].flatMap(({ cluster, rights }) =>
      notSeenFindings(`${where} cluster:${cluster.name}`, rights.notSeen),
    ),
    ...onOneSide(where, a.cluster, b.cluster),
    ...onOneSide(where, b.cluster, a.cluster),
    ...otherwise(where, a.cluster, b.cluster),
    ...rights(where, a, b),
  ]
}

const topicsOf = (cluster: SeenCluster) => [...cluster.topics.values()].filter(topic => !isInternal(topic))

function onOneSide(where: string, has: SeenCluster, lacks: SeenCluster): Finding[] {
  const only = topicsOf(has)
    .filter(({ name }) => !lacks.topics.has(name))
    .map(({ name }) => name)
    .toSorted()
  if (only.length === 0) return []
  return [
    finding('C065', {
      where,
      message: `${counted(only.length, 'topic')} of "${has.name}" not at "${lacks.name}"`,
      evidence: [listed(only)],
    }),
  ]
}

function otherwise(where: string, a: SeenCluster, b: SeenCluster): Finding[] {
  return topicsOf(a).flatMap(topic => {
    const other = b.topics.get(topic.name)
    if (other === undefined) return []
    const lines = [
      line('partitions', topic.partitions.length, other.partitions.length),
      line('replicas', replicasOf(topic), replicasOf(other)),
      ...configLines(topic.name, a, b),
    ].flat()
    if (lines.length === 0) return []
    return [
      finding('C066', {
        where: `${where} topic:${topic.name}`,
        message: `"${topic.name}" is not the same at "${a.name}" and "${b.name}"`,
        evidence: lines,
      }),
    ]
  })
}

const line = (what: string, one: string | number, other: string | number): string[] =>
  one === other ? [] : [`${what}: ${one} and ${other}`]

function configLines(topic: string, a: SeenCluster, b: SeenCluster): string[] {
  const one = overridesOf(a.topicConfigs.get(topic))
  const other = overridesOf(b.topicConfigs.get(topic))
  const names = [...new Set([...one.keys(), ...other.keys()])].toSorted()
  return names.flatMap(name => line(name, one.get(name) ?? 'not set', other.get(name) ?? 'not set'))
}

function rights(where: string, a: CompareSight, b: CompareSight): Finding[] {
  const of = (what: string, one: readonly string[] | undefined, other: readonly string[] | undefined) => {
    if (one === undefined || other === undefined) return []
    const onlyA = one.filter(each => !other.includes(each))
    const onlyB = other.filter(each => !one.includes(each))
    if (onlyA.length + onlyB.length === 0) return []
    const side = (cluster: SeenCluster, only: readonly string[]): string[] =>
      only.length === 0 ? [] : [`only at "${cluster.name}": ${listed(only, 3)}`]
    return [
      finding('C067', {
        where: `${where} rights:${what}`,
        message: `${what} differ between "${a.cluster.name}" and "${b.cluster.name}": ${onlyA.length} and ${onlyB.length} on one side only`,
        evidence: [...side(a.cluster, onlyA), ...side(b.cluster, onlyB)],
      }),
    ]
  }
  return [
    ...of('acls', a.rights.acls?.map(aclText), b.rights.acls?.map(aclText)),
    ...of('quotas', a.rights.quotas, b.rights.quotas),
    ...of('users', a.rights.users, b.rights.users),
  ]
}

/** The same for the same rule: names are quoted, so that nothing runs together. */
function aclText(rule: AclRule): string {
  const { permission, principal, operation, type, pattern, name, host } = rule
  const from = host === '*' ? '' : ` from ${host}`
  const text = `${permission} ${principal} ${operation} on ${pattern} ${type} "${name}"${from}`
  return /["\n]/.test(`${principal}${name}${host}`) ? aclKey(rule) : text
}
