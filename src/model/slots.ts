// A link's partitions are shared out by slots: whoever holds a slot copies the partitions in it. The number of slots never
// changes while a link lives, so that a partition's slot is the same for every worker, for ever.

/** Of a new link. Shares of two to twenty workers come out within a few percent of each other. */
export const SLOTS = 64
/** Whoever holds it does what is done once for the whole link: topics, configs, groups, commands. */
export const CONTROL_SLOT = 0

const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/** The partitions of a topic go to slots one after the other, from one that follows from its name (FNV-1a). */
export function slotOf(
  { topic, partition }: { readonly topic: string; readonly partition: number },
  slots: number,
): number {
  return (hashOf(topic) + partition) % slots
}

/** FNV-1a, 32 bits. */
export function hashOf(text: string): number {
  let hash = FNV_OFFSET
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, FNV_PRIME)
  return hash >>> 0
}
