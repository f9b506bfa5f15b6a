// kdr link adopt | resume | recopy, and the verbs that a later release brings: what a faulted state's sentence names as its way out.

import type { Command } from 'commander'
import type { AdoptedPartition } from '../engine/verify/adopt.ts'
import type { LinkConfig } from '../config/index.ts'
import { KdrError } from '../model/errors.ts'
import { type App, type GlobalOptions, type OpenedLink, writeJson } from './app.ts'
import { approve } from './approve.ts'
import { formatCount, plural } from './format.ts'
import { startProgress } from './progress.ts'
import { formatTable, styleOf } from './table.ts'

type Changing = GlobalOptions & {
  readonly topic?: string
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly reason?: string
}
type ResumeOptions = Changing & { readonly partition?: string; readonly acceptLogStart?: boolean }

const LATER: readonly (readonly [verb: string, summary: string])[] = [
  ['pause', 'stop copying for a while'],
  ['accept-loss', 'go on without records that the source no longer has'],
  ['forget', 'let go of a topic'],
]

export function registerLink(program: Command, app: App): void {
  const link = program
    .command('link')
    .summary('adopt, resume or recopy topics of a link')
    .description('Ways out of a faulted state; the sentence of the state names the right one.')
    .helpGroup('Replicate')
    .helpCommand(false)

  changing(link.command('adopt'))
    .argument('<link>', 'a link of the config')
    .description(
      'Goes on with a topic that stands at the target, after verifying that it is the beginning of its source. Exit 12 when it is not.',
    )
    .requiredOption('--topic <name>', 'the topic')
    .action(
      async (name: string, _options: unknown, command: Command) =>
        await adopt(app, name, command.optsWithGlobals()),
    )

  changing(link.command('recopy'))
    .argument('<link>', 'a link of the config')
    .description('Deletes a mirror topic and copies it anew.')
    .requiredOption('--topic <name>', 'the topic')
    .action(
      async (name: string, _options: unknown, command: Command) =>
        await recopy(app, name, command.optsWithGlobals()),
    )

  changing(link.command('resume'))
    .argument('<link>', 'a link of the config')
    .description('Lets what has stopped try again.')
    .option('--topic <name>', 'only this topic')
    .option('--partition <number>', 'only this partition of the topic')
    .option(
      '--accept-log-start',
      "delete at the target what the source's log start has left behind, however much",
    )
    .action(
      async (name: string, _options: unknown, command: Command) =>
        await resume(app, name, command.optsWithGlobals()),
    )

  for (const [verb, summary] of LATER) {
    link
      .command(verb)
      .summary(summary)
      .description(`${summary} (not available yet)`)
      .allowUnknownOption()
      .allowExcessArguments()
      .helpOption(false)
      .action(() => {
        throw new KdrError('not-available', `\`kdr link ${verb}\` is not available yet`)
      })
  }
}

function changing(command: Command): Command {
  return command
    .option('--yes', 'do not ask')
    .option('--dry-run', 'show the plan and change nothing')
    .option('--reason <text>', 'why; kept with what is recorded')
}

async function adopt(app: App, name: string, options: Changing): Promise<void> {
  const topic = options.topic ?? ''
  const config = await app.loadConfig(options.config)
  const [link] = app.services.chooseLinks(config, [name]) as [LinkConfig]
  await app.services.withLink(config, link, async opened => {
    if (await opened.isMirrored(topic))
      throw new KdrError('usage', `topic "${topic}" is mirrored by link "${name}" already`, {
        hint: `See where it stands: kdr status --link ${name}`,
      })
    const checked = await checkPrefix(app, opened, link, topic)
    const plan = {
      link: name,
      topic,
      partitions: checked.partitions,
      addPartitions: checked.sourcePartitions - checked.partitions.length,
    }
    showPlan(app, link, plan, options.json === true)
    if (options.dryRun !== true) {
      const change = `topic "${topic}" on "${link.target}" becomes a mirror of "${link.source}"`
      await approve(app, { yes: options.yes === true, name: topic, change })
      await opened.adopt(topic, checked, options.reason)
    }
    const adopted = options.dryRun !== true
    if (options.json === true) writeJson(app, { ...plan, adopted, dryRun: options.dryRun === true })
    else
      app.stdout.write(
        adopted ? `adopted: \`kdr run\` goes on from there\n` : `dry run: nothing was changed\n`,
      )
  })
}

async function checkPrefix(app: App, opened: OpenedLink, link: LinkConfig, topic: string) {
  const progress = startProgress(app)
  const { signal } = app
  const checked = await opened
    .checkPrefix(topic, {
      signal,
      onProgress: ({ partition, offset, end }) =>
        progress.update(
          `verifying "${topic}": partition ${partition}, offset ${formatCount(offset)} of ${formatCount(end)}`,
        ),
    })
    .finally(() => progress.clear())
  if (checked.kind === 'prefix') return checked
  if (checked.kind === 'missing') {
    const cluster = link[checked.side]
    throw new KdrError('usage', `there is no topic "${topic}" on "${cluster}"`, {
      hint:
        checked.side === 'target' ? 'There is nothing to adopt: `kdr run` creates it.' : 'Check the name.',
    })
  }
  throw new KdrError(
    'not-empty',
    `topic "${topic}" on "${link.target}" is not the beginning of the one on "${link.source}": first difference: ${checked.where}, ${checked.what}`,
    {
      hint: 'Delete the topic at the target, or leave it out of the link.',
      facts: { topic, where: checked.where, what: checked.what },
    },
  )
}

