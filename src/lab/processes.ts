// Processes by id. A pid alone may name another process by the time it is used, so what the lab remembers is the pid and
// when that process started; nothing is ever signalled by name.

import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KdrError } from '../model/errors.ts'

/** `startedAt`: from the operating system, only ever compared; '' where it cannot be had. */
export type ProcessMark = { readonly pid: number; readonly startedAt: string }

export type ProcessState = 'running' | 'paused' | 'gone'

export function markProcess(pid: number): ProcessMark {
  return { pid, startedAt: observe(pid)?.startedAt ?? '' }
}

/** A zombie is gone: `kill(pid, 0)` says yes to one until its parent has reaped it. */
export function processState(mark: ProcessMark): ProcessState {
  const seen = observe(mark.pid)
  if (seen === undefined || seen.letter === 'Z' || seen.letter === 'X') return 'gone'
  if (mark.startedAt !== '' && seen.startedAt !== mark.startedAt) return 'gone'
  return seen.letter === 'T' ? 'paused' : 'running'
}

/** Does nothing to a process that is gone. */
export function signalProcess(mark: ProcessMark, signal: NodeJS.Signals): void {
  if (processState(mark) === 'gone') return
  try {
    process.kill(mark.pid, signal)
  } catch (error) {
    // It ended since we looked.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** False when `timeoutMs` passed first. */
export function waitUntilGone(mark: ProcessMark, timeoutMs: number): Promise<boolean> {
  return waitUntil(mark, state => state === 'gone', timeoutMs)
}

/** SIGSTOP; resolves when it stands still, which takes the system a moment. */
export async function pauseProcess(mark: ProcessMark): Promise<void> {
  signalProcess(mark, 'SIGSTOP')
  await waitUntil(mark, state => state !== 'running', 5000)
}

/** SIGCONT. */
export async function resumeProcess(mark: ProcessMark): Promise<void> {
  signalProcess(mark, 'SIGCONT')
  await waitUntil(mark, state => state !== 'paused', 5000)
}

async function waitUntil(
  mark: ProcessMark,
  isReached: (state: ProcessState) => boolean,
  timeoutMs: number,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  while (!isReached(processState(mark))) {
    if (performance.now() > deadline) return false
    await sleep(20)
  }
  return true
}

type Observation = { readonly letter: string; readonly startedAt: string }

function observe(pid: number): Observation | undefined {
  return process.platform === 'linux' ? observeByProc(pid) : observeByPs(pid)
}

/** `PID (name, may hold anything) STATE ...`: the state is field 3, the start time field 22. */
function observeByProc(pid: number): Observation | undefined {
  let stat: string
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    return undefined
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { letter: fields[0] ?? 'X', startedAt: fields[19] ?? '' }
}

function observeByPs(pid: number): Observation | undefined {
  const { status, stdout } = spawnSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' })
  if (status !== 0) return undefined
  const [stat = 'X', ...started] = stdout.trim().split(/\s+/)
  return { letter: stat.slice(0, 1), startedAt: started.join(' ') }
}

/** `java` or `javac` of JAVA_HOME, else of the PATH. */
export function javaTool(name: 'java' | 'javac'): string {
  const home = process.env['JAVA_HOME']
  return home === undefined || home === '' ? name : join(home, 'bin', name)
}

export type ToolResult = { readonly code: number; readonly output: string }

/** Runs a program to its end; `output` is stdout and stderr. Aborting kills it and throws the signal's reason. */
export async function runTool(
  command: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<ToolResult> {
  signal?.throwIfAborted()
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
  const stop = () => child.kill('SIGKILL')
  signal?.addEventListener('abort', stop)
  try {
    const code = await new Promise<number>((resolve, reject) => {
      child.on('error', error => reject(missingTool(command, error)))
      child.on('close', status => resolve(status ?? -1))
    })
    signal?.throwIfAborted()
    return { code, output: Buffer.concat(chunks).toString('utf8') }
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

const INSTALL_HINTS: Readonly<Record<string, string>> = {
  java: 'Install a Java runtime 17 or later, for example with `apt-get install openjdk-17-jdk-headless`.',
  javac: 'Install a JDK 17 or later, for example with `apt-get install openjdk-17-jdk-headless`.',
  mvn: 'Install Maven, for example with `apt-get install maven`; or set `KAFKA_HOME` to an unpacked Kafka.',
}

export function missingTool(command: string, error: Error): Error {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return error
  const name = command.split('/').at(-1) ?? command
  const hint = INSTALL_HINTS[name]
  return new KdrError('not-ready', `"${command}" is needed and not installed`, {
    ...(hint === undefined ? {} : { hint }),
    cause: error,
  })
}
