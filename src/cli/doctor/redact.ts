// What is taken out of a text before it leaves the machine. Nothing that kdr prints shows a secret; here the values themselves are looked
// for as well, in case one has come in from elsewhere: an error of a broker, the output of a command.
import { type Config, SecretRef } from '../../config/index.ts'

const HIDDEN = '(hidden)'
/** Shorter ones would hide half of the text, and are no secrets. */
const SHORTEST = 4

/** Every secret that the config names, once. */
export function secretsOf(config: Config): SecretRef[] {
  const found = new Set<SecretRef>()
  const seen = new Set<unknown>()
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null || seen.has(value)) return
    seen.add(value)
    if (value instanceof SecretRef) found.add(value)
    else for (const inner of Object.values(value)) visit(inner)
  }
  visit(config)
  return [...found]
}

/** What cannot be read now cannot be hidden either: then it has not been read by anything else. */
export async function readValues(secrets: readonly SecretRef[]): Promise<string[]> {
  const settled = await Promise.allSettled(secrets.map(async secret => await secret.read()))
  return settled.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []))
}

/** Also each line of a value that has several, and as JSON spells it; the longest first, as one may hold another. */
export function withoutValues(text: string, values: readonly string[]): string {
  const parts = values
    .flatMap(value => [value, ...value.split('\n')])
    .map(part => part.trim())
    .filter(part => part.length >= SHORTEST && !part.startsWith('-----'))
  const spelled = new Set(parts.flatMap(part => [part, JSON.stringify(part).slice(1, -1)]))
  return [...spelled]
    .toSorted((a, b) => b.length - a.length)
    .reduce((rest, part) => rest.replaceAll(part, HIDDEN), text)
}

/** Commands may hold what they need to log in somewhere. */
const COMMANDS = new Set(['command', 'apply', 'verify', 'undo', 'stop'])

/** A value of the config as `config explain` has it, without the text of commands. */
export function withoutCommands(key: string, value: unknown): unknown {
  if (typeof value === 'string') {
    const last = key.split('.').at(-1) ?? ''
    const isWord = ['stop', 'fence', 'leave'].includes(value)
    if (COMMANDS.has(last) && !isWord) return '(a command)'
    return value.startsWith('exec:') ? 'exec:(a command)' : value
  }
  if (Array.isArray(value)) return value.map((each: unknown) => withoutCommands(key, each))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([inner, each]) => [inner, withoutCommands(inner, each)]),
  )
}
