// The line to one broker: a port on loopback that passes bytes on, with a delay, a window per connection, cuts in one or
// both directions, and whatever else a `tap` does to the bytes. A cut sends no RST and loses nothing: bytes wait, as TCP
// would send them again, so that an old request may still arrive after the line has healed. (A new connection is
// accepted during a cut and hears nothing: loopback cannot withhold the handshake.)

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { LabCluster } from './cluster.ts'

/** `up` is towards the broker. */
export type Direction = 'up' | 'down'
export type LineEnd = { readonly host: string; readonly port: number }

export type LineShape = {
  /** One way: a round trip takes twice as long. */
  readonly delayMs: number
  /** Bytes of one direction of one connection that may be under way unacknowledged; Infinity for no limit. */
  readonly windowBytes: number
  /** Bytes are handed over in pieces of at most this size, each in a turn of its own; Infinity for as they come. */
  readonly pieceBytes: number
}
const CLEAR: LineShape = { delayMs: 0, windowBytes: Infinity, pieceBytes: Infinity }

/**
 * Sees bytes before they are handed over. Returns them, others instead of them, or `reset` to end both connections with
 * an RST. `connection` counts from 1 in the order of accepting.
 */
export type Tap = (direction: Direction, bytes: Buffer, connection: number) => Buffer | 'reset'

export interface Line {
  readonly port: number
  /** How many have been accepted so far. */
  readonly accepted: number
  /** How many of them are open. */
  readonly open: number
  shape(changes: Partial<LineShape>): void
  /** Both directions, unless one is named. */
  cut(direction?: Direction): void
  /** Ends every cut; what waited arrives. */
  heal(): void
  /** RST to both ends of every open connection. */
  reset(): void
  /** Connections from now on lead there. */
  lead(to: LineEnd): void
  tap(tap: Tap | undefined): void
  close(): Promise<void>
}

/** Resolves when it listens. `port` 0: any. Throws the error of the socket, as when the port is taken. */
export async function openLine(options: { readonly port?: number; readonly to: LineEnd }): Promise<Line> {
  const line = new ProxiedLine(options.to)
  await line.listen(options.port ?? 0)
  return line
}

/** A line to each broker of a lab cluster with `hasLines`, in the order of its `lines`. */
export async function openLines({ lines }: Pick<LabCluster, 'lines'>): Promise<Line[]> {
  return await Promise.all(
    lines.map(async ({ port, advertisedPort }) =>
      openLine({ port: advertisedPort, to: { host: '127.0.0.1', port } }),
    ),
  )
}

class ProxiedLine implements Line {
  readonly #server: Server
  readonly #connections = new Set<Connection>()
  readonly #cuts = new Set<Direction>()
  #shape = CLEAR
  #to: LineEnd
  #tap: Tap | undefined
  #accepted = 0

  constructor(to: LineEnd) {
    this.#to = to
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, socket => this.#accept(socket))
  }

  async listen(port: number): Promise<void> {
    this.#server.listen({ port, host: '127.0.0.1', exclusive: true })
    await once(this.#server, 'listening')
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get accepted(): number {
    return this.#accepted
  }

  get open(): number {
    return this.#connections.size
  }

  shape(changes: Partial<LineShape>): void {
    this.#shape = { ...this.#shape, ...changes }
    this.#wake()
  }

  cut(direction?: Direction): void {
    for (const each of direction === undefined ? (['up', 'down'] as const) : [direction]) this.#cuts.add(each)
  }

  heal(): void {
    this.#cuts.clear()
    this.#wake()
  }

  reset(): void {
    for (const connection of this.#connections) connection.reset()
  }

  lead(to: LineEnd): void {
    this.#to = to
  }

  tap(tap: Tap | undefined): void {
    this.#tap = tap
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.reset()
    await closed
  }

  #wake(): void {
    for (const connection of this.#connections) connection.wake()
  }

  #accept(socket: Socket): void {
    const number = ++this.#accepted
    const connection = new Connection(socket, this.#to, {
      shape: () => this.#shape,
      isCut: direction => this.#cuts.has(direction),
      tap: (direction, bytes) => this.#tap?.(direction, bytes, number) ?? bytes,
      onClosed: () => this.#connections.delete(connection),
    })
    this.#connections.add(connection)
    connection.wake()
  }
}

type Rules = {
  readonly shape: () => LineShape
  readonly isCut: (direction: Direction) => boolean
  readonly tap: (direction: Direction, bytes: Buffer) => Buffer | 'reset'
  readonly onClosed: () => void
}

class Connection {
  readonly #client: Socket
  readonly #to: LineEnd
  readonly #rules: Rules
  readonly #pipes: readonly Pipe[]
  readonly #broker: { socket: Socket | undefined } = { socket: undefined }
  #isOver = false

  constructor(client: Socket, to: LineEnd, rules: Rules) {
    this.#client = client
    this.#to = to
    this.#rules = rules
    const reset = (): void => this.reset()
    this.#pipes = [
      new Pipe('up', rules, {
        write: (bytes, done) => void this.#broker.socket?.write(bytes, done),
        end: () => void this.#broker.socket?.end(),
        reset,
      }),
      new Pipe('down', rules, {
        write: (bytes, done) => void client.write(bytes, done),
        end: () => void client.end(),
        reset,
      }),
    ]
    this.#listen(client, this.#pipes[0])
  }

