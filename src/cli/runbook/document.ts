// A runbook as data: what a tired person does at three in the morning, in the order in which it is done, with what the screen says
// and how long that takes. Pure; printed as Markdown or as a page by runbook-print.ts.
import { POINT_OF_NO_RETURN, STEPS, stepsOf } from '../../model/runs.ts'
import { formatDuration, plural } from '../format.ts'
import { gateWords } from '../move/plan-text.ts'
import { type LinkFacts, markOf, type RunbookFacts, type RunbookMark } from './facts.ts'
import { AFTER, BEFORE, EXITS, STEP_WORDS, STOP_IF } from './words.ts'
import { titleOf } from '../move/run-words.ts'

export type Block =
  /** `x` in backquotes is a command or a name. */
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'list'; readonly items: readonly string[] }
  /** Boxes to tick. */
  | { readonly kind: 'checks'; readonly items: readonly string[] }
  | {
      readonly kind: 'command'
      readonly command: string
      readonly says: readonly string[]
      readonly takes: string
    }
  | {
      readonly kind: 'table'
      readonly head: readonly string[]
      readonly rows: readonly (readonly string[])[]
    }

export type Section = { readonly title: string; readonly blocks: readonly Block[] }
export type Runbook = {
  readonly title: string
  readonly mark: RunbookMark
  readonly sections: readonly Section[]
}

export const NOT_KNOWN = 'not known'

export function runbookOf(facts: RunbookFacts): Runbook {
  const { kind, name, plan } = facts
  const sections = [
    about(facts),
    standing(facts),
    decide(facts),
    prepare(facts),
    move(facts),
    goingWrong(facts),
    giveUp(facts),
    after(facts),
  ]
  return {
    title: `Runbook: ${kind} of ${plan === undefined ? 'link' : 'plan'} ${name}`,
    mark: markOf(facts),
    sections: sections.map((section, index) => ({ ...section, title: `${index + 1}. ${section.title}` })),
  }
}

function about({ links, plan, kind, config, name }: RunbookFacts): Section {
  const rows = links.map(({ link, active, standby }) => [
    link.name,
    `${active} → ${standby}`,
    (plan?.topics[link.name] ?? link.topics).join(' '),
    addressOf(config, standby),
  ])
  const gates =
    plan === undefined ? [] : plan.gates.map(gate => `before \`${gate.before}\`: ${gateWords(gate)}`)
  const order =
    plan === undefined
      ? []
      : [
          text(
            `Order: ${plan.stages.map(stage => stage.map(each => `\`${each}\``).join(' beside ')).join(', then ')}.`,
          ),
        ]
  return {
    title: 'What this is',
    blocks: [
      text(`${WHAT[kind]} One command does it: \`kdr ${kind} ${name}\`. Read on before you type it.`),
      { kind: 'table', head: ['link', 'applications move', 'topics', 'they then find Kafka at'], rows },
      ...order,
      ...(gates.length === 0 ? [] : [text('Between links it waits for:'), list(gates)]),
      ...objectivesOf(plan),
    ],
  }
}

const WHAT = {
  switchover: 'Both sides are well, and applications move to the standby. Nothing is lost.',
  failover:
    'The active side is lost, and the standby becomes active with what it has. What it lacks is lost, and is named.',
  failback:
    'Applications return to where the config says. What the side that was lost has alone is exported first.',
} as const

function objectivesOf(plan: RunbookFacts['plan']): Block[] {
  const { rpoMs, rtoMs } = plan?.objectives ?? {}
  const parts = [
    rpoMs === undefined ? '' : `at most ${formatDuration(rpoMs)} of records lost (RPO)`,
    rtoMs === undefined ? '' : `applications write again within ${formatDuration(rtoMs)} (RTO)`,
  ].filter(part => part !== '')
  return parts.length === 0 ? [] : [text(`What it should achieve: ${parts.join('; ')}.`)]
}

function standing({ links, at }: RunbookFacts): Section {
  const rows = links.map(({ link, live, unknown = '', last }) => [
    link.name,
    live?.state ?? `${NOT_KNOWN}: ${unknown}`,
    last === undefined
      ? NOT_KNOWN
      : `${formatDuration(last.rto.ms)} (run ${last.run}, ${last.startedAt.slice(0, 10)})`,
    last === undefined ? NOT_KNOWN : `${last.rpo.records} records (${last.rpo.basis})`,
  ])
  return {
    title: 'Where it stood when this was written',
    blocks: [
      text(
        `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC. The commands below say how it is now.`,
      ),
      { kind: 'table', head: ['link', 'state', 'last time it took', 'last time was lost'], rows },
    ],
  }
}

