// The commands, in the order of `kdr --help`. Each has a file of its own that exports `registerX(program, app)`; what is
// heavy is imported inside its action, so that the help appears at once.

import { Command, type Help } from 'commander'
import type { App } from './app.ts'
import { registerBackup } from './backup/backup.ts'
import { registerCheck } from './check/check.ts'
import { registerCompletion } from './help/completion.ts'
import { registerConfig } from './config.ts'
import { registerDemo } from './demo.ts'
import { registerDoctor } from './doctor/doctor.ts'
import { EXIT_CODES } from './exit-codes.ts'
import { registerInit } from './init.ts'
import { registerLab } from './lab.ts'
import { registerLater } from './later.ts'
import { registerLink } from './link/link.ts'
import { registerMove } from './move/move.ts'
import { registerReport } from './report/report.ts'
import { registerRestore } from './backup/restore.ts'
import { registerRun } from './run/run.ts'
import { registerRunbook } from './runbook/runbook.ts'
import { registerRuns } from './move/runs.ts'
import { registerStatus } from './status/status.ts'
import { registerVault } from './backup/vault.ts'
import { registerVerify } from './verify.ts'

export function buildProgram(app: App): Command {
  const program = new Command('kdr')
    .description('Disaster recovery for Apache Kafka: a standby that is identical, offset for offset.')
    .usage('COMMAND [options]')
    .version(app.version, '-V, --version', 'print the version')
    .option('--config <file>', 'the config', 'kdr.yaml')
    .option('--json', 'print one JSON object on stdout')
    .helpOption('-h, --help', 'print help; also after a command')
    .helpCommand(false)
    .optionsGroup('Options')
    .exitOverride()
    .configureOutput({
      writeOut: text => app.stdout.write(text),
      writeErr: text => app.stderr.write(text),
      getOutHelpWidth: () => Math.min(app.stdout.columns ?? 100, 120),
      getErrHelpWidth: () => Math.min(app.stderr.columns ?? 100, 120),
      // failure.ts reports it, in text or in JSON.
      outputError: () => {},
    })
    .configureHelp({
      showGlobalOptions: true,
      styleTitle: title => `${title.replace(/:$/, '')}:`,
      subcommandTerm: termOf,
    })
    .addHelpText('after', exitCodesText)

  registerInit(program, app)
  registerConfig(program, app)
  registerRun(program, app)
  registerStatus(program, app)
  registerVerify(program, app)
  registerCheck(program, app)
  registerReport(program, app)
  registerLink(program, app)
  registerMove(program, app)
  registerRuns(program, app)
  registerRunbook(program, app)
  registerVault(program, app)
  registerBackup(program, app)
  registerRestore(program, app)
  registerDoctor(program, app)
  registerDemo(program, app)
  registerLab(program, app)
  registerCompletion(program, app)
  registerLater(program)
  return program
}

/** The name alone: arguments and options stand in the command's own help. */
function termOf(this: Help | void, command: Command): string {
  return command.name()
}

function exitCodesText({ command }: { readonly command: Command }): string {
  if (command.parent !== null) return ''
  return `\nExit codes:\n${EXIT_CODES.map(([code, meaning]) => `  ${String(code).padEnd(3)}  ${meaning}`).join('\n')}\n`
}
