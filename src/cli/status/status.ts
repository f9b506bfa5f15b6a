// kdr status: where every link and every set stands, at a glance.

import type { Command } from 'commander'
import type { Config } from '../../config/index.ts'
import type { LinkStatus, TopicStatus } from '../../engine/status/status.ts'
import { KdrError } from '../../model/errors.ts'
import type { SetStatus } from '../../model/set-status.ts'
import type { App, GlobalOptions } from '../app.ts'
import { writeJson } from '../app.ts'
import { formatCount, formatDuration, plural } from '../format.ts'
import { strandedWords } from '../move/run-words.ts'
import {
  isWrong,
  type LinkStanding,
  historySentence,
  objectiveSentence,
  QUIET_GROUPS,
  readStanding,
} from './standing.ts'
import { alertLines } from './alerts.ts'
import { rightsLines } from './rights.ts'
import { exitOfSets, setsText } from './sets.ts'
import { formatTable, type Style, styleOf } from '../table.ts'
import { watch } from './watch/watch.ts'

type StatusOptions = GlobalOptions & {
  readonly link?: string[]
  readonly watch?: boolean
  readonly jsonLines?: boolean
  readonly all?: boolean
}

/** Topics that a screen holds; those in trouble and those furthest behind come first. */
const TOPICS_SHOWN = 30

export function registerStatus(program: Command, app: App): void {
  program
    .command('status')
    .summary('where every link and every set stands')
    .description(
      'Shows where every link and every set stands. Exit 3 when a link is faulted or beyond its RPO objective, or a set has no commit as fresh as its `every:` wants, or no verification as fresh as its `verify:`, or is faulted; 11 when a vault does not answer.',
    )
    .helpGroup('Replicate')
    .option('--link <name...>', 'only these links, and no sets')
    .option(
      '--watch',
      'a page to leave open, every 2 s anew, with the last minutes, and a check every 5 minutes; `q` or Ctrl-C ends it',
    )
    .option('--json-lines', 'with --watch: one JSON object a line and round')
    .option('--all', `every topic, not only the ${TOPICS_SHOWN} that matter most`)
    .action(async (_options: unknown, command: Command) => await status(app, command.optsWithGlobals()))
}

async function status(app: App, options: StatusOptions): Promise<void> {
  const config = await app.loadConfig(options.config)
  if (options.watch === true) {
    assertWatchable(app, options)
    await watch(app, {
      config,
      ...chosen(app, config, options.link),
      isWhole: options.link === undefined,
      isLines: options.jsonLines === true,
    })
    return
  }
  if (options.jsonLines === true)
    throw new KdrError('usage', '`--json-lines` goes with `--watch`', {
      hint: 'For one object use `--json`.',
    })
  const statuses = await readStatuses(app, config, options.link)
  if (options.json === true) writeJson(app, statuses)
  else app.stdout.write(renderAll(app, statuses, options, styleOf(app.stdout, app.env)))
  app.exit = statuses.links.some(isWrong) ? 3 : exitOfSets(statuses.sets)
}

export type Statuses = { readonly links: readonly LinkStanding[]; readonly sets: readonly SetStatus[] }

/** `names`: only these links, and no sets. */
export async function readStatuses(app: App, config: Config, names?: readonly string[]): Promise<Statuses> {
  const { links, sets } = chosen(app, config, names)
  const [ofLinks, ofSets] = await Promise.all([
    Promise.all(links.map(async link => await readStanding(app, config, link))),
    Promise.all(sets.map(async set => await app.services.readSetStatus(config, set))),
  ])
  return { links: ofLinks, sets: ofSets }
}

function chosen({ services }: App, config: Config, names: readonly string[] | undefined) {
  return {
    links: services.chooseLinks(config, names ?? []),
    sets: names === undefined ? Object.values(config.sets) : [],
  }
}

function assertWatchable(app: App, options: StatusOptions): void {
  if (options.json === true)
    throw new KdrError('usage', '`--watch` has no one object to print with `--json`', {
      hint: 'Use `--json-lines` with it: one object a line and round.',
    })
  if (options.jsonLines !== true && !app.stdout.isTerminal)
    throw new KdrError('usage', '`--watch` draws a page, and stdout is no terminal', {
      hint: 'Use `--json-lines` with it, or `kdr status` without it.',
    })
}

