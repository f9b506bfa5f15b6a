// The controllers: whether one leads, whether the others keep up, and whether one of them may be lost. Pure.
import { type Finding, finding } from '../../../model/findings.ts'
import { votersBehind } from '../../../model/quorum.ts'
import type { QuorumView } from '../../../ports/health.ts'
import { clusterAt, counted, knownBrokers, listed, type SeenCluster } from '../observation.ts'

export function quorumFindings(cluster: SeenCluster): Finding[] {
  const { quorum } = cluster
  if (quorum === undefined) return []
  const where = clusterAt(cluster)
  if (quorum.leader < 0)
    return [finding('C042', { where, message: `no controller of "${cluster.name}" leads` })]
  return [...behind(cluster, quorum), ...alone(cluster, quorum)]
}

const majorityOf = (voters: number): number => Math.floor(voters / 2) + 1

function behind(cluster: SeenCluster, quorum: QuorumView): Finding[] {
  const { leader, voters } = quorum
  const late = votersBehind(quorum)
  if (late.length === 0) return []
  const spare = voters.length - late.length - majorityOf(voters.length)
  const now = voters.find(({ id }) => id === leader)?.caughtUpAt ?? -1
  const evidence = late.map(({ id, logEnd, caughtUpAt }) => {
    const since = caughtUpAt < 0 ? 'never' : `${Math.round((now - caughtUpAt) / 1_000)} s ago`
    return `controller ${id}: ${quorum.highWatermark - logEnd} records behind, last in step ${since}`
  })
  const may = spare > 0 ? `${spare} more may be lost` : 'no other may be lost'
  return [
    finding('C040', {
      where: `${clusterAt(cluster)} controller:${listed(late.map(({ id }) => id))}`,
      message: `${late.length} of ${counted(voters.length, 'controller')} of "${cluster.name}" do not keep up; ${may}`,
      evidence,
      severity: spare > 0 ? 'warning' : 'error',
    }),
  ]
}

/** A cluster of one broker has one finding for that (C003). */
function alone(cluster: SeenCluster, { voters }: QuorumView): Finding[] {
  if (voters.length > 2 || knownBrokers(cluster).size < 2) return []
  return [
    finding('C041', {
      where: clusterAt(cluster),
      message: `"${cluster.name}" has ${counted(voters.length, 'controller')}: it does not survive the loss of ${voters.length === 1 ? 'it' : 'either'}`,
      evidence: [`voters: ${listed(voters.map(({ id }) => id))}`],
    }),
  ]
}
