// Pure: who holds which slot. Whoever holds one keeps it as long as the shares come out even, so that a worker that joins
// or leaves stops nothing but what it takes or gives.
import type { SlotMember } from '../../ports/slot-group.ts'

/**
 * Shares of `slots` slots (0 to slots - 1) by member id; they differ by one at most, and the same members always get the
 * same. Slot 0, whose holder does the control work, moves only when its holder has gone.
 */
export function assignSlots(slots: number, members: readonly SlotMember[]): Map<string, number[]> {
  const least = Math.floor(slots / members.length)
  let larger = slots % members.length
  const shares = new Map<string, number[]>()
  const taken = new Set<number>()
  // The larger shares go to those that hold most: they give away least.
  const byHeld = members.toSorted((a, b) => b.held.length - a.held.length || (a.id < b.id ? -1 : 1))
  const room = new Map<string, number>()
  for (const { id, held } of byHeld) {
    const size = larger-- > 0 ? least + 1 : least
    const kept = [...new Set(held)]
      .filter(slot => slot >= 0 && slot < slots && !taken.has(slot))
      .toSorted((a, b) => a - b)
      .slice(0, size)
    for (const slot of kept) taken.add(slot)
    shares.set(id, kept)
    room.set(id, size - kept.length)
  }
  const free = Array.from({ length: slots }, (_, slot) => slot).filter(slot => !taken.has(slot))
  for (const [id, share] of shares) share.push(...free.splice(0, room.get(id) ?? 0))
  return shares
}
