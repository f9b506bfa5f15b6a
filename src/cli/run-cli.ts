// From arguments to an exit code. Nothing here or below ends the process; main.ts does.

import { CommanderError } from 'commander'
import type { App } from './app.ts'
import { reportFailure } from './failure.ts'
import { buildProgram } from './program.ts'

/** `argv` without the program's name. Never throws. */
export async function runCli(argv: readonly string[], app: App): Promise<number> {
  try {
    await buildProgram(app).parseAsync(argv, { from: 'user' })
    return app.exit
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0
      // No command: the help has been written to stderr, and says more than an error could.
      if (error.code === 'commander.help') return 2
    }
    return reportFailure(error, app, isJson(argv))
  }
}

/** Asked of the raw arguments: they may be what is wrong. */
function isJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  return (end < 0 ? argv : argv.slice(0, end)).some(
    argument => argument === '--json' || argument === '--json-lines',
  )
}
