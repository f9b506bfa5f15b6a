// A report for a terminal: the same sections, in 80 columns where they are not tables.
import { assertNever } from '../../model/errors.ts'
import type { Block } from '../runbook/document.ts'
import { visible } from '../move/run-words.ts'
import { formatTable, type Style } from '../table.ts'
import { wrap } from '../wrap.ts'
import type { ReportDocument } from './document.ts'

export function reportText({ title, origin, sections }: ReportDocument, style: Style): string {
  return [
    `${style.bold(title)}\n${wrap(origin, '')}`,
    ...sections.map(each => `${style.bold(each.title)}\n${each.blocks.map(blockText(style)).join('')}`),
  ].join('\n')
}

const blockText =
  (style: Style) =>
  (block: Block): string => {
    switch (block.kind) {
      case 'text':
        return wrap(visible(block.text), '  ')
      case 'list':
      case 'checks':
        return block.items.map(item => wrap(visible(item), '    ', '  - ')).join('')
      case 'command':
        return `  ${visible(block.command)}\n`
      case 'table':
        return formatTable(
          block.head.map(heading => ({ title: heading.toUpperCase() })),
          block.rows.map(row => row.map(visible)),
          style,
        ).replaceAll(/^(?=.)/gm, '  ')
      default:
        return assertNever(block)
    }
  }
