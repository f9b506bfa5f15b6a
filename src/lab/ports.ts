// Free ports for servers, below 32768: in the ephemeral range above it, the source port of somebody's connection may be
// the one a server is about to bind. Chosen at random, and each process from a share of its own, because several labs may
// start at once: a port that was found free is bound only seconds later.

import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { KdrError } from '../model/errors.ts'

const LOWEST = 20_000
const ABOVE = 32_000
const SHARES = 32

/** Ports that this process has handed out, bound yet or not. */
const taken = new Set<number>()

export async function findPorts(count: number): Promise<number[]> {
  const found: number[] = []
  for (let attempt = 0; found.length < count; attempt++) {
    if (attempt > 1000) throw new KdrError('not-ready', `no free ports between ${LOWEST} and ${ABOVE}`)
    const port = randomInt(LOWEST / SHARES, ABOVE / SHARES) * SHARES + (process.pid % SHARES)
    if (taken.has(port) || !(await isFree(port))) continue
    taken.add(port)
    found.push(port)
  }
  return found
}

export async function findPort(): Promise<number> {
  const [port = 0] = await findPorts(1)
  return port
}

/** Asked by binding; connecting could meet a connection of our own. */
function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
