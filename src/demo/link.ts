// The link of the demo is the product itself: `kdr run` as a process of its own, with a config that one could write.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { KdrError } from '../model/errors.ts'
import type { RunReport } from '../model/runs.ts'

/** What the export of a failback says of itself: of its manifest, what is looked at here. */
export type Manifest = {
  readonly records: number
  readonly partitions: readonly {
    readonly topic: string
    readonly partition: number
    readonly records: number
    readonly objects: readonly unknown[]
  }[]
}

export interface Link {
  /** Throws KdrError('not-ready') with the end of kdr's log when kdr has ended by itself. */
  assertRuns(): void
  /** `kdr failover`, as a person would type it. Throws KdrError('not-ready') with what it said when it does not end well. */
  failOver(): Promise<RunReport>
  /** `kdr failback --dry-run`: what the cluster that has come back has, and nobody else. */
  planFailback(): Promise<RunReport>
  /** `kdr failback`, with all that diverged exported to a folder and copied anew. */
  failBack(): Promise<{ readonly run: RunReport; readonly manifest: Manifest }>
  /** `kdr runs show`. */
  show(run: string): Promise<RunReport>
  /** The end of its log. */
  lastWords(): string
  /** SIGTERM; resolves when it is gone. */
  stop(): Promise<void>
  /** At once, for a process that ends itself. */
  kill(): void
}

export type LinkOptions = {
  /** Config and log are written here. */
  readonly dir: string
  readonly source: { readonly name: string; readonly bootstrap: string }
  readonly target: { readonly name: string; readonly bootstrap: string }
  readonly topics: readonly string[]
}

const STOP_TIMEOUT_MS = 12_000
const MAIN = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../main.ts' : '../main.js', import.meta.url),
)

export function runLink(options: LinkOptions): Link {
  const { dir } = options
  const config = join(dir, 'kdr.yaml')
  writeFileSync(config, configText(options))
  const logFile = join(dir, 'kdr.txt')
  const log = openSync(logFile, 'a')
  // Detached: Ctrl-C in the terminal is for the demo, which ends this in its own time.
  const child = spawn(process.execPath, [MAIN, 'run', '--log-format', 'text', '--config', config], {
    cwd: dir,
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const name = `${options.source.name}-${options.target.name}`
  const kdr = async (...args: string[]): Promise<RunReport> =>
    await runKdr([...args, '--config', config, '--json'], dir)
  let isStopping = false
  const gone = new Promise<void>(resolve => {
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  })
  const lastWords = () => readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-8).join('\n')
  return {
    lastWords,
    failOver: async () => await kdr('failover', name, '--yes', '--reason', 'the demo has killed it'),
    planFailback: async () => await kdr('failback', name, '--dry-run'),
    async failBack() {
      const to = join(dir, 'stranded')
      const run = await kdr('failback', name, '--export', to, '--recopy', '*', '--yes')
      return { run, manifest: readManifest(join(to, run.run)) }
    },
    show: async run => await kdr('runs', 'show', run),
    assertRuns() {
      if (isRunning(child) || isStopping) return
      const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-8)
      throw new KdrError(
        'not-ready',
        `\`kdr run\` has ended in the middle of the demo:\n${lines.join('\n')}`,
        {
          hint: 'This should not happen; please report what it says above.',
        },
      )
    },
    async stop() {
      isStopping = true
      if (!isRunning(child)) return
      child.kill('SIGTERM')
      const patience = new AbortController()
      await Promise.race([
        gone.then(() => patience.abort()),
        sleep(STOP_TIMEOUT_MS, undefined, { signal: patience.signal }).catch(() => {}),
      ])
      if (isRunning(child)) child.kill('SIGKILL')
      await gone
    },
    kill() {
      isStopping = true
      if (isRunning(child)) child.kill('SIGKILL')
    },
  }
}

/** A command of kdr with --json. */
async function runKdr(args: readonly string[], dir: string): Promise<RunReport> {
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
  const texts = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text: string) => (texts[stream] += text))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code === 0) return JSON.parse(texts.stdout) as RunReport
  throw new KdrError(
    'not-ready',
    `\`kdr ${args[0] ?? ''}\` has ended with ${String(code)}:\n${texts.stderr.trimEnd()}`,
    {
      hint: 'This should not happen; please report what it says above.',
    },
  )
}

/** Nothing is exported where the cluster that came back has nothing of its own. */
function readManifest(dir: string): Manifest {
  const file = join(dir, 'manifest.json')
  return existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as Manifest)
    : { records: 0, partitions: [] }
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null
}

function configText({ source, target, topics }: LinkOptions): string {
  return [
    'clusters:',
    `  ${source.name}: { bootstrap: "${source.bootstrap}" }`,
    `  ${target.name}: { bootstrap: "${target.bootstrap}" }`,
    'links:',
    `  ${source.name}-${target.name}:`,
    `    source: ${source.name}`,
    `    target: ${target.name}`,
    `    topics: [${topics.join(', ')}]`,
    '    sync: { groups: 1s }',
    // The producers of the demo have ended by themselves: with yours this is what stops them.
    '    fence: { acl: false, command: "true" }',
    '',
  ].join('\n')
}
