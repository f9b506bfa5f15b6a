// kdr link adopt | pause | resume | accept-loss | recopy | forget | follow | hand-over | log: what a faulted state's sentence names as
// its way out, which link copies what, and the journal of all that. Each shows its plan first.

import type { Command } from 'commander'
import type { LinkConfig } from '../../config/index.ts'
import { KdrError } from '../../model/errors.ts'
import { MAX_REASON } from '../../model/journal.ts'
import { nameScope, type Scope } from '../../model/pauses.ts'
import { type App, type GlobalOptions, type LinkMemory, type Order, writeJson } from '../app.ts'
import { approve } from '../approve.ts'
import { formatCount } from '../format.ts'
import { adopt } from './adopt.ts'
import { followCluster } from './follow.ts'
import { handOverTopics } from './hand-over.ts'
import { showLog } from './log.ts'

export type Changing = GlobalOptions & {
  readonly topic?: string
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly reason?: string
}
type ScopedOptions = Changing & { readonly partition?: string; readonly acceptLogStart?: boolean }
type Act = (app: App, name: string, options: ScopedOptions) => Promise<void>

export function registerLink(program: Command, app: App): void {
  const link = program
    .command('link')
    .summary('pause, resume, adopt, recopy or forget topics of a link; accept a loss')
    .description('Ways out of a faulted state; the sentence of the state names the right one.')
    .helpGroup('Replicate')
    .helpCommand(false)
  const verb = (name: string, act: Act): Command =>
    changing(link.command(name))
      .argument('<link>', 'a link of the config')
      .action(async (of: string, _options: unknown, command: Command) => {
        const options: ScopedOptions = command.optsWithGlobals()
        assertReason(options)
        await act(app, of, options)
      })
  const scoped = (name: string, act: Act): Command =>
    verb(name, act)
      .option('--topic <name>', 'only this topic')
      .option('--partition <number>', 'only this partition of the topic')

  scoped('pause', pause).description(
    'Stops copying, until it is resumed: also over restarts. The lag is shown meanwhile; what the source deletes meanwhile is lost.',
  )
  scoped('resume', resume)
    .description('Lets what was paused go on, and what has stopped try again.')
    .option(
      '--accept-log-start',
      "delete at the target what the source's log start has left behind, however much",
    )
  verb('adopt', adopt)
    .description(
      'Goes on with a topic that stands at the target, after verifying that it is the beginning of its source. Exit 12 when it is not.',
    )
    .requiredOption('--topic <name>', 'the topic')
  scoped('accept-loss', acceptLoss)
    .description(
      'Goes on without the offsets that a partition has stopped for; the ledger keeps them, with who, when and why.',
    )
    .option(
      '--accept-log-start',
      'delete the older records of the mirror too, so that a very long range is filled within seconds',
    )
  verb('recopy', recopy)
    .description('Deletes a mirror topic and copies it anew.')
    .requiredOption('--topic <name>', 'the topic')
  verb('forget', forget)
    .description('Lets go of a mirror topic: it stays as it is, and kdr leaves it alone.')
    .requiredOption('--topic <name>', 'the topic')
  changing(link.command('follow'))
    .argument('<link>', 'a link of the config')
    .argument('<cluster>', 'the cluster that is active by now')
    .description(
      'After a failover from a to b, lets a second link a → c go on as b → c, from where its mirrors end: nothing is copied anew where c has nothing that b has not. A topic that has more stops, and says so (exit 3).',
    )
    .action(async (name: string, cluster: string, _options: unknown, command: Command) => {
      const options: Changing = command.optsWithGlobals()
      assertReason(options)
      await followCluster(app, { name, cluster }, options)
    })
  changing(link.command('hand-over'))
    .argument('<link>', 'the link that has the topics')
    .argument('<other>', 'a link between the same clusters, whose `topics:` take them')
    .description(
      'Gives topics of a link to another one between the same clusters, so that these can be moved by themselves. Nothing is copied anew. Which topics says the config: those that the other link takes, and the first one no more.',
    )
    .action(async (name: string, other: string, _options: unknown, command: Command) => {
      const options: Changing = command.optsWithGlobals()
      assertReason(options)
      await handOverTopics(app, { name, other }, options)
    })
  link
    .command('log')
    .argument('<link>', 'a link of the config')
    .summary('who did what to a link, when and why')
    .description('Shows the journal of a link, newest first.')
    .action(
      async (of: string, _options: unknown, command: Command) =>
        await showLog(app, of, command.optsWithGlobals()),
    )
}

