// kdr run: the daemon, and `--once`.

import { hostname } from 'node:os'
import type { Command } from 'commander'
import type { OnceProgress, OnceResult } from '../../engine/replicate/once.ts'
import type { Serving } from '../../api/server.ts'
import type { Config, LinkConfig } from '../../config/index.ts'
import { KdrError } from '../../model/errors.ts'
import { parseDuration } from '../../model/units.ts'
import type { Log } from '../../ports/log.ts'
import { type App, type GlobalOptions, type RunningLink, writeJson, writeJsonLine } from '../app.ts'
import { formatBytes, formatCount, formatDuration, formatRate, plural } from '../format.ts'
import { type LogFlags, type RunLog, startLog } from '../log.ts'
import { type Progress, startProgress } from '../progress.ts'
import { Alerting } from './alerting/alerting.ts'
import { History } from './history.ts'
import { Checks } from './checks.ts'
import { RunClusters } from './clusters.ts'
import { keptCheck } from './kept-check.ts'
import { RunLinks } from './links.ts'
import { startServer } from './server.ts'
import { RunSets } from './sets.ts'
import { backUpOnce } from './sets-once.ts'
import { VaultLooks } from './vault-looks.ts'
import { styleOf } from '../table.ts'
import { clusterSummary } from './watch-words.ts'

type RunOptions = GlobalOptions &
  LogFlags & {
    readonly link?: string[]
    readonly once?: boolean
    readonly timeout?: string
    readonly only?: string
    readonly jsonLines?: boolean
  }

/** Of a paused topic each partition says the same. */
const PAUSED_SHOWN = 10
/** A second look that costs nothing while nothing happens. */
const SUMMARY_EVERY_MS = 60_000

export function registerRun(program: Command, app: App): void {
  program
    .command('run')
    .summary('mirror the links, back up the sets and watch the clusters, until stopped or once')
    .description(
      'Mirrors the links of the config, backs up the sets that have an `every:`, and, with a `server:` or `alerts:`, watches all clusters. Runs until SIGTERM or Ctrl-C; any number of these share the work. With --once, to the ends as of now, and alone.',
    )
    .helpGroup('Replicate')
    .option('--link <name...>', 'only these links, and no sets')
    .option('--once', 'copy until every partition has reached the end that it had at the start')
    .option('--timeout <duration>', 'with --once: give up after this long (exit 21)')
    .option('--only <part>', 'links, backups or monitor (watches all clusters; writes nothing to any)')
    .option('--json-lines', 'with --once: progress as JSON lines on stdout')
    .option('-v, --verbose', 'more of what happens: as --log-level debug')
    .option('--log-level <level>', 'debug, info, warn or error')
    .option('--log-format <format>', 'text or json; text on a terminal, else JSON lines')
    .action(async (_options: unknown, command: Command) => await run(app, command.optsWithGlobals()))
}

async function run(app: App, options: RunOptions): Promise<void> {
  const timeoutMs = readTimeout(options)
  const part = readPart(options)
  const log = startLog(app, options)
  if (log.isJson) app.failureLog = log
  const { signal } = app
  const isOnce = options.once === true
  if (part === 'backups' && isOnce)
    return await backUpOnce(app, { path: options.config, isJson: options.json === true, timeoutMs })
  const isMonitor = part === 'monitor'
  const sets = new RunSets(app, { path: options.config, log, isAlone: part === 'backups' })
  const links = new RunLinks(app, {
    path: options.config,
    names: options.link ?? [],
    log,
    isAlone: isOnce,
    onStarted: running => {
      if (isOnce) return
      running.follow()
      log.event('info', summarize(running), { link: running.link.name })
    },
  })
  const clusters = new RunClusters(app, { path: options.config, log, isAlone: isMonitor, links })
  const has = { links: part === 'links' || part === 'all', sets: part === 'backups' || part === 'all' }
  let isWatching = false
  // From the start on: without a listener the signal would end the process.
  if (!isOnce)
    app.onReload(() => {
      if (has.links) links.reload()
      if (has.sets) sets.reload()
      if (isWatching) clusters.reload()
    })
  const check = keptCheck(app, options.config)
  let checks: Checks | undefined
  let server: Serving | undefined
  let alerting: Alerting | undefined
  const history = new History(app, { links, objectives: () => links.config ?? { objectives: [], plans: {} } })
  let isStarted = false
  try {
    const config = await app.loadConfig(options.config)
    assertSomething(config, part, isOnce)
    if (!isOnce) {
      const vaults = new VaultLooks(app, sets, log)
      const instance = instanceOf(config)
      const inForce = (): Config => links.config ?? sets.config ?? clusters.config ?? config
      checks = new Checks(app, { check, links, config: inForce, log })
      const watched = { links, sets, vaults, clusters, checks }
      alerting = new Alerting(app, { ...watched, config: inForce, instance, log })
      server = await startServer(app, config, {
        ...watched,
        check,
        alerting,
        log,
        isStarted: () => isStarted,
      })
    }
    const isServing = !isOnce && (config.server ?? config.alerts) !== undefined
    if (has.links) await links.start({ hasOthers: isServing || (has.sets && hasSets(config)) })
    if (has.sets && !isOnce) await sets.start(config)
    // Where nothing is served or told nobody would hear of most of it.
    isWatching = isMonitor || (part === 'all' && isServing)
    if (isWatching) await clusters.start(config)
    if (isWatching) checks?.start()
    isStarted = true
    alerting?.start()
    if (!isOnce) history.start()
    if (isOnce) await runOnce(app, links.all(), { options, timeoutMs, signal, log })
    else await runUntilStopped(app, { links, sets, clusters, checks, alerting, history }, signal, log)
  } finally {
    checks?.stop()
    await history.stop()
    await Promise.all([alerting?.stop(), links.stop(), sets.stop(), clusters.stop(), server?.close()])
    log.settle()
  }
}

