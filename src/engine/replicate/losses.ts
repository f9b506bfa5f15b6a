// How an accepted loss is filled at the target, so that copying goes on behind it. By markers, as any gap, wherever that is
// quick enough: the mirror keeps all that it has, and no reader sees anything. Where it would take more than ten minutes,
// by null records as a mirror is seeded, which needs the operator's word that the older records may go: they and the
// null records are trimmed at once.
import type { AcceptedLoss, LossRange } from '../../model/ledger.ts'
import type { Fault } from '../../model/link.ts'
import type { PlannedOp } from '../log/plan-append.ts'
import { NO_COUNTS } from '../log/plan-append.ts'
import { withTombstones } from '../log/tombstones.ts'
import type { LinkContext } from './context.ts'
import { lossTooLarge } from './faults.ts'
import { FILL_PER_SECOND, LARGE_GAP_SECONDS } from './limits.ts'
import type { PartitionCopy } from './partition.ts'

/** `gap`: as any other. `seed`: by null records that are trimmed. A fault: neither is allowed. */
export function planLoss(
  { settings }: Pick<LinkContext, 'settings'>,
  copy: PartitionCopy,
  { from, loss }: { readonly from: number; readonly loss: AcceptedLoss },
): 'gap' | 'seed' | Fault {
  // A single batch, behind which the source's log start does not stand.
  if (loss.cause !== 'retention') return 'gap'
  if (loss.acceptLogStart === true) return 'seed'
  const seconds = (loss.to - from) / FILL_PER_SECOND[copy.identity.mode]
  const isQuick = seconds <= LARGE_GAP_SECONDS || copy.fillsWithTombstones
  if (isQuick || settings.largeGap === 'markers') return 'gap'
  return lossTooLarge(copy, { from, to: loss.to }, seconds)
}

/** What fills the range. The ledger counts it: it is none of the gaps that the source has. */
export function lossOps(
  { codec, clock }: Pick<LinkContext, 'codec' | 'clock'>,
  copy: PartitionCopy,
  { from, to }: LossRange,
): PlannedOp[] {
  const gap: PlannedOp = { kind: 'gap', base: from, next: to, counts: NO_COUNTS }
  return copy.fillsWithTombstones ? withTombstones([gap], codec, clock.now()) : [gap]
}
