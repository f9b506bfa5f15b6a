// A contender's process: watched from outside while it runs, with its output in a file, and killed when this process
// ends, however that ends.

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuAt, type Sample, sampleOf } from './measure.ts'

const LOOK_EVERY_MS = 50
const STOP_TIMEOUT_MS = 60_000

export type ProgramSpec = {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  /** Besides this process's own. */
  readonly env?: Readonly<Record<string, string>>
  readonly logFile: string
  /** `once`: it ends by itself, with 0, when its work is done. `daemon`: it runs until it is stopped. */
  readonly mode: 'once' | 'daemon'
}

const running = new Set<ChildProcess>()
process.on('exit', killPrograms)

/** All that run, whoever has started them. */
export function killPrograms(): void {
  for (const child of running) child.kill('SIGKILL')
}

export class Program {
  readonly startedAtMs = Date.now()
  readonly #spec: ProgramSpec
  readonly #child: ChildProcess
  readonly #samples: Sample[] = []
  readonly #ended: Promise<void>
  #ending: string | undefined
  #isStopping = false

  constructor(spec: ProgramSpec) {
    this.#spec = spec
    const log = openSync(spec.logFile, 'a')
    this.#child = spawn(spec.command, spec.args, {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...spec.env },
    })
    closeSync(log)
    running.add(this.#child)
    const watch = setInterval(() => this.#look(), LOOK_EVERY_MS)
    this.#ended = new Promise(resolve => {
      const end = (how: string): void => {
        clearInterval(watch)
        running.delete(this.#child)
        this.#ending ??= how
        resolve()
      }
      this.#child.on('error', error => end(error.message))
      this.#child.on('exit', (code, signal) => end(signal ?? String(code)))
    })
  }

  /** Throws, with the end of its log, if it has ended otherwise than it should have. */
  check(): void {
    if (this.#ending === undefined || this.#isStopping) return
    if (this.#spec.mode === 'once' && this.#ending === '0') return
    throw new Error(`${this.#spec.name} ended with ${this.#ending}: ${tailOf(this.#spec.logFile)}`)
  }

  /** One that runs once: until it has ended by itself. Others are told to end. */
  async finish(): Promise<void> {
    if (this.#spec.mode === 'daemon') await this.stop()
    await Promise.race([this.#ended, sleep(STOP_TIMEOUT_MS, undefined, { ref: false })])
    if (this.#ending === undefined) throw new Error(`${this.#spec.name} has done its work and does not end`)
    this.check()
  }

  /** SIGTERM, and SIGKILL when that does not help. */
  async stop(): Promise<void> {
    if (this.#ending !== undefined) return
    this.#isStopping = true
    this.#child.kill('SIGTERM')
    const killing = setTimeout(() => this.#child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await this.#ended
    clearTimeout(killing)
  }

  cpuSeconds(fromMs: number, toMs: number): number {
    return cpuAt(this.#samples, toMs) - cpuAt(this.#samples, fromMs)
  }

  /** Resident, in MB. */
  get peakMb(): number {
    return this.#samples.at(-1)?.peakMb ?? 0
  }

  #look(): void {
    const sample = sampleOf(this.#child.pid ?? 0)
    if (sample !== undefined) this.#samples.push(sample)
  }
}

function tailOf(file: string): string {
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  const telling = lines.filter(line => /error|exception|fatal/i.test(line)).slice(-3)
  return (telling.length > 0 ? telling : lines.slice(-3)).join(' / ').slice(0, 600)
}
