// kdr backup verify: whether a set would restore, and what it would cost where it would not.
import type { Command } from 'commander'
import type { PartitionVerdict } from '../../engine/verify/verify.ts'
import { KdrError } from '../../model/errors.ts'
import { parseSetPoint } from '../../model/vault.ts'
import { type App, type GlobalOptions, writeJson } from '../app.ts'
import type { SourceCheck, VaultCheck } from '../app-vault.ts'
import { formatBytes, plural } from '../format.ts'
import { lockJson, lockText } from './lock-text.ts'
import { startProgress } from '../progress.ts'
import { type Style, styleOf } from '../table.ts'
import { readPercent } from '../verify.ts'

type VerifyFlags = GlobalOptions & {
  readonly full?: boolean
  readonly sample?: string
  readonly seed?: string
  readonly against?: string
}

const SHOWN = 30
const SEEDS = 1_000_000_000

export function registerBackupVerify(backup: Command, app: App): void {
  backup
    .command('verify')
    .argument('<set[@point]>', 'a set, and a commit, `latest` or a time')
    .description(
      'Checks the chain of commits, and that every object is there with its size; with --full every byte, checksum and index. Each problem says what could not be restored. Exit 3 when something is wrong.',
    )
    .option('--full', 'read everything; what passes is recorded in the vault, and lets `prune` go on')
    .option('--sample <percent>', 'read this share of the objects in full, chosen at random')
    .option('--seed <number>', 'with --sample: the choice of an earlier verification once more')
    .option('--against <what>', '`source`: also compare with what the source still holds, record by record')
    .action(
      async (of: string, _options: unknown, command: Command) =>
        await verify(app, of, command.optsWithGlobals()),
    )
}

async function verify(app: App, of: string, options: VerifyFlags): Promise<void> {
  const { set: name, point } = parseSetPoint(of)
  const sample = readSample(app, options)
  if (options.against !== undefined && options.against !== 'source')
    throw new KdrError('usage', `there is no "${options.against}" to verify against`, {
      hint: 'Write `--against source`.',
    })
  const config = await app.loadConfig(options.config)
  const isFull = options.full === true
  const { signal } = app
  const progress = startProgress(app)
  const { check, source } = await app.services
    .withSet(config, name, async set => ({
      check: await set.verify(point, {
        isFull,
        sample,
        signal,
        onProgress: ({ objects, objectsDone }) =>
          progress.update(`verifying: ${objectsDone} of ${plural(objects, 'object')}`),
      }),
      source:
        options.against === undefined
          ? undefined
          : await set.compare(point, {
              signal,
              onProgress: ({ partitions, partitionsDone }) =>
                progress.update(
                  `comparing with the source: ${partitionsDone} of ${plural(partitions, 'partition')}`,
                ),
            }),
    }))
    .finally(() => progress.clear())
  const { number, objects, bytes, read, problems, recorded, lock } = check
  const identical = source?.partitions.every(each => each.identical) ?? true
  const ok = problems.length === 0 && identical
  app.exit = ok ? 0 : 3
  if (options.json === true)
    return writeJson(app, {
      set: name,
      commit: number,
      ok,
      full: isFull,
      ...(sample !== undefined && { sample }),
      objects,
      objectsRead: read,
      bytes,
      problems,
      ...(recorded !== undefined && { recorded }),
      ...lockJson(lock),
      ...(source !== undefined && { source: { identical, ...source } }),
    })
  const style = styleOf(app.stdout, app.env)
  app.stdout.write(
    [
      problemsText(problems, style),
      source === undefined ? '' : sourceText(source, style),
      verdictText(name, check, { isFull, sample, style }),
      lockText(lock, style),
    ].join(''),
  )
}

function readSample(
  app: App,
  { full, sample, seed }: VerifyFlags,
): { readonly percent: number; readonly seed: number } | undefined {
  const percent = readPercent(sample)
  if (percent === undefined) {
    if (seed === undefined) return undefined
    throw new KdrError('usage', '`--seed` chooses objects of a sample', { hint: 'Add `--sample PERCENT`.' })
  }
  if (full === true)
    throw new KdrError('usage', '`--full` reads everything, `--sample` a share of it', {
      hint: 'Leave one of them out.',
    })
  if (seed !== undefined && !/^\d{1,9}$/.test(seed))
    throw new KdrError('usage', `"${seed}" is no seed`, { hint: 'Write a whole number.' })
  return { percent, seed: seed === undefined ? app.clock.now() % SEEDS : Number(seed) }
}

function problemsText(problems: VaultCheck['problems'], style: Style): string {
  const lines = problems.slice(0, SHOWN).map(({ object, what }) => `${style.red('✗')} ${object}: ${what}\n`)
  const more = problems.length - lines.length
  return lines.join('') + (more > 0 ? style.dim(`... and ${more} more (--json has all)\n`) : '')
}

function sourceText({ partitions, skipped }: SourceCheck, style: Style): string {
  const records = partitions.reduce((sum, each) => sum + each.records, 0)
  const different = partitions.filter(({ identical }) => !identical)
  const lines = different.slice(0, SHOWN).map(each => `${style.red('✗')} ${differenceText(each)}\n`)
  const verdict =
    different.length === 0
      ? style.green('equals what the source still holds')
      : style.red(`differs from the source in ${plural(different.length, 'partition')}`)
  return [
    ...skipped
      .slice(0, SHOWN)
      .map(({ topic, what }) => `${style.yellow('!')} "${topic}" is not compared: ${what}\n`),
    ...lines,
    `${verdict}: ${plural(records, 'record')} of ${plural(partitions.length, 'partition')}; what one side has not any more is explained by retention or compaction\n`,
  ].join('')
}

function differenceText({
  topic,
  partition,
  unexplained,
  different,
  firstDifference: first,
}: PartitionVerdict): string {
  const at = first === undefined ? '' : ` at offset ${first.offset}: ${first.what}`
  const counts = different + unexplained > 1 ? ` (${plural(different + unexplained, 'record')} in all)` : ''
  return `"${topic}" partition ${partition} differs${at}${counts}`
}

function verdictText(
  name: string,
  { number, objects, read, bytes, problems, recorded }: VaultCheck,
  {
    isFull,
    sample,
    style,
  }: {
    readonly isFull: boolean
    readonly sample: { readonly percent: number; readonly seed: number } | undefined
    readonly style: Style
  },
): string {
  const looked = isFull
    ? 'every byte read'
    : sample === undefined
      ? 'names and sizes; --full reads every byte'
      : `${plural(read, 'object')} read in full: --sample ${sample.percent} --seed ${sample.seed}; names and sizes of the others`
  const all = `${plural(objects, 'object')}, ${formatBytes(bytes)} (${looked})`
  if (problems.length > 0)
    return `${style.red(`${name} is damaged`)}: ${plural(problems.length, 'problem')} in ${all}\n`
  const note = recorded === false ? style.dim('not recorded: kdr may not write to the vault\n') : ''
  return `${style.green(`${name} is whole up to commit ${number}`)}: ${all}\n${note}`
}
