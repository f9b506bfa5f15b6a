// What a test does to a kdr process from the inside (`node --import`): it answers look-ups of names, moves the wall clock
// (not the monotonic one), and at SIGUSR2 keeps the event loop busy. The file of KDR_TEST_INSIDE says how, read each time.

import dns from 'node:dns'
import { readFileSync } from 'node:fs'

export type Inside = {
  /** Addresses of names; a name with none does not exist. Others are looked up as ever. */
  readonly names?: Readonly<Record<string, readonly string[]>>
  /** Added to the wall clock. */
  readonly clockOffsetMs?: number
  /** How long SIGUSR2 keeps the event loop busy. */
  readonly stallMs?: number
}

type Answer = (error: Error | null, address?: unknown, family?: number) => void

const told = (): Inside => JSON.parse(readFileSync(process.env['KDR_TEST_INSIDE'] ?? '', 'utf8')) as Inside

const realLookup = dns.lookup as unknown as (name: string, ...rest: unknown[]) => void

function lookup(name: string, ...rest: unknown[]): void {
  const known = told().names?.[name]
  if (known === undefined) return realLookup(name, ...rest)
  const answer = rest.at(-1) as Answer
  const options = rest.length > 1 ? (rest[0] as { readonly all?: boolean }) : {}
  const [first] = known
  process.nextTick(() => {
    if (first === undefined) {
      answer(Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND' }))
    } else if (options.all === true) {
      answer(
        null,
        known.map(address => ({ address, family: 4 })),
      )
    } else answer(null, first, 4)
  })
}

const realNow = Date.now

function now(): number {
  return realNow() + (told().clockOffsetMs ?? 0)
}

function stall(): void {
  const until = performance.now() + (told().stallMs ?? 0)
  while (performance.now() < until);
}

// Only in a process that a test has started so: this file is imported for its type too.
if (process.env['KDR_TEST_INSIDE'] !== undefined) {
  Object.assign(dns, { lookup })
  Date.now = now
  process.on('SIGUSR2', stall)
}
