// Commands that scripts may know already and that a later release brings. Each answers one sentence and exit code 2,
// whatever its arguments. A command that arrives leaves this table and gets a file of its own.

import type { Command } from 'commander'
import { KdrError } from '../model/errors.ts'
import { NOT_YET } from './help/command-tree.ts'

const LATER: readonly (readonly [name: string, summary: string])[] = [
  ['drill', 'rehearse a failover'],
  ['advise', 'say what to do now'],
  ['serve', 'serve the web page'],
  ['gateway', 'route clients to the active cluster'],
]

export function registerLater(program: Command): void {
  for (const [name, summary] of LATER) {
    program
      .command(name)
      .summary(summary)
      .helpGroup(NOT_YET)
      .allowUnknownOption()
      .allowExcessArguments()
      .helpOption(false)
      .action(() => {
        throw new KdrError('not-available', `\`kdr ${name}\` is not available yet`)
      })
  }
}