function decide(facts: RunbookFacts): Section {
  const { plan, kind, name } = facts
  const who =
    plan?.decides ??
    `______________________________ (${plan === undefined ? 'make a plan of it and' : ''} write it into the config: \`plans.${plan?.name ?? 'NAME'}.decides\`)`
  return {
    title: 'Who decides',
    blocks: [
      text(`Decides: ${who}`),
      text('Carries it out: ______________________________   Started at: ____________ UTC'),
      text(`Do not begin, or ask whoever decides, if:`),
      list(STOP_IF[kind].map(each => each.replaceAll('NAME', name))),
    ],
  }
}

function prepare(facts: RunbookFacts): Section {
  const { kind, name, links, config } = facts
  const [{ active, standby } = { active: '', standby: '' }] = links
  const dark = kind === 'failover' ? ', which does not answer,' : ''
  const heading =
    facts.plan === undefined
      ? `${kind} of link "${name}": applications move from "${active}"${dark} to "${standby}"`
      : `${kind} of plan "${name}": ${plural(links.length, 'link')}`
  return {
    title: 'Before',
    blocks: [
      { kind: 'checks', items: BEFORE },
      command(facts, 'config check', [`ok: ${config.path} has ...`], 'a second'),
      command(
        facts,
        `status ${links.map(({ link }) => `--link ${link.name}`).join(' ')}`,
        kind === 'failover'
          ? links.flatMap(each => [statusLine(each, '...'), 'the source does not answer: ...'])
          : links.map(each => statusLine(each, 'mirroring')),
        'a few seconds',
      ),
      command(
        facts,
        `${kind} ${name} --dry-run`,
        [heading, '(never "it must not begin:")', 'dry run: nothing was changed'],
        kind === 'failover' ? 'up to 10 s while a cluster keeps silent' : 'a few seconds',
      ),
      text(
        'Read what it says may be lost, what groups may see again, and which producers have to be restarted.',
      ),
    ],
  }
}

function move(facts: RunbookFacts): Section {
  const { kind, name, links, plan } = facts
  const losing = [...new Set(links.map(({ active }) => active))].join(' ')
  const done =
    plan === undefined
      ? `${kind} of "${name}": done, "${links[0]?.standby ?? ''}" is active`
      : `${kind} of plan "${name}": done, ${links.length} of ${plural(links.length, 'link')} moved`
  // Those of a link that waits since a failover come first.
  const all = kind === 'failback' ? stepsOf({ after: '' }) : STEPS
  const steps = all.map(step => [
    titleOf(step),
    STEP_WORDS[step] ?? '',
    ...links.map(({ last }) => tookWords(last?.steps.find(each => each.name === step))),
  ])
  return {
    title: 'The move',
    blocks: [
      command(
        facts,
        `${kind} ${name} --reason "..."`,
        [`... Type "${losing}" to go on:`, done],
        expectedWords(facts),
      ),
      text(
        `Type \`${losing}\`: ${links.length === 1 ? 'the cluster that loses its writers' : 'the clusters that lose their writers'}. Keep the window open. If it closes, the run stands in the journal: see 6.`,
      ),
      {
        kind: 'table',
        head: ['step', 'what happens', ...links.map(({ link }) => `took (${link.name})`)],
        rows: steps,
      },
      ...(plan === undefined || plan.gates.length === 0
        ? []
        : [
            text(
              'At a gate that asks, type `yes` only when it is so. Without a terminal the run stops there, and resuming it says yes.',
            ),
          ]),
    ],
  }
}

const tookWords = (step: { readonly ms: number; readonly state: string } | undefined): string =>
  step === undefined || step.state === 'waiting'
    ? NOT_KNOWN
    : step.state === 'skipped'
      ? 'passed by'
      : formatDuration(step.ms)

