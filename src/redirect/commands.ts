// The operator's own commands, by the shell, with the facts of the run in the environment. A command runs in a process group
// of its own, so that what it has started ends with it when its time is over, or when kdr ends.

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CommandEnd, Commands, RunFacts } from '../ports/outside.ts'

/** As `timeout` of the coreutils ends. */
const TIMED_OUT = 124
const CANNOT_START = 127
/** Between SIGTERM and SIGKILL: for a script that wants to clean up. */
const GRACE_MS = 2000
/** What a command leaves running in the background may keep its output open for ever. */
const LAST_WORDS_MS = 200
const MAX_LINES = 10
const MAX_CHARS = 2000

export class ShellCommands implements Commands {
  readonly #directory: string

  /** `directory`: where commands run. */
  constructor(directory: string) {
    this.#directory = directory
  }

  async run(command: string, facts: RunFacts, timeoutMs: number): Promise<CommandEnd> {
    return await runShell(command, { cwd: this.#directory, env: factsInEnvironment(facts), timeoutMs })
  }
}

export type ShellOptions = {
  readonly cwd: string
  /** Beside the environment of kdr. */
  readonly env: Readonly<Record<string, string>>
  /** Nothing if absent. */
  readonly stdin?: string
  readonly timeoutMs: number
}

/** Code 124 when it has not ended in time, 127 when it cannot be started. */
export async function runShell(
  command: string,
  { cwd, env, stdin, timeoutMs }: ShellOptions,
): Promise<CommandEnd> {
  const child = spawn('/bin/sh', ['-c', command], {
    cwd,
    detached: true,
    stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  })
  let output = ''
  const take = (chunk: Buffer) => {
    output = (output + chunk.toString('utf8')).slice(-MAX_CHARS)
  }
  child.stdout?.on('data', take)
  child.stderr?.on('data', take)
  // One that does not read it ends before all is written: that is its own affair.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(stdin)
  const kill = (signal: NodeJS.Signals) => killGroup(child.pid, signal)
  const onExit = () => kill('SIGKILL')
  process.once('exit', onExit)
  const over = new AbortController()
  const isTimedOut = outlasts(over.signal, timeoutMs, kill)
  try {
    const code = await ended(child)
    over.abort()
    const timedOut = await isTimedOut
    return { code: timedOut ? TIMED_OUT : code, output: lastLines(output) }
  } catch (error) {
    over.abort()
    return { code: CANNOT_START, output: error instanceof Error ? error.message : String(error) }
  } finally {
    process.off('exit', onExit)
    child.stdin?.destroy()
    child.stdout?.destroy()
    child.stderr?.destroy()
  }
}

/** KDR_* of every command; KDR_FACTS holds all of them as one JSON. */
export function factsInEnvironment(facts: RunFacts): Record<string, string> {
  return {
    KDR_RUN: facts.run,
    KDR_KIND: facts.kind,
    KDR_LINK: facts.link,
    KDR_ACTIVE: facts.active,
    KDR_STANDBY: facts.standby,
    KDR_BOOTSTRAP: facts.bootstrap,
    KDR_GENERATION: String(facts.generation),
    KDR_FACTS: JSON.stringify(facts),
  }
}

/** Resolves with the code when it and its output have ended; rejects when it cannot be started. */
function ended(child: ReturnType<typeof spawn>): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      const status = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
      const timer = setTimeout(() => resolve(status), LAST_WORDS_MS)
      child.once('close', () => {
        clearTimeout(timer)
        resolve(status)
      })
    })
  })
}

/** Whether the time was over before `over`; then the whole group is gone when this resolves. */
async function outlasts(
  over: AbortSignal,
  timeoutMs: number,
  kill: (signal: NodeJS.Signals) => void,
): Promise<boolean> {
  const isOver = async (ms: number) => await sleep(ms, false, { signal: over }).catch(() => true)
  if (await isOver(timeoutMs)) return false
  kill('SIGTERM')
  await isOver(GRACE_MS)
  // Of the group, whoever did not listen: the shell may be gone before what it has started.
  kill('SIGKILL')
  return true
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch (error) {
    // All of it has ended.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-MAX_LINES).join('\n')
}
