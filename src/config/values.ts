// The small kinds of values that the schema is made of: what a duration, a size, an address, a pattern, a secret looks
// like, and the sentence when it does not.

import { z } from 'zod'
import { ALERT_NAMES } from '../model/alerts.ts'
import { FINDINGS } from '../model/findings.ts'
import { hasCredentials, withoutCredentials } from '../model/hidden.ts'
import { patternProblem, type PatternKind } from '../model/patterns.ts'
import { parseSchedule, SCHEDULE_FORM } from '../model/schedule.ts'
import { DURATION_FORM, parseDuration, parseSize, SIZE_FORM } from '../model/units.ts'
import { SecretRef } from './secrets.ts'

/** In the JSON Schema: a key that a later release of kdr uses. */
export const LATER = 'x-later'
/** In the JSON Schema: what the docs call the type. */
export const FORM = 'x-form'

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

export const name = z
  .string()
  .regex(NAME, { error: 'a name has letters, digits, `.`, `_` and `-`, and begins with a letter or a digit' })

export const later = { [LATER]: true }

export const text = (description: string) =>
  z.string().min(1, { error: 'must not be empty' }).meta({ description })

/** In a URL they would be shown wherever it is named. */
export function refuseCredentials(url: string, context: z.core.$RefinementCtx): void {
  if (hasCredentials(url))
    context.addIssue({ code: 'custom', message: 'credentials do not belong into a URL' })
}

export const duration = (description: string) =>
  z
    .string({ error: issue => (issue.input === undefined ? undefined : `expected ${DURATION_FORM}`) })
    .transform((value, context) => {
      const ms = parseDuration(value)
      if (ms === undefined || ms <= 0) {
        context.addIssue({ code: 'custom', message: `"${value}" is not ${DURATION_FORM}` })
        return z.NEVER
      }
      return ms
    })
    .meta({ description, [FORM]: 'duration' })

/** Undefined: `never`. */
export const durationOrNever = (description: string) =>
  z
    .string({ error: `expected \`never\`, or ${DURATION_FORM}` })
    .transform((value, context) => {
      const ms = parseDuration(value)
      if (ms !== undefined && ms > 0) return ms
      if (value !== 'never')
        context.addIssue({ code: 'custom', message: `"${value}" is neither \`never\` nor ${DURATION_FORM}` })
      return undefined
    })
    .meta({ description, [FORM]: 'duration or `never`' })

/** `2027-01-01`, as the ms at which that day begins in UTC. */
export const day = (description: string) =>
  z
    .string({ error: 'expected a day such as 2027-01-01' })
    .transform((value, context) => {
      const ms = /^\d{4}-\d{2}-\d{2}$/.test(value) ? Date.parse(`${value}T00:00:00Z`) : Number.NaN
      // The 31st of a short month would be another day.
      if (!Number.isNaN(ms) && new Date(ms).toISOString().startsWith(value)) return ms
      context.addIssue({ code: 'custom', message: `"${value}" is not a day such as 2027-01-01` })
      return z.NEVER
    })
    .meta({ description, [FORM]: 'day' })

/** A day, or a moment of it: `2027-01-01T18:00Z`. As ms since 1970. */
export const moment = (description: string) =>
  z
    .string({ error: 'expected a day such as 2027-01-01, or a moment such as 2027-01-01T18:00Z' })
    .transform((value, context) => {
      const isMoment = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?Z)?$/.test(value)
      const ms = isMoment ? Date.parse(value) : Number.NaN
      if (!Number.isNaN(ms) && new Date(ms).toISOString().startsWith(value.slice(0, 10))) return ms
      context.addIssue({
        code: 'custom',
        message: `"${value}" is neither a day such as 2027-01-01 nor a moment such as 2027-01-01T18:00Z`,
      })
      return z.NEVER
    })
    .meta({ description, [FORM]: 'day or moment' })

/** One that there is: a typing mistake would silence nothing, and nobody would see why. */
export const alertName = (description: string) =>
  text(description).refine(value => value === '*' || (ALERT_NAMES as readonly string[]).includes(value), {
    error: ({ input }) => `there is no alert "${String(input)}": see docs/monitoring/alerts.yaml`,
  })

/** One that `kdr check` knows: an id with a typing mistake would accept nothing, and nobody would see why. */
export const findingId = (description: string) =>
  text(description).refine(value => Object.hasOwn(FINDINGS, value), {
    error: ({ input }) => `there is no finding "${String(input)}": see docs/findings`,
  })

