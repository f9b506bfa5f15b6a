// A runbook as Markdown, and as a page in the manner of the page of a run: no scripts, nothing from elsewhere. All that comes from
// outside is escaped in both.
import { assertNever } from '../../model/errors.ts'
import { escape, page, section } from '../page.ts'
import { visible } from '../move/run-words.ts'
import type { Block, Runbook, Section } from './document.ts'
import { writeMark } from './facts.ts'

export function runbookMarkdown({ title, mark, sections }: Runbook): string {
  return `${writeMark(mark)}\n${documentMarkdown({ title, origin: originOf(mark), sections })}`
}

export function runbookHtml({ title, mark, sections }: Runbook): string {
  return documentHtml({ title, origin: originOf(mark), sections }, writeMark(mark))
}

/** `origin`: when it was made, and of what. */
export type PrintedDocument = {
  readonly title: string
  readonly origin: string
  readonly sections: readonly Section[]
}

export function documentMarkdown({ title, origin, sections }: PrintedDocument): string {
  const parts = sections.map(
    each => `## ${plain(each.title)}\n\n${each.blocks.map(blockMarkdown).join('\n')}`,
  )
  return `# ${plain(title)}\n\n${plain(origin)}\n\n${parts.join('\n')}`
}

/** `mark`: HTML that nobody sees. */
export function documentHtml({ title, origin, sections }: PrintedDocument, mark = ''): string {
  const header = `${mark === '' ? '' : `${mark}\n`}<header>
<h1>${escape(title)}</h1>
<p class="quiet">${inline(origin)}</p>
</header>`
  return page(title, [
    header,
    ...sections.map(each => section(each.title, each.blocks.map(blockHtml).join('\n'))),
  ])
}

function originOf({ at, kdr, config }: Runbook['mark']): string {
  return `Written ${at.slice(0, 16).replace('T', ' ')} UTC by kdr ${kdr}, from the config with the fingerprint ${config}. Whether it still holds: \`kdr runbook --check FILE\`.`
}

function blockMarkdown(block: Block): string {
  switch (block.kind) {
    case 'text':
      return `${plain(block.text)}\n`
    case 'list':
      return `${block.items.map(item => `- ${plain(item)}`).join('\n')}\n`
    case 'checks':
      return `${block.items.map(item => `- [ ] ${plain(item)}`).join('\n')}\n`
    case 'command': {
      const says = block.says.map(each => `    ${visible(each)}`).join('\n')
      return `\`\`\`sh\n${visible(block.command)}\n\`\`\`\n\nTakes: ${plain(block.takes)}. It says, among other things:\n\n${says}\n`
    }
    case 'table': {
      const row = (cells: readonly string[]): string =>
        `| ${cells.map(cell => plain(cell).replaceAll('|', '\\|')).join(' | ')} |`
      return `${[row(block.head), row(block.head.map(() => '---')), ...block.rows.map(row)].join('\n')}\n`
    }
    default:
      return assertNever(block)
  }
}

/** No HTML of others gets into Markdown; on one line. */
const plain = (text: string): string =>
  visible(text.replaceAll('\n', ' ')).replaceAll('&', '&amp;').replaceAll('<', '&lt;')

function blockHtml(block: Block): string {
  switch (block.kind) {
    case 'text':
      return `<p>${inline(block.text)}</p>`
    case 'list':
      return `<ul>${block.items.map(item => `<li>${inline(item)}</li>`).join('')}</ul>`
    case 'checks':
      return `<ul class="checks">${block.items.map(item => `<li>☐ ${inline(item)}</li>`).join('')}</ul>`
    case 'command':
      return `<pre class="command">${escape(visible(block.command))}</pre><p class="quiet">Takes: ${inline(block.takes)}. It says, among other things:</p><pre>${escape(block.says.map(visible).join('\n'))}</pre>`
    case 'table': {
      const row = (cells: readonly string[], tag: 'th' | 'td'): string =>
        `<tr>${cells.map(cell => `<${tag}>${inline(cell)}</${tag}>`).join('')}</tr>`
      return `<table><thead>${row(block.head, 'th')}</thead><tbody>${block.rows.map(each => row(each, 'td')).join('\n')}</tbody></table>`
    }
    default:
      return assertNever(block)
  }
}

/** What stands in backquotes is code. */
function inline(text: string): string {
  return escape(visible(text)).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}
