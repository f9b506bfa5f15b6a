// Where the simulated cluster answers otherwise than a real one, and why that is left so. A difference that no history
// shows any more has to leave this table.
import type { Operation } from './operations.ts'

export type KnownDifference = {
  readonly what: string
  readonly why: string
  /** Only differences that change nothing in what a cluster holds: afterwards both sides must still be the same. */
  covers(operation: Operation, sim: unknown, real: unknown): boolean
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    what: 'a group whose offsets are all gone is no longer listed',
    why: 'a real coordinator lets go of it at a time of its own; the simulated one lists it for ever, with no offsets',
    covers: (operation, sim, real) =>
      operation.do === 'groups' && isList(sim) && isList(real) && real.every(group => sim.includes(group)),
  },
]

function isList(answer: unknown): answer is readonly unknown[] {
  return Array.isArray(answer)
}
