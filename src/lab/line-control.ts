// What is said between `kdr lab line` and the process that holds the lines of a lab: one request and one answer, each a line
// of JSON, over a port on loopback.

import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import type { LineShape } from './line.ts'

/** `all`: nothing gets through. `answers`: requests arrive, and nothing that a broker sends comes back. */
export type Cut = 'all' | 'answers'

/** In this order: `heals` first, so that one request can start from a clear line. */
export type LineChanges = {
  /** Ends the cut, and takes delay and window away. */
  readonly heals?: boolean
  /** Each way. */
  readonly delayMs?: number
  /** Of each connection, each way. */
  readonly windowBytes?: number
  readonly cut?: Cut
}

/** One broker's line as it is. Without a window: as wide as the system makes it. */
export type LineView = {
  readonly cluster: string
  readonly id: number
  readonly delayMs: LineShape['delayMs']
  readonly windowBytes: number | undefined
  readonly cut: Cut | undefined
}

/** `brokers`: ids; undefined for all of the cluster. */
export type LineRequest = {
  readonly cluster: string
  readonly brokers: readonly number[] | undefined
  readonly changes: LineChanges
}

/** Throws the socket's error when nobody listens. */
export async function askHolder(port: number, request: LineRequest): Promise<LineView[]> {
  const socket = connect({ host: '127.0.0.1', port })
  try {
    await once(socket, 'connect')
    socket.write(`${JSON.stringify(request)}\n`)
    for await (const line of createInterface({ input: socket })) return JSON.parse(line) as LineView[]
    throw new Error('the process that holds the lines closed the connection')
  } finally {
    socket.destroy()
  }
}
