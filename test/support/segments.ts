// What really lies on a lab broker's disk: batch headers of a partition, for what no client shows (thinned and empty
// batches, and whether the cleaner has run).

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LabCluster } from '../../src/lab/lab.ts'
import { type BatchHeader, splitBatches } from '../../src/model/batch.ts'

/** Every batch of one replica, in order. Segments may change meanwhile: take it as a look, not as the truth. */
export function batchesOnDisk(
  cluster: LabCluster,
  { broker = 1, topic, partition = 0 }: { broker?: number; topic: string; partition?: number },
): BatchHeader[] {
  const dir = join(cluster.logDir(broker), `${topic}-${partition}`)
  const names = readdirSync(dir).filter(name => name.endsWith('.log'))
  return names.sort().flatMap(name => splitBatches(readSegment(join(dir, name))).map(({ header }) => header))
}

function readSegment(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    // Cleaned away since it was listed.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}
