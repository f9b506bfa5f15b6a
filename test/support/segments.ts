// What really lies on a lab broker's disk: batch headers of a partition, for what no client shows (thinned and empty
// batches, and whether the cleaner has run), and a bit of one that can be flipped.

import assert from 'node:assert/strict'
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { LabCluster } from '../../src/lab/lab.ts'
import { type BatchHeader, splitBatches } from '../../src/model/batch.ts'

export type Replica = { readonly broker?: number; readonly topic: string; readonly partition?: number }

/** Every batch of one replica, in order. Segments may change meanwhile: take it as a look, not as the truth. */
export function batchesOnDisk(cluster: LabCluster, replica: Replica): BatchHeader[] {
  return segmentsOf(cluster, replica).flatMap(path =>
    splitBatches(readSegment(path)).map(({ header }) => header),
  )
}

/**
 * Flips a bit in the payload of the batch with this index, in the replica's only segment; twice: as it was. A running
 * broker sends what then stands there.
 */
export function flipBit(cluster: LabCluster, replica: Replica, index: number): void {
  const [path = '', ...more] = segmentsOf(cluster, replica)
  assert.deepEqual(more, [], 'more than one segment')
  const batches = splitBatches(readFileSync(path))
  const batch = batches[index]?.bytes
  assert.ok(batch !== undefined, `no batch ${index} in ${path}`)
  const start = batches.slice(0, index).reduce((sum, { bytes }) => sum + bytes.length, 0)
  // In the value of the last record.
  const at = batch.length - 3
  const file = openSync(path, 'r+')
  try {
    writeSync(file, Buffer.from([batch.readUInt8(at) ^ 0x20]), 0, 1, start + at)
  } finally {
    closeSync(file)
  }
}

function segmentsOf(cluster: LabCluster, { broker = 1, topic, partition = 0 }: Replica): string[] {
  const dir = join(cluster.logDir(broker), `${topic}-${partition}`)
  const names = readdirSync(dir).filter(name => name.endsWith('.log'))
  return names.sort().map(name => join(dir, name))
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
