// kdr completion bash | zsh | fish: a script for the shell, made from the commands themselves.

import type { Command } from 'commander'
import { KdrError } from '../../model/errors.ts'
import { type App, type GlobalOptions, writeJson } from '../app.ts'
import { commandTree } from './command-tree.ts'
import { bashCompletion, fishCompletion, zshCompletion } from './completion-scripts.ts'

const SHELLS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }

export function registerCompletion(program: Command, app: App): void {
  program
    .command('completion')
    .argument('<shell>', 'bash, zsh or fish')
    .summary('print what lets a shell complete the commands')
    .description(
      'Prints a script that lets a shell complete commands and options. For bash: `source <(kdr completion bash)`; for zsh and fish: into a file where they look for completions.',
    )
    .helpGroup('Start')
    .action((shell: string, _options: unknown, command: Command) => {
      if (!isShell(shell))
        throw new KdrError('usage', `"${shell}" is no shell that kdr can complete for`, {
          hint: 'Write bash, zsh or fish.',
        })
      const script = SHELLS[shell](commandTree(program))
      if (command.optsWithGlobals<GlobalOptions>().json === true) writeJson(app, { shell, script })
      else app.stdout.write(script)
    })
}

function isShell(name: string): name is keyof typeof SHELLS {
  return Object.hasOwn(SHELLS, name)
}
