// The one place where an error becomes what people or scripts read. Everything else throws.

import { CommanderError } from 'commander'
import { findKdrError, KdrError } from '../model/errors.ts'
import { type App, writeJson } from './app.ts'
import { styleOf } from './table.ts'

export type Failure = {
  readonly code: string
  readonly message: string
  readonly hint: string
  readonly exit: number
  readonly facts?: Readonly<Record<string, unknown>>
}

/** Writes the failure; returns the exit code. */
export function reportFailure(error: unknown, app: App, isJson: boolean): number {
  const failure = failureOf(error, app.signal)
  if (app.env['KDR_DEBUG'] === '1') app.stderr.write(`${stackOf(error)}\n`)
  if (isJson) {
    writeJson(app, { error: failure })
  } else if (app.failureLog !== undefined) {
    const { message, ...facts } = failure
    app.failureLog.event('error', message, facts)
  } else {
    const style = styleOf(app.stderr, app.env)
    app.stderr.write(`${style.red('kdr:')} ${failure.message}\n${style.dim('hint:')} ${failure.hint}\n`)
  }
  return failure.exit
}

export function failureOf(error: unknown, signal: AbortSignal): Failure {
  const known = findKdrError(error) ?? usageError(error) ?? interruption(error, signal)
  if (known !== undefined) {
    return {
      code: known.code,
      message: known.message,
      hint: known.hint,
      exit: known.exit,
      ...(Object.keys(known.facts).length > 0 && { facts: known.facts }),
    }
  }
  return {
    code: 'unexpected',
    message: `unexpected: ${error instanceof Error ? error.message : String(error)}`,
    hint: 'This is a bug in kdr; run it again with KDR_DEBUG=1 and report what it prints.',
    exit: 1,
  }
}

function usageError(error: unknown): KdrError | undefined {
  if (!(error instanceof CommanderError)) return undefined
  const [message = '', suggestion] = error.message.replace(/^error: /, '').split('\n')
  return new KdrError('usage', message.replaceAll("'", '"'), {
    cause: error,
    ...(suggestion !== undefined && { hint: suggestion.replace(/^\((.*)\)$/, '$1') }),
  })
}

function interruption(error: unknown, signal: AbortSignal): KdrError | undefined {
  if (!signal.aborted || !(error instanceof Error) || error.name !== 'AbortError') return undefined
  return new KdrError('interrupted', 'interrupted', { cause: error })
}

function stackOf(error: unknown): string {
  const parts: string[] = []
  for (let at = error; at instanceof Error; at = at.cause) parts.push(at.stack ?? at.message)
  return parts.join('\ncaused by: ')
}
