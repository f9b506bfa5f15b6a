// One connection to one broker: the library's, with its traps closed. It opens with ApiVersions, so that a port where no
// Kafka listens is found out at once; every failure leaves as a KdrError that names the broker; a request without an
// answer in time ends the connection (the late answer would otherwise be taken for the next one's); nothing is sent
// while the broker re-authenticates (it would drop the connection); closing never waits for a peer that hangs.
import { isIP } from 'node:net'
import {
  type API,
  apiVersionsV3,
  AuthenticationError,
  Connection,
  ConnectionStatuses,
} from '@platformatic/kafka'
import { KdrError } from '../model/errors.ts'
import { release } from '../model/release.ts'
import { answerOf, toKdrError } from './failure.ts'
import type { Tls } from './tls.ts'
import { BrokerVersions } from './versions.ts'

/** A secret, or where to get it: asked again for every new connection and every re-authentication. */
export type Secret = string | (() => string | Promise<string>)

export type SaslOptions =
  | {
      readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
      readonly username: string
      readonly password: Secret
    }
  | {
      readonly mechanism: 'OAUTHBEARER'
      readonly token: Secret
      readonly extensions?: Readonly<Record<string, string>>
    }

export type ConnectionSettings = {
  /** The cluster's name in the config, for messages. */
  readonly cluster: string
  readonly clientId: string
  /** Asked for each new connection. Undefined: plain text. */
  readonly tls?: (() => Promise<Tls>) | undefined
  readonly sasl?: SaslOptions | undefined
  readonly connectTimeoutMs: number
  readonly requestTimeoutMs: number
}

export type Address = { readonly host: string; readonly port: number }

