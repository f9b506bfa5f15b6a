// kdr check --probe, at one cluster.
import type { Config } from '../config/index.ts'
import { probe, type Probe } from '../engine/check/probe.ts'
import { recordCodec } from '../kafka/records.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { systemClock } from './system.ts'

const RECORD_BYTES = 100

/** Throws KdrError: see `probe`. */
export async function probeCluster(config: Config, name: string, signal: AbortSignal): Promise<Probe> {
  const cluster = await openCluster(clusterOf(config, name), systemClock)
  const value = Buffer.alloc(RECORD_BYTES)
  const batch = (): Buffer =>
    recordCodec.encode({
      codec: 'none',
      records: [{ offset: 0, timestamp: systemClock.now(), key: null, value, headers: [] }],
    })
  try {
    return await probe(cluster, { clock: systemClock, signal, batch })
  } finally {
    await cluster.close()
  }
}
