// Whether the standby has room for what applications will write to it from the redirect on: a full disk stops a broker.
import { findKdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import type { LogDirView, TopicAdmin } from '../../ports/cluster.ts'

/** Of a volume. */
const SHARES = { low: 0.1, tooLow: 0.02 } as const
const GIB = 1024 ** 3

export type Room = { readonly refusals: readonly string[]; readonly warnings: readonly string[] }

/** What is not known refuses nothing. */
export async function roomAt(target: Pick<TopicAdmin, 'logDirs'>, standby: string): Promise<Room> {
  let dirs: readonly LogDirView[]
  try {
    dirs = await target.logDirs()
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined) throw error
    return {
      refusals: [],
      warnings: [`how full the disks of "${standby}" are is not known: ${known.message}`],
    }
  }
  const refusals: string[] = []
  const warnings: string[] = []
  for (const { broker, code, path, totalBytes, usableBytes } of dirs) {
    const where = `broker ${broker} of "${standby}"`
    if (code === KafkaCode.CLUSTER_AUTHORIZATION_FAILED) {
      warnings.push(`how full the disks of ${where} are is not known: kdr lacks DESCRIBE on the cluster`)
    } else if (code !== KafkaCode.NONE) {
      warnings.push(`${where}: log directory ${path}: ${codeName(code)}`)
    } else if (totalBytes > 0 && usableBytes >= 0 && usableBytes < totalBytes * SHARES.low) {
      const sentence = `${where} has ${(usableBytes / GIB).toFixed(1)} GiB left of ${(totalBytes / GIB).toFixed(1)} in ${path}`
      if (usableBytes < totalBytes * SHARES.tooLow)
        refusals.push(`${sentence}: make room, or it stops when applications write to it`)
      else warnings.push(sentence)
    }
  }
  return { refusals, warnings }
}