const PARTS = ['links', 'backups', 'monitor'] as const
type Part = (typeof PARTS)[number] | 'all'

function readPart({ only, link, once }: RunOptions): Part {
  const part = PARTS.find(each => each === only)
  if (only !== undefined && part === undefined)
    throw new KdrError('usage', `\`--only ${only}\` is not known`, { hint: `Write ${PARTS.join(', ')}.` })
  if (part === 'monitor' && once === true)
    throw new KdrError('usage', '`--once` does not go with `--only monitor`', {
      hint: 'One look at everything: kdr check.',
    })
  if (link === undefined) return part ?? 'all'
  if (part === 'backups' || part === 'monitor')
    throw new KdrError('usage', `\`--link\` does not go with \`--only ${part}\``)
  return 'links'
}

const hasSets = ({ sets }: Config): boolean => Object.values(sets).some(({ every }) => every !== undefined)

/** Throws KdrError('config-invalid'): a daemon that does nothing would look as if it did. */
function assertSomething(config: Config, part: Part, isOnce: boolean): void {
  const { clusters, links, path } = config
  if (part === 'monitor') {
    if (Object.keys(clusters).length > 0) return
    throw new KdrError('config-invalid', `${path} has no clusters`, { hint: 'Add one under `clusters:`.' })
  }
  const hasLinks = Object.keys(links).length > 0
  if (part === 'backups' && !hasSets(config))
    throw new KdrError('config-invalid', `${path} has no set with an \`every:\``, {
      hint: 'Give a set one, such as `every: 15m`; or make one commit: kdr run --only backups --once.',
    })
  if (part !== 'backups' && !hasLinks && (part === 'links' || isOnce || !hasSets(config)))
    throw new KdrError('config-invalid', `${path} has no links`, {
      hint: 'Add one under `links:`. Sets are backed up by `kdr run` when they have an `every:`, and once by `kdr run --once --only backups`; clusters alone are watched by `kdr run --only monitor`.',
    })
}

/** Which of several processes an alert is about: where it serves, as a Prometheus would call it. */
function instanceOf({ server }: Config): string {
  const port = server?.listen.slice(server.listen.lastIndexOf(':')) ?? ''
  return `${hostname()}${port}`
}

function readTimeout({ timeout, once }: RunOptions): number | undefined {
  if (timeout === undefined) return undefined
  if (once !== true) throw new KdrError('usage', '`--timeout` goes with `--once`')
  const ms = parseDuration(timeout)
  if (ms === undefined)
    throw new KdrError('usage', `"${timeout}" is not a duration`, { hint: 'Write it like 30s, 5m or 2h.' })
  return ms
}

type Parts = {
  readonly links: RunLinks
  readonly sets: RunSets
  readonly clusters: RunClusters
  readonly checks: Checks | undefined
  readonly alerting: Alerting | undefined
  readonly history: History
}

async function runUntilStopped(
  app: App,
  { links, sets, clusters, checks, alerting, history }: Parts,
  signal: AbortSignal,
  log: RunLog,
): Promise<void> {
  await Promise.race([
    links.failed,
    sets.failed,
    history.failed,
    clusters.failed,
    links.follow(signal),
    summarizeEvery(app, { links, clusters }, signal, log.regular),
    ...[checks, alerting].flatMap(each => each?.failed ?? []),
  ])
  log.event('info', 'stopping: finishing what is in flight')
}

async function summarizeEvery(
  app: App,
  { links, clusters }: Pick<Parts, 'links' | 'clusters'>,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  for (;;) {
    await app.clock.sleep(SUMMARY_EVERY_MS, signal)
    if (signal.aborted) return
    for (const each of links.all()) log.event('info', summarize(each), { link: each.link.name })
    for (const each of clusters.seen()) log.event('info', clusterSummary(each), { cluster: each.name })
  }
}