function renderAll(app: App, { links, sets }: Statuses, options: StatusOptions, style: Style): string {
  const parts = [render(app, links, options, style), setsText(sets, app.clock.now(), style)]
  return parts.filter(part => part !== '').join('\n')
}

function render(app: App, links: readonly LinkStanding[], options: StatusOptions, style: Style): string {
  return links.map(link => renderLink(app, link, options, style)).join('\n')
}

function renderLink(app: App, link: LinkStanding, options: StatusOptions, style: Style): string {
  const colour = {
    mirroring: style.green,
    starting: style.yellow,
    paused: style.yellow,
    promoted: style.bold,
    stopped: style.yellow,
    faulted: style.red,
  }
  const head =
    `${style.bold(link.name)}  ${link.source} → ${link.target}  ${colour[link.state](link.state)}  ` +
    `${behind(link)}\n${link.sentence}\n${objectiveLine(link, style)}${historyLine(link, style)}`
  if (link.topics.length === 0) return `${head}${rightsLines(link, style)}`
  const sorted = link.topics.toSorted((a, b) => gravity(b) - gravity(a) || a.name.localeCompare(b.name))
  const shown = options.all === true ? sorted : sorted.slice(0, TOPICS_SHOWN)
  const rows = shown.map(topic => [
    topic.name,
    topic.state === 'mirroring'
      ? style.green(topic.state)
      : topic.state === 'faulted'
        ? style.red(topic.state)
        : style.yellow(topic.state),
    formatCount(topic.partitions.length),
    formatCount(sum(topic, 'lagRecords')),
    formatDuration(Math.max(...topic.partitions.map(partition => partition.lagMs))),
  ])
  const table = formatTable(
    [
      { title: 'TOPIC' },
      { title: 'STATE' },
      { title: 'PARTITIONS', align: 'right' },
      { title: 'BEHIND', align: 'right' },
      { title: 'LAG', align: 'right' },
    ],
    rows,
    style,
  )
  const hidden = sorted.length - shown.length
  const more = hidden > 0 ? style.dim(`... and ${plural(hidden, 'topic')} more (--all)\n`) : ''
  return [
    `${head}\n${table}${more}`,
    untoldLine(link, style),
    groupLines(link, style),
    strandedLine(link, style),
    troubles(link, style),
    alertLines(link, app.clock.now(), style),
    warnings(link, style),
    losses(link, style),
    rightsLines(link, style),
    leftAlone(link, style),
  ].join('')
}

function objectiveLine(link: LinkStanding, style: Style): string {
  const sentence = objectiveSentence(link)
  if (sentence === undefined) return ''
  switch (link.rpoObjectiveState) {
    case 'missed':
      return `${style.red('✗')} ${sentence}\n`
    case 'unknown':
      return `${style.yellow('!')} ${sentence}\n`
    default:
      return style.dim(`${sentence}\n`)
  }
}

function historyLine(link: LinkStanding, style: Style): string {
  const sentence = historySentence(link)
  return sentence === undefined ? '' : style.dim(`${sentence}\n`)
}

/** Of a link that waits since a failover. */
function strandedLine({ stranded }: LinkStatus, style: Style): string {
  if (stranded === undefined) return ''
  return `\n${stranded.offsets > 0 ? style.yellow('!') : '·'} stranded: ${strandedWords(stranded)}\n`
}

function behind({ lagRecords, rpoMs, sourceSeenAt }: LinkStatus): string {
  if (lagRecords === null || rpoMs === null) return 'how far behind is not known'
  const seen = sourceSeenAt === null ? 'source never seen' : `RPO now ${formatDuration(rpoMs)}`
  return `${plural(lagRecords, 'record')} behind, ${seen}`
}

