// The real clock and real chance, behind their ports.
import { randomBytes, randomUUID } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import type { Clock, Entropy } from '../ports/clock.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    // It rejects on abort only, and a sleep that is cut short is a sleep that has ended.
    await wait(ms, undefined, signal === undefined ? {} : { signal }).catch(() => {})
  },
}

export const systemEntropy: Entropy = {
  bits62: () => randomBytes(8).readBigUInt64BE() & (2n ** 62n - 1n),
  uuid: () => randomUUID(),
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
}

/** user@host, for the journal. */
export function whoAmI(): string {
  return `${userName()}@${hostname()}`
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A container may run as a user that has no name.
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
