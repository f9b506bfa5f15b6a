// The real clock and real chance, behind their ports.
import { randomBytes, randomUUID } from 'node:crypto'
import { hostname, userInfo } from 'node:os'
import type { Clock, Entropy } from '../ports/clock.ts'

/** Whoever sleeps until a signal. One listener for all: adding one takes a look at each of thousands that are there. */
const sleepers = new WeakMap<AbortSignal, Set<() => void>>()

function sleepersOf(signal: AbortSignal): Set<() => void> {
  const known = sleepers.get(signal)
  if (known !== undefined) return known
  const waking = new Set<() => void>()
  sleepers.set(signal, waking)
  signal.addEventListener('abort', () => waking.forEach(wake => wake()), { once: true })
  return waking
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (ms, signal) => {
    if (signal?.aborted === true) return
    await new Promise<void>(resolve => {
      const waking = signal === undefined ? undefined : sleepersOf(signal)
      const wake = (): void => {
        clearTimeout(timer)
        waking?.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      waking?.add(wake)
    })
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
