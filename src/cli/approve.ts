// What changes a cluster shows its plan first, and goes on only with --yes or the typed name of what is about to change.

import { KdrError } from '../model/errors.ts'
import type { App } from './app.ts'

/** Throws KdrError('approval-needed') unless approved. The plan must have been printed. */
export async function approve(
  app: Pick<App, 'ask'>,
  { yes, name, change }: { readonly yes: boolean; readonly name: string; readonly change: string },
): Promise<void> {
  if (yes) return
  const typed = await app.ask(`${change}. Type "${name}" to go on: `)
  if (typed === undefined)
    throw new KdrError(
      'approval-needed',
      `${change}: this needs approval, and there is no terminal to ask on`,
    )
  if (typed.trim() !== name)
    throw new KdrError('approval-needed', `"${typed.trim()}" is not "${name}": nothing was changed`)
}