/** As kdr itself expects it; else as long as the last of its kind took. */
function expectedWords({ links }: RunbookFacts): string {
  const each = links.map(({ link, live, last }) => {
    const { expected } = live?.plan ?? {}
    if (expected !== undefined)
      return `${link.name}: about ${formatDuration(expected.ms)}${expected.basis === 'lab' ? ', as in the lab' : ''}`
    return `${link.name}: ${last === undefined ? NOT_KNOWN : `about ${formatDuration(last.rto.ms)}, as the last time`}`
  })
  return `until applications can write again: ${each.join('; ')}`
}

function goingWrong(facts: RunbookFacts): Section {
  const { kind, name } = facts
  return {
    title: 'When it stops',
    blocks: [
      text(
        'It always says why, and what goes on. Nothing is lost by going on: a step that was done is not done again.',
      ),
      command(facts, 'runs list', ['the run, `stopped`, and why'], 'a second'),
      command(
        facts,
        `${kind} ${name} --resume RUN`,
        ['the steps that are done, then the rest'],
        'what is left of it',
      ),
      {
        kind: 'table',
        head: ['exit code', 'what it means', 'what you do'],
        rows: EXITS.map(([code, meaning, act]) => [
          String(code),
          meaning,
          act.replaceAll('KIND', kind).replaceAll('NAME', name),
        ]),
      },
    ],
  }
}

function giveUp(facts: RunbookFacts): Section {
  const { kind, links, name } = facts
  const step = titleOf(POINT_OF_NO_RETURN)
  const late =
    kind === 'failover'
      ? `From "${step}" on a failover only goes forward.`
      : `From there until "${titleOf('promote')}" kdr levels out the markers of the fence, where it may ALTER the cluster at the old active; after that it only goes forward (exit 17).`
  return {
    title: 'How to give it up',
    blocks: [
      text(
        `Free until the step "${step}": applications stay where they are, and what kept them out is taken away. ${late}`,
      ),
      command(
        facts,
        'runs abort RUN',
        [`given up, "${links[0]?.active ?? ''}" stays active`],
        'a few seconds',
      ),
      ...(facts.plan === undefined
        ? []
        : [
            text(
              `Of a plan: give up the run of the link that is under way first, then that of the plan. Links that were moved stay moved: the way back is \`kdr ${kind === 'switchover' ? 'switchover LINK' : 'failback LINK'}\` for each, or \`kdr ${kind === 'switchover' ? 'switchover' : 'failback'} ${name}\` once all are moved.`,
            ),
          ]),
    ],
  }
}

function after(facts: RunbookFacts): Section {
  const { kind, links, name } = facts
  const states = links.map(({ link, standby, active }) =>
    statusLine({ link, active: standby, standby: active }, kind === 'failover' ? 'promoted' : 'mirroring'),
  )
  return {
    title: 'After',
    blocks: [
      command(
        facts,
        `status ${links.map(({ link }) => `--link ${link.name}`).join(' ')}`,
        states,
        'a few seconds',
      ),
      ...(kind === 'failover'
        ? []
        : links.map(({ link }) =>
            command(
              facts,
              `verify ${link.name} --since 1h`,
              [`${link.name} is identical`],
              'depends on how much there is',
            ),
          )),
      command(
        facts,
        'runs show RUN --format html > report.html',
        ['nothing: report.html is the page to keep and to send'],
        'a second',
      ),
      { kind: 'checks', items: AFTER[kind].map(each => each.replaceAll('NAME', name)) },
      text(`Then write this runbook anew: \`kdr runbook ${name}${configOption(facts)}\`.`),
    ],
  }
}

/** As `kdr status` begins. */
const statusLine = (
  { link, active, standby }: Pick<LinkFacts, 'link' | 'active' | 'standby'>,
  state: string,
): string => `${link.name}  ${active} → ${standby}  ${state}  ...`

function addressOf(config: RunbookFacts['config'], cluster: string): string {
  return config.clusters[cluster]?.bootstrap.join(',') ?? ''
}

const text = (sentence: string): Block => ({ kind: 'text', text: sentence })
const list = (items: readonly string[]): Block => ({ kind: 'list', items })

function command(facts: RunbookFacts, what: string, says: readonly string[], takes: string): Block {
  const [verb = '', ...rest] = what.split(' > ')
  return { kind: 'command', command: [`kdr ${verb}${configOption(facts)}`, ...rest].join(' > '), says, takes }
}

/** Where the config is not the one that kdr takes by itself. */
function configOption({ config: { path } }: RunbookFacts): string {
  if (path === 'kdr.yaml') return ''
  return ` --config ${/^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`}`
}