type Plan = {
  readonly link: string
  readonly topic: string
  readonly partitions: readonly AdoptedPartition[]
  readonly addPartitions: number
}

/** With --json the plan goes to stderr: stdout is for the one object. */
function showPlan(app: App, link: LinkConfig, plan: Plan, isJson: boolean): void {
  const out = isJson ? app.stderr : app.stdout
  const rows = plan.partitions.map(({ partition, records, logStart, logEnd, sourceEnd }) => [
    String(partition),
    formatCount(records),
    `${formatCount(logStart.target)}–${formatCount(logEnd)}`,
    `${formatCount(logStart.source)}–${formatCount(sourceEnd)}`,
  ])
  const table = formatTable(
    [
      { title: 'PARTITION', align: 'right' },
      { title: 'EQUAL RECORDS', align: 'right' },
      { title: `AT ${link.target.toUpperCase()}`, align: 'right' },
      { title: `AT ${link.source.toUpperCase()}`, align: 'right' },
    ],
    rows,
    styleOf(out, app.env),
  )
  const more = plan.addPartitions > 0 ? `, after adding ${plural(plan.addPartitions, 'partition')} to it` : ''
  out.write(
    `${table}\nall that topic "${plan.topic}" holds on "${link.target}" equals "${link.source}"; link "${plan.link}" will go on at its ends${more}\n`,
  )
}

/** The mirror is deleted, so this is asked for by name; the worker does it, and copies from the beginning. */
async function recopy(app: App, name: string, options: Changing & { readonly topic: string }): Promise<void> {
  const config = await app.loadConfig(options.config)
  const [link] = app.services.chooseLinks(config, [name]) as [LinkConfig]
  const plan = `mirror topic "${options.topic}" on "${link.target}" will be deleted, and copied anew from "${link.source}"`
  const isDry = options.dryRun === true
  ;(options.json === true ? app.stderr : app.stdout).write(`${plan}\n`)
  if (!isDry) await approve(app, { yes: options.yes === true, name: options.topic, change: plan })
  const sent = isDry
    ? undefined
    : await app.services.sendCommand(config, link, {
        verb: 'recopy',
        topic: options.topic,
        ...(options.reason !== undefined && { reason: options.reason }),
      })
  if (options.json === true)
    writeJson(app, {
      link: name,
      verb: 'recopy',
      topic: options.topic,
      dryRun: isDry,
      ...(sent !== undefined && { command: sent.id, running: sent.isRunning }),
    })
  else app.stdout.write(`${outcomeOf(sent)}\n`)
}

function outcomeOf(sent: { readonly isRunning: boolean } | undefined): string {
  if (sent === undefined) return 'dry run: nothing was changed'
  return sent.isRunning
    ? 'the running kdr takes it up within seconds; see: kdr status'
    : 'recorded; no kdr runs this link now, the next `kdr run` takes it up'
}

async function resume(app: App, name: string, options: ResumeOptions): Promise<void> {
  const { topic } = options
  const partition = readPartition(options)
  const config = await app.loadConfig(options.config)
  const [link] = app.services.chooseLinks(config, [name]) as [LinkConfig]
  const what =
    topic === undefined
      ? `link "${name}"`
      : `topic "${topic}"${partition === undefined ? '' : ` partition ${partition}`} of link "${name}"`
  const acceptLogStart = options.acceptLogStart === true
  const plan = acceptLogStart
    ? `${what} will try again, and records below the source's log start will be deleted on "${link.target}"`
    : `${what} will try again`
  const isDry = options.dryRun === true
  ;(options.json === true ? app.stderr : app.stdout).write(`${plan}\n`)
  // Trying again deletes nothing; following the log start does.
  if (!isDry && acceptLogStart)
    await approve(app, { yes: options.yes === true, name: topic ?? name, change: plan })
  const sent = isDry
    ? undefined
    : await app.services.sendCommand(config, link, {
        verb: 'resume',
        ...(topic !== undefined && { topic }),
        ...(partition !== undefined && { partition }),
        ...(acceptLogStart && { acceptLogStart }),
        ...(options.reason !== undefined && { reason: options.reason }),
      })
  if (options.json === true)
    writeJson(app, {
      link: name,
      verb: 'resume',
      ...(topic !== undefined && { topic }),
      ...(partition !== undefined && { partition }),
      acceptLogStart,
      dryRun: isDry,
      ...(sent !== undefined && { command: sent.id, running: sent.isRunning }),
    })
  else app.stdout.write(`${outcomeOf(sent)}\n`)
}

function readPartition({ topic, partition }: ResumeOptions): number | undefined {
  if (partition === undefined) return undefined
  if (topic === undefined) throw new KdrError('usage', '`--partition` goes with `--topic`')
  if (/^\d+$/.test(partition)) return Number(partition)
  throw new KdrError('usage', `"${partition}" is not the number of a partition`)
}
