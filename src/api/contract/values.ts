// What fields of the contract hold.
import { z } from 'zod'

export const count = z.int().nonnegative()
export const ms = z.number().describe('Milliseconds.')
export const time = z.iso.datetime().describe('UTC.')
export const ratio = z.number().min(0).max(1)
