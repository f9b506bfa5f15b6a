// Makes a failing history small: first without whole kinds of trouble, then without single faults, as long as it fails.
import { runHistory } from './history.ts'
import { CALM, type Trouble } from './trouble.ts'
import type { Given } from './world.ts'

export async function shrink(seed: number): Promise<Given> {
  const first = await runHistory(seed)
  if (first.violations.length === 0) return {}
  const trouble = await withoutKinds(seed, first.trouble)
  const dropped = await withoutFaults(seed, trouble)
  return { trouble, dropped }
}

export function describeShrunk({ trouble, dropped }: Given): string {
  return `it fails without: ${Object.keys(trouble ?? {}).join(', ') || 'nothing'}; and without ${dropped?.size ?? 0} of its faults`
}

async function fails(seed: number, given: Given): Promise<{ readonly drawn: number } | undefined> {
  const { violations, drawn } = await runHistory(seed, given)
  return violations.length > 0 ? { drawn } : undefined
}

async function withoutKinds(seed: number, drawn: Trouble): Promise<Partial<Trouble>> {
  let trouble: Partial<Trouble> = {}
  for (const [kind, value] of Object.entries(CALM)) {
    if (drawn[kind as keyof Trouble] === value) continue
    const tried = { ...trouble, [kind]: value }
    if ((await fails(seed, { trouble: tried })) !== undefined) trouble = tried
  }
  return trouble
}

/** In halves, quarters, ... down to single faults. */
async function withoutFaults(seed: number, trouble: Partial<Trouble>): Promise<ReadonlySet<number>> {
  let dropped: ReadonlySet<number> = new Set()
  const drawn = (await fails(seed, { trouble }))?.drawn ?? 0
  for (let size = Math.ceil(drawn / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < drawn; from += size) {
      const some = Array.from({ length: size }, (_none, i) => from + i)
      const tried = new Set([...dropped, ...some])
      if (tried.size > dropped.size && (await fails(seed, { trouble, dropped: tried })) !== undefined)
        dropped = tried
    }
  }
  return dropped
}
