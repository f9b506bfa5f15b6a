// kdr doctor: what somebody who is to help needs to know, in one file, without secrets.
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Command } from 'commander'
import { KdrError } from '../../model/errors.ts'
import { type App, type GlobalOptions, writeJson } from '../app.ts'
import type { Bundle } from './bundle.ts'
import { tar } from './tar.ts'

type DoctorOptions = GlobalOptions & { readonly out?: string }

export function registerDoctor(program: Command, app: App): void {
  program
    .command('doctor')
    .summary('a bundle for support: config, versions, states, last errors; no secrets')
    .description(
      'Writes what somebody who is to help needs to know: the config without secrets and commands, versions, where links and sets stand, journals, what is wrong, how long each look took. Changes nothing, and works while clusters are dark. Names of topics, groups, users and addresses are in it: look through it before you send it.',
    )
    .helpGroup('Start')
    .option('--out <path>', 'a file (.tgz) or a folder; default kdr-doctor-TIME.tgz')
    .action(async (_options: unknown, command: Command) => await doctor(app, command.optsWithGlobals()))
}

async function doctor(app: App, options: DoctorOptions): Promise<void> {
  const time = new Date(app.clock.now()).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')
  const out = options.out ?? `kdr-doctor-${time}.tgz`
  if (existsSync(out))
    throw new KdrError('usage', `"${out}" exists already`, { hint: 'Name another one with `--out`.' })
  const { gatherBundle } = await import('./bundle.ts')
  const bundle = await gatherBundle(app, options.config)
  await write(out, bundle, app.clock.now())
  const files = bundle.entries.map(({ name }) => basename(name))
  if (options.json === true) return writeJson(app, { out, files, failures: bundle.failures })
  for (const failure of bundle.failures) app.stderr.write(`not looked at: ${failure.split('\n')[0] ?? ''}\n`)
  app.stdout.write(
    `${out}: ${files.join(', ')}\nLook through it before you send it: names and addresses are in it.\n`,
  )
}

/** Readable by whoever has made it alone. Throws KdrError('usage') where it cannot be written. */
async function write(out: string, { entries }: Bundle, at: number): Promise<void> {
  try {
    if (/\.(tgz|tar\.gz)$/.test(out)) return await writeFile(out, gzipSync(tar(entries, at)), { mode: 0o600 })
    await mkdir(out, { recursive: true, mode: 0o700 })
    for (const { name, text } of entries) await writeFile(join(out, basename(name)), text, { mode: 0o600 })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new KdrError('usage', `the bundle cannot be written: ${why}`, {
      hint: 'Name another place with `--out`.',
      cause,
    })
  }
}
