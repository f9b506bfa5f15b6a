// Moves the mirrors' log starts to their source's. A mistake at the source (kafka-delete-records, retention set to
// minutes) must not be mirrored within seconds: a jump over a large share waits for a person, unless the source's own
// retention explains it (DESIGN 2.2.5). Copying goes on meanwhile.
import { codeName, isAuthorization, KafkaCode } from '../../model/kafka-codes.ts'
import { readTail } from './anchor.ts'
import type { LinkContext } from './context.ts'
import { logStartJump } from './faults.ts'
import { LOG_START_JUMP_SHARE } from './limits.ts'
import type { PartitionCopy } from './partition.ts'

export type TrimDecision =
  | { readonly kind: 'none' }
  | { readonly kind: 'move'; readonly before: number }
  /** Moves only if every record below was older than the source's retention. */
  | { readonly kind: 'ask-retention'; readonly before: number }

/** Pure. Never past what was copied. */
export function planTrim(copy: {
  readonly sourceLogStart: number
  readonly targetLogStart: number
  readonly appended: number
  readonly acceptedLogStart: number
}): TrimDecision {
  const before = Math.min(copy.sourceLogStart, copy.appended)
  if (before <= copy.targetLogStart) return { kind: 'none' }
  if (before <= copy.acceptedLogStart) return { kind: 'move', before }
  const share = (before - copy.targetLogStart) / (copy.appended - copy.targetLogStart)
  if (share <= LOG_START_JUMP_SHARE) return { kind: 'move', before }
  return copy.acceptedLogStart > copy.targetLogStart
    ? { kind: 'move', before: copy.acceptedLogStart }
    : { kind: 'ask-retention', before }
}

/** `retentionMs` of a source topic, or undefined when nothing there deletes by age. */
export type RetentionOf = (topic: string) => number | undefined

export type TrimHooks = {
  readonly retentionOf: RetentionOf
  /** Readies a mirror topic: one that only compacts refuses DeleteRecords. */
  readonly beforeTrim: (copy: PartitionCopy) => Promise<void>
}

/** One round over all copies that mirror. */
export async function trim(
  context: LinkContext,
  copies: readonly PartitionCopy[],
  { retentionOf, beforeTrim }: TrimHooks,
): Promise<void> {
  const moves: { copy: PartitionCopy; before: number }[] = []
  for (const copy of copies) {
    if (copy.state !== 'mirroring') continue
    const decision = planTrim(copy)
    if (decision.kind === 'none') copy.heldLogStart = undefined
    if (decision.kind === 'move') moves.push({ copy, before: decision.before })
    if (decision.kind !== 'ask-retention') continue
    if (await isExpired(context, copy, decision.before, retentionOf(copy.topic)))
      moves.push({ copy, before: decision.before })
    else hold(context, copy, decision.before)
  }
  if (moves.length === 0) return
  // Decided: the topic stays ready until its log start is there.
  for (const { copy, before } of moves) copy.acceptedLogStart = Math.max(copy.acceptedLogStart, before)
  for (const { copy } of moves) await beforeTrim(copy)
  const held = await context.slots.stillHeld(moves.map(({ copy }) => copy.identity.slot))
  const now = moves.filter(({ copy }) => held.has(copy.identity.slot))
  const answers = await context.target.deleteRecords(
    now.map(({ copy, before }) => ({ topic: copy.topic, partition: copy.partition, before })),
  )
  now.forEach(({ copy, before }, index) => {
    const answer = answers[index]
    if (answer?.code === KafkaCode.NONE) {
      copy.targetLogStart = answer.offset
      copy.heldLogStart = undefined
      return
    }
    const code = answer?.code ?? KafkaCode.UNKNOWN_SERVER_ERROR
    copy.heldLogStart = {
      reason: isAuthorization(code) ? 'no-rights' : 'target-refuses',
      sentence: `"${copy.name}": the log start cannot be moved to ${before} at the target: ${codeName(code)}. Copying goes on`,
    }
  })
}

/** Whether the newest record that would go is older than the source's retention: then its broker was to delete it. */
async function isExpired(
  context: LinkContext,
  copy: PartitionCopy,
  before: number,
  retentionMs: number | undefined,
): Promise<boolean> {
  if (retentionMs === undefined) return false
  const tail = await readTail(context, copy, before)
  if (tail.kind !== 'tail') return false
  // Only markers below: nothing that a reader could miss.
  return tail.last === undefined || tail.last.header.maxTimestamp < context.clock.now() - retentionMs
}

function hold({ log }: LinkContext, copy: PartitionCopy, before: number): void {
  const held = logStartJump(copy, copy.targetLogStart, before)
  if (copy.heldLogStart === undefined) log.event('warn', held.sentence, { reason: held.reason })
  copy.heldLogStart = held
}
