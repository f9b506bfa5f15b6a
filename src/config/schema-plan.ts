// Plans: links that move together, in which order, and what has to be passed between them.

import { z } from 'zod'
import { duration, name, text } from './values.ts'

const moment = z
  .string()
  .refine(value => /^([01]\d|2[0-3]):[0-5]\d$/.test(value) || /^\d{4}-\d{2}-\d{2}T.*Z$/.test(value), {
    error: 'expected a time of the day such as 22:30 (UTC), or a moment such as 2027-01-31T22:30:00Z',
  })
  .refine(value => !value.includes('T') || !Number.isNaN(Date.parse(value)), {
    error: 'there is no such moment',
  })

const KINDS = ['ask', 'command', 'wait', 'at'] as const

const gate = z
  .strictObject({
    before: name.meta({ description: 'The link that waits, and with it all that move beside it.' }),
    ask: text(
      'A person has to say yes to this. Where nobody can be asked the run stops; whoever resumes it says yes.',
    ).optional(),
    command: text(
      'It has to end with 0, within 10 minutes; tried again when the run is resumed. It gets `KDR_RUN`, `KDR_KIND`, `KDR_LINK`, `KDR_ACTIVE`, `KDR_STANDBY`.',
    ).optional(),
    wait: duration('So long after what comes before it.').optional(),
    at: moment
      .meta({
        description: 'Not before: a time of the day (`22:30`, UTC), or a moment (`2027-01-31T22:30:00Z`).',
      })
      .optional(),
  })
  .superRefine((value, context) => {
    if (KINDS.filter(kind => value[kind] !== undefined).length !== 1)
      context.addIssue({ code: 'custom', message: 'expected exactly one of `ask`, `command`, `wait`, `at`' })
  })

export const plan = z.strictObject({
  links: z
    .array(
      z.union([name, z.array(name).min(1, { error: 'names no link' })], {
        error: 'expected a link, or a list of links that move side by side',
      }),
    )
    .min(1, { error: 'names no link' })
    .meta({
      description:
        'The links that move together, one after the other; those of an inner list side by side: `[orders, [billing, stock]]`.',
    }),
  topics: z
    .record(name, z.array(text('')).min(1, { error: 'names no topic' }))
    .meta({
      description:
        'Which topics these links move, by name: patterns. Refused where a link has others too, as it moves as a whole.',
    })
    .prefault({}),
  gates: z
    .array(gate)
    .meta({ description: 'What has to be passed between links, in their order.' })
    .prefault([]),
  decides: text('Who decides that it is run, and how to reach them; for the runbook.').optional(),
  objectives: z
    .strictObject({
      rpo: duration('At most this much may be lost.').optional(),
      rto: duration('At most this long may it take.').optional(),
    })
    .meta({ description: 'What it should achieve; the report says whether it did.' })
    .prefault({}),
})

export type ParsedPlan = z.output<typeof plan>
