// Pure: is a transaction that a leader shows as open still one that somebody can end? The worker asks it of what holds a last
// stable offset, a run of what is left after the fence.
import type { HoldingTransaction } from '../../model/link.ts'
import type { TransactionView } from '../../ports/cluster.ts'

/**
 * `isComplete`: kdr may see all transactions. `isOverdue`: it has held longer than any transaction may be open; its
 * coordinator would have aborted it by itself.
 */
export function judgeTransaction(
  at: { readonly topic: string; readonly partition: number },
  found: {
    readonly known: TransactionView | undefined
    readonly isComplete: boolean
    readonly isOverdue: boolean
  },
): HoldingTransaction['kind'] {
  const { known, isComplete, isOverdue } = found
  if (known === undefined) return isComplete || isOverdue ? 'hanging' : 'unseen'
  const isIn = known.partitions.some(each => each.topic === at.topic && each.partition === at.partition)
  const isUnderWay = known.state === 'Ongoing' || known.state.startsWith('Prepare')
  return isIn && isUnderWay ? 'open' : 'hanging'
}