export function addressText(address: Address): string {
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

/** High enough that requests never wait on this side: a broker answers one connection in order anyway. */
const MAX_IN_FLIGHT = 100_000

export class BrokerConnection {
  /** `broker "east" 10.0.0.1:9092`, for messages. */
  readonly what: string
  readonly address: Address
  readonly #connection: Connection
  readonly #tls: Tls | undefined
  #versions: BrokerVersions | undefined
  #lastError: Error | undefined
  #askedAt = 0
  #firstByteMs: number | undefined
  #underWay = 0
  /** Of `callAlone`: all that has come in since. */
  #received: Buffer[] | undefined

  private constructor(settings: ConnectionSettings, address: Address, tls: Tls | undefined) {
    this.what = `broker "${settings.cluster}" ${addressText(address)}`
    this.address = address
    this.#tls = tls
    this.#connection = new Connection(settings.clientId, {
      connectTimeout: settings.connectTimeoutMs,
      requestTimeout: settings.requestTimeoutMs,
      maxInflights: MAX_IN_FLIGHT,
      ...(tls === undefined ? {} : libraryTls(tls, address)),
      ...(settings.sasl === undefined ? {} : { sasl: librarySasl(settings.sasl) }),
    })
    this.#connection.on('error', error => {
      this.#lastError = error
    })
  }

  static async open(settings: ConnectionSettings, address: Address): Promise<BrokerConnection> {
    const opened = new BrokerConnection(settings, address, await settings.tls?.())
    try {
      await opened.#start(settings)
      return opened
    } catch (error) {
      opened.#destroy()
      throw opened.#failure(error)
    }
  }

  async #start(settings: ConnectionSettings): Promise<void> {
    const connected = this.#connection.connect(this.address.host, this.address.port)
    this.#connection.socket?.on('error', () => {})
    await connected
    this.#connection.socket?.on('data', (bytes: Buffer) => {
      this.#firstByteMs ??= performance.now() - this.#askedAt
      this.#received?.push(bytes)
    })
    this.#asks()
    // Whoever listens there and is no Kafka may keep silent: do not wait for the long request timeout then.
    const silent = setTimeout(() => {
      this.#lastError = new KdrError(
        'unreachable',
        `${this.what} is not reachable: it accepts connections but does not answer as Kafka does`,
      )
      this.#destroy()
    }, settings.connectTimeoutMs)
    try {
      const answer = await answerOf(apiVersionsV3.api.async(this.#connection, 'kdr', '1'))
      this.#versions = new BrokerVersions(this.what, answer.apiKeys)
    } catch (error) {
      throw this.#lastError instanceof KdrError ? this.#lastError : error
    } finally {
      clearTimeout(silent)
    }
  }

  get versions(): BrokerVersions {
    if (this.#versions === undefined) throw new KdrError('unreachable', `${this.what} is not connected`)
    return this.#versions
  }

  get isClosed(): boolean {
    const status = this.#connection.status
    return status !== ConnectionStatuses.CONNECTED && status !== ConnectionStatuses.REAUTHENTICATING
  }

  /** From the newest request (the first is that of the opening) to the first byte that came after it. */
  get firstByteMs(): number | undefined {
    return this.#firstByteMs
  }

  /** All bytes that have come in so far. */
  get receivedBytes(): number {
    return this.#connection.socket?.bytesRead ?? 0
  }

  /** What `look` sees in the socket; undefined for none. */
  inSocket<Seen>(look: (socket: unknown) => Seen): Seen {
    return look(this.#connection.socket)
  }

  /**
   * Sends at once (before the first await) unless the broker re-authenticates, so that requests leave in the order of
   * the calls. Error codes inside the answer are values.
   */
  async call<Request extends unknown[], Answer>(
    api: API<Request, Answer>,
    ...request: Request
  ): Promise<Answer> {
    if (this.#underWay > 0) this.#received = undefined
    this.#underWay++
    try {
      if (this.#connection.status === ConnectionStatuses.REAUTHENTICATING) await this.#reauthenticated()
      this.#asks()
      return await answerOf(api.async(this.#connection, ...request))
    } catch (error) {
      throw this.#lost(error)
    } finally {
      this.#underWay--
    }
  }

  /**
   * A call for a large answer. Where no other call is under way, the memory that it came in is given back at once; `held`: what of the
   * answer may stand in it.
   */
  async callAlone<Request extends unknown[], Answer>(
    api: API<Request, Answer>,
    held: (answer: Answer) => readonly Buffer[],
    ...request: Request
  ): Promise<Answer> {
    const received: Buffer[] = []
    this.#received = this.#underWay === 0 ? received : undefined
    const answer = await this.call(api, ...request)
    if (this.#received !== received) return answer
    this.#received = undefined
    const kept = new Set(held(answer).map(({ buffer }) => buffer))
    // The library has copied what stood in several pieces, and holds on to the last one.
    for (const piece of received.slice(0, -1)) if (!kept.has(piece.buffer)) release(piece)
    return answer
  }

  #failure(error: unknown): KdrError {
    return toKdrError(error, { what: this.what, earlier: this.#lastError, tls: this.#tls })
  }

  /** Who could sign in before, and is refused when the broker asks again, has lost the connection: whether for good, the next one shows. */
  #lost(error: unknown): KdrError {
    const failure = this.#failure(error)
    if (failure.code !== 'not-allowed') return failure
    return new KdrError('unreachable', failure.message, { hint: failure.hint, cause: error })
  }

  #asks(): void {
    this.#askedAt = performance.now()
    this.#firstByteMs = undefined
  }

  #reauthenticated(): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        for (const event of ['connect', 'error', 'close'] as const)
          this.#connection.removeListener(event, done)
        resolve()
      }
      for (const event of ['connect', 'error', 'close'] as const) this.#connection.on(event, done)
    })
  }

  async close(): Promise<void> {
    const closed = this.#connection.close()
    this.#destroy()
    await closed
  }

  #destroy(): void {
    this.#connection.socket?.destroy()
  }
}

/** An address has no name to ask for (RFC 6066); the certificate is held against it all the same. */
function libraryTls({ context, serverName, minVersion }: Tls, { host }: Address) {
  return {
    tls: {
      secureContext: context,
      ...(minVersion !== undefined && { minVersion }),
    },
    tlsServerName: serverName ?? isIP(host) === 0,
  }
}

function librarySasl(sasl: SaslOptions) {
  if (sasl.mechanism === 'OAUTHBEARER') {
    const { mechanism, token, extensions } = sasl
    return {
      mechanism,
      token,
      authBytesValidator: refuseToken,
      ...(extensions === undefined ? {} : { oauthBearerExtensions: { ...extensions } }),
    }
  }
  return { mechanism: sasl.mechanism, username: sasl.username, password: sasl.password }
}

/**
 * A broker that refuses a token says so in an answer without an error code, and waits for the client to agree (RFC 7628, 3.2.3):
 * taken for a success, the next request would be cut off without a word.
 */
function refuseToken(authBytes: Buffer, callback: (error: Error | null, authBytes?: Buffer) => void): void {
  if (authBytes.length === 0) callback(null, authBytes)
  else callback(new AuthenticationError(`the token is refused: ${statusOf(authBytes)}`))
}

function statusOf(authBytes: Buffer): string {
  try {
    const { status } = JSON.parse(authBytes.toString()) as { status?: unknown }
    return typeof status === 'string' ? status : 'without a reason'
  } catch {
    return 'without a reason'
  }
}
