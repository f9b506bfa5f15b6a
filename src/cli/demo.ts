// kdr demo: two clusters, a link, a death, and what came of it.

import { type Command, Option } from 'commander'
import { BREAKS, type Break } from '../demo/breaks.ts'
import type { DemoReport } from '../demo/report.ts'
import { KdrError } from '../model/errors.ts'
import { type App, type GlobalOptions, writeJson } from './app.ts'
import { printReport, watchOn } from './demo-screen.ts'

type DemoCommandOptions = GlobalOptions & { readonly break?: string }

export function registerDemo(program: Command, app: App): void {
  program
    .command('demo')
    .summary('see it work: a cluster dies, its consumers go on at the other')
    .description(
      'Starts two real Kafka clusters on this machine, mirrors one to the other, kills it, lets a consumer group go on, brings it back and leads all home, and compares with what had been acknowledged. Needs a JDK and Maven; leaves nothing behind.',
    )
    .helpGroup('Try')
    .addOption(
      new Option('--break <what>', 'break something on purpose, to see it found (or: BREAK=...)').choices(
        BREAKS,
      ),
    )
    .action(async (_options: unknown, command: Command) => await demo(app, command.optsWithGlobals()))
}

async function demo(app: App, options: DemoCommandOptions): Promise<void> {
  const { signal } = app
  const breaking = readBreak(options.break ?? app.env['BREAK'])
  const { runDemo } = await import('../demo/demo.ts')
  const out = options.json === true ? app.stderr : app.stdout
  const watcher = watchOn(out, app)
  let report: DemoReport
  try {
    report = await runDemo({ watcher, signal, breaking })
  } finally {
    watcher.close()
  }
  printReport(out, app, report)
  if (options.json === true) writeJson(app, report)
  app.exit = report.ok ? 0 : 3
}

function readBreak(name: string | undefined): Break | undefined {
  if (name === undefined || name === '') return undefined
  const found = BREAKS.find(each => each === name)
  if (found !== undefined) return found
  throw new KdrError('usage', `the demo cannot break "${name}"`, {
    hint: `It can break: ${BREAKS.join(', ')}.`,
  })
}
