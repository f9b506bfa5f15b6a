// kdr lab: real Kafka clusters on this machine. `up` returns and the brokers go on; every other verb finds them by the
// lab's folder.

import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { ClusterSpec, Lab, LabCluster } from '../lab/lab.ts'
import type { LineChanges, LineView } from '../lab/line-control.ts'
import { KdrError } from '../model/errors.ts'
import { DURATION_FORM, parseDuration, parseSize, SIZE_FORM, spellDuration } from '../model/units.ts'
import { type App, type GlobalOptions, writeJson } from './app.ts'
import { formatBytes, formatDuration } from './format.ts'

type LabOptions = GlobalOptions & {
  readonly dir: string
  readonly clusters: string
  readonly brokers: string
  readonly kafka?: string
  readonly acl?: boolean
}

type LineOptions = GlobalOptions & {
  readonly dir: string
  readonly delay?: string
  readonly window?: string
  readonly cut?: boolean
  readonly oneWay?: boolean
  readonly heal?: boolean
}

type Verb = 'kill' | 'pause' | 'resume' | 'start'

const VERBS: readonly (readonly [verb: Verb, summary: string])[] = [
  ['kill', 'end a cluster or a broker at once, as a power cut would'],
  ['pause', 'let a cluster or a broker hang: connections stay open and nobody answers'],
  ['resume', 'let a paused one go on'],
  ['start', 'start a killed one'],
]

const DEFAULT_DIR = join('.kdr', 'lab')

export function registerLab(program: Command, app: App): void {
  const lab = program
    .command('lab')
    .summary('real Kafka clusters on this machine, to try things out')
    .description('Starts, kills, pauses and stops real Kafka clusters on this machine.')
    .helpGroup('Try')
  command(lab, 'up', 'start clusters and write a config for them')
    .option(
      '--clusters <names>',
      'their names, each with its version if it has one of its own: east=3.9,west',
      'east,west',
    )
    .option('--brokers <n>', 'brokers of each cluster, 1 to 3', '1')
    .option('--kafka <version>', 'version of Kafka, such as 3.9 or 4.3.1')
    .option('--acl', 'with users, passwords and ACLs')
    .action(async (_options: unknown, own: Command) => up(app, own.optsWithGlobals()))
  command(lab, 'down', 'stop them and remove all they have written').action(
    async (_options: unknown, own: Command) => down(app, own.optsWithGlobals()),
  )
  command(lab, 'status', 'what runs').action(async (_options: unknown, own: Command) =>
    status(app, own.optsWithGlobals()),
  )
  for (const [verb, summary] of VERBS) {
    command(lab, verb, summary)
      .argument('<target>', 'a cluster, or one broker of it: east, east/2')
      .action(async (target: string, _options: unknown, own: Command) =>
        act(app, verb, target, own.optsWithGlobals()),
      )
  }
  registerLine(lab, app)
}

/** What stands in front of a cluster's brokers for whoever uses the lab's config. */
function registerLine(lab: Command, app: App): void {
  command(lab, 'line', 'make the line between kdr and a cluster long, narrow or dead')
    .argument('<target>', 'a cluster, or one broker of it: east, east/2')
    .option('--delay <duration>', 'how long bytes are under way, each way: 25ms')
    .option('--window <size>', 'what one connection may have under way, each way: 100KiB')
    .option(
      '--cut',
      'nothing gets through; connections stay open, and what was sent arrives once it is healed',
    )
    .option('--one-way', 'with --cut: requests still arrive, and no answer comes back')
    .option('--heal', 'end the cut, and take delay and window away')
    .action(async (target: string, _options: unknown, own: Command) =>
      line(app, target, own.optsWithGlobals()),
    )
  lab
    .command('hold-lines', { hidden: true })
    .requiredOption('--dir <dir>')
    .action(async (options: { readonly dir: string }) => {
      const { holdLines } = await import('../lab/line-holder.ts')
      await holdLines(options.dir)
    })
}

function command(lab: Command, name: string, summary: string): Command {
  return lab
    .command(name)
    .summary(summary)
    .description(summary)
    .option('--dir <dir>', "the lab's folder", DEFAULT_DIR)
}

async function up(app: App, options: LabOptions): Promise<void> {
  const { startLab } = await import('../lab/lab.ts')
  const { configFileOf, writeConfig } = await import('../lab/kdr-yaml.ts')
  const begun = app.clock.monotonic()
  const lab = await startLab({
    dir: options.dir,
    clusters: parseClusters(options),
    until: 'down',
    holdsLines: scriptOfKdr(),
    signal: app.signal,
    onProgress: text => app.stderr.write(`${text}\n`),
  })
  writeConfig(lab.dir)
  const config = configFileOf(options.dir)
  if (options.json === true) {
    writeJson(app, { clusters: lab.clusters.map(clusterJson), config })
    return
  }
  print(app, lab)
  app.stdout.write(`\nready in ${formatDuration(app.clock.monotonic() - begun)}; the config is ${config}\n`)
  const dir = options.dir === DEFAULT_DIR ? '' : ` --dir ${options.dir}`
  if (lab.clusters.length > 1) app.stdout.write(`next: \`kdr run --config ${config}\`\n`)
  app.stdout.write(`stop: \`kdr lab down${dir}\`\n`)
}

