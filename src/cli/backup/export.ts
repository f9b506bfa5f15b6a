// kdr backup export: a point of a set as plain Kafka log segments.
import type { Command } from 'commander'
import { parseSetPoint, spellPoint } from '../../model/vault.ts'
import { type App, type GlobalOptions, writeJson } from '../app.ts'
import { formatBytes, formatDuration, plural } from '../format.ts'
import { startProgress } from '../progress.ts'
import { styleOf } from '../table.ts'

export function registerExport(backup: Command, app: App): void {
  backup
    .command('export')
    .argument('<set[@point]>', 'a set, and a commit, `latest` or a time')
    .argument('<dir>', 'a folder that is empty, or is not there yet')
    .description(
      'Writes plain Kafka log segments, `DIR/TOPIC-PARTITION/OFFSET.log`, which kafka-dump-log reads; whatever the vault has packed or compressed.',
    )
    .action(
      async (of: string, dir: string, _options: unknown, command: Command) =>
        await exportPoint(app, { of, dir, options: command.optsWithGlobals() }),
    )
}

type Asked = { readonly of: string; readonly dir: string; readonly options: GlobalOptions }

async function exportPoint(app: App, { of, dir, options }: Asked): Promise<void> {
  const { set: name, point } = parseSetPoint(of)
  const config = await app.loadConfig(options.config)
  const { signal } = app
  const startedAt = app.clock.monotonic()
  const progress = startProgress(app)
  const { number, ...written } = await app.services
    .withSet(
      config,
      name,
      async set =>
        await set.export(point, dir, {
          signal,
          onProgress: ({ partitions, partitionsDone, bytes }) =>
            progress.update(
              `exporting: ${partitionsDone} of ${plural(partitions, 'partition')}, ${formatBytes(bytes)}`,
            ),
        }),
    )
    .finally(() => progress.clear())
  const ms = Math.round(app.clock.monotonic() - startedAt)
  if (options.json === true)
    return writeJson(app, { set: name, commit: number, point: spellPoint(point), dir, ...written, ms })
  const { partitions, files, records, bytes } = written
  const style = styleOf(app.stdout, app.env)
  app.stdout.write(
    `${style.green(`exported ${of} to ${dir}`)}: ${plural(records, 'record')} of ${plural(partitions, 'partition')} in ${plural(files, 'file')}, ${formatBytes(bytes)}, ${formatDuration(ms)}\n`,
  )
}