  wake(): void {
    if (this.#broker.socket === undefined && !this.#rules.isCut('up') && !this.#isOver) this.#reach()
    for (const pipe of this.#pipes) pipe.wake()
  }

  reset(): void {
    if (this.#isOver) return
    this.#isOver = true
    for (const pipe of this.#pipes) pipe.stop()
    for (const socket of [this.#client, this.#broker.socket]) socket?.resetAndDestroy()
    this.#rules.onClosed()
  }

  #reach(): void {
    const socket = connect({ ...this.#to, allowHalfOpen: true, noDelay: true })
    this.#broker.socket = socket
    this.#listen(socket, this.#pipes[1])
  }

  #listen(socket: Socket, pipe: Pipe | undefined): void {
    if (pipe === undefined) return
    socket.on('data', (bytes: Buffer) => {
      if (!pipe.take(bytes)) socket.pause()
    })
    pipe.onRoom = () => void socket.resume()
    socket.on('end', () => pipe.takeEnd('end'))
    socket.on('error', () => pipe.takeEnd('reset'))
    socket.on('close', () => {
      const other = socket === this.#client ? this.#broker.socket : this.#client
      if (other?.destroyed === true) this.reset()
    })
  }
}

type Far = {
  readonly write: (bytes: Buffer, done: () => void) => void
  readonly end: () => void
  readonly reset: () => void
}

/** Of a line that passes bytes in small pieces. */
const PIECES_UNDER_WAY = 256
/** What one side may have read ahead of a slow line. */
const READ_AHEAD_BYTES = 256 * 1024

/** One direction: bytes that wait to be sent, and those under way with the time of their arrival, in order. */
class Pipe {
  readonly #direction: Direction
  readonly #rules: Rules
  readonly #far: Far
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #underWay: { readonly bytes: Buffer; readonly at: number }[] = []
  #unacknowledged = 0
  #ending: 'end' | 'reset' | undefined
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined
  #isOver = false
  onRoom: () => void = () => {}

  constructor(direction: Direction, rules: Rules, far: Far) {
    this.#direction = direction
    this.#rules = rules
    this.#far = far
  }

  /** False: pause until `onRoom`. */
  take(bytes: Buffer): boolean {
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    this.wake()
    return this.#waitingBytes < READ_AHEAD_BYTES
  }

  takeEnd(how: 'end' | 'reset'): void {
    this.#ending ??= how
    this.wake()
  }

  stop(): void {
    this.#isOver = true
    clearTimeout(this.#timer as NodeJS.Timeout | undefined)
    clearImmediate(this.#timer as NodeJS.Immediate | undefined)
  }

  wake(): void {
    if (this.#isOver || this.#rules.isCut(this.#direction)) return
    this.#send()
    this.#deliver()
    if (this.#isOver || this.#waiting.length > 0 || this.#underWay.length > 0) return
    if (this.#ending === 'reset') this.#far.reset()
    else if (this.#ending === 'end') {
      this.stop()
      this.#far.end()
    }
  }

  #send(): void {
    const { delayMs, windowBytes, pieceBytes } = this.#rules.shape()
    for (let head = this.#waiting[0]; head !== undefined; head = this.#waiting[0]) {
      const room = windowBytes - this.#unacknowledged
      // A megabyte is not cut into single bytes at once: what is left goes whole when the line is healed.
      if (room <= 0 || (pieceBytes < Infinity && this.#underWay.length >= PIECES_UNDER_WAY)) break
      const bytes = head.subarray(0, Math.min(room, pieceBytes))
      if (bytes.length === head.length) this.#waiting.shift()
      else this.#waiting[0] = head.subarray(bytes.length)
      this.#waitingBytes -= bytes.length
      this.#unacknowledged += bytes.length
      this.#underWay.push({ bytes, at: performance.now() + delayMs })
    }
    if (this.#waitingBytes < READ_AHEAD_BYTES) this.onRoom()
  }

  #deliver(): void {
    const { pieceBytes } = this.#rules.shape()
    for (let head = this.#underWay[0]; head !== undefined; head = this.#underWay[0]) {
      const left = head.at - performance.now()
      if (left > 0) return this.#wakeLater(setTimeout(() => this.#woken(), left))
      this.#underWay.shift()
      this.#hand(head.bytes)
      if (this.#isOver) return
      if (pieceBytes < Infinity && this.#underWay.length > 0)
        return this.#wakeLater(setImmediate(() => this.#woken()))
    }
  }

  #hand(bytes: Buffer): void {
    const passed = this.#rules.tap(this.#direction, bytes)
    if (passed === 'reset') return this.#far.reset()
    this.#far.write(passed, () => {
      // The acknowledgement travels back.
      const acknowledge = (): void => {
        this.#unacknowledged -= bytes.length
        this.wake()
      }
      const { delayMs } = this.#rules.shape()
      if (delayMs > 0) setTimeout(acknowledge, delayMs)
      else acknowledge()
    })
  }

  #wakeLater(timer: NodeJS.Timeout | NodeJS.Immediate): void {
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer as NodeJS.Timeout)
      clearImmediate(this.#timer as NodeJS.Immediate)
    }
    this.#timer = timer
  }

  #woken(): void {
    this.#timer = undefined
    this.wake()
  }
}
