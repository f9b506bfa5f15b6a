// What is said of a transaction that holds a last stable offset of the source: by the worker in its log, by `kdr status`.
import type { HoldingTransaction } from './link.ts'

export function holdingSentence(
  where: { readonly topic: string; readonly partition: number },
  of: HoldingTransaction,
): string {
  const tool = `kafka-transactions.sh --bootstrap-server ${of.bootstrap}`
  const at = `--topic ${where.topic} --partition ${where.partition}`
  const time = timeOf(of.since)
  const who = `producer ${of.producerId} (epoch ${of.producerEpoch})`
  const begin = `"${where.topic}/${where.partition}": read-committed readers of the source, kdr among them, wait at offset ${of.startOffset}`
  switch (of.kind) {
    case 'open':
      return (
        `${begin}: transaction "${of.transactionalId ?? ''}" of ${who} is open since ${time}. Its application ends it; ` +
        `if not, its coordinator aborts it ${Math.round((of.timeoutMs ?? 0) / 1_000)} s after it began`
      )
    case 'hanging':
      return (
        `${begin}: a transaction of ${who}, last written at ${time}, hangs; no coordinator will end it. Abort it at the source ` +
        `(with --command-config where a login is needed): ${tool} abort ${at} --start-offset ${of.startOffset}`
      )
    case 'unseen':
      return (
        `${begin}: a transaction of ${who}, last written at ${time}, is open, and kdr may not see whether a coordinator knows it ` +
        `(DESCRIBE on transactional ids). Whether it hangs: ${tool} find-hanging ${at}`
      )
  }
}

const LAST_DATE_MS = 8.64e15

/** A producer may give its records any timestamp. */
function timeOf(ms: number): string {
  return ms >= 0 && ms <= LAST_DATE_MS ? new Date(ms).toISOString() : 'a time that its records do not tell'
}
