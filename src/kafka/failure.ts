// What went wrong between kdr and a broker, in words and as a KdrError. Everything the library or the socket may throw
// passes through here once, so that nothing above it knows the library's error classes.
// A reply with error codes is no failure: the library throws `ResponseError` for it, and `answerOf` takes the reply out.
import {
  AuthenticationError,
  GenericError,
  NetworkError,
  ResponseError,
  TimeoutError,
} from '@platformatic/kafka'
import { findKdrError, KdrError } from '../model/errors.ts'
import { SOCKET_WORDS } from '../model/socket-words.ts'
import type { Tls } from './tls.ts'
import { tlsFailure } from './tls-failure.ts'

/** The decoded reply, whether or not a part of it carries an error code. */
export async function answerOf<R>(reply: Promise<R>): Promise<R> {
  try {
    return await reply
  } catch (error) {
    if (error instanceof ResponseError) return (error as unknown as { response: R }).response
    throw error
  }
}

/** A listener drops whoever speaks TLS, SASL or neither where it expects another. */
const DROPPED_HINT =
  'Check that the broker is alive, and that `tls` and `sasl` of this cluster suit the listener at that port.'

function* causes(error: unknown): Generator<Error> {
  for (let at = error; at instanceof Error; at = at.cause) {
    yield at
    if (at instanceof AggregateError) for (const inner of at.errors) yield* causes(inner)
  }
}

function codeOf(error: Error): string {
  const code = (error as { code?: unknown }).code
  return typeof code === 'string' ? code : ''
}

/** The deepest cause that says something, in few words. */
function reasonOf(error: unknown): string {
  let reason = String(error)
  for (const at of causes(error)) {
    const words = SOCKET_WORDS[codeOf(at)]
    if (words !== undefined) return words
    reason = at.message
  }
  if (/timed out/i.test(reason)) return 'no answer in time'
  return reason.replace(/\.$/, '').replace(/^Connection/, 'connection')
}

export type Attempt = {
  /** The broker: `broker "east" 10.0.0.1:9092`. */
  readonly what: string
  /** What the socket said before it closed. */
  readonly earlier?: unknown
  readonly tls?: Tls | undefined
}

export function toKdrError(error: unknown, { what, earlier, tls }: Attempt): KdrError {
  const known = findKdrError(error)
  if (known !== undefined) return known
  const all = [...causes(error), ...causes(earlier)]
  for (const at of all) {
    const failed = tlsFailure(at, tls, new Date())
    if (failed === undefined) continue
    const { code, sentence, hint } = failed
    return new KdrError(code, `${what} ${sentence}`, { hint, facts: { tls: codeOf(at) }, cause: error })
  }
  const refusal = all.find(at => at instanceof AuthenticationError && !isCutOff(at))
  if (refusal !== undefined) {
    return new KdrError('not-allowed', `${what} refused the credentials: ${authenticationReason(refusal)}`, {
      cause: error,
      hint: 'Check `sasl` of this cluster: its mechanism, and the user and password, or the token.',
    })
  }
  if (!isTransport(error)) {
    return new KdrError('unreachable', `${what} sent an answer that cannot be read: ${reasonOf(error)}`, {
      cause: error,
    })
  }
  const first = reasonOf(error)
  const said = earlier === undefined || earlier === error ? first : reasonOf(earlier)
  const wasDropped = said === 'connection closed' || said === 'connection reset'
  return new KdrError('unreachable', `${what} is not reachable: ${said}`, {
    cause: error,
    ...(wasDropped ? { hint: DROPPED_HINT } : {}),
  })
}

/** Errors of the library and of sockets carry a string `code`; a parser that ran off the end of a reply does not. */
function isTransport(error: unknown): boolean {
  for (const at of causes(error)) {
    if (at instanceof RangeError || at instanceof TypeError) return codeOf(at).startsWith('ERR_SOCKET')
    if (at instanceof GenericError || codeOf(at) !== '') return true
  }
  return false
}

/** A login that the broker did not answer was not refused. */
function isCutOff(error: AuthenticationError): boolean {
  return [...causes(error.cause)].some(
    at => at instanceof NetworkError || at instanceof TimeoutError || codeOf(at) in SOCKET_WORDS,
  )
}

function authenticationReason(error: Error): string {
  for (const at of causes(error)) {
    if (at instanceof ResponseError) {
      const { mechanisms } = (at as unknown as { response: { mechanisms?: readonly string[] } }).response
      if (mechanisms !== undefined)
        return `it does not take this mechanism at that port, but ${mechanisms.join(', ') || 'none'}`
    }
    const said = (at as { serverErrorMessage?: unknown }).serverErrorMessage
    if (typeof said === 'string' && said !== '') return said
  }
  return reasonOf(error)
}
