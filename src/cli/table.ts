// Plain-text tables, and colours where they are welcome: on a terminal, and never with NO_COLOR.

import type { Writer } from './app.ts'

export type Style = Readonly<Record<'red' | 'green' | 'yellow' | 'dim' | 'bold', (text: string) => string>>

const CODES = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const

export function styleOf(writer: Writer, env: Readonly<Record<string, string | undefined>>): Style {
  const wanted = writer.isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  const paint = (code: number) => (text: string) => (wanted ? `\u001b[${code}m${text}\u001b[0m` : text)
  return {
    red: paint(CODES.red),
    green: paint(CODES.green),
    yellow: paint(CODES.yellow),
    dim: paint(CODES.dim),
    bold: paint(CODES.bold),
  }
}

/** For what is kept or goes into a page. */
export const PLAIN: Style = {
  red: text => text,
  green: text => text,
  yellow: text => text,
  dim: text => text,
  bold: text => text,
}

export type Column = { readonly title: string; readonly align?: 'left' | 'right' }

/** Aligned by what is visible, two spaces apart, nothing at line ends; ends with a newline. No rows: the titles alone. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style?: Style,
): string {
  const titles = columns.map(column => column.title)
  const widths = columns.map((_column, index) =>
    Math.max(...[titles, ...rows].map(row => visibleWidth(row[index] ?? ''))),
  )
  const line = (cells: readonly string[]) =>
    columns
      .map(({ align }, index) => {
        const cell = cells[index] ?? ''
        const padding = ' '.repeat((widths[index] ?? 0) - visibleWidth(cell))
        return align === 'right' ? padding + cell : cell + padding
      })
      .join('  ')
      .trimEnd()
  const heading = line(titles)
  return `${[style === undefined ? heading : style.dim(heading), ...rows.map(line)].join('\n')}\n`
}

function visibleWidth(text: string): number {
  return Array.from(stripColours(text)).length
}

export function stripColours(text: string): string {
  let rest = text
  for (let at = rest.indexOf('\u001b['); at >= 0; at = rest.indexOf('\u001b[')) {
    const end = rest.indexOf('m', at)
    if (end < 0) return rest
    rest = rest.slice(0, at) + rest.slice(end + 1)
  }
  return rest
}
