// Disks that have failed or are nearly full, and certificates that end soon. Pure.
import { type Finding, finding } from '../../../model/findings.ts'
import { KafkaCode } from '../../../model/kafka-codes.ts'
import { clusterAt, counted, type SeenCluster } from '../observation.ts'

/** Of its volume, what is left. */
const LITTLE = 0.15
const HARDLY_ANY = 0.05

export function diskFindings(cluster: SeenCluster): Finding[] {
  return cluster.logDirs.flatMap(({ broker, code, path, totalBytes, usableBytes }) => {
    const where = `${clusterAt(cluster)} broker:${broker}`
    if (code === KafkaCode.KAFKA_STORAGE_ERROR) {
      const message = `broker ${broker} of "${cluster.name}" has lost a log directory`
      return [finding('C033', { where, message, evidence: [path] })]
    }
    if (totalBytes <= 0 || usableBytes < 0) return []
    const left = usableBytes / totalBytes
    if (left >= LITTLE) return []
    return [
      finding('C034', {
        where,
        message: `broker ${broker} of "${cluster.name}" has ${Math.floor(left * 100)} % of its disk left`,
        evidence: [`${path}: ${gigabytes(usableBytes)} of ${gigabytes(totalBytes)}`],
        severity: left < HARDLY_ANY ? 'error' : 'warning',
      }),
    ]
  })
}

export const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`

const DAY_MS = 86_400_000
const SOON_DAYS = 30
const NOW_DAYS = 7

export type Certificate = { readonly subject: string; readonly validUntil: number; readonly whose: string }

/** Those of the brokers, and of whoever signed them: each once. */
export function brokerCertificates(cluster: SeenCluster): Certificate[] {
  const all = new Map<string, Certificate & { readonly brokers: number[] }>()
  for (const { broker, certificates } of cluster.health)
    for (const { subject, validUntil } of certificates) {
      const key = `${subject} ${validUntil}`
      const known = all.get(key) ?? { subject, validUntil, whose: '', brokers: [] }
      known.brokers.push(broker)
      all.set(key, known)
    }
  return [...all.values()].map(({ subject, validUntil, brokers }) => ({
    subject,
    validUntil,
    whose: `shown by broker ${brokers.join(', ')}`,
  }))
}

export function certificateFindings(
  cluster: Pick<SeenCluster, 'name' | 'now'>,
  certificates: readonly Certificate[],
): Finding[] {
  return certificates.flatMap(({ subject, validUntil, whose }) => {
    const days = Math.floor((validUntil - cluster.now) / DAY_MS)
    if (days >= SOON_DAYS || Number.isNaN(days)) return []
    const when =
      validUntil <= cluster.now
        ? 'has expired'
        : days < 1
          ? 'expires within a day'
          : `expires in ${counted(days, 'day')}`
    return [
      finding('C035', {
        where: `${clusterAt(cluster)} certificate:${subject}`,
        message: `the certificate "${subject}" ${when}`,
        evidence: [`${whose}; valid until ${new Date(validUntil).toISOString()}`],
        severity: days < NOW_DAYS ? 'error' : 'warning',
      }),
    ]
  })
}