function changing(command: Command): Command {
  return command
    .option('--yes', 'do not ask')
    .option('--dry-run', 'show the plan and change nothing')
    .option('--reason <text>', 'why; kept in the journal')
}

/** Throws KdrError('usage') for one that the journal cannot hold. */
export function assertReason({ reason }: Pick<Changing, 'reason'>): void {
  if (reason === undefined || reason.length <= MAX_REASON) return
  throw new KdrError(
    'usage',
    `a reason has at most ${MAX_REASON} characters, and this one has ${reason.length}`,
  )
}

/** A plan in words, and what is to be done once it is approved. */
type Plan = Omit<Order, 'onSent'> & {
  readonly link: LinkConfig
  /** The name to type; undefined: nothing is lost by it, so nobody is asked. */
  readonly typed: string | undefined
  /** More lines of the plan. */
  readonly details?: readonly string[]
}

async function pause(app: App, name: string, options: ScopedOptions): Promise<void> {
  const scope = readScope(options)
  const what = `${nameScope(name, scope)} stops being copied until it is resumed; what the source deletes meanwhile is lost`
  await carryOut(app, name, options, (link, memory) => {
    memory.assertKnown(scope)
    return Promise.resolve({ link, verb: 'pause', scope, what, typed: scope.topic ?? name })
  })
}

async function resume(app: App, name: string, options: ScopedOptions): Promise<void> {
  const scope = readScope(options)
  const acceptLogStart = options.acceptLogStart === true
  await carryOut(app, name, options, (link, memory) => {
    memory.assertKnown(scope)
    const again = `${nameScope(name, scope)} goes on, and tries again what has stopped`
    const what = acceptLogStart
      ? `${again}; records below the source's log start are deleted on "${link.target}"`
      : again
    // Trying again deletes nothing; following the log start does.
    const typed = acceptLogStart ? (scope.topic ?? name) : undefined
    return Promise.resolve({
      link,
      verb: 'resume',
      scope,
      what,
      typed,
      ...(acceptLogStart && { acceptLogStart }),
    })
  })
}

async function acceptLoss(app: App, name: string, options: ScopedOptions): Promise<void> {
  const scope = readScope(options)
  const acceptLogStart = options.acceptLogStart === true
  await carryOut(app, name, options, async (link, memory) => {
    memory.assertKnown(scope)
    const losses = await memory.losses(scope)
    if (losses.length === 0) {
      throw new KdrError(
        'usage',
        `${nameScope(name, scope)} has not stopped for a loss that can be accepted`,
        {
          hint: 'What can be: lost-to-retention, corrupt, too-large. Of any other state `kdr status` names the way out.',
        },
      )
    }
    const offsets = losses.reduce((sum, { from, to }) => sum + to - from, 0)
    const older = acceptLogStart ? `; older records of the mirror are deleted on "${link.target}"` : ''
    const what = `${formatCount(offsets)} offset(s) of ${nameScope(name, scope)} are given up for good, and entered in the ledger${older}`
    const details = losses.map(({ topic, partition, from, to, cause }) => {
      const why = {
        retention: 'the source deleted them',
        corrupt: 'the source cannot read them',
        'too-large': 'the source has them; the target refuses them',
      }[cause]
      return `  "${topic}/${partition}": offsets ${from} to ${to - 1} (${formatCount(to - from)}): ${why}`
    })
    const typed = scope.topic ?? name
    return {
      link,
      verb: 'accept-loss',
      scope,
      what,
      losses,
      details,
      typed,
      ...(acceptLogStart && { acceptLogStart }),
    }
  })
}