/** Stays text: whoever needs it reads it with parseSchedule. */
export const schedule = (description: string) =>
  z
    .string({ error: issue => (issue.input === undefined ? undefined : `expected ${SCHEDULE_FORM}`) })
    .superRefine((value, context) => {
      if (parseSchedule(value, parseDuration) === undefined)
        context.addIssue({ code: 'custom', message: `"${value}" is not ${SCHEDULE_FORM}` })
    })
    .meta({ description, [FORM]: 'schedule' })

export const size = (description: string) =>
  z
    .union([z.string(), z.number()], { error: `expected ${SIZE_FORM}` })
    .transform((value, context) => {
      const bytes = parseSize(String(value))
      if (bytes === undefined || bytes <= 0) {
        context.addIssue({ code: 'custom', message: `"${value}" is not ${SIZE_FORM}` })
        return z.NEVER
      }
      return bytes
    })
    .meta({ description, [FORM]: 'size' })

/** `host:port,host:port`, or a list of such. */
export const addresses = (description: string) =>
  z
    .union([z.string(), z.array(z.string())], {
      error: 'expected addresses such as "broker-1:9092,broker-2:9092"',
    })
    .transform((value, context) => {
      const all = (typeof value === 'string' ? [value] : value)
        .flatMap(part => part.split(','))
        .map(part => part.trim())
      if (all.length === 0) context.addIssue({ code: 'custom', message: 'no address is given' })
      for (const one of all) {
        const problem = addressProblem(one)
        if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
      }
      return all
    })
    .meta({ description, [FORM]: 'addresses' })

export const address = (description: string) =>
  z
    .string()
    .superRefine((value, context) => {
      const problem = addressProblem(value)
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
    })
    .meta({ description, [FORM]: 'address' })

function addressProblem(value: string): string | undefined {
  if (value === '') return 'an address is empty: look for a comma too many'
  const shown = withoutCredentials(value)
  if (value.includes('://')) return `"${shown}" is a URL; write the address as \`host:port\``
  const [, port] = /^(?:\[[0-9a-fA-F:.]+\]|[^:\s[\]]+):(\d+)$/.exec(value) ?? []
  if (port === undefined) return `"${shown}" is not an address: write \`host:port\``
  return Number(port) >= 1 && Number(port) <= 65535
    ? undefined
    : `"${shown}" has a port that is not between 1 and 65535`
}

/** One pattern or a list of them; the last that matches wins. */
export const patterns = (kind: PatternKind, description: string) => {
  const one = z.string().superRefine((value, context) => {
    const problem = patternProblem(value, kind)
    if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
  })
  return z
    .union([one, z.array(one)], { error: 'expected a pattern or a list of patterns such as ["*", "!tmp-*"]' })
    .transform(value => (typeof value === 'string' ? [value] : value))
    .superRefine((list, context) => {
      if (list.length > 0 && list.every(pattern => pattern.startsWith('!'))) {
        context.addIssue({ code: 'custom', message: 'only exclusions match nothing: begin with "*"' })
      }
    })
    .meta({ description, [FORM]: 'patterns' })
}

export const secret = (directory: string, description: string) =>
  z
    .string({
      error: issue =>
        issue.input === undefined ? undefined : 'expected `env:NAME`, `file:PATH` or `exec:COMMAND`',
    })
    .superRefine((value, context) => {
      if (value === '') context.addIssue({ code: 'custom', message: 'must not be empty' })
      if (/^(env|file|exec):\s*$/.test(value)) {
        context.addIssue({ code: 'custom', message: `"${value}" names nothing` })
      }
    })
    .transform(value => SecretRef.parse(value, directory))
    .meta({ description, writeOnly: true, [FORM]: 'secret' })

/** A PEM: a secret reference, or the text itself. A bare path is a likely mistake. */
export const pem = (directory: string, description: string) =>
  z
    .string()
    .superRefine((value, context) => {
      if (/^(env|file|exec):./.test(value) || value.includes('-----BEGIN ')) return
      // What does not look like a file may be a key without its header: it is not repeated.
      const path = /^[\w./-]{1,80}\.(pem|crt|cert?|key)$/.test(value) ? value : 'PATH'
      context.addIssue({ code: 'custom', message: `neither a PEM nor a reference: write \`file:${path}\`` })
    })
    .transform(value => SecretRef.parse(value, directory))
    .meta({ description, writeOnly: true, [FORM]: 'secret' })
