// kdr runbook: what to do by hand, from the config as it is, where the links stand and what the last runs took.
import { readFile, writeFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import type { Config, LinkConfig } from '../../config/index.ts'
import type { LinkStatus } from '../../engine/status/status.ts'
import { findKdrError, KdrError } from '../../model/errors.ts'
import type { Plan, RunReport, RunSummary } from '../../model/runs.ts'
import { type App, type GlobalOptions, writeJson } from '../app.ts'
import { formatDuration } from '../format.ts'
import { planNamed } from '../move/move-plan.ts'
import { runbookOf } from './document.ts'
import {
  type LinkFacts,
  markOf,
  outdated,
  parseMark,
  RUNBOOK_KINDS,
  type RunbookFacts,
  type RunbookKind,
} from './facts.ts'
import { runbookHtml, runbookMarkdown } from './print.ts'

type RunbookOptions = GlobalOptions & {
  readonly kind: RunbookKind
  readonly format: 'markdown' | 'html'
  readonly out?: string
  readonly check?: string
}

export function registerRunbook(program: Command, app: App): void {
  program
    .command('runbook')
    .argument('[name]', 'a plan of the config, or a link')
    .summary('write the runbook of a plan or a link')
    .description(
      'Writes what to do, by hand and step by step, from the config as it is, where the links stand and what their last runs took. Clusters that do not answer are no obstacle: what is not known is called so. No secrets.',
    )
    .helpGroup('Move')
    .addOption(new Option('--kind <kind>', 'of what').choices(RUNBOOK_KINDS).default('failover'))
    .addOption(new Option('--format <format>', 'how').choices(['markdown', 'html']).default('markdown'))
    .option('--out <file>', 'into this file instead of to stdout')
    .option('--check <file>', 'say whether this runbook still holds; exit 3 when it does not')
    .action(
      async (name: string | undefined, _options: unknown, command: Command) =>
        await runbook(app, name, command.optsWithGlobals()),
    )
}

async function runbook(app: App, name: string | undefined, options: RunbookOptions): Promise<void> {
  const config = await app.loadConfig(options.config)
  if (options.check !== undefined) return await check(app, config, { name, file: options.check, options })
  if (name === undefined)
    throw new KdrError('usage', 'which plan or link is the runbook about?', {
      hint: 'Name it: kdr runbook PLAN, or kdr runbook LINK.',
    })
  const facts = await gather(app, config, { name, kind: options.kind })
  const document = runbookOf(facts)
  const text = options.format === 'html' ? runbookHtml(document) : runbookMarkdown(document)
  const unknown = facts.links.filter(({ live }) => live === undefined).map(({ link }) => link.name)
  if (options.out === undefined) {
    if (options.json === true) writeJson(app, { ...document.mark, unknown, text })
    else app.stdout.write(text)
    return
  }
  await writeFile(options.out, text)
  if (options.json === true) writeJson(app, { ...document.mark, unknown, file: options.out })
  else
    app.stdout.write(
      `written: ${options.out}${unknown.length === 0 ? '' : `; of ${unknown.join(', ')} the live state is not known`}\n`,
    )
}

async function check(
  app: App,
  config: Config,
  {
    name,
    file,
    options,
  }: { readonly name: string | undefined; readonly file: string; readonly options: RunbookOptions },
): Promise<void> {
  const mark = parseMark(await read(file))
  if (mark === undefined)
    throw new KdrError('usage', `"${file}" is no runbook that kdr has written: its mark is missing`)
  if (name !== undefined && name !== mark.name)
    throw new KdrError('usage', `"${file}" is about "${mark.name}", not about "${name}"`)
  const isThere = config.links[mark.name] !== undefined || config.plans[mark.name] !== undefined
  const now = isThere ? markOf(await gather(app, config, mark)) : undefined
  const reasons =
    now === undefined ? [`the config has no plan or link "${mark.name}" any more`] : outdated(mark, now)
  const age = formatDuration(Math.max(0, app.clock.now() - Date.parse(mark.at)))
  const isBlind = now?.state === null
  if (options.json === true)
    writeJson(app, {
      file,
      name: mark.name,
      current: reasons.length === 0,
      reasons,
      at: mark.at,
      stateKnown: !isBlind,
    })
  else if (reasons.length > 0)
    app.stdout.write(
      `"${file}" is out of date (written ${age} ago):\n${reasons.map(each => `- ${each}\n`).join('')}write it anew: kdr runbook ${mark.name} --kind ${mark.kind} --out ${file}\n`,
    )
  else
    app.stdout.write(
      `"${file}" is current (written ${age} ago)${isBlind ? '; where its links stand could not be asked' : ''}\n`,
    )
  app.exit = reasons.length === 0 ? 0 : 3
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new KdrError('usage', `"${file}" cannot be read`, { cause: error })
  }
}

