// kdr link log: who did what to a link, when and why.

import type { LinkConfig } from '../../config/index.ts'
import type { JournalEntry } from '../../model/journal.ts'
import { type App, type GlobalOptions, writeJson } from '../app.ts'
import { formatTable, styleOf } from '../table.ts'

/** Entries that a screen holds; --json has all that are kept. */
const SHOWN = 50

export async function showLog(app: App, name: string, options: GlobalOptions): Promise<void> {
  const config = await app.loadConfig(options.config)
  const [link] = app.services.chooseLinks(config, [name]) as [LinkConfig]
  const entries = await app.services.withMemory(config, link, memory => Promise.resolve(memory.journal()))
  if (options.json === true) {
    writeJson(app, { link: name, entries: entries.map(entryObject) })
    return
  }
  if (entries.length === 0) app.stdout.write('nothing was done to this link by command or policy\n')
  else app.stdout.write(render(entries.slice(0, SHOWN), app))
}

/** Of --json. */
export function entryObject({ at, doneAt, ...entry }: JournalEntry): Record<string, unknown> {
  const { id, by, verb, topic, partition, reason, what, state, outcome } = entry
  return {
    id,
    at: new Date(at).toISOString(),
    by,
    verb,
    topic,
    partition,
    reason,
    what,
    state,
    ...(doneAt !== undefined && { doneAt: new Date(doneAt).toISOString() }),
    outcome,
  }
}

function render(entries: readonly JournalEntry[], app: App): string {
  const style = styleOf(app.stdout, app.env)
  const rows = entries.map(({ at, by, verb, state, what, reason, outcome }) => [
    new Date(at).toISOString().slice(0, 19),
    by,
    verb,
    state === 'done' ? style.green(state) : state === 'refused' ? style.red(state) : style.yellow(state),
    [outcome ?? what, ...(reason === undefined ? [] : [`(${reason})`])].join(' '),
  ])
  const columns = ['AT (UTC)', 'BY', 'VERB', 'STATE', 'WHAT'].map(title => ({ title }))
  return formatTable(columns, rows, style)
}
