// The YAML text, with the place of everything in it. A problem without its line is half a problem.

import {
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
} from 'yaml'
import type { Path } from './json-schema.ts'

/** Line and column, both from 1. */
export type Place = { readonly line: number; readonly column: number }
export type Problem = { readonly place: Place; readonly message: string }

export interface ConfigDocument {
  /** Plain values; undefined when the file is empty. */
  readonly value: unknown
  /** What is wrong with the YAML itself. */
  readonly problems: readonly Problem[]
  /** Where the value at `path` is, or the nearest thing around it. */
  placeOf(path: Path): Place
  /** Where the last key of `path` is written. */
  placeOfKey(path: Path): Place
  has(path: Path): boolean
}

export function parseConfigText(text: string): ConfigDocument {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true })
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }

  return {
    ...plainValue(document),
    problems: [
      ...[...document.errors, ...document.warnings].map(error => ({
        place: place(error.pos[0]),
        message: `not valid YAML: ${lowerFirst(withoutSource(error.message))}`,
      })),
      ...unknownAliases(document).map(offset => ({
        place: place(offset),
        message: 'not valid YAML: an alias without its anchor; put text that begins with `*` in quotes',
      })),
    ],
    placeOf: path => place(offsetOf(document, path, 'value')),
    placeOfKey: path => place(offsetOf(document, path, 'key')),
    has: path => document.hasIn(path),
  }
}

/** Some messages end with a piece of the file, which may be a secret. */
function withoutSource(message: string): string {
  const [line = ''] = message.split('\n')
  const said = line.replace(/(?<=[\w)]): .*$/, '').replace(/(?<=escape sequence) .*$/, '')
  return said === 'Unresolved tag' ? `${said}; put text that begins with \`!\` in quotes` : said
}

function unknownAliases(document: Document.Parsed): number[] {
  const offsets: number[] = []
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) === undefined) offsets.push(startOf(alias) ?? 0)
    },
  })
  return offsets
}

function plainValue(document: Document.Parsed): { value: unknown } {
  const isWrong = document.errors.length > 0 || unknownAliases(document).length > 0
  return { value: isWrong ? undefined : (document.toJS({ maxAliasCount: 1000 }) as unknown) }
}

function offsetOf(document: Document.Parsed, path: Path, what: 'key' | 'value'): number {
  let node: unknown = document.contents
  let offset = startOf(node) ?? 0
  for (const [depth, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document)
    const isLast = depth === path.length - 1
    if (isMap(node)) {
      const pair = node.items.find(
        item => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
      )
      if (pair === undefined) return offset
      const key = startOf(pair.key)
      const value = isEmpty(pair.value) ? undefined : startOf(pair.value)
      offset = (isLast && what === 'value' ? (value ?? key) : key) ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      const item: unknown = node.items[Number(step)]
      if (item === undefined) return offset
      offset = startOf(item) ?? offset
      node = item
    } else {
      return offset
    }
  }
  return offset
}

function isEmpty(node: unknown): boolean {
  return !isNode(node) || (isScalar(node) && node.value === null)
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? node.range?.[0] : undefined
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
