// What a look at the topics says of each of them: whether its partitions may be copied, and why not.
import { codeName, isAuthorization, KafkaCode } from '../../model/kafka-codes.ts'
import type { Fault } from '../../model/link.ts'
import type { TopicRecord } from '../../model/state-records.ts'
import type { TopicView } from '../../ports/cluster.ts'

/** What a topic's partitions may do now. */
export type TopicVerdict = {
  readonly topic: string
  readonly partitions: number
  readonly record: TopicRecord | undefined
  /** Why none of them may be copied. */
  readonly fault: Fault | undefined
  /** What has to pass before they may; the next look tells. */
  readonly waitsFor: string | undefined
  /** Its source is gone, and it is to be deleted (`deleteExpired`). */
  readonly isExpired?: boolean
}

export function mirrored(topic: string, partitions: number, record: TopicRecord | undefined): TopicVerdict {
  return { topic, partitions, record, fault: undefined, waitsFor: undefined }
}

export function expired(topic: string): TopicVerdict {
  const sentence = `"${topic}": the topic was deleted at the source; its mirror is being deleted (onSourceDelete)`
  return {
    topic,
    partitions: 0,
    record: undefined,
    fault: { reason: 'source-deleted', sentence },
    waitsFor: undefined,
    isExpired: true,
  }
}

export function stopped(source: TopicView, fault: Fault): TopicVerdict {
  return {
    topic: source.name,
    partitions: source.partitions.length,
    record: undefined,
    fault,
    waitsFor: undefined,
  }
}

/** What the target refuses now it may take later: the next look tries again. */
export function refused(
  source: TopicView,
  what: string,
  { code, message }: { readonly code: number; readonly message?: string },
): TopicVerdict {
  if (code === KafkaCode.THROTTLING_QUOTA_EXCEEDED)
    return waiting(source, `${what} at the target for now: ${codeName(code)}`)
  const sentence = `"${source.name}": ${what} at the target: ${codeName(code)} ${message ?? ''}`.trimEnd()
  return stopped(source, { reason: isAuthorization(code) ? 'no-rights' : 'target-refuses', sentence })
}

/** Not now; the next look tries again. */
export function waiting(source: TopicView, what: string): TopicVerdict {
  return {
    topic: source.name,
    partitions: source.partitions.length,
    record: undefined,
    fault: undefined,
    waitsFor: `"${source.name}": ${what}`,
  }
}
