// How many offsets of a partition would have to be filled, before a single one is: samples of batch headers, spread
// over the log. Compaction leaves holes everywhere; each is small, and their sum may take hours (mechanism.md S8).
import { splitBatches } from '../../model/batch.ts'
import type { Fault, FillMode } from '../../model/link.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { LinkContext } from './context.ts'
import { FILL_PER_SECOND, LARGE_GAP_SECONDS } from './limits.ts'
import type { PartitionCopy } from './partition.ts'

const SAMPLES = 24
const SAMPLE_BYTES = 64 * 1024

export type FillEstimate = { readonly offsets: number; readonly seconds: number }

/** `density`: present records / offsets, over what the samples covered. */
export function estimateFilling(span: number, density: number, mode: FillMode): FillEstimate {
  const offsets = Math.round(span * (1 - density))
  return { offsets, seconds: Math.ceil(offsets / FILL_PER_SECOND[mode]) }
}

/** The largest span that cannot take too long even if every offset of it is a gap: no need to look. */
export function isSurelySmall(span: number, mode: FillMode): boolean {
  return span <= FILL_PER_SECOND[mode] * LARGE_GAP_SECONDS
}

/** Looks at [from, end) of the source. A fault when it would take more than ten minutes; undefined when not. */
export async function checkFilling(
  context: LinkContext,
  copy: PartitionCopy,
  { from, end }: { from: number; end: number },
): Promise<Fault | undefined> {
  const { mode } = copy.identity
  if (isSurelySmall(end - from, mode)) return undefined
  let covered = 0
  let present = 0
  for (let i = 0; i < SAMPLES; i++) {
    const offset = from + Math.floor(((end - from) * i) / SAMPLES)
    const answer = await context.reads.peek('source', {
      topic: copy.topic,
      topicId: copy.sourceTopicId,
      partition: copy.partition,
      offset,
      isolation: 'committed',
      maxBytes: SAMPLE_BYTES,
    })
    if (answer.code !== KafkaCode.NONE) continue
    const headers = splitBatches(answer.records).map(batch => batch.header)
    const last = headers.at(-1)
    if (last === undefined) continue
    covered += last.lastOffset + 1 - Math.min(offset, headers[0]!.baseOffset)
    for (const header of headers) if (!header.isControl) present += header.recordCount
  }
  if (covered === 0) return undefined
  const estimate = estimateFilling(end - from, Math.min(1, present / covered), mode)
  return estimate.seconds <= LARGE_GAP_SECONDS ? undefined : gapTooLarge(copy, { from, end }, estimate, mode)
}

function gapTooLarge(
  copy: PartitionCopy,
  { from, end }: { from: number; end: number },
  { offsets, seconds }: FillEstimate,
  mode: FillMode,
): Fault {
  const minutes = Math.round(seconds / 60).toLocaleString('en')
  const faster =
    mode === 'transactions'
      ? 'give kdr the right to write markers at the target (ALTER on the cluster), '
      : ''
  return {
    reason: 'gap-too-large',
    sentence:
      `"${copy.name}": of source offsets ${from} to ${end - 1} about ${offsets.toLocaleString('en')} hold no record; filling them would take ` +
      `about ${minutes} minutes. Ways out: ${faster}\`largeGap: markers\` in the link's config to fill them all the same, ` +
      `\`largeGap: tombstones\` to fill a compacted topic faster with null records that its cleaner removes, or leave the topic out`,
  }
}
