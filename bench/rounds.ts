// Contenders take turns, and another one begins in each round. One that fails says so and holds nobody up.

import { setTimeout as sleep } from 'node:timers/promises'
import type { ContenderName } from './cases.ts'
import type { Attempt } from './report.ts'

export type Say = (text: string) => void

/** Longer than any wait within an attempt: only what hangs takes this long. */
const HANGS_AFTER_MS = 30 * 60_000

/** Throws when an attempt hangs: what it may still do would spoil the next ones. */
export async function takeTurns<Figures extends object>(
  contenders: readonly ContenderName[],
  { rounds, say }: { readonly rounds: number; readonly say: Say },
  attempt: (contender: ContenderName, round: number) => Promise<Figures>,
): Promise<Attempt<Figures>[]> {
  const attempts: Attempt<Figures>[] = []
  for (let round = 1; round <= rounds; round++) {
    const first = (round - 1) % contenders.length
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      const made = await Promise.race([tried(attempt, contender, round), hangs(contender, round)])
      attempts.push(made)
      say(`  round ${round}, ${contender}: ${'figures' in made ? brief(made.figures) : made.failure}`)
    }
  }
  return attempts
}

async function tried<Figures>(
  attempt: (contender: ContenderName, round: number) => Promise<Figures>,
  contender: ContenderName,
  round: number,
): Promise<Attempt<Figures>> {
  try {
    return { contender, round, figures: await attempt(contender, round) }
  } catch (error) {
    return { contender, round, failure: sentenceOf(error) }
  }
}

async function hangs(contender: ContenderName, round: number): Promise<never> {
  await sleep(HANGS_AFTER_MS, undefined, { ref: false })
  throw new Error(`round ${round}, ${contender}: nothing came of it in ${HANGS_AFTER_MS / 60_000} minutes`)
}

export function sentenceOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll('\n', ' / ')
}

function brief(figures: object): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? Number(value.toFixed(2)) : String(value)}`)
    .join(', ')
}
