// Values of options that several commands have: one that may be repeated, and a place that others must find too.
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value]
}

/** A folder as a URL: whoever resumes a run may stand in another one. `vault:NAME` and URLs stay as they are. */
export const placeOf = (to: string): string =>
  /^(vault:|[a-z0-9]+:\/\/)/.test(to) ? to : pathToFileURL(resolve(to)).href
