// Contenders take turns, and another one begins in each round. One that fails says so and holds nobody up.

import type { ContenderName } from './cases.ts'
import type { Attempt } from './report.ts'

export type Say = (text: string) => void

export async function takeTurns<Figures extends object>(
  contenders: readonly ContenderName[],
  { rounds, say }: { readonly rounds: number; readonly say: Say },
  attempt: (contender: ContenderName, round: number) => Promise<Figures>,
): Promise<Attempt<Figures>[]> {
  const attempts: Attempt<Figures>[] = []
  for (let round = 1; round <= rounds; round++) {
    const first = (round - 1) % contenders.length
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      const made: Attempt<Figures> = await attempt(contender, round).then(
        figures => ({ contender, round, figures }),
        (error: unknown) => ({ contender, round, failure: sentenceOf(error) }),
      )
      attempts.push(made)
      say(`  round ${round}, ${contender}: ${'figures' in made ? brief(made.figures) : made.failure}`)
    }
  }
  return attempts
}

export function sentenceOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll('\n', ' / ')
}

function brief(figures: object): string {
  return Object.entries(figures)
    .map(([name, value]) => `${name} ${typeof value === 'number' ? Number(value.toFixed(2)) : String(value)}`)
    .join(', ')
}