async function gather(
  app: App,
  config: Config,
  { name, kind }: { readonly name: string; readonly kind: RunbookKind },
): Promise<RunbookFacts> {
  const plan = planNamed(config, name)
  const links =
    plan === undefined
      ? app.services.chooseLinks(config, [name])
      : app.services.chooseLinks(config, plan.links)
  const runs = await ifKnown(async () => await app.services.listRuns(config))
  return {
    kind,
    name,
    ...(plan !== undefined && { plan }),
    config,
    links: await Promise.all(
      links.map(async link => await linkFacts(app, config, { link, kind, runs: runs ?? [] })),
    ),
    at: app.clock.now(),
    kdr: app.version,
  }
}

async function linkFacts(
  app: App,
  config: Config,
  {
    link,
    kind,
    runs,
  }: { readonly link: LinkConfig; readonly kind: RunbookKind; readonly runs: readonly RunSummary[] },
): Promise<LinkFacts> {
  const last = await lastOf(app, config, { link, kind, runs })
  const found = await statusOf(app, config, link)
  const isAway = kind === 'failback'
  const asConfigured = {
    active: isAway ? link.target : link.source,
    standby: isAway ? link.source : link.target,
  }
  const of = { link, ...(last !== undefined && { last }) }
  if (typeof found === 'string') return { ...of, ...asConfigured, unknown: found }
  const { source, target, state, sentence } = found
  const plan = await planOf(app, config, link, kind)
  return {
    ...of,
    active: source,
    standby: target,
    live: {
      state: `${state}: ${sentence}`,
      ...(plan !== undefined && { plan }),
    },
  }
}

/** Or why it is not known where the link stands: then it may lead either way. */
async function statusOf(app: App, config: Config, link: LinkConfig): Promise<LinkStatus | string> {
  try {
    const status = await app.services.readLinkStatus(config, link)
    return status.generation === 0 ? status.sentence : status
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined) throw error
    return known.message
  }
}

async function lastOf(
  app: App,
  config: Config,
  {
    link,
    kind,
    runs,
  }: { readonly link: LinkConfig; readonly kind: RunbookKind; readonly runs: readonly RunSummary[] },
): Promise<RunReport | undefined> {
  const last = runs.find(
    each => each.plan === undefined && each.link === link.name && each.kind === kind && each.state === 'done',
  )
  return last === undefined
    ? undefined
    : await ifKnown(async () => await app.services.readRun(config, last.run))
}

/** As kdr would show it now. What keeps it from being made says the runbook's own command, when it is followed. */
async function planOf(
  app: App,
  config: Config,
  link: LinkConfig,
  kind: RunbookKind,
): Promise<Plan | undefined> {
  const options = {
    kind,
    topics: [],
    acceptSplitBrain: false,
    takeOver: false,
    signal: new AbortController().signal,
  }
  return await ifKnown(
    async () =>
      await app.services.withRun(config, link, options, async ({ plan }) => await Promise.resolve(plan)),
  )
}

/** Undefined where the world cannot say: a runbook is written all the same. */
async function ifKnown<T>(asking: () => Promise<T>): Promise<T | undefined> {
  try {
    return await asking()
  } catch (error) {
    if (findKdrError(error) === undefined) throw error
    return undefined
  }
}
