// kdr link adopt: goes on with a topic that stands at the target, once it is verified to be the beginning of its source.

import type { AdoptedPartition } from '../../engine/verify/adopt.ts'
import type { LinkConfig } from '../../config/index.ts'
import { KdrError } from '../../model/errors.ts'
import { type App, type OpenedLink, writeJson } from '../app.ts'
import { approve } from '../approve.ts'
import { formatCount, plural } from '../format.ts'
import type { Changing } from './link.ts'
import { startProgress } from '../progress.ts'
import { formatTable, styleOf } from '../table.ts'

export async function adopt(app: App, name: string, options: Changing): Promise<void> {
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
