// Every effective value and where it came from: a line of the file, or the default. Secrets show as their reference.

import { withoutCredentials } from '../model/hidden.ts'
import { parseConfigText } from './document.ts'
import { alternatives, configJsonSchema, type JsonSchema, type Path, stepInto } from './json-schema.ts'
import { parseConfig } from './load.ts'
import { spellPath } from './problems.ts'

export type Explained = {
  readonly key: string
  readonly value: unknown
  /** `line 7`, or `default`. */
  readonly from: string
  readonly line: number | undefined
}

/** Throws like parseConfig when the file is wrong. */
export function explainConfig(text: string, path: string): Explained[] {
  parseConfig(text, path)
  const document = parseConfigText(text)
  const found: Explained[] = []

  const visit = (value: unknown, schemas: readonly JsonSchema[], at: Path, isDefault: boolean) => {
    const filled = withDefaults(value, schemas)
    if (isTable(filled) && Object.keys(filled).length > 0) {
      for (const [key, inner] of Object.entries(filled)) {
        const below = [...at, key]
        visit(
          inner,
          schemas.flatMap(schema => stepInto(schema, key)),
          below,
          isDefault || !document.has(below),
        )
      }
      return
    }
    const line = isDefault ? undefined : document.placeOf(at).line
    found.push({
      key: spellPath(at),
      value: shown(filled, schemas),
      from: line === undefined ? 'default' : `line ${line}`,
      line,
    })
  }
  visit(document.value, [configJsonSchema()], [], false)
  return found
}

/** In the order of the schema, with the defaults of absent keys. */
function withDefaults(value: unknown, schemas: readonly JsonSchema[]): unknown {
  if (!isTable(value)) return value
  const filled: Record<string, unknown> = {}
  for (const schema of schemas.flatMap(alternatives)) {
    for (const [key, inner] of Object.entries(schema.properties ?? {})) {
      const own = Object.hasOwn(value, key) ? value[key] : inner.default
      if (own !== undefined) filled[key] = own
    }
  }
  for (const [key, inner] of Object.entries(value)) filled[key] ??= inner
  return filled
}

function shown(value: unknown, schemas: readonly JsonSchema[]): unknown {
  if (schemas.some(schema => schema.writeOnly === true)) {
    return typeof value === 'string' && /^(env|file|exec):/.test(value) ? value : '(hidden)'
  }
  if (Array.isArray(value)) {
    return value.map((inner, index) =>
      shown(
        inner,
        schemas.flatMap(schema => stepInto(schema, index)),
      ),
    )
  }
  if (typeof value === 'string') return withoutCredentials(value)
  if (!isTable(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      shown(
        inner,
        schemas.flatMap(schema => stepInto(schema, key)),
      ),
    ]),
  )
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