function summarize(running: RunningLink): string {
  const { link } = running
  const partitions = running.progress()
  const topics = new Set(partitions.map(partition => partition.topic)).size
  const lag = partitions.reduce((sum, partition) => sum + partition.lagRecords, 0)
  const stopped = partitions.filter(partition => partition.state === 'faulted').length
  const trouble = stopped === 0 ? '' : `, ${plural(stopped, 'partition')} stopped (kdr status)`
  return `${link.source} → ${link.target}: ${plural(topics, 'topic')}, ${plural(partitions.length, 'partition')}, ${plural(lag, 'record')} behind${trouble}`
}

type Once = {
  readonly options: RunOptions
  readonly timeoutMs: number | undefined
  readonly signal: AbortSignal
  readonly log: RunLog
}

async function runOnce(
  app: App,
  links: readonly RunningLink[],
  { options, timeoutMs, signal, log }: Once,
): Promise<void> {
  const results: { link: LinkConfig; result: OnceResult }[] = []
  for (const each of links) {
    const progress = startProgress({ clock: app.clock, stderr: log.isJson ? log.writer : app.stderr })
    const speed = new Speed()
    const result = await each.once({
      signal,
      timeoutMs,
      onProgress: now => show(app, each.link, { now, speed, progress, isLines: options.jsonLines === true }),
    })
    progress.clear()
    results.push({ link: each.link, result })
  }
  if (options.json === true)
    writeJson(app, { links: results.map(({ link, result }) => ({ name: link.name, ...result })) })
  else for (const { link, result } of results) print(app, link, result)
  app.exit = exitOf(
    results.flatMap(({ result }) => [
      ...result.faulted.map(fault => fault.reason),
      ...result.paused.map(() => 'paused'),
    ]),
  )
}

type Show = {
  readonly now: OnceProgress
  readonly speed: Speed
  readonly progress: Progress
  readonly isLines: boolean
}

function show(app: App, link: LinkConfig, { now, speed, progress, isLines }: Show): void {
  speed.observe(now)
  const leftMs = speed.leftMs(now)
  if (isLines) writeJsonLine(app, { link: link.name, ...now, leftMs: leftMs ?? null })
  const left =
    now.left === 0
      ? ''
      : `, ${formatCount(now.left)} to go${leftMs === undefined ? '' : `, about ${formatDuration(leftMs)}`}`
  progress.update(
    `${link.name}: ${plural(now.records, 'record')}, ${formatBytes(now.bytes)}, ${formatRate(now.bytes, now.elapsedMs)}${left}`,
  )
}

function print(app: App, link: LinkConfig, result: OnceResult): void {
  const style = styleOf(app.stdout, app.env)
  const { records, bytes, elapsedMs, partitions, faulted, paused } = result
  const reached = partitions - faulted.length - paused.length
  const verdict =
    faulted.length > 0
      ? style.red('finished, with partitions that stopped')
      : paused.length > 0
        ? style.yellow('finished, but for what is paused')
        : style.green('caught up')
  app.stdout.write(
    `${style.bold(link.name)}  ${link.source} → ${link.target}  ${verdict}: ${formatCount(reached)} of ${plural(partitions, 'partition')}, ` +
      `${plural(records, 'record')}, ${formatBytes(bytes)} in ${formatDuration(elapsedMs)} (${formatRate(bytes, elapsedMs)})\n`,
  )
  for (const sentence of new Set(faulted.map(fault => fault.sentence)))
    app.stdout.write(`  ${style.red('✗')} ${sentence}\n`)
  for (const { sentence } of paused.slice(0, PAUSED_SHOWN))
    app.stdout.write(`  ${style.yellow('!')} ${sentence}\n`)
  if (paused.length > PAUSED_SHOWN)
    app.stdout.write(
      style.dim(`  ... and ${plural(paused.length - PAUSED_SHOWN, 'paused partition')} more\n`),
    )
}

/** 12 and 14 only when nothing else is wrong, so that a script can tell. */
function exitOf(reasons: readonly string[]): number {
  if (reasons.length === 0) return 0
  if (reasons.every(reason => reason === 'not-empty')) return 12
  if (reasons.every(reason => reason === 'no-rights')) return 14
  return 3
}

/** Offsets per ms over the last seconds: a mean over the whole run would lag behind the truth. */
class Speed {
  readonly #seen: { readonly left: number; readonly at: number }[] = []

  observe({ left, elapsedMs }: OnceProgress): void {
    this.#seen.push({ left, at: elapsedMs })
    while (this.#seen.length > 2 && elapsedMs - (this.#seen[0]?.at ?? 0) > 5_000) this.#seen.shift()
  }

  leftMs({ left, elapsedMs }: OnceProgress): number | undefined {
    const first = this.#seen[0]
    if (first === undefined || first.left <= left) return undefined
    return (left * (elapsedMs - first.at)) / (first.left - left)
  }
}
