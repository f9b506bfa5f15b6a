// The broker's own follower, the limit: a second broker of the source cluster is made a replica of every partition, and
// catches up. Its work is done inside the brokers, so neither its CPU nor its memory can be told from theirs.

import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Judge } from '../../src/lab/judge.ts'
import type { LabCluster } from '../../src/lab/lab.ts'

const LOOK_EVERY_MS = 20
const LEADER = 1
const FOLLOWER = 2

export type FollowerJob = {
  readonly judge: Judge
  readonly cluster: LabCluster
  readonly topic: string
}

export type FollowerTimes = {
  readonly startedAtMs: number
  /** When its logs were first seen to hold something, and what they held. */
  readonly first: { readonly atMs: number; readonly sum: number }
  /** When they held everything. */
  readonly doneAtMs: number
  readonly sum: number
  /** When all partitions had it in sync. */
  readonly inSyncAtMs: number
}

export async function follow({ judge, cluster, topic }: FollowerJob): Promise<FollowerTimes> {
  const { bootstrap } = cluster
  const sum = logBytes(cluster, LEADER, topic)
  const startedAtMs = Date.now()
  let first: FollowerTimes['first'] | undefined
  let doneAtMs: number | undefined
  const look = setInterval(() => {
    const held = logBytes(cluster, FOLLOWER, topic)
    const atMs = Date.now()
    if (held > 0) first ??= { atMs, sum: held }
    if (held >= sum) doneAtMs ??= atMs
  }, LOOK_EVERY_MS)
  try {
    await judge.setReplicas({ bootstrap, topic, replicas: [LEADER, FOLLOWER] })
  } finally {
    clearInterval(look)
  }
  const inSyncAtMs = Date.now()
  if (first === undefined) throw new Error('the follower was in sync before it was looked at: raise SIZE_MB')
  return { startedAtMs, first, doneAtMs: doneAtMs ?? inSyncAtMs, sum, inSyncAtMs }
}

/** Until it holds nothing again. */
export async function unfollow({ judge, cluster, topic }: FollowerJob): Promise<void> {
  await judge.setReplicas({ bootstrap: cluster.bootstrap, topic, replicas: [LEADER] })
}

/** Of the segments of a topic on one broker: what a copier has to move. */
export function logBytes(cluster: LabCluster, broker: number, topic: string): number {
  const dir = cluster.logDir(broker)
  return readdirSync(dir)
    .filter(name => name.startsWith(`${topic}-`) && /^\d+$/.test(name.slice(topic.length + 1)))
    .reduce((sum, name) => sum + bytesOfLog(join(dir, name)), 0)
}

function bytesOfLog(dir: string): number {
  try {
    return readdirSync(dir)
      .filter(name => name.endsWith('.log'))
      .reduce((sum, name) => sum + statSync(join(dir, name)).size, 0)
  } catch {
    // It was renamed between the two looks, on its way out.
    return 0
  }
}
