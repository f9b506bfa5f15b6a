// Starts the Java judge (the folder judge) and speaks its protocol: a JSON object a line, answers in any order. It is
// compiled once for each state of its sources, into the lab's cache.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { prepareDistribution } from './distribution.ts'
import { cached } from './jars.ts'
import { javaTool, runTool } from './processes.ts'

const SOURCES = fileURLToPath(new URL('judge/', import.meta.url))

/** What Kafka answered, by the name of Java's exception: `TopicExistsException`. */
export class JudgeError extends Error {
  readonly kind: string

  constructor(kind: string, message: string) {
    super(`${kind}: ${message}`)
    this.name = 'JudgeError'
    this.kind = kind
  }
}

export interface JudgeProcess {
  /** Throws JudgeError. */
  request(command: string, args: object): Promise<unknown>
  close(): Promise<void>
}

type Waiting = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }

export type JudgeOptions = {
  /** Of the Java clients; default the lab's default. */
  readonly version?: string | undefined
  /** More JVM options. */
  readonly jvm?: readonly string[]
  readonly signal?: AbortSignal
}

export async function startJudgeProcess(options: JudgeOptions = {}): Promise<JudgeProcess> {
  const { version, jvm = [], signal } = options
  const distribution = await prepareDistribution(version, signal && { signal })
  const classes = await compile(distribution.version, distribution.classPath, signal)
  const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=off'
  const flags = ['-Xmx1g', '-XX:+UseSerialGC', quiet, ...distribution.jvm, ...jvm]
  const args = [...flags, '-cp', `${distribution.classPath}:${classes}`, 'Judge']
  // Detached: Ctrl-C in the terminal is not for it; it ends with its stdin, so whatever ends this process ends it too.
  const child = spawn(javaTool('java'), args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true })
  const waiting = new Map<number, Waiting>()
  let next = 1
  let ended: Error | undefined
  const exited = new Promise<void>(resolve => {
    child.on('error', error => fail(error))
    child.on('close', () => {
      fail(new Error('the judge has ended'))
      resolve()
    })
  })
  function fail(error: Error): void {
    ended ??= error
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
  }
  child.stdin.on('error', fail)
  createInterface({ input: child.stdout }).on('line', line => {
    const answer = JSON.parse(line) as {
      id: number
      ok?: unknown
      error?: { class: string; message: string }
    }
    const waiter = waiting.get(answer.id)
    waiting.delete(answer.id)
    if (answer.error !== undefined) waiter?.reject(new JudgeError(answer.error.class, answer.error.message))
    else waiter?.resolve(answer.ok)
  })
  return {
    request: (command, args) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) throw ended
        const id = next++
        waiting.set(id, { resolve, reject })
        child.stdin.write(`${JSON.stringify({ ...args, id, do: command })}\n`)
      }),
    close: async () => {
      // It ends with its stdin.
      child.stdin.end()
      await exited
    },
  }
}

function compile(version: string, classPath: string, signal?: AbortSignal): Promise<string> {
  const names = readdirSync(SOURCES).filter(name => name.endsWith('.java'))
  const sources = names.sort().map(name => join(SOURCES, name))
  const hash = createHash('sha256').update(version)
  for (const source of sources) hash.update(readFileSync(source))
  return cached(join('judge', hash.digest('hex').slice(0, 16)), async scratch => {
    const classes = join(scratch, 'classes')
    const args = ['-nowarn', '-d', classes, '-cp', classPath, ...sources]
    const { code, output } = await runTool(javaTool('javac'), args, signal)
    if (code !== 0) throw new Error(`the judge does not compile:\n${output}`)
    return classes
  })
}
