// What the sections of a report are put together from. Pure.
import { formatCount, formatDuration } from '../format.ts'
import { type Block, NOT_KNOWN } from '../runbook/document.ts'

/** Rows of a table; what is more is counted. */
const ROWS = 100

export const text = (words: string): Block => ({ kind: 'text', text: words })
export const list = (items: readonly string[]): Block => ({ kind: 'list', items })

export function table(head: readonly string[], rows: readonly (readonly string[])[]): Block[] {
  const more = rows.length - ROWS
  return [
    { kind: 'table', head, rows: rows.slice(0, ROWS) },
    ...(more > 0 ? [text(`... and ${formatCount(more)} more (--json has all).`)] : []),
  ]
}

/** Or the one sentence where there is none. */
export const tableOr = (
  none: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): Block[] => (rows.length === 0 ? [text(none)] : table(head, rows))

export const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)
export const minute = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ')
export const minuteOf = (iso: string): string => minute(Date.parse(iso))
export const duration = (ms: number | null | undefined): string =>
  ms === undefined ? '-' : ms === null ? NOT_KNOWN : formatDuration(ms)
