// kdr link follow: the second standby copies from whoever is active by now, from where its mirrors end; it says where that cannot be.
import type { Config, LinkConfig } from '../../config/index.ts'
import type { FanOutTopic } from '../../engine/runs/plan-fan-out.ts'
import { type App, writeJson } from '../app.ts'
import { approve } from '../approve.ts'
import { plural } from '../format.ts'
import type { Changing } from './link.ts'
import { startProgress } from '../progress.ts'
import { visible } from '../move/run-words.ts'
import { formatTable, type Style, styleOf } from '../table.ts'

/** After a failover of these links: other standbys of the cluster that is lost, and how they go on. */
export function tellFollowers(
  app: App,
  config: Config,
  moved: readonly Pick<LinkConfig, 'name' | 'source' | 'target'>[],
): void {
  const names = new Set(moved.map(({ name }) => name))
  for (const { source, target } of moved)
    for (const other of Object.values(config.links)) {
      if (names.has(other.name) || other.source !== source || other.target === target) continue
      app.stderr.write(
        `link "${other.name}" has copied from "${source}" too; to let it go on from "${target}": kdr link follow ${other.name} ${target}\n`,
      )
    }
}

const SHOWN = 30

export async function followCluster(
  app: App,
  { name, cluster }: { readonly name: string; readonly cluster: string },
  options: Changing,
): Promise<void> {
  const config = await app.loadConfig(options.config)
  const [link] = app.services.chooseLinks(config, [name]) as [LinkConfig]
  await app.services.withFollow(config, link, cluster, async opened => {
    const out = options.json === true ? app.stderr : app.stdout
    const change = `link "${name}" copies from "${cluster}" instead of "${opened.source}"`
    out.write(`${change}\n\n${topicsText(opened.topics, styleOf(out, app.env))}`)
    if (options.dryRun === true) {
      if (options.json === true)
        writeJson(app, { link: name, source: cluster, topics: opened.topics, dryRun: true })
      else app.stdout.write('dry run: nothing was changed\n')
      return
    }
    await approve(app, { yes: options.yes === true, name, change })
    const progress = startProgress(app)
    const topics = await opened
      .execute(what => progress.update(what))
      .finally(() => {
        progress.clear()
      })
    const isWhole = topics.every(({ state }) => state === 'goes-on')
    if (options.json === true) writeJson(app, { link: name, source: cluster, topics, dryRun: false })
    else app.stdout.write(`\n${outcome(topics, { name, cluster })}`)
    app.exit = isWhole ? 0 : 3
  })
}

const WORDS = { 'goes-on': 'goes on', differs: 'differs', left: 'stays as it is' } as const

function topicsText(topics: readonly FanOutTopic[], style: Style): string {
  const sorted = topics.toSorted((a, b) => Number(a.state === 'goes-on') - Number(b.state === 'goes-on'))
  const rows = sorted.slice(0, SHOWN).map(({ topic, state, why }) => [topic, WORDS[state], visible(why)])
  const hidden = sorted.length - SHOWN
  const more = hidden > 0 ? `... and ${plural(hidden, 'topic')} more (--json has all)\n` : ''
  return `${formatTable([{ title: 'TOPIC' }, { title: 'STATE' }, { title: 'WHY' }], rows, style)}${more}`
}

function outcome(
  topics: readonly FanOutTopic[],
  { name, cluster }: { readonly name: string; readonly cluster: string },
): string {
  const count = (state: FanOutTopic['state']): number => topics.filter(each => each.state === state).length
  const differing = topics.filter(({ state }) => state === 'differs')
  return [
    `${plural(count('goes-on'), 'topic')} of link "${name}" go on from "${cluster}": \`kdr run\` copies from where they end\n`,
    count('left') === 0
      ? ''
      : `${plural(count('left'), 'topic')} stay as they are: "${cluster}" does not have them\n`,
    ...differing
      .slice(0, SHOWN)
      .map(
        ({ topic }) =>
          `"${topic}" differs and stops; to copy it anew: kdr link recopy ${name} --topic ${topic}\n`,
      ),
  ].join('')
}
