// The certificates that the config names, as `kdr check` judges them: each of a bundle.
import { X509Certificate } from 'node:crypto'
import { type ClusterConfig, resolveSecret } from '../config/index.ts'
import type { CheckInput } from '../engine/check/check.ts'
import type { Certificate } from '../engine/check/rules/disks.ts'
import { certificatesOf } from '../kafka/tls.ts'

export type OwnCertificates = {
  readonly certificates: readonly Certificate[]
  readonly notSeen: CheckInput['notSeen']
}

/** What kdr signs in with, and what it trusts: both end. */
export async function ownCertificates({ name, tls }: ClusterConfig): Promise<OwnCertificates> {
  const certificates: Certificate[] = []
  const notSeen: CheckInput['notSeen'][number][] = []
  for (const [reference, whose] of [
    [tls?.cert, '`tls.cert` of the config'],
    [tls?.ca, '`tls.ca` of the config'],
  ] as const) {
    if (reference === undefined) continue
    try {
      const text = await resolveSecret(reference)
      for (const pem of certificatesOf(text)) certificates.push(certificateOf(pem, whose))
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      notSeen.push({ where: `cluster:${name}`, what: whose, why })
    }
  }
  return { certificates, notSeen }
}

function certificateOf(pem: string, whose: string): Certificate {
  const { subject, validTo } = new X509Certificate(pem)
  return { subject: subject.split('\n').join(', '), validUntil: Date.parse(validTo), whose }
}
