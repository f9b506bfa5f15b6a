// What is taken out of a text before it leaves the machine. Nothing that kdr prints shows a secret; here the values themselves are looked
// for as well, in case one has come in from elsewhere: an error of a broker, the output of a command.
import { type Config, SecretRef } from '../../config/index.ts'

const HIDDEN = '(hidden)'
/** Shorter ones would hide half of the text, and are no secrets. */
const SHORTEST = 4
/** Of a part of a value, such as the key in `hmac-sha256:name:key`: longer than the name of an algorithm. */
const LONG_PART = 12

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

/**
 * Also each line of a value that has several, what stands in it between quotes or colons, and all of that as JSON, a URL or base64
 * spells it; the longest first, as one may hold another.
 */
export function withoutValues(text: string, values: readonly string[]): string {
  const long = values.flatMap(value => value.split(/["':;\s]/)).filter(part => part.length >= LONG_PART)
  const parts = [...values.flatMap(value => [value, ...value.split('\n')]), ...long]
    .map(part => part.trim())
    .filter(part => part.length >= SHORTEST && !part.startsWith('-----'))
  const spelled = new Set(parts.flatMap(spellingsOf))
  return [...spelled]
    .toSorted((a, b) => b.length - a.length)
    .reduce((rest, part) => rest.replaceAll(part, HIDDEN), text)
}

/** Base64 without its padding, which not everything writes. */
function spellingsOf(part: string): string[] {
  const bytes = Buffer.from(part)
  return [
    part,
    JSON.stringify(part).slice(1, -1),
    encodeURIComponent(part.toWellFormed()),
    bytes.toString('base64').replace(/=+$/, ''),
    bytes.toString('base64url'),
  ]
}

/** Of a sentence that says how an operator's command ended: the command may print whatever it has been given. */
export function withoutOutput(sentence: string): string {
  return sentence.replace(
    /((?:ended with(?: code)? -?\d+|has not ended in [\d.]+ s): ).+$/s,
    '$1(its output)',
  )
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
