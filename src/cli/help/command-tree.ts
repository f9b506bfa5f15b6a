// The commands as plain data: what completion, the reference page and the man page are made from, so that none of them can tell of a
// command that is not there.

import type { Command } from 'commander'

export type CommandNode = {
  /** Words after `kdr`; none for the program itself. */
  readonly path: readonly string[]
  readonly description: string
  readonly group: string
  readonly arguments: readonly ArgumentNode[]
  readonly options: readonly OptionNode[]
  readonly commands: readonly CommandNode[]
}

export type ArgumentNode = { readonly term: string; readonly description: string }

export type OptionNode = {
  /** `--topic`; undefined where there is only a letter. */
  readonly long: string | undefined
  /** `-v` */
  readonly short: string | undefined
  /** As the help shows it: `-v, --verbose`, `--topic <name>`. */
  readonly flags: string
  readonly takesValue: boolean
  readonly description: string
  readonly isRequired: boolean
}

export const NOT_YET = 'Not available yet'

/** Without what is not available yet. */
export function commandTree(command: Command, path: readonly string[] = []): CommandNode {
  return {
    path,
    description: command.description() || command.summary(),
    group: command.helpGroup(),
    arguments: command.registeredArguments.map(argument => {
      const term = `${argument.name()}${argument.variadic ? '...' : ''}`
      return { term: argument.required ? `<${term}>` : `[${term}]`, description: argument.description }
    }),
    options: command.options
      .filter(({ hidden }) => !hidden)
      .map(({ long, short, flags, required, optional, description, mandatory, argChoices = [] }) => ({
        long,
        short,
        flags,
        takesValue: required || optional,
        description: argChoices.length === 0 ? description : `${description} (${argChoices.join(', ')})`,
        isRequired: mandatory,
      })),
    commands: command.commands
      .filter(each => each.helpGroup() !== NOT_YET)
      .map(each => commandTree(each, [...path, each.name()])),
  }
}

/** All of them, each before its own. */
export function* everyCommand(node: CommandNode): Generator<CommandNode> {
  yield node
  for (const each of node.commands) yield* everyCommand(each)
}