function untoldLine({ unreported = [] }: LinkStatus, style: Style): string {
  if (unreported.length === 0) return ''
  const names = unreported.slice(0, GROUPS_SHOWN).map(name => `"${name}"`)
  const more = unreported.length > GROUPS_SHOWN ? ` and ${unreported.length - GROUPS_SHOWN} more` : ''
  return `\n${style.yellow('!')} no worker has told anything yet of ${names.join(', ')}${more}: how far behind is not known\n`
}

/** Of each reason. */
const GROUPS_SHOWN = 3

/** How many follow, and of each reason why others do not, the first few. */
function groupLines({ groups }: LinkStatus, style: Style): string {
  if (groups.length === 0) return ''
  const synced = groups.filter(({ state }) => state === 'synced')
  const oldest = Math.max(0, ...synced.map(({ ageMs }) => ageMs))
  const age = synced.length === 0 ? '' : `, as of ${formatDuration(oldest)} ago`
  const head = `\n${plural(groups.length, 'group')}: ${synced.length} in step${age}\n`
  const others = Map.groupBy(
    groups.filter(({ state }) => state !== 'synced'),
    ({ state, reason }) => `${state}, ${reason ?? 'no reason'}`,
  )
  const lines = [...others].map(([why, same]) => {
    const shown = same.slice(0, GROUPS_SHOWN).map(({ group }) => `"${group}"`)
    const more = same.length > GROUPS_SHOWN ? ` and ${same.length - GROUPS_SHOWN} more` : ''
    const [first] = same
    const isQuiet = QUIET_GROUPS.includes(first?.reason)
    const what = same.length === 1 ? (first?.sentence ?? '') : `${shown.join(', ')}${more}`
    return isQuiet ? style.dim(`  ${why}: ${what}\n`) : `${style.yellow('!')} ${why}: ${what}\n`
  })
  return `${head}${lines.join('')}`
}

/** The first of each kind of a topic, and how many partitions of it are meant. */
function warnings(link: LinkStatus, style: Style): string {
  const groups = Map.groupBy(link.warnings, ({ kind, topic }) => `${kind}/${topic}`)
  const lines = [...groups.values()].flatMap(group => {
    const [first] = group
    if (first === undefined) return []
    const more = group.length > 1 ? ` (and ${plural(group.length - 1, 'more partition')} of the topic)` : ''
    return `${style.yellow('!')} ${first.kind}: ${first.sentence}${more}\n`
  })
  return lines.length === 0 ? '' : `\n${lines.join('')}`
}

/** One line per distinct sentence: a topic that stops as a whole says so once. */
function troubles(link: LinkStatus, style: Style): string {
  const sentences = new Set<string>()
  for (const { partitions } of link.topics) {
    for (const { reason, sentence } of partitions)
      if (reason !== undefined && sentence !== undefined) sentences.add(`${reason}: ${sentence}`)
  }
  return sentences.size === 0
    ? ''
    : `\n${[...sentences].map(sentence => `${style.red('✗')} ${sentence}\n`).join('')}`
}

/** Nobody should forget it; it is no trouble any more. */
function losses({ topics, name }: LinkStatus, style: Style): string {
  const lost = topics.flatMap(topic => topic.partitions).filter(({ lostRanges = 0 }) => lostRanges > 0)
  if (lost.length === 0) return ''
  const offsets = lost.reduce((total, { offsets: counts }) => total + (counts?.lost ?? 0), 0)
  return style.dim(
    `\nthe ledger: ${plural(offsets, 'offset')} of ${plural(lost.length, 'partition')} lost and accepted; which: kdr verify ${name}\n`,
  )
}

function leftAlone({ forgotten }: LinkStatus, style: Style): string {
  const names = forgotten.map(({ topic }) => `"${topic}"`).join(', ')
  return names === '' ? '' : style.dim(`\nleft alone (kdr link forget): ${names}\n`)
}

function sum(topic: TopicStatus, of: 'lagRecords'): number {
  return topic.partitions.reduce((total, partition) => total + partition[of], 0)
}

function gravity(topic: TopicStatus): number {
  const state = { faulted: 3, waiting: 2, seeding: 1, paused: 1, mirroring: 0, promoted: 0 }[topic.state]
  return state * 1e15 + sum(topic, 'lagRecords')
}
