// A few partitions at a time, each worker with connections of its own. The first failure ends all, and is thrown when
// every worker has come to rest.
import type { Sides } from './compaction.ts'
import type { BothSides } from './observe.ts'
import { Reader } from './reader.ts'

export const PARALLEL = 4

/** In the order of `jobs`. */
export async function forEachPartition<J, R>(
  sides: BothSides,
  jobs: readonly J[],
  run: (job: J, readers: Sides) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  const failures: unknown[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    const readers = { source: new Reader(sides.source), target: new Reader(sides.target) }
    try {
      while (next < jobs.length && failures.length === 0) {
        const at = next++
        results[at] = await run(jobs[at]!, readers)
      }
    } catch (error) {
      failures.push(error)
    } finally {
      await Promise.all([readers.source.close(), readers.target.close()])
    }
  }
  await Promise.all(Array.from({ length: Math.min(PARALLEL, jobs.length) }, worker))
  if (failures.length > 0) throw failures[0]
  return results
}
