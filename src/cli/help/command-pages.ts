// Pure: the commands as a page of the reference, and as a man page.

import { type CommandNode, everyCommand, type OptionNode } from './command-tree.ts'
import { EXIT_CODES } from '../exit-codes.ts'

const isLeaf = ({ commands, path }: CommandNode): boolean => commands.length === 0 && path.length > 0

function usageOf({ path, arguments: args, options }: CommandNode): string {
  const needed = options.filter(({ isRequired }) => isRequired).map(({ flags }) => flags)
  const optional = options.some(({ isRequired }) => !isRequired) ? ['[options]'] : []
  return ['kdr', ...path, ...args.map(({ term }) => term), ...needed, ...optional].join(' ')
}

/** `docs/reference/commands.md`. */
export function commandsPage(program: CommandNode): string {
  const lines = [
    '# Commands',
    '',
    'Made by `make docs` from the commands themselves; `kdr COMMAND --help` prints the same, and `docs/kdr.1` is the same as a man page.',
    '',
    'With every command:',
    '',
    ...optionRows(program.options),
  ]
  let group = ''
  for (const top of program.commands) {
    if (top.group !== group) lines.push('', `## ${top.group}`)
    group = top.group
    for (const command of [...everyCommand(top)].filter(isLeaf)) {
      lines.push('', `### \`${usageOf(command)}\``, '', command.description)
      const rows = [
        ...command.arguments.map(({ term, description }) => row(term, description)),
        ...optionRows(command.options),
      ]
      if (rows.length > 0) lines.push('', ...rows)
    }
  }
  return `${lines.join('\n')}\n`
}

function optionRows(options: readonly OptionNode[]): string[] {
  return options.map(({ flags, description }) => row(flags, description))
}

const row = (term: string, description: string): string => `- \`${term}\`: ${description}`

/** `docs/kdr.1`, in the macros of man(7). */
export function manPage(program: CommandNode, version: string): string {
  const lines = [
    `.TH KDR 1 "" "kdr ${version}" "Disaster recovery for Apache Kafka"`,
    '.SH NAME',
    'kdr \\- a standby of Apache Kafka that is identical, offset for offset',
    '.SH SYNOPSIS',
    '.B kdr',
    '.I COMMAND',
    '[options]',
    '.SH OPTIONS OF EVERY COMMAND',
    ...program.options.flatMap(({ flags, description }) => item(flags, description)),
  ]
  let group = ''
  for (const top of program.commands) {
    if (top.group !== group) lines.push(`.SH ${roff(top.group.toUpperCase())}`)
    group = top.group
    for (const command of [...everyCommand(top)].filter(isLeaf)) {
      lines.push(`.SS ${roff(usageOf(command))}`, roff(command.description))
      for (const { term, description } of command.arguments) lines.push(...item(term, description))
      for (const { flags, description } of command.options) lines.push(...item(flags, description))
    }
  }
  lines.push('.SH EXIT STATUS', ...EXIT_CODES.flatMap(([code, meaning]) => item(String(code), meaning)))
  lines.push('.SH FILES', ...item('kdr.yaml', 'the config, in the folder where kdr runs; see --config'))
  return `${lines.join('\n')}\n`
}

function item(term: string, description: string): string[] {
  return ['.TP', `.B ${roff(term)}`, roff(description)]
}

/** A line of text that no macro is read from. */
function roff(text: string): string {
  const plain = text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('`', '')
  return /^[.']/.test(plain) ? `\\&${plain}` : plain
}
