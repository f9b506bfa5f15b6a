// kdr init: writes a commented config, and beside it the JSON Schema that editors complete and check it with.

import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { KdrError } from '../model/errors.ts'
import { type App, type GlobalOptions, writeJson } from './app.ts'

type InitOptions = GlobalOptions & {
  readonly from?: readonly string[]
  readonly force?: boolean
  readonly dryRun?: boolean
}

const SCHEMA_FILE = 'kdr.schema.json'

export function registerInit(program: Command, app: App): void {
  program
    .command('init')
    .summary('write a commented config, --from BROKER... by looking at real clusters')
    .description(
      'Writes a commented config. With --from it looks at real clusters: the first is the source, the second the target.',
    )
    .helpGroup('Start')
    .option('--from <broker...>', 'look at these clusters (`host:port`, one for each)')
    .option('--force', 'replace the file if it exists')
    .option('--dry-run', 'print the config instead of writing it')
    .action(async (_options: unknown, command: Command) => init(app, command.optsWithGlobals()))
}

async function init(app: App, options: InitOptions): Promise<void> {
  const from = options.from ?? []
  if (from.length > 2)
    throw new KdrError(
      'usage',
      `--from takes at most two clusters, a source and a target; ${from.length} are given`,
    )
  const clusters = []
  for (const bootstrap of from)
    clusters.push({ bootstrap, seen: await app.services.inspectCluster(bootstrap) })

  const { configJsonSchema, draftConfig } = await import('../config/index.ts')
  const text = draftConfig(clusters, `./${SCHEMA_FILE}`)
  const schemaPath = join(dirname(options.config), SCHEMA_FILE)
  if (options.dryRun !== true) {
    await writeNew(options.config, text, options.force === true)
    await writeFile(schemaPath, `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`)
  }

  if (options.json === true) {
    const seen = clusters.map(({ bootstrap, seen }) => ({
      bootstrap,
      clusterId: seen.clusterId,
      topics: seen.topics.length,
    }))
    writeJson(app, {
      path: options.config,
      schema: schemaPath,
      written: options.dryRun !== true,
      seen,
      config: text,
    })
  } else if (options.dryRun === true) {
    app.stdout.write(text)
  } else {
    app.stdout.write(
      `wrote ${options.config} (and ${schemaPath} for editors)\nnext: put in what is yours, then \`kdr config check\`\n`,
    )
  }
}

async function writeNew(path: string, text: string, force: boolean): Promise<void> {
  try {
    await writeFile(path, text, { flag: force ? 'w' : 'wx' })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EEXIST') {
      throw new KdrError('usage', `"${path}" exists already`, {
        hint: 'Name another with `--config FILE`, or replace it with `--force`.',
        cause: error,
      })
    }
    throw new KdrError('usage', `"${path}" cannot be written: ${String(code ?? error)}`, {
      hint: 'Name a file that can be written with `--config FILE`.',
      cause: error,
    })
  }
}
