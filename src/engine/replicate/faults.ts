// The sentences of partitions that stop: topic, partition, offsets, cause, and the command that resolves it. One place,
// so that they read alike.
import type { BatchHeader } from '../../model/batch.ts'
import { KdrError } from '../../model/errors.ts'
import type { LossRange } from '../../model/ledger.ts'
import type { Fault } from '../../model/link.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'

/** Which partition it is about. */
export type Where = {
  readonly link: string
  readonly topic: string
  readonly partition: number
  readonly name: string
}

const recopy = ({ link, topic }: Where): string =>
  `copy the topic anew: kdr link recopy ${link} --topic ${topic}`
const resume = ({ link, topic }: Where): string => `kdr link resume ${link} --topic ${topic}`
const acceptLoss = ({ link, topic, partition }: Where): string =>
  `kdr link accept-loss ${link} --topic ${topic} --partition ${partition}`
const count = (offsets: number): string => offsets.toLocaleString('en')

export function overfilled(where: Where, offset: number, end: number): Fault {
  return {
    reason: 'overfilled',
    sentence:
      `"${where.name}": the target holds ${end - offset} marker(s) more than the source has gaps: its log ends at ${end}, and the ` +
      `source has a record at ${offset}. Nothing shortens a log; ${recopy(where)}`,
  }
}

/** `from`: up to where the source shows what it has. Not yet a reason to stop: its next offsets may be a gap. */
export function surplus(where: Where, from: number, end: number): Fault {
  return {
    reason: 'overfilled',
    sentence:
      `"${where.name}": the target's log ends at ${end}, ${end - from} marker(s) beyond all that the source shows, which ends at ${from}. ` +
      `If the source's next offsets are a gap, copying goes on; if they hold a record, the partition stops. Nothing shortens a log: ` +
      `to be rid of it now, ${recopy(where)}`,
  }
}

export function displaced(where: Where, base: number, landed: number): Fault {
  return {
    reason: 'unexpected-offset',
    sentence:
      `"${where.name}": the batch of source offset ${base} landed at offset ${landed} of the target, because something else was ` +
      `written there. Find that writer, then ${recopy(where)}`,
  }
}

/** The link's own, and the source may have deleted what would show that it stands elsewhere. */
export function landedLate(where: Where, base: number, landed: number): Fault {
  return {
    reason: 'unexpected-offset',
    sentence:
      `"${where.name}": the batch of source offset ${base} landed at offset ${landed} of the target: late, after the target had lost its ` +
      `end (an unclean election, or a restored disk). Nothing takes it away there; ${recopy(where)}`,
  }
}

export function foreignWrite(where: Where, header: BatchHeader): Fault {
  return {
    reason: 'foreign-write',
    sentence:
      `"${where.name}": offsets ${header.baseOffset} to ${header.lastOffset} of the target were written by another producer ` +
      `(id ${header.producerId}). Stop that writer, then ${recopy(where)}`,
  }
}

/** By its producer id the batch is the link's own (or of an adopted topic): it need not be somebody else's. */
export function differs(where: Where, offset: number): Fault {
  return {
    reason: 'unexpected-offset',
    sentence:
      `"${where.name}": offset ${offset} of the target holds another record than the source, and no other producer's id ` +
      `stands there: a batch of this link landed late, after the target had lost its end (an unclean election, or a restored disk), or something ` +
      `else writes with this link's id. See what differs: kdr verify ${where.link} --topic ${where.topic}; then ${recopy(where)}`,
  }
}

/** The target holds more than the source, and no record that was copied is left to tell why. */
export function shorterSource(where: Where, end: number, sourceEnd: number): Fault {
  return {
    reason: 'foreign-write',
    sentence:
      `"${where.name}": the target's log ends at ${end}, the source's at ${sourceEnd}: another producer wrote to the target, ` +
      `or the source lost its end. Then ${recopy(where)}`,
  }
}

export function lostToRetention(where: Where, lost: LossRange): Fault {
  return {
    reason: 'lost-to-retention',
    sentence:
      `"${where.name}": the source deleted offsets ${lost.from} to ${lost.to - 1} (${count(lost.to - lost.from)}) before they were ` +
      `copied. The mirror keeps what it has. To go on without them, and have that in the ledger: ${acceptLoss(where)}`,
    loss: { ...lost, cause: 'retention' },
  }
}

/** A loss that was accepted, and that would take too long to fill. */
export function lossTooLarge(where: Where, lost: LossRange, seconds: number): Fault {
  return {
    reason: 'gap-too-large',
    sentence:
      `"${where.name}": offsets ${lost.from} to ${lost.to - 1} (${count(lost.to - lost.from)}) are accepted as lost; filling them one by ` +
      `one would take about ${count(Math.ceil(seconds / 60))} minutes. Ways out: ${acceptLoss(where)} --accept-log-start fills them within ` +
      `seconds and deletes the older records of the mirror; \`largeGap: markers\` in the link's config fills them all the same`,
    loss: { ...lost, cause: 'retention' },
  }
}

export function truncated(where: Where, at: { epoch: number; endsAt: number; end: number }): Fault {
  return {
    reason: 'truncated',
    sentence:
      `"${where.name}": the source lost offsets ${at.endsAt} to ${at.end - 1} that were copied under its leader epoch ${at.epoch} ` +
      `(an unclean election, or a restored disk). The target still has them, and nothing shortens a log; to make both equal, ${recopy(where)}`,
  }
}

