// How alerts leave kdr: a request to an address, and a command of the operator. The address holds a secret more often than not: no
// error names it, nor what the library of HTTP says of it.
import { dirname, resolve } from 'node:path'
import type { AlertChannels } from '../cli/app-watch.ts'
import type { SecretRef } from '../config/index.ts'
import { KdrError } from '../model/errors.ts'
import { runShell } from '../redirect/commands.ts'

const REQUEST_TIMEOUT_MS = 10_000
const COMMAND_TIMEOUT_MS = 60_000

export const alertChannels: AlertChannels = {
  request: async (url, json) => {
    const problem = await tryRequest(url, json)
    if (problem !== undefined) throw new KdrError('unreachable', problem)
  },
  run: async ({ path }, command, { env, stdin }) => {
    const { code, output } = await runShell(command, {
      cwd: dirname(resolve(path)),
      env,
      stdin,
      timeoutMs: COMMAND_TIMEOUT_MS,
    })
    if (code === 0) return
    const how = code === 124 ? `has not ended in ${COMMAND_TIMEOUT_MS / 1_000} s` : `ended with ${code}`
    throw new KdrError('not-ready', `it ${how}${output === '' ? '' : `: ${output}`}`)
  },
}

/** Undefined: it was taken. */
async function tryRequest(url: SecretRef, json: string | undefined): Promise<string | undefined> {
  let address: URL
  try {
    address = new URL((await url.read()).trim())
  } catch {
    return `its address (${url.kind}) cannot be read, or is no URL`
  }
  if (address.protocol !== 'http:' && address.protocol !== 'https:')
    return `its address (${url.kind}) is not one of http or https`
  const { username, password } = address
  address.username = ''
  address.password = ''
  const headers = {
    'user-agent': 'kdr',
    ...(json !== undefined && { 'content-type': 'application/json' }),
    ...(username !== '' && {
      authorization: `Basic ${Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64')}`,
    }),
  }
  try {
    const response = await fetch(address, {
      method: json === undefined ? 'GET' : 'POST',
      headers,
      ...(json !== undefined && { body: json }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    })
    // What it says is of no use; its connection is.
    await response.arrayBuffer()
    return response.ok ? undefined : `it answers with ${response.status}`
  } catch (error) {
    return `it cannot be reached: ${reasonOf(error)}`
  }
}

/** A lone `%` is one. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The code of the system alone: the words of the error have the address. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError')
    return `no answer in ${REQUEST_TIMEOUT_MS / 1_000} s`
  const cause: unknown = error instanceof Error ? error.cause : undefined
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : 'no answer'
}
