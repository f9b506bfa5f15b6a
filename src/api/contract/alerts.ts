// Alerts, as /api/alerts and the status of a link have them: a part of the contract.
import { z } from 'zod'
import { ALERT_NAMES } from '../../model/alerts.ts'
import { time } from './values.ts'

const one = {
  alert: z.enum(ALERT_NAMES),
  labels: z.record(z.string(), z.string()).describe('What it is about, such as `link` and `topic`.'),
  value: z.number().describe('What its rule has measured.'),
}

export const activeAlert = z.strictObject({
  ...one,
  state: z.enum(['pending', 'firing']).describe('pending: it will fire if it lasts.'),
  severity: z.enum(['page', 'ticket']),
  since: time,
  firesSince: time.optional(),
  summary: z.string(),
  action: z.string().describe('What to do.'),
  silenced: z
    .strictObject({ until: time.nullable().describe('null: for good.'), why: z.string() })
    .optional()
    .describe('Nobody is told of it.'),
})

export const linkAlert = z.strictObject({
  ...one,
  firesSince: time,
  isTold: z.boolean().describe('false: it is silenced.'),
})
