// The composition root: makes the real App, wires engines to commands, owns signals and the exit code. Nothing else exits.

import { createInterface } from 'node:readline/promises'
import type { App, Writer } from './cli/app.ts'
import { runCli } from './cli/run-cli.ts'
import { KdrError } from './model/errors.ts'
import { services } from './wiring/services.ts'
import { systemClock } from './wiring/system.ts'
import { kdrVersion } from './wiring/version.ts'

async function main(): Promise<void> {
  endQuietlyWhenNobodyReads()
  const exit = await runCli(process.argv.slice(2), makeApp(watchSignals()))
  // What is written to a pipe is gone if the process ends first.
  await Promise.all([flush(process.stdout), flush(process.stderr)])
  process.exit(exit)
}

function makeApp(interruption: Interruption): App {
  return {
    version: kdrVersion(),
    stdout: writerOf(process.stdout),
    stderr: writerOf(process.stderr),
    env: process.env,
    clock: systemClock,
    get signal() {
      interruption.isTaken = true
      return interruption.signal
    },
    services,
    loadConfig: async path => (await import('./config/index.ts')).loadConfig(path),
    ask,
    onKey,
    onReload: listener => process.on('SIGHUP', listener),
    exit: 0,
  }
}

type Interruption = { readonly signal: AbortSignal; isTaken: boolean }

/**
 * A command that has taken `app.signal` is asked to end, and has SIGNAL_GRACE_MS for it; any other ends at once, and so
 * does everything at the second signal.
 */
function watchSignals(): Interruption {
  const controller = new AbortController()
  const interruption = { signal: controller.signal, isTaken: false }
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted || !interruption.isTaken) process.exit(130)
      controller.abort(new KdrError('interrupted', 'interrupted', { facts: { signal: name } }))
      setTimeout(() => process.exit(130), SIGNAL_GRACE_MS).unref()
    })
  }
  return interruption
}

/** `kdr run` ends within 10 s of SIGTERM. */
const SIGNAL_GRACE_MS = 9_500

async function ask(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await terminal.question(question)
  } finally {
    terminal.close()
  }
}

/** While somebody listens, the terminal hands over each key at once, and Ctrl-C is a key like others. */
function onKey(listener: (key: string) => void): () => void {
  const { stdin } = process
  if (!stdin.isTTY) return () => {}
  const hear = (bytes: Buffer): void => listener(bytes.toString())
  stdin.setRawMode(true)
  stdin.on('data', hear)
  return () => {
    stdin.off('data', hear)
    stdin.setRawMode(false)
    stdin.pause()
  }
}

function writerOf(stream: NodeJS.WriteStream): Writer {
  return {
    write: text => void stream.write(text),
    isTerminal: stream.isTTY,
    // Asked anew each time: windows change.
    get columns() {
      return stream.isTTY ? stream.columns : undefined
    },
    get rows() {
      return stream.isTTY ? stream.rows : undefined
    },
  }
}

function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise(resolve => stream.write('', () => resolve()))
}

/** `kdr ... | head`: the reader has seen enough. */
function endQuietlyWhenNobodyReads(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0)
      throw error
    })
  }
}

/** package.json is one folder up from here, in the checkout (src/) and in the package (dist/). */
void main()
