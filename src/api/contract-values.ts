// What fields of the contract hold.
import { z } from 'zod'

export const count = z.int().nonnegative()
export const ms = z.number().describe('Milliseconds.')
export const time = z.iso.datetime().describe('UTC.')
