// Some bugs need three or four kinds of trouble within a second, which independent draws bring together too rarely, or
// drown in others. So a share of the histories is focused: nothing goes wrong in them but what one of these names, and
// that more often. All of it could happen in any other history.
import type { Random } from './random.ts'
import { CALM, DAY_MS, type Trouble } from './trouble.ts'

const SHARE = 0.2

const FOCUSES: readonly Partial<Trouble>[] = [
  // Old records at brokers that forget their producer: a batch is refused, and the one behind it, which comes late, is not.
  { ageMs: 2 * DAY_MS, expiryMs: DAY_MS, slow: 0.08, minIsr: true, often: ['producers expire'] },
  // A batch without an answer, whose records the cleaner removes at the source before it lands.
  { lateWrites: 0.15, slow: 0.08, compaction: true, often: ['compaction'], mayWriteMarkers: false },
  // Writes of the state that land late while the source's epochs change, and workers that then read it.
  { lateWrites: 0.1, sourceLeaders: true, often: ['source leader moves'], restarts: true, crashes: true },
  // Clean stops while a fill is without an answer.
  { lateWrites: 0.15, slow: 0.05, restarts: true, producers: 3, partitions: 3, mayWriteMarkers: true },
  // The mirror is replaced between two batches of a partition, and another partition has made kdr look already.
  { recreatedTarget: true, namesTopicsById: true, partitions: 3, skewed: true },
]

export function focused(drawn: Trouble, random: Random): Trouble {
  if (!random.chance(SHARE)) return drawn
  const { fenced } = drawn
  return { ...drawn, ...CALM, fenced, seconds: 20, ...random.pick(FOCUSES) }
}
