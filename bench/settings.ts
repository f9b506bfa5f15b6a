// What the environment asks for.

import { CASES } from './cases.ts'

export type Settings = {
  /** Names; undefined for all. */
  readonly cases: readonly string[] | undefined
  readonly rounds: number
  /** Of a whole backlog, before it is compressed. */
  readonly sizeMb: number
  /** kdr runs under V8's profiler, which costs it some speed. */
  readonly isProfiling: boolean
}

/** Throws an Error that says what is wrong. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const cases = env['CASE']?.split(',').filter(name => name !== '')
  const known = CASES.map(({ name }) => name)
  for (const name of cases ?? [])
    if (!known.includes(name)) throw new Error(`there is no case "${name}"; there are ${known.join(', ')}`)
  const isPart = cases !== undefined && cases.length > 0
  return {
    cases: isPart ? cases : undefined,
    rounds: positive(env, 'ROUNDS', 5),
    // Some cases are somebody's question, to be answered in a minute.
    sizeMb: positive(env, 'SIZE_MB', isPart ? 600 : 1_000),
    isProfiling: (env['PROFILE'] ?? '') !== '',
  }
}

function positive(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  otherwise: number,
): number {
  const text = env[name] ?? ''
  const value = text === '' ? otherwise : Number(text)
  if (Number.isInteger(value) && value > 0) return value
  throw new Error(`${name}=${text} is not a whole number above 0`)
}
