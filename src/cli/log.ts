// The log of a command that goes on for long: one line an event on stderr, for people (time, level, sentence) or for machines (a JSON
// object a line). What is said again and again is said a few times and then counted.
import { KdrError } from '../model/errors.ts'
import type { Level, Log } from '../ports/log.ts'
import type { App, Writer } from './app.ts'
import { type Settling, withoutRepeats } from './repeats.ts'
import { styleOf } from './table.ts'

const LEVELS: readonly Level[] = ['debug', 'info', 'warn', 'error']
const FORMATS = ['text', 'json'] as const
type LogFormat = (typeof FORMATS)[number]

export type LogFlags = { readonly verbose?: boolean; readonly logLevel?: string; readonly logFormat?: string }

export type RunLog = Settling & {
  readonly isJson: boolean
  /** What is said at intervals of its own, and is no repetition. */
  readonly regular: Log
  /** For lines of progress, each of them an event. */
  readonly writer: Writer
}

/** Throws KdrError('usage') for a level or a format that there is not. */
export function startLog(app: App, flags: LogFlags): RunLog {
  const least = LEVELS.indexOf(levelOf(flags))
  const format = formatOf(app, flags)
  const write = format === 'json' ? jsonWriter(app) : textWriter(app, least === 0)
  const regular: Log = {
    event: (level, message, facts) => {
      if (LEVELS.indexOf(level) >= least) write(level, message, facts ?? {})
    },
  }
  const writer: Writer = {
    write: text => regular.event('info', text.trimEnd()),
    isTerminal: false,
    columns: undefined,
  }
  return { ...withoutRepeats(regular, app.clock), isJson: format === 'json', regular, writer }
}

function levelOf({ verbose, logLevel }: LogFlags): Level {
  const level = logLevel ?? (verbose === true ? 'debug' : 'info')
  if (isOneOf(LEVELS, level)) return level
  throw new KdrError('usage', `\`--log-level ${level}\` is not known`, {
    hint: `Write one of ${LEVELS.join(', ')}.`,
  })
}

/** Whoever reads along reads text, a file or a collector JSON; `KDR_LOG_FORMAT` says it for all commands of a machine. */
function formatOf({ stderr, env }: App, { logFormat }: LogFlags): LogFormat {
  const wanted = logFormat ?? env['KDR_LOG_FORMAT'] ?? ''
  if (wanted === '') return stderr.isTerminal ? 'text' : 'json'
  if (isOneOf(FORMATS, wanted)) return wanted
  throw new KdrError('usage', `"${wanted}" is no format of the log`, { hint: 'Write text or json.' })
}

function isOneOf<T extends string>(all: readonly T[], text: string): text is T {
  return (all as readonly string[]).includes(text)
}

type Write = (level: Level, message: string, facts: Readonly<Record<string, unknown>>) => void

/** `shows`: also the facts. */
function textWriter({ stderr, env, clock }: App, shows: boolean): Write {
  const style = styleOf(stderr, env)
  const paint = { debug: style.dim, info: (text: string) => text, warn: style.yellow, error: style.red }
  return (level, message, facts) => {
    const detail = shows && Object.keys(facts).length > 0 ? style.dim(` ${JSON.stringify(facts, plain)}`) : ''
    const time = new Date(clock.now()).toISOString().slice(11, 19)
    stderr.write(`${style.dim(time)} ${paint[level](level.padEnd(5))} ${message}${detail}\n`)
  }
}

function jsonWriter({ stderr, clock }: App): Write {
  return (level, message, facts) => {
    const time = new Date(clock.now()).toISOString()
    const { about, rest } = split(facts)
    const more = Object.keys(rest).length > 0 ? { facts: rest } : {}
    stderr.write(`${JSON.stringify({ v: 1, time, level, message, ...about, ...more }, plain)}\n`)
  }
}

/** What an event is about stands beside its message, always under the same names; everything else in `facts`. */
const ABOUT = ['link', 'set', 'topic', 'partition'] as const

function split(facts: Readonly<Record<string, unknown>>): {
  readonly about: Readonly<Record<string, unknown>>
  readonly rest: Readonly<Record<string, unknown>>
} {
  const named = { ...facts, ...partOf(facts['partition']) }
  const isAbout = (name: string): boolean => (ABOUT as readonly string[]).includes(name)
  const entries = Object.entries(named)
  return {
    about: Object.fromEntries(entries.filter(([name]) => isAbout(name))),
    rest: Object.fromEntries(entries.filter(([name]) => !isAbout(name))),
  }
}

/** Some name a partition together with its topic: `orders/3`. */
function partOf(partition: unknown): { readonly topic?: string; readonly partition?: number } {
  const [, topic, number] = typeof partition === 'string' ? (/^(.+)\/(\d+)$/.exec(partition) ?? []) : []
  return topic === undefined ? {} : { topic, partition: Number(number) }
}

const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)
