// kdr config check | explain | schema | acls

import type { Command } from 'commander'
import { type App, type GlobalOptions, writeJson } from './app.ts'
import { registerAcls } from './config-acls.ts'
import { plural } from './format.ts'
import { formatTable, styleOf } from './table.ts'

export function registerConfig(program: Command, app: App): void {
  const config = program
    .command('config')
    .summary('look at the config: check, explain, schema, acls')
    .helpGroup('Start')
  config.description('Looks at the config file.').helpCommand(false)

  config
    .command('check')
    .description('Says whether the config is right, or everything that is wrong with it.')
    .action(async (_options: unknown, command: Command) => check(app, command.optsWithGlobals()))

  config
    .command('explain')
    .description(
      'Shows every effective value, and the line or default it comes from. Secrets show as references.',
    )
    .action(async (_options: unknown, command: Command) => explain(app, command.optsWithGlobals()))

  config
    .command('schema')
    .description('Prints the JSON Schema of the config, for editors.')
    .action(async (_options: unknown, command: Command) => {
      const { configJsonSchema } = await import('../config/index.ts')
      const { json } = command.optsWithGlobals<GlobalOptions>()
      if (json === true) writeJson(app, { schema: configJsonSchema() })
      else app.stdout.write(`${JSON.stringify(configJsonSchema(), undefined, 2)}\n`)
    })

  registerAcls(config, app)
}

async function check(app: App, options: GlobalOptions): Promise<void> {
  const config = await app.loadConfig(options.config)
  const clusters = Object.keys(config.clusters)
  const links = Object.keys(config.links)
  if (options.json === true) {
    writeJson(app, { path: config.path, ok: true, clusters, links, notes: config.notes })
    return
  }
  const style = styleOf(app.stdout, app.env)
  app.stdout.write(
    `${style.green('ok')}: ${config.path} has ${plural(clusters.length, 'cluster')} and ${plural(links.length, 'link')}\n`,
  )
  for (const { line, column, message } of config.notes) {
    app.stdout.write(`${style.yellow('note')}: ${config.path}:${line}:${column}: ${message}\n`)
  }
}

async function explain(app: App, options: GlobalOptions): Promise<void> {
  const { explainConfig, readConfigText } = await import('../config/index.ts')
  const values = explainConfig(await readConfigText(options.config), options.config)
  if (options.json === true) {
    writeJson(app, { path: options.config, values })
    return
  }
  const rows = values.map(({ key, value, from }) => [
    key,
    typeof value === 'string' ? value : JSON.stringify(value),
    from,
  ])
  app.stdout.write(
    formatTable(
      [{ title: 'key' }, { title: 'value' }, { title: 'from' }],
      rows,
      styleOf(app.stdout, app.env),
    ),
  )
}