/** The mirror is deleted, so this is asked for by name; the worker does it, and copies from the beginning. */
async function recopy(app: App, name: string, options: ScopedOptions): Promise<void> {
  const { topic = '' } = options
  await carryOut(app, name, options, link =>
    Promise.resolve({
      link,
      verb: 'recopy',
      scope: { topic },
      what: `mirror topic "${topic}" on "${link.target}" will be deleted, and copied anew from "${link.source}"`,
      typed: topic,
    }),
  )
}

async function forget(app: App, name: string, options: ScopedOptions): Promise<void> {
  const { topic = '' } = options
  await carryOut(app, name, options, link =>
    Promise.resolve({
      link,
      verb: 'forget',
      scope: { topic },
      what: `topic "${topic}" on "${link.target}" is no mirror of "${link.source}" any more: it stays as it is, and what is known of it is deleted, its ledger included`,
      details: [
        '  its configs stay too (retention.ms=-1 among them)',
        `  kdr leaves it alone from then on, although \`topics:\` may take it; to take it back: kdr link adopt ${name} --topic ${topic}`,
        `  when it is deleted on "${link.target}", it is a new topic, and copied as one; to prevent that, exclude it in the config: "!${topic}"`,
      ],
      typed: topic,
    }),
  )
}

/** Shows the plan, asks, does it, says what came of it. With --json the plan goes to stderr: stdout is for the one object. */
async function carryOut(
  app: App,
  name: string,
  options: ScopedOptions,
  makePlan: (link: LinkConfig, memory: LinkMemory) => Promise<Plan>,
): Promise<void> {
  const config = await app.loadConfig(options.config)
  const [link] = app.services.chooseLinks(config, [name]) as [LinkConfig]
  await app.services.withMemory(config, link, async memory => {
    const { typed, details = [], ...plan } = await makePlan(link, memory)
    const isDry = options.dryRun === true
    const lines = [plan.what, ...details]
    ;(options.json === true ? app.stderr : app.stdout).write(`${lines.join('\n')}\n`)
    if (!isDry && typed !== undefined)
      await approve(app, { yes: options.yes === true, name: typed, change: plan.what })
    const sent: string[] = []
    const { verb, scope, what, losses, acceptLogStart } = plan
    const { reason } = options
    if (!isDry)
      await memory.order({
        verb,
        scope,
        what,
        ...(losses !== undefined && { losses }),
        ...(acceptLogStart !== undefined && { acceptLogStart }),
        ...(reason !== undefined && { reason }),
        onSent: id => void sent.push(id),
      })
    const { isRunning } = memory
    if (options.json === true)
      writeJson(app, {
        link: name,
        verb,
        ...scope,
        what,
        ...(losses !== undefined && { losses }),
        ...(verb === 'resume' && { acceptLogStart: acceptLogStart === true }),
        ...(reason !== undefined && { reason }),
        dryRun: isDry,
        ...(!isDry && { running: isRunning }),
        ...(sent[0] !== undefined && { command: sent[0] }),
      })
    else app.stdout.write(`${isDry ? 'dry run: nothing was changed' : outcomeOf(isRunning)}\n`)
  })
}

function outcomeOf(isRunning: boolean): string {
  return isRunning
    ? 'the running kdr takes it up within seconds; see: kdr status, kdr link log'
    : 'recorded; no kdr runs this link now, the next `kdr run` takes it up'
}

function readScope({ topic, partition }: ScopedOptions): Scope {
  if (partition === undefined) return topic === undefined ? {} : { topic }
  if (topic === undefined) throw new KdrError('usage', '`--partition` goes with `--topic`')
  if (/^\d+$/.test(partition)) return { topic, partition: Number(partition) }
  throw new KdrError('usage', `"${partition}" is not the number of a partition`)
}
