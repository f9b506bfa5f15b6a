// What kdr is called at a cluster, as far as the config tells.
import { X509Certificate } from 'node:crypto'
import type { ClusterConfig } from './config.ts'
import { resolveSecret } from './secrets.ts'

/** By its SASL user, or by its certificate as Kafka shows it unless told otherwise. Undefined: only a token tells, or nothing does. */
export async function principalOf({ sasl, tls }: ClusterConfig): Promise<string | undefined> {
  if (sasl !== undefined) return 'username' in sasl ? `User:${sasl.username}` : undefined
  if (tls?.cert === undefined) return undefined
  const { subject } = new X509Certificate(await resolveSecret(tls.cert))
  // One part a line, and in the other order than Java writes it.
  return `User:${subject.split('\n').toReversed().join(',')}`
}
