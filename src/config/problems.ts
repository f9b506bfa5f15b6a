// Turns what the schema found into sentences with a place: one problem, one line, and the likely intention where a key or
// a name was misspelt.

import type { z } from 'zod'
import type { ConfigDocument, Problem } from './document.ts'
import { keysAt, type Path } from './json-schema.ts'

type Issue = z.core.$ZodIssue

export function problemsOf(issues: readonly Issue[], document: ConfigDocument): Problem[] {
  return issues.flatMap(issue => problemsOfIssue(issue, [], document))
}

function problemsOfIssue(issue: Issue, above: Path, document: ConfigDocument): Problem[] {
  const path = [...above, ...issue.path.map(step => (typeof step === 'symbol' ? String(step) : step))]
  const value = valueAt(document.value, path)

  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(key => ({
      place: document.placeOfKey([...path, key]),
      message: `${at([...path, key])}unknown key \`${key}\`${didYouMean(key, keysAt(path))}`,
    }))
  }
  if (issue.code === 'invalid_union' && value !== undefined) {
    const fitting = issue.errors.filter(branch => !branch.some(isWrongKind))
    const [only] = fitting
    if (only !== undefined && fitting.length === 1)
      return only.flatMap(inner => problemsOfIssue(inner, path, document))
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map(inner => ({
      place: document.placeOfKey(path),
      message: `${at(path)}"${String(path.at(-1))}" is not a name: ${inner.message}`,
    }))
  }
  if (value === undefined && issue.code !== 'custom') {
    return [
      {
        place: document.placeOfKey(path.slice(0, -1)),
        message: `${at(path.slice(0, -1))}\`${String(path.at(-1))}\` is missing`,
      },
    ]
  }
  return [{ place: document.placeOf(path), message: `${at(path)}${sentence(issue, value)}` }]
}

/** The branch of a union was not meant: the value is of another kind altogether. */
function isWrongKind(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value')
}

function sentence(issue: Issue, value: unknown): string {
  if (issue.code === 'invalid_type' && issue.message.startsWith('Invalid input')) {
    // Text in place of keys may be the secret that one of them takes.
    const found = typeof value === 'string' ? 'text' : kindOf(value)
    return `expected ${KINDS[issue.expected] ?? issue.expected}, found ${found}`
  }
  if (issue.code === 'invalid_value' && issue.message.startsWith('Invalid ')) {
    const values = issue.values.map(String)
    const found = typeof value === 'string' ? didYouMean(value, values) : ''
    return `expected ${values.map(each => `\`${each}\``).join(' or ')}, found ${kindOf(value)}${found}`
  }
  return issue.message
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  object: 'keys and values',
  record: 'keys and values',
  array: 'a list',
  number: 'a number',
  int: 'a whole number',
  boolean: '`true` or `false`',
}

/** Scalars of a wrong kind are shown; a secret never gets here, as any text is of the right kind for it. */
function kindOf(value: unknown): string {
  if (value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'keys and values'
  return `\`${JSON.stringify(value).replace(/^"(.*)"$/, '$1')}\``
}

/** `links.east.topics: `, or nothing at the top. */
export function at(path: Path): string {
  return path.length === 0 ? '' : `${spellPath(path)}: `
}

export function spellPath(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`
      const part = /^[A-Za-z0-9_-]+$/.test(step) ? step : JSON.stringify(step)
      return index === 0 ? part : `.${part}`
    })
    .join('')
}

/** ` (did you mean "x"?)`, or nothing when no candidate is near. */
export function didYouMean(wrong: string, candidates: readonly string[]): string {
  const limit = Math.max(1, Math.floor(wrong.length / 3))
  const [best] = candidates
    .map(candidate => ({ candidate, distance: editDistance(wrong.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance)
  return best === undefined ? '' : ` (did you mean "${best.candidate}"?)`
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_unused, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}

function valueAt(value: unknown, path: Path): unknown {
  let at = value
  for (const step of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, step)) return undefined
    at = (at as Record<string | number, unknown>)[step]
  }
  return at
}
