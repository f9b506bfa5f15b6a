// What `kdr doctor` gathers. Each part is looked at by itself, for so long at most: what does not answer is a part of the answer.
import { type Config, explainConfig, readConfigText } from '../../config/index.ts'
import { findKdrError } from '../../model/errors.ts'
import type { App } from '../app.ts'
import { secretsOf, withoutCommands, withoutOutput, withoutValues } from './redact.ts'
import type { TarEntry } from './tar.ts'

const PART_MS = 30_000
/** Of a link, the newest. */
const JOURNAL_ENTRIES = 200

type Failed = { readonly error: string; readonly code: string }
type Timing = { readonly part: string; readonly ms: number; readonly error?: string }

export type Bundle = {
  readonly entries: readonly TarEntry[]
  /** What could not be looked at, in one line each. */
  readonly failures: readonly string[]
}

export async function gatherBundle(app: App, path: string): Promise<Bundle> {
  const gathering = new Gathering(app)
  const config = await gathering.part('config', async () => await app.loadConfig(path))
  const parts: Record<string, unknown> = {
    about: about(app, path),
    config: await gathering.part('config explained', async () => await explained(path)),
  }
  if (!isFailed(config)) Object.assign(parts, await lookAround(app, config, gathering))
  const hide = await hidingOf(config, gathering)
  parts['problems'] = problemsOf(parts, gathering.timings)
  parts['timings'] = gathering.timings
  const entries = Object.entries(parts).map(([name, part]) => ({
    name: `kdr-doctor/${name}.json`,
    text: `${hide(JSON.stringify(part, plain, 2))}\n`,
  }))
  const failures = gathering.timings.flatMap(({ part, error }) =>
    error === undefined ? [] : [hide(withoutOutput(`${part}: ${error}`))],
  )
  return { entries, failures }
}

/** Measures how long each part takes, and goes on without those that fail. */
class Gathering {
  readonly timings: Timing[] = []
  readonly #app: App

  constructor(app: App) {
    this.#app = app
  }

  async part<T>(part: string, act: () => Promise<T>): Promise<T | Failed> {
    const { clock } = this.#app
    const from = clock.monotonic()
    const ms = (): number => Math.round(clock.monotonic() - from)
    const inTime = new AbortController()
    const late = clock.sleep(PART_MS, inTime.signal).then(
      (): Failed => ({
        error: `no answer within ${PART_MS / 1_000} s`,
        code: 'timed-out',
      }),
    )
    try {
      const result = await Promise.race([act(), late])
      this.timings.push({ part, ms: ms(), ...(isFailed(result) && { error: result.error }) })
      return result
    } catch (caught) {
      const failed = failedBy(caught)
      this.timings.push({ part, ms: ms(), error: failed.error })
      return failed
    } finally {
      inTime.abort()
    }
  }
}

function failedBy(error: unknown): Failed {
  const known = findKdrError(error)
  if (known !== undefined) return { error: known.message, code: known.code }
  return {
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    code: 'unexpected',
  }
}

const isFailed = (value: unknown): value is Failed =>
  typeof value === 'object' && value !== null && 'error' in value && 'code' in value

function about({ version, clock, env }: App, path: string) {
  const { platform, arch, versions } = process
  return {
    kdr: version,
    node: versions.node,
    openssl: versions.openssl,
    platform,
    arch,
    at: new Date(clock.now()).toISOString(),
    config: path,
    // Names alone: values may be secrets.
    environment: Object.keys(env)
      .filter(name => /^(KDR_|NODE_|AWS_|HTTPS?_PROXY|NO_PROXY|TZ$)/i.test(name))
      .toSorted(),
  }
}

async function explained(path: string) {
  const values = explainConfig(await readConfigText(path), path)
  return values.map(({ key, value, from }) => ({ key, value: withoutCommands(key, value), from }))
}

async function lookAround(
  { services }: App,
  config: Config,
  gathering: Gathering,
): Promise<Record<string, unknown>> {
  const named = async <T extends { readonly name: string }>(
    what: string,
    all: readonly T[],
    look: (each: T) => Promise<unknown>,
  ): Promise<unknown[]> =>
    await Promise.all(
      all.map(async each => {
        const { name } = each
        const found = await gathering.part(`${what} "${name}"`, async () => await look(each))
        return isFailed(found) ? { name, ...found } : found
      }),
    )
  const links = Object.values(config.links)
  const [clusters, ofLinks, sets, journals, runs] = await Promise.all([
    named(
      'cluster',
      Object.values(config.clusters),
      async ({ name }) => await services.describeCluster(config, name),
    ),
    named('link', links, async link => await services.readLinkStatus(config, link)),
    named('set', Object.values(config.sets), async set => await services.readSetStatus(config, set)),
    named('journal of link', links, async link => {
      const { name } = link
      const entries = await services.withMemory(config, link, memory => Promise.resolve(memory.journal()))
      return { name, entries: entries.slice(0, JOURNAL_ENTRIES) }
    }),
    gathering.part('runs', async () => await services.listRuns(config)),
  ])
  return { clusters, status: { v: 1, links: ofLinks, sets }, journals, runs }
}

/** What somebody looks for first: every sentence that says that something is wrong, once. */
function problemsOf(parts: Readonly<Record<string, unknown>>, timings: readonly Timing[]): string[] {
  const problems = new Set<string>()
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    const { reason, sentence, state, kind } = value as Record<string, unknown>
    const isWrong =
      reason !== undefined || kind !== undefined || /^(faulted|late|unreachable|stopped)$/.test(String(state))
    if (isWrong && typeof sentence === 'string') problems.add(sentence)
    for (const inner of Object.values(value)) visit(inner)
  }
  visit(parts['status'])
  visit(parts['runs'])
  for (const { part, error } of timings) if (error !== undefined) problems.add(`${part}: ${error}`)
  return [...problems]
}

/** Of a config that cannot be read nothing but its problems is known. */
async function hidingOf(config: Config | Failed, gathering: Gathering): Promise<(text: string) => string> {
  if (isFailed(config)) return text => text
  const secrets = secretsOf(config)
  // What cannot be read now cannot be hidden either: that is told with the rest.
  const read = await Promise.all(
    secrets.map(
      async secret => await gathering.part(`secret "${secret.shown}"`, async () => await secret.read()),
    ),
  )
  const values = read.flatMap(value => (isFailed(value) ? [] : [value]))
  const commands = secrets.filter(({ kind }) => kind === 'exec').map(({ shown }) => shown)
  return text =>
    commands.reduce(
      (rest, command) =>
        rest
          .replaceAll(command, 'exec:(a command)')
          .replaceAll(JSON.stringify(command).slice(1, -1), 'exec:(a command)'),
      withoutValues(text, values),
    )
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'string') return withoutOutput(value)
  return typeof value === 'bigint' ? Number(value) : value
}