async function down(app: App, options: LabOptions): Promise<void> {
  const { openLab } = await import('../lab/lab.ts')
  const { removeConfig } = await import('../lab/kdr-yaml.ts')
  const lab = openLab(options.dir)
  const clusters = lab.clusters.map(clusterJson)
  removeConfig(lab.dir)
  await lab.down()
  if (options.json === true)
    writeJson(app, { clusters: clusters.map(({ name }) => ({ name, state: 'removed' })) })
  else
    app.stdout.write(
      `stopped ${clusters.map(({ name }) => name).join(', ')}, and removed what they had written\n`,
    )
}

async function status(app: App, options: LabOptions): Promise<void> {
  const { openLab } = await import('../lab/lab.ts')
  show(app, openLab(options.dir), options)
}

async function act(app: App, verb: Verb, target: string, options: LabOptions): Promise<void> {
  const { openLab } = await import('../lab/lab.ts')
  const lab = openLab(options.dir, { signal: app.signal, onProgress: text => app.stderr.write(`${text}\n`) })
  const { name, id } = parseTarget(target)
  await lab.cluster(name)[verb](id)
  show(app, lab, options)
}

async function line(app: App, target: string, options: LineOptions): Promise<void> {
  const { openLab } = await import('../lab/lab.ts')
  const { changeLines } = await import('../lab/line-holder.ts')
  const { name, id } = parseTarget(target)
  const { brokers } = openLab(options.dir).cluster(name)
  if (id !== undefined && !brokers.some(broker => broker.id === id))
    throw new KdrError('usage', `the lab cluster "${name}" has no broker ${id}`)
  const lines = await changeLines(resolve(options.dir), scriptOfKdr(), {
    cluster: name,
    brokers: id === undefined ? undefined : [id],
    changes: parseChanges(options),
  })
  if (options.json === true) writeJson(app, { lines })
  else for (const each of lines) app.stdout.write(`${each.cluster}/${each.id}  ${lineSentence(each)}\n`)
}

function parseChanges({ delay, window, cut, oneWay, heal }: LineOptions): LineChanges {
  if (oneWay === true && cut !== true)
    throw new KdrError('usage', '`--one-way` says how to cut', { hint: 'Give `--cut --one-way`.' })
  const delayMs = delay === undefined ? undefined : parseDuration(delay)
  if (delay !== undefined && delayMs === undefined)
    throw new KdrError('usage', `"${delay}" is no delay`, { hint: `Give ${DURATION_FORM}.` })
  const windowBytes = window === undefined ? undefined : parseSize(window)
  if (window !== undefined && (windowBytes === undefined || windowBytes < 1))
    throw new KdrError('usage', `"${window}" is no window`, { hint: `Give ${SIZE_FORM}.` })
  return {
    ...(heal === true && { heals: true }),
    ...(delayMs !== undefined && { delayMs }),
    ...(windowBytes !== undefined && { windowBytes }),
    ...(cut === true && { cut: oneWay === true ? ('answers' as const) : ('all' as const) }),
  }
}

function lineSentence({ delayMs, windowBytes, cut }: LineView): string {
  const parts = [
    ...(cut === 'all' ? ['cut'] : cut === 'answers' ? ['no answer comes back'] : []),
    ...(delayMs > 0 ? [`${spellDuration(delayMs)} each way`] : []),
    ...(windowBytes === undefined ? [] : [`a window of ${formatBytes(windowBytes)} a connection`]),
  ]
  return parts.length === 0 ? 'clear' : parts.join(', ')
}

function parseTarget(target: string): { readonly name: string; readonly id: number | undefined } {
  const match = /^([^/]+)(?:\/(\d+))?$/.exec(target)
  if (match === null) {
    throw new KdrError('usage', `"${target}" names no cluster and no broker`, {
      hint: 'Name a cluster, as in `east`, or one of its brokers, as in `east/2`.',
    })
  }
  const [, name = '', id] = match
  return { name, id: id === undefined ? undefined : Number(id) }
}

/** How this process was started: the lines are held by another of the same program. */
function scriptOfKdr(): string {
  return process.argv[1] ?? ''
}

function show(app: App, lab: Lab, options: LabOptions): void {
  if (options.json === true) writeJson(app, { clusters: lab.clusters.map(clusterJson) })
  else print(app, lab)
}

function print(app: App, lab: Lab): void {
  for (const { name, version, bootstrap, brokers } of lab.clusters) {
    app.stdout.write(`${name}: Kafka ${version}, bootstrap ${bootstrap}\n`)
    for (const { id, pid, port, state } of brokers)
      app.stdout.write(`  ${name}/${id}  ${state.padEnd(7)}  port ${port}  pid ${pid}\n`)
  }
}

function clusterJson({ name, version, clusterId, bootstrap, brokers }: LabCluster) {
  return { name, version, clusterId, bootstrap, brokers }
}

function parseClusters({ clusters, brokers, kafka, acl }: LabOptions): ClusterSpec[] {
  return clusters.split(',').map(text => {
    const [name = '', version = kafka] = text.trim().split('=')
    return {
      name,
      version,
      brokers: Number(brokers),
      security: acl === true ? 'acl' : 'none',
      hasLines: true,
    }
  })
}
