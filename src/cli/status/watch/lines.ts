// Lines of a page that fits a terminal: cut at its width before they are coloured, and shared out among sections when there are too many.
import type { Style } from '../../table.ts'

/** What colour adds; the text says it too. */
export type Tone = 'plain' | 'good' | 'watch' | 'bad' | 'quiet'

export type Line = { readonly text: string; readonly tone: Tone }

/** Items are shown as a whole or not at all. */
export type Section = { readonly title: Line; readonly items: readonly (readonly Line[])[] }

export type Size = { readonly columns: number; readonly rows: number }

export function painted({ text, tone }: Line, columns: number, style: Style): string {
  const short = clip(text, columns)
  switch (tone) {
    case 'plain':
    case 'good':
      return short
    case 'watch':
      return style.yellow(short)
    case 'bad':
      return style.red(short)
    case 'quiet':
      return style.dim(short)
  }
}

/** `…` says that something is missing. */
export function clip(text: string, width: number): string {
  const characters = Array.from(text)
  if (characters.length <= width) return text
  return `${characters.slice(0, Math.max(0, width - 1)).join('')}…`
}

/** At most `most` lines; a word that is longer than one is cut. */
export function fold(text: string, width: number, most: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = ''
    }
    line = line === '' ? word : `${line} ${word}`
  }
  lines.push(line)
  if (lines.length <= most) return lines.map(each => clip(each, width))
  return lines.slice(0, most).map((each, index) => clip(index === most - 1 ? `${each} …` : each, width))
}

/** A blank line between sections where there is room. The small ones stay whole; the large ones share what is left, and say what they leave out. */
export function fit(sections: readonly Section[], rows: number): Line[] {
  const sizes = sections.map(sizeOf)
  const total = sizes.reduce((sum, size) => sum + size, 0)
  if (total + sections.length - 1 <= rows)
    return sections.flatMap((section, index) => [
      ...(index === 0 ? [] : [{ text: '', tone: 'plain' as const }]),
      ...linesOf(section),
    ])
  const granted = new Map<Section, number>()
  let left = rows
  const bySize = sections.toSorted((a, b) => sizeOf(a) - sizeOf(b))
  for (const [index, section] of bySize.entries()) {
    const rowsOf = Math.min(sizeOf(section), Math.floor(left / (bySize.length - index)))
    granted.set(section, rowsOf)
    left -= rowsOf
  }
  return sections.flatMap(section => cut(section, granted.get(section) ?? 0))
}

const linesOf = ({ title, items }: Section): Line[] => [title, ...items.flat()]
const sizeOf = (section: Section): number => linesOf(section).length

function cut(section: Section, rows: number): Line[] {
  if (sizeOf(section) <= rows) return linesOf(section)
  if (rows < 2) return [{ ...section.title, text: `${section.title.text} …` }].slice(0, rows)
  const shown: (readonly Line[])[] = []
  // The title, and the line that says what is missing.
  let left = rows - 2
  for (const item of section.items) {
    if (item.length > left) break
    shown.push(item)
    left -= item.length
  }
  const missing = section.items.length - shown.length
  return [
    section.title,
    ...shown.flat(),
    { text: `  … and ${missing} more; all: kdr status, or a taller window`, tone: 'quiet' },
  ]
}
