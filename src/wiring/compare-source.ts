// A point of a set held against the cluster that it was taken from, as `kdr verify` compares two clusters: what both still hold, record
// by record. What the source has deleted or compacted since is explained; what it took back, or holds otherwise, is a difference.
import type { SourceCheck } from '../cli/app-vault.ts'
import { type PartitionVerdict, verify, type VerifyProgress } from '../engine/verify/verify.ts'
import { recordCodec } from '../kafka/records.ts'
import { KdrError } from '../model/errors.ts'
import type { SetState } from '../model/vault.ts'
import type { Clock } from '../ports/clock.ts'
import type { Cluster, ClusterView } from '../ports/cluster.ts'
import type { ObjectStore } from '../ports/store.ts'
import type { SetPoint } from '../vault/point.ts'
import { vaultCluster } from '../vault/source.ts'

type Comparison = {
  readonly store: ObjectStore
  readonly set: string
  readonly point: SetPoint
  readonly cluster: Cluster
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly onProgress: (progress: VerifyProgress) => void
}

/** Throws KdrError: wrong-cluster, unreachable, damaged. */
export async function compareWithSource(input: Comparison): Promise<SourceCheck> {
  const { store, set, point, cluster, clock, signal, onProgress } = input
  const { state } = point
  const view = await cluster.describe()
  if (view.clusterId !== state.cluster.id)
    throw new KdrError(
      'wrong-cluster',
      `cluster "${cluster.name}" is "${view.clusterId}"; the set holds backups of "${state.cluster.id}"`,
    )
  const skipped = skippedOf(state, view)
  const left = new Set(skipped.map(({ topic }) => topic))
  const vault = vaultCluster({
    name: `set ${set}`,
    clusterId: `${set}@${state.number}`,
    store,
    set,
    point,
    codec: recordCodec,
    clock,
  })
  const { partitions } = await verify({
    source: cluster,
    target: vault,
    codec: recordCodec,
    clock,
    link: set,
    isWanted: topic => state.topics.has(topic) && !left.has(topic),
    topics: [],
    signal,
    onProgress,
  })
  // A partition that was added since is for the next commit.
  const isOfSet = ({ topic, partition }: PartitionVerdict): boolean =>
    partition < (state.topics.get(topic)?.partitions.length ?? 0)
  return { number: state.number, partitions: partitions.filter(isOfSet).map(inVault), skipped }
}

/** The engine's words are those of a link. */
function inVault(verdict: PartitionVerdict): PartitionVerdict {
  const { firstDifference: first } = verdict
  if (first === undefined) return verdict
  return {
    ...verdict,
    firstDifference: { ...first, what: first.what.replaceAll('at the target', 'in the vault') },
  }
}

function skippedOf(state: SetState, view: ClusterView): SourceCheck['skipped'] {
  return [...state.topics.values()].flatMap(({ name, id }) => {
    const there = view.topics.get(name)
    if (there?.id === id) return []
    const what =
      there === undefined
        ? 'the source does not have it any more, or does not show it to kdr'
        : 'it was deleted and created again at the source since'
    return [{ topic: name, what }]
  })
}
