// What `kdr run` serves on `server.listen`: /metrics, /api/*, /healthz, /readyz. Nothing here changes anything. Where a token is set, /metrics
// and /api/* ask for it; the other two say one word, and are for whoever restarts the process.
import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Clock } from '../ports/clock.ts'
import type { Log } from '../ports/log.ts'

/** A port that another kdr of this machine has is tried again. */
const RETRY_MS = 30_000
const REQUEST_MS = 10_000

/** Behind /api/: what there is, as a document of OpenAPI. */
export const OPENAPI_PATH = 'openapi.json'

/** JSON. */
export type ApiAnswer = { readonly status: number; readonly text: string }

export type Served = {
  /** By what stands behind /api/. */
  readonly api: ReadonlyMap<string, () => Promise<ApiAnswer>>
  metrics(): Promise<string>
  /** Undefined: it is; else why not. */
  notReady(): string | undefined
}

export type Token = {
  /** How it is read, without a word of where from. */
  readonly kind: string
  read(): Promise<string>
}

export type ServeOptions = {
  /** `host:port`. */
  readonly listen: string
  /** Read at each request; undefined: nobody has to show one. */
  readonly token: Token | undefined
  readonly served: Served
  readonly clock: Clock
  readonly log: Log
}

export type Serving = { close(): Promise<void> }

/** Returns at once: that the port cannot be had is said, and stops nothing else. */
export function serve(options: ServeOptions): Serving {
  const { listen, clock, log } = options
  const stopping = new AbortController()
  const server = createServer({ requestTimeout: REQUEST_MS }, (request, response) => {
    void answer(options, request, response)
  })
  const listening = (async () => {
    for (let said = false; !stopping.signal.aborted; said = true) {
      const problem = await tryToListen(server, listen)
      if (problem === undefined) return log.event('info', `metrics at http://${listen}/metrics`)
      if (!said) log.event('warn', `nothing is served at ${listen}: ${problem}; trying again`)
      await clock.sleep(RETRY_MS, stopping.signal)
    }
  })()
  return {
    close: async () => {
      stopping.abort()
      await listening
      server.closeAllConnections()
      await new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}

/** Undefined: it listens. */
async function tryToListen(server: Server, listen: string): Promise<string | undefined> {
  const at = listen.lastIndexOf(':')
  const host = listen.slice(0, at).replace(/^\[(.*)\]$/, '$1')
  return await new Promise(resolve => {
    const fail = (error: Error): void => resolve(error.message)
    server.once('error', fail)
    server.listen({ host, port: Number(listen.slice(at + 1)) }, () => {
      server.off('error', fail)
      resolve(undefined)
    })
  })
}

async function answer(
  options: ServeOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { status, text, isJson } = await answerOf(options, request)
  const headers: Record<string, string> = {
    'content-type': isJson === true ? 'application/json' : 'text/plain; version=0.0.4; charset=utf-8',
    'cache-control': 'no-store',
    ...(status === 401 && { 'www-authenticate': 'Bearer' }),
    ...(status === 405 && { allow: 'GET, HEAD' }),
  }
  response.writeHead(status, headers)
  response.end(request.method === 'HEAD' ? undefined : text)
}

type Answer = { readonly status: number; readonly text: string; readonly isJson?: boolean }

async function answerOf(options: ServeOptions, request: IncomingMessage): Promise<Answer> {
  const { served } = options
  const [path] = (request.url ?? '').split('?')
  if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405, text: 'only GET\n' }
  switch (path) {
    case '/healthz':
      return { status: 200, text: 'ok\n' }
    case '/readyz': {
      const why = served.notReady()
      return why === undefined ? { status: 200, text: 'ok\n' } : { status: 503, text: `${why}\n` }
    }
    case '/metrics':
      return await guarded(options, request, async () => ({ status: 200, text: await served.metrics() }))
    default: {
      const look = served.api.get(path?.replace(/^\/api\//, '') ?? '')
      if (look === undefined || path?.startsWith('/api/') !== true)
        return { status: 404, text: known(served) }
      return await guarded(options, request, async () => ({ ...(await look()), isJson: true }))
    }
  }
}

/** For whoever shows the token. Nobody else hears what failed: the words of an error may be those of the config. */
async function guarded(
  { token, log }: ServeOptions,
  { headers }: IncomingMessage,
  look: () => Promise<Answer>,
): Promise<Answer> {
  let wanted: string | undefined
  try {
    wanted = await token?.read()
  } catch {
    // The command or the path that the error names may hold another secret.
    log.event('error', `the token of the server (${token?.kind ?? 'none'}) cannot be read: nobody is let in`)
    return { status: 503, text: 'the token cannot be read\n' }
  }
  if (!isAllowed(headers.authorization, wanted)) return { status: 401, text: 'a token is needed\n' }
  try {
    return await look()
  } catch (error) {
    return { status: 500, text: `${error instanceof Error ? error.message : String(error)}\n` }
  }
}

function known({ api }: Served): string {
  return `there are ${['/metrics', ...[...api.keys()].map(name => `/api/${name}`), '/healthz'].join(', ')} and /readyz\n`
}

/** In time that does not tell how much of it was right. */
function isAllowed(header: string | undefined, token: string | undefined): boolean {
  if (token === undefined) return true
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(header ?? ''), digest(`Bearer ${token}`))
}
