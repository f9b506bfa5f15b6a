// kdr link hand-over: topics of a link become another one's, so that they can be moved by themselves; shows which, and asks.
import type { LinkConfig } from '../../config/index.ts'
import { type App, writeJson } from '../app.ts'
import { approve } from '../approve.ts'
import { plural } from '../format.ts'
import { startProgress } from '../progress.ts'
import type { Changing } from './link.ts'

const SHOWN = 30

export async function handOverTopics(
  app: App,
  { name, other }: { readonly name: string; readonly other: string },
  options: Changing,
): Promise<void> {
  const config = await app.loadConfig(options.config)
  const [from, to] = app.services.chooseLinks(config, [name, other]) as [LinkConfig, LinkConfig]
  const { reason, json: isJson = false, dryRun: isDry = false } = options
  await app.services.withHandOver(config, { from, to }, { reason }, async opened => {
    const { topics, isUnfinished, target } = opened
    const change = isUnfinished
      ? `what was begun goes on: topics of link "${name}" become topics of link "${other}"`
      : `${plural(topics.length, 'topic')} of link "${name}" become topics of link "${other}", as they stand on "${target}"`
    const names = topics.slice(0, SHOWN).map(topic => `  ${topic}\n`)
    const hidden = topics.length - SHOWN
    const more = hidden > 0 ? `  ... and ${hidden} more (--json has all)\n` : ''
    ;(isJson ? app.stderr : app.stdout).write(`${change}\n${names.join('')}${more}`)
    if (!isDry) {
      await approve(app, { yes: options.yes === true, name: other, change })
      const progress = startProgress(app)
      await opened
        .execute(what => progress.update(what))
        .finally(() => {
          progress.clear()
        })
    }
    if (isJson) writeJson(app, { link: name, to: other, topics, dryRun: isDry })
    else
      app.stdout.write(
        isDry
          ? 'dry run: nothing was changed\n'
          : `link "${other}" goes on with them where they end; a \`kdr run\` that has read the config before needs SIGHUP\n`,
      )
  })
}
