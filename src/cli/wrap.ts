// Text in lines of a given width, for pages that are read on a terminal of 80 columns.

export const WIDTH = 80

/** Words are never cut; one that is longer than a line has a line of its own. */
export function wrap(text: string, indent: string, first = indent): string {
  const lines: string[] = []
  let line = first
  let isEmpty = true
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = indent
      isEmpty = true
    }
    line += isEmpty ? word : ` ${word}`
    isEmpty = false
  }
  return `${[...lines, line].join('\n')}\n`
}

/** Stays one command when it is copied: a line that goes on ends with a backslash. It breaks before options only. */
export function wrapCommand(command: string, indent: string, first = indent): string {
  const parts = command.split(/ (?=--|&& )/)
  const lines: string[] = []
  let line = first
  let isEmpty = true
  for (const part of parts) {
    // Room for the backslash.
    if (!isEmpty && line.length + 1 + part.length > WIDTH - 2) {
      lines.push(`${line} \\`)
      line = `${indent}  `
      isEmpty = true
    }
    line += isEmpty ? part : ` ${part}`
    isEmpty = false
  }
  return `${[...lines, line].join('\n')}\n`
}
