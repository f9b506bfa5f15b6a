// kdr init: writes a commented config, and beside it the JSON Schema that editors complete and check it with. With --from it looks at
// real clusters first: by address, or, where those ask for TLS or a password, by the names that they have in the config.

import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import type { ClusterConfig, InspectedCluster } from '../config/index.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import { type App, type GlobalOptions, writeJson } from './app.ts'

type InitOptions = GlobalOptions & {
  readonly from?: readonly string[]
  readonly force?: boolean
  readonly dryRun?: boolean
}

/** `name`: as it was given to --from. */
type Seen = { readonly name: string; readonly seen: InspectedCluster }
/** `text`: what is printed with --dry-run. `added`: what goes behind what the file has; undefined: the text is all of it. */
type Draft = { readonly seen: readonly Seen[]; readonly text: string; readonly added?: string }

const SCHEMA_FILE = 'kdr.schema.json'

const SECURED = {
  hint: 'Where it asks for TLS or a password: write only `clusters:` with all that to the config, then `kdr init --from NAME NAME`.',
}

export function registerInit(program: Command, app: App): void {
  program
    .command('init')
    .summary('write a commented config, --from real clusters')
    .description(
      'Writes a commented config. With --from it looks at real clusters, and changes nothing there: the first is the source, the second the target. Clusters that ask for TLS or a password are named: the config has them under `clusters:`, and gets the link.',
    )
    .helpGroup('Start')
    .option('--from <cluster...>', 'look at these: `host:port` for each, or names in the config')
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
  const named = from.filter(one => !one.includes(':'))
  const [alone] = named
  if (alone !== undefined && named.length === 1)
    throw new KdrError('usage', `"${alone}" is no address, and alone it is no link`, {
      hint: 'Give `host:port` for each cluster, or two names of clusters in the config.',
    })
  const isCompleted = named.length === 2
  const draft = isCompleted ? await complete(app, options, named) : await drafted(app, from)
  assertTwo(draft.seen)

  const { configJsonSchema } = await import('../config/index.ts')
  const schemaPath = join(dirname(options.config), SCHEMA_FILE)
  const isWritten = options.dryRun !== true
  if (isWritten) {
    if (draft.added === undefined) await writeConfig(options.config, draft.text, options.force === true)
    else await appendFile(options.config, draft.added)
    await writeFile(schemaPath, `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`)
  }
  if (options.json === true) {
    const seen = draft.seen.map(({ name, seen }) => ({
      ...(isCompleted ? { cluster: name } : { bootstrap: name }),
      clusterId: seen.clusterId,
      brokers: seen.brokers,
      racks: seen.racks,
      topics: seen.topics.length,
      groups: seen.groups.length,
      unseen: seen.unseen,
    }))
    writeJson(app, {
      path: options.config,
      schema: schemaPath,
      written: isWritten,
      seen,
      config: draft.text,
    })
  } else if (isWritten) {
    app.stdout.write(
      `wrote ${options.config} (and ${schemaPath} for editors)\n${await unseenLines(draft.seen)}${NEXT}`,
    )
  } else app.stdout.write(draft.text)
}

const NEXT = [
  'next: put in what is yours, then',
  '  kdr config check              # whether it is right',
  "  kdr config acls --for run     # what kdr's own principals must be allowed to do, as commands",
  '  kdr run --once                # the first copy, up to now',
  '',
].join('\n')

/** A whole file, from addresses or from nothing. */
async function drafted(app: App, addresses: readonly string[]): Promise<Draft> {
  const seen: Seen[] = []
  for (const address of addresses) {
    const plain = { name: address, bootstrap: [address], rack: undefined, tls: undefined, sasl: undefined }
    seen.push({ name: address, seen: await inspect(app, plain, SECURED) })
  }
  const { draftConfig } = await import('../config/index.ts')
  const text = draftConfig(
    seen.map(({ name: bootstrap, seen }) => ({ bootstrap, seen })),
    `./${SCHEMA_FILE}`,
  )
  return { seen, text }
}

/** The link, behind a config that has its clusters: what stands there stays as it is, byte by byte. */
async function complete(
  app: App,
  { config: path, dryRun }: InitOptions,
  names: readonly string[],
): Promise<Draft> {
  const config = await app.loadConfig(path)
  const clusters = names.map(name => {
    const cluster = config.clusters[name]
    if (cluster !== undefined) return cluster
    throw new KdrError('usage', `"${name}" is no address, and no cluster of ${path}`, {
      hint: 'Give `host:port` for each cluster, or two names of clusters in the config.',
    })
  })
  if (Object.keys(config.links).length > 0 && dryRun !== true)
    throw new KdrError('usage', `${path} has links already`, {
      hint: 'Look at the proposal with `--dry-run`, and put in what you want of it.',
    })
  const seen: Seen[] = []
  for (const cluster of clusters) seen.push({ name: cluster.name, seen: await inspect(app, cluster) })
  const [source, target] = seen
  const { draftLink, parseConfig } = await import('../config/index.ts')
  const text = draftLink(source!, target!)
  const before = await readFile(path, 'utf8')
  const added = `${before.endsWith('\n') ? '' : '\n'}\n${text}`
  if (dryRun !== true) assertParsed(() => parseConfig(before + added, path), path)
  return { seen, text, added }
}

/** A text of one pair of braces takes nothing behind it. */
function assertParsed(parse: () => unknown, path: string): void {
  try {
    parse()
  } catch (error) {
    throw new KdrError('usage', `the link cannot be put behind what ${path} has`, {
      hint: 'Look at the proposal with `--dry-run`, and put it in where it belongs.',
      cause: findKdrError(error) === undefined ? error : undefined,
    })
  }
}

/** Where it fails, `otherwise` says what else may be the matter. */
async function inspect(
  app: App,
  cluster: ClusterConfig,
  otherwise?: { readonly hint: string },
): Promise<InspectedCluster> {
  try {
    return await app.services.inspectCluster(cluster)
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined || otherwise === undefined) throw error
    throw new KdrError(known.code, known.message, {
      hint: `${known.hint} ${otherwise.hint}`,
      facts: known.facts,
      cause: error,
    })
  }
}

function assertTwo([source, target]: readonly Seen[]): void {
  if (source === undefined || source.seen.clusterId !== target?.seen.clusterId) return
  throw new KdrError(
    'wrong-cluster',
    `"${source.name}" and "${target.name}" are one cluster: both say that they are "${source.seen.clusterId}"`,
    { hint: 'Give an address of the source first, and one of the target.' },
  )
}

async function unseenLines(seen: readonly Seen[]): Promise<string> {
  const { unseenSentences } = await import('../config/index.ts')
  return seen
    .flatMap(({ name, seen }) => unseenSentences(seen).map(sentence => `${name}: ${sentence}\n`))
    .join('')
}

async function writeConfig(path: string, text: string, replaces: boolean): Promise<void> {
  try {
    await writeFile(path, text, { flag: replaces ? 'w' : 'wx' })
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
