// Partitions that have nothing to copy notice nothing by themselves: without an append there is no answer to hold against
// the cursor. So their true ends are read now and then. One that is not the cursor means that somebody else wrote there,
// or that the target lost its end; the anchor finds out which.
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { LinkContext } from './context.ts'
import type { PartitionCopy } from './partition.ts'

/** One look at all copies that are idle: a request per broker. Throws KdrError('unreachable'). */
export async function checkIdle({ target }: LinkContext, copies: readonly PartitionCopy[]): Promise<void> {
  const idle = copies.filter(isIdle)
  if (idle.length === 0) return
  const before = idle.map(({ appended, incarnation }) => ({ appended, incarnation }))
  const ends = await target.offsets(idle, 'logEnd')
  idle.forEach((copy, index) => {
    const { appended, incarnation } = before[index]!
    const { code, offset } = ends[index]!
    if (code !== KafkaCode.NONE || offset === appended) return
    // Something was sent meanwhile: its own answer tells.
    if (!isIdle(copy) || copy.incarnation !== incarnation || copy.appended !== appended) return
    copy.break({
      why: 'anchor',
      cause: `the target's log ends at ${offset}, the cursor stands at ${appended}`,
    })
  })
}

const isIdle = (copy: PartitionCopy): boolean => copy.isOpen && copy.isIdle