/** `sentence` says what was refused, and by which side. */
export function noRights(
  { topic }: Where,
  sentence: string,
  names: { readonly source: string; readonly target: string },
): Fault {
  const isSource = sentence.includes('the source answers')
  const [name, operations] = isSource ? [names.source, 'Read'] : [names.target, 'Read --operation Write']
  return {
    reason: 'no-rights',
    sentence:
      `${sentence}. The README lists the rights that kdr needs; for this topic at "${name}", with kdr's principal: ` +
      `kafka-acls --add --allow-principal User:PRINCIPAL --operation ${operations} --topic ${topic}. It then goes on by itself`,
  }
}

/** No fault: what is left is the source's, and the rest is copied again. But whoever has read it there must know. */
export function lostAtTarget(where: Where, end: number, acknowledged: number): string {
  return (
    `"${where.name}": the target lost offsets ${end} to ${acknowledged - 1} that it had acknowledged (an unclean election, or ` +
    `a restored disk); they are copied again`
  )
}

/** Codes that say: somebody else has this link's producer id under a newer epoch, or its slot under a newer generation. */
export function isFenced(code: number | undefined): boolean {
  return (
    code === KafkaCode.INVALID_PRODUCER_EPOCH ||
    code === KafkaCode.PRODUCER_FENCED ||
    code === KafkaCode.TRANSACTION_COORDINATOR_FENCED
  )
}

/** Not a fault of the partition: this worker is no longer the link's. */
export function fenced(where: Where, how: string): KdrError {
  return new KdrError(
    'other-controller',
    `link "${where.link}": this kdr was fenced at the target, seen at "${where.name}" (${how})`,
    {
      hint: 'Its slots are still its own, so something else has raised the epoch; see `kdr status`, and start this one again if none runs.',
    },
  )
}

export function logStartJump(where: Where, from: number, to: number): Fault {
  return {
    reason: 'log-start-jump',
    sentence:
      `"${where.name}": the source's log start jumped from ${from} to ${to}, over most of what the mirror holds, and its ` +
      `retention does not explain it. The mirror keeps its records, and copying goes on. If it was meant: ` +
      `kdr link resume ${where.link} --topic ${where.topic} --partition ${where.partition} --accept-log-start`,
  }
}

/** A doubt that comes back this often at one offset, with the same code, is no passing trouble. */
const SAME_DOUBT_LIMIT = 6
/** Bytes that do not match their checksum are read again this often: a line can flip a bit. */
const CORRUPT_LIMIT = 3

/** The offsets of the batch that bytes were found corrupt in, as far as they say so themselves. */
export function lossOf({ facts: { from, to } }: KdrError): LossRange | undefined {
  return typeof from === 'number' && typeof to === 'number' ? { from, to } : undefined
}

/**
 * What a refused batch means when no retry mends it; undefined when one may. `times`: this code at this offset. `batch`:
 * its offsets, where they are known.
 */
export function refusal(
  where: Where,
  at: { offset: number; code: number; times: number; batch?: LossRange | undefined },
): Fault | undefined {
  const { code, times, batch } = at
  const lost = batch === undefined || batch.to <= at.offset ? undefined : { from: at.offset, to: batch.to }
  const orAccept =
    lost === undefined
      ? ''
      : `. Or go on without offsets ${lost.from} to ${lost.to - 1}, and have that in the ledger: ${acceptLoss(where)}`
  const begin = `"${where.name}" at offset ${at.offset}`
  switch (code) {
    case KafkaCode.MESSAGE_TOO_LARGE:
    case KafkaCode.RECORD_LIST_TOO_LARGE:
      return {
        reason: 'too-large',
        sentence:
          `${begin}: the target refuses the batch as too large (${codeName(code)}). Raise max.message.bytes of topic ` +
          `"${where.topic}" (and segment.bytes, if it is smaller) at the target, then: ${resume(where)}${orAccept}`,
        ...(lost === undefined ? {} : { loss: { ...lost, cause: 'too-large' } }),
      }
    case KafkaCode.CORRUPT_MESSAGE:
      if (times < CORRUPT_LIMIT) return undefined
      return {
        reason: 'corrupt',
        sentence:
          `${begin}: the bytes that the source sends do not match their checksum, ${times} times in a row. Move the partition's ` +
          `leader to another replica at the source, then: ${resume(where)}${orAccept}`,
        ...(lost === undefined ? {} : { loss: { ...lost, cause: 'corrupt' } }),
      }
    case KafkaCode.INVALID_RECORD:
    case KafkaCode.INVALID_TIMESTAMP:
    case KafkaCode.UNSUPPORTED_COMPRESSION_TYPE:
    case KafkaCode.UNSUPPORTED_FOR_MESSAGE_FORMAT:
    case KafkaCode.POLICY_VIOLATION:
      return {
        reason: 'target-refuses',
        sentence: `${begin}: the target refuses the batch with ${codeName(code)}. After a change at the target: ${resume(where)}`,
      }
    case KafkaCode.OUT_OF_ORDER_SEQUENCE_NUMBER:
      if (times < SAME_DOUBT_LIMIT) return undefined
      return {
        reason: 'target-refuses',
        sentence:
          `${begin}: the target refuses the sequence number again and again (${codeName(code)}, ${times} times): something else ` +
          `writes with this link's producer id. See: kdr status, and kdr verify ${where.link} --topic ${where.topic}`,
      }
    default:
      return undefined
  }
}
