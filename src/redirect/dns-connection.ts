// One TCP connection to a name server, with one request on it at a time (RFC 1035, 4.2.2: two bytes of length go before
// each message). Updates go over TCP only: there a lost answer shows as a lost connection, not as silence.

import { connect, type Socket } from 'node:net'
import { KdrError } from '../model/errors.ts'
import { SOCKET_WORDS } from '../model/socket-words.ts'

const MAX_MESSAGE_BYTES = 65_535

export class DnsConnection {
  readonly #server: string
  readonly #socket: Socket
  readonly #timeoutMs: number
  #received: Buffer = Buffer.alloc(0)
  #failure: NodeJS.ErrnoException | undefined
  #wake: () => void = () => undefined

  /** `server`: `host:port`. `timeoutMs`: of opening it, and of each answer. Throws KdrError('unreachable'). */
  static async open(server: string, timeoutMs: number): Promise<DnsConnection> {
    const colon = server.lastIndexOf(':')
    const host = server.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
    const socket = connect({ host, port: Number(server.slice(colon + 1)) })
    const connection = new DnsConnection(server, socket, timeoutMs)
    try {
      await connection.#until(() => socket.readyState === 'open')
    } catch (error) {
      connection.close()
      throw error
    }
    return connection
  }

  private constructor(server: string, socket: Socket, timeoutMs: number) {
    this.#server = server
    this.#socket = socket
    this.#timeoutMs = timeoutMs
    socket.setNoDelay(true)
    socket.on('connect', () => this.#wake())
    socket.on('data', (bytes: Buffer) => {
      this.#received = Buffer.concat([this.#received, bytes])
      this.#wake()
    })
    const fail = (error: Error) => {
      this.#failure ??= error
      this.#wake()
    }
    socket.on('error', fail)
    socket.on('close', () => fail(new Error('connection closed')))
    socket.on('end', () => fail(new Error('connection closed')))
  }

  /** Throws KdrError('unreachable'): whether the server has acted on the message is not known then. */
  async ask(message: Buffer): Promise<Buffer> {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(message.length)
    this.#socket.write(Buffer.concat([length, message]))
    await this.#until(() => this.#messageEnd() <= this.#received.length)
    const end = this.#messageEnd()
    const answer = this.#received.subarray(2, end)
    this.#received = this.#received.subarray(end)
    return answer
  }

  close(): void {
    this.#socket.destroy()
  }

  #messageEnd(): number {
    return this.#received.length < 2 ? 2 + MAX_MESSAGE_BYTES : 2 + this.#received.readUInt16BE(0)
  }

  async #until(isReached: () => boolean): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => this.#wakeWith(new Error('no answer in time')), this.#timeoutMs)
      this.#wake = () => {
        if (!isReached() && this.#failure === undefined) return
        clearTimeout(timer)
        if (isReached()) resolve()
        else reject(this.#unreachable())
      }
      this.#wake()
    })
  }

  #wakeWith(failure: Error): void {
    this.#failure ??= failure
    this.#wake()
  }

  #unreachable(): KdrError {
    const why = SOCKET_WORDS[this.#failure?.code ?? ''] ?? this.#failure?.message ?? 'connection closed'
    return new KdrError('unreachable', `the name server "${this.#server}" is not reachable: ${why}`, {
      hint: 'Check `server` of the redirect, and that TCP to its port is open: updates do not go over UDP.',
      cause: this.#failure,
    })
  }
}
