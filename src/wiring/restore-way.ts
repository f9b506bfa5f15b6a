// What makes one restore another than that of the same point as it was. What a restore remembers at its target is kept by that: it goes on
// only with its own, and forgets only its own.
import { createHash } from 'node:crypto'
import type { RestoreOptions } from '../cli/app-vault.ts'

/** Empty for the whole point; part of the name of a link. */
export function wayOf({ choice, cut }: Pick<RestoreOptions, 'choice' | 'cut'>): string {
  const { topics, partitions, renames, untilOffsets } = choice
  const chosen = [...new Set(topics)].toSorted()
  const isPlain = chosen.length + partitions.length + renames.length + untilOffsets.length === 0
  if (isPlain && cut === 'as-of') return ''
  const way = JSON.stringify([chosen, partitions.toSorted((a, b) => a - b), renames, untilOffsets, cut])
  return `@${createHash('sha256').update(way).digest('hex').slice(0, 12)}`
}
