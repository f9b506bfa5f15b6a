// How long a run will take, told before it is approved: as long as the last of its kind on this link; where there was none, as one
// of so many partitions takes in the lab, and what it must wait for. Of hooks and redirects nothing is known before.
import type { Plan, RunSummary } from '../../model/runs.ts'
import type { Cluster } from '../../ports/cluster.ts'
import { sessionOf } from './fence-applications.ts'

/** So that 1,000 partitions take what `make bench` (move-1000) has measured: for the run, and for each partition. */
const LAB_MS = {
  failover: { run: 1_000, partition: 1 },
  switchover: { run: 1_500, partition: 2 },
} as const

export type Move = {
  readonly kind: Plan['kind']
  readonly link: string
  readonly partitions: number
  /** The active; undefined: it does not answer. */
  readonly source: Pick<Cluster, 'brokerConfigs'> | undefined
}

/** `runs`: earlier ones, of any kind and link. Throws KdrError('unreachable'). */
export async function expectedOf(
  { kind, link, partitions, source }: Move,
  runs: readonly RunSummary[],
): Promise<NonNullable<Plan['expected']>> {
  const [last] = runs
    .filter(run => run.kind === kind && run.link === link && run.state === 'done')
    .toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1))
  if (last?.rtoMs !== undefined) return { ms: last.rtoMs, basis: 'last-run', run: last.run }
  const { run, partition } = LAB_MS[kind === 'failover' ? kind : 'switchover']
  // The ends of the source are watched for as long as a broker that was lost may still believe that it leads.
  const watchMs = source === undefined ? 0 : await sessionOf(source)
  return { ms: run + partition * partitions + watchMs, basis: 'lab' }
}
