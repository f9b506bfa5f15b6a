// How the RPO of a link was, and the age of a set, as /api/status has it: a part of the contract.
import { z } from 'zod'
import { count, ms, ratio } from './values.ts'

export const worstRpo = {
  worstRpoHourMs: ms.nullable().describe('Of the last hour; null: nothing was seen.'),
  worstRpoDayMs: ms.nullable().describe('Of the last day; null: nothing was seen.'),
}

export const withinKept = ratio
  .nullable()
  .describe(
    'For which share of the days that are kept, 30 at most, it was within its objectives; null: nobody knows.',
  )

export const withinTodayRatio = ratio
  .nullable()
  .describe('For which share of this day (UTC), as far as it is known; null: nobody knows.')

export const rpoHistory = z.strictObject({
  ...worstRpo,
  withinRatio: withinKept,
  days: z
    .array(
      z.strictObject({
        day: z.iso.date().describe('UTC.'),
        worstRpoMs: ms.nullable(),
        withinRatio: ratio.nullable(),
        knownMs: count.describe('How much of it something is known of, where an objective concerned it.'),
        withinMs: count,
      }),
    )
    .describe('The oldest first.'),
})
