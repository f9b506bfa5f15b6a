// One broker process: started detached in a process group of its own, so that Ctrl-C in the terminal reaches kdr alone,
// and ready when its own log says so (after the controller has unfenced it; a listening port says less).

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { KdrError } from '../model/errors.ts'
import {
  javaTool,
  markProcess,
  missingTool,
  type ProcessMark,
  processState,
  signalProcess,
  waitUntilGone,
} from './processes.ts'

/** Made for quick starts: a lab broker lives for seconds or minutes. */
export const DEFAULT_JVM: readonly string[] = [
  '-Xmx320m',
  '-Xms128m',
  '-XX:TieredStopAtLevel=1',
  '-XX:+UseSerialGC',
]

const START_TIMEOUT_MS = 90_000
const STOP_TIMEOUT_MS = 30_000
const STARTED = 'Kafka Server started'

export type BrokerStart = {
  /** As people know it: `east/1`. */
  readonly name: string
  /** Holds `server.properties` and the formatted log dir; the log is written here. */
  readonly dir: string
  readonly distribution: { readonly classPath: string; readonly jvm: readonly string[] }
  /** Instead of DEFAULT_JVM. */
  readonly jvm?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
  /** Called as soon as the process exists, before it is ready: whoever must stop it learns of it in time. */
  readonly onSpawn?: (mark: ProcessMark) => void
}

/** Resolves when the broker serves. One that fails to, or whose start is aborted, is killed first. */
export async function startBroker(start: BrokerStart): Promise<ProcessMark> {
  start.signal?.throwIfAborted()
  const logFile = logFileOf(start.dir)
  const log = openSync(logFile, 'a')
  let mark: ProcessMark
  const from = fstatSync(log).size
  try {
    mark = await spawnJava(start, log)
  } finally {
    closeSync(log)
  }
  try {
    await waitUntilStarted(start, mark, logFile, from)
  } catch (error) {
    signalProcess(mark, 'SIGKILL')
    await waitUntilGone(mark, STOP_TIMEOUT_MS)
    throw error
  }
  return mark
}

/** Cleanly: SIGTERM, then SIGKILL after 30 s. One that is paused is resumed, or it could not hear. */
export async function stopBroker(mark: ProcessMark): Promise<void> {
  signalProcess(mark, 'SIGTERM')
  signalProcess(mark, 'SIGCONT')
  if (await waitUntilGone(mark, STOP_TIMEOUT_MS)) return
  await killBroker(mark)
}

/** As a power cut would: nothing is written any more. */
export async function killBroker(mark: ProcessMark): Promise<void> {
  signalProcess(mark, 'SIGKILL')
  await waitUntilGone(mark, STOP_TIMEOUT_MS)
}

export function logFileOf(dir: string): string {
  return join(dir, 'broker.log')
}

async function spawnJava(
  { dir, distribution, jvm = DEFAULT_JVM, onSpawn }: BrokerStart,
  log: number,
): Promise<ProcessMark> {
  const logging = [
    'showDateTime=true',
    'dateTimeFormat=HH:mm:ss.SSS',
    'log.kafka.server.KafkaConfig=warn',
  ].map(option => `-Dorg.slf4j.simpleLogger.${option}`)
  const args = [...jvm, ...distribution.jvm, ...logging, `-Dkafka.logs.dir=${dir}`]
  const child = spawn(
    javaTool('java'),
    [...args, '-cp', distribution.classPath, 'kafka.Kafka', 'server.properties'],
    {
      cwd: dir,
      detached: true,
      stdio: ['ignore', log, log],
    },
  )
  // Known at once, before anything else can happen: whoever ends this process must know whom to kill.
  if (child.pid !== undefined) {
    const mark = markProcess(child.pid)
    onSpawn?.(mark)
    child.unref()
    return mark
  }
  const [error] = (await once(child, 'error')) as [Error]
  throw missingTool('java', error)
}

async function waitUntilStarted(
  start: BrokerStart,
  mark: ProcessMark,
  logFile: string,
  from: number,
): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  const log = openSync(logFile, 'r')
  const buffer = Buffer.alloc(256 * 1024)
  let at = from
  let rest = ''
  try {
    for (;;) {
      start.signal?.throwIfAborted()
      // Looked at before the log is read, so that the last lines of one that ended are read too.
      const state = processState(mark)
      for (let count = 1; count > 0; at += count) {
        count = readSync(log, buffer, 0, buffer.length, at)
        const text = rest + buffer.toString('latin1', 0, count)
        if (text.includes(STARTED)) return
        rest = text.slice(-STARTED.length)
      }
      if (state === 'gone') throw startFailed(start.name, 'ended while it started', logFile, from)
      if (performance.now() > deadline) throw startFailed(start.name, 'did not start in time', logFile, from)
      await sleep(40)
    }
  } finally {
    closeSync(log)
  }
}

function startFailed(name: string, what: string, logFile: string, from: number): KdrError {
  const lines = readFileSync(logFile).subarray(from).toString('utf8').trimEnd().split('\n')
  const telling = lines.filter(line => /ERROR|FATAL|Exception|error/.test(line)).slice(-5)
  const tail = [...new Set([...telling, ...lines.slice(-12)])].join('\n')
  return new KdrError('not-ready', `broker "${name}" ${what}; the end of its log:\n${tail}`, {
    hint: 'Put right what the log names, then try again.',
    facts: { broker: name, log: logFile },
  })
}
