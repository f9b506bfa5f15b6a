// The schema as JSON Schema: for editors, and for whatever walks the config by its shape (explain, "did you mean", docs).

import { z } from 'zod'
import { configSchema } from './schema.ts'

export type JsonSchema = {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly default?: unknown
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly writeOnly?: boolean
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | JsonSchema
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly 'x-later'?: boolean
  readonly 'x-form'?: string
}

export type Path = readonly (string | number)[]

let made: JsonSchema | undefined

export function configJsonSchema(): JsonSchema {
  made ??= z.toJSONSchema(configSchema('.'), { io: 'input', unrepresentable: 'any' }) as JsonSchema
  return made
}

/** The alternatives of a union, or the schema itself. */
export function alternatives(schema: JsonSchema): readonly JsonSchema[] {
  return schema.anyOf?.flatMap(alternatives) ?? [schema]
}

/** What the schema says one step further down; several when the step leads through a union. */
export function stepInto(schema: JsonSchema, step: string | number): readonly JsonSchema[] {
  return alternatives(schema).flatMap(one => {
    if (typeof step === 'number') return one.items === undefined ? [] : [one.items]
    const known = one.properties?.[step]
    if (known !== undefined) return [known]
    return typeof one.additionalProperties === 'object' ? [one.additionalProperties] : []
  })
}

/** The keys that the schema knows at `path`. */
export function keysAt(path: Path): readonly string[] {
  let at: readonly JsonSchema[] = [configJsonSchema()]
  for (const step of path) at = at.flatMap(schema => stepInto(schema, step))
  return at.flatMap(alternatives).flatMap(schema => Object.keys(schema.properties ?? {}))
}
