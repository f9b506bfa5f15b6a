// A store that asks again when another one does not answer: buckets refuse for a while (503), connections break. A creation whose answer
// was lost may say "exists" the second time: whoever creates looks whether it is his own.
import { findKdrError } from '../model/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { ObjectStore, StoredObject } from '../ports/store.ts'

export type Patience = {
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>
  /** Random, in [0, 1). */
  readonly fraction: () => number
  /** Ends all waiting: what failed last is thrown. */
  readonly signal?: AbortSignal | undefined
}

/** One that has answered before will again; one that never has may not be there at all. */
const PATIENCE_MS = { known: 60_000, unknown: 500 } as const
const BACKOFF_MS = { first: 100, last: 5_000 } as const

export function patientStore(store: ObjectStore, { clock, fraction, signal }: Patience): ObjectStore {
  let hasAnswered = false
  /** Throws the last failure. */
  const insist = async <T>(act: () => Promise<T>): Promise<T> => {
    const since = clock.monotonic()
    for (let waitMs: number = BACKOFF_MS.first; ; waitMs = Math.min(waitMs * 2, BACKOFF_MS.last)) {
      try {
        const answer = await act()
        hasAnswered = true
        return answer
      } catch (error) {
        const patienceMs = hasAnswered ? PATIENCE_MS.known : PATIENCE_MS.unknown
        const isOver = clock.monotonic() - since + waitMs > patienceMs
        const isOther = findKdrError(error)?.code !== 'store-unreachable'
        if (isOther || isOver || signal?.aborted === true) throw error
      }
      // Of many that were refused at once not all come back at once.
      await clock.sleep(waitMs * (0.5 + fraction()), signal)
    }
  }
  const { locks } = store
  return {
    name: store.name,
    create: async (name, body) => await insist(async () => await store.create(name, body)),
    put: async (name, body) => await insist(async () => await store.put(name, body)),
    get: async (name, range) => await insist(async () => await store.get(name, range)),
    head: async name => await insist(async () => await store.head(name)),
    list: (prefix, after) => listAll(store, { prefix, after }, insist),
    delete: async name => await insist(async () => await store.delete(name)),
    locks: locks && {
      keepMs: locks.keepMs,
      slackMs: locks.slackMs,
      lockedUntil: async name => await insist(async () => await locks.lockedUntil(name)),
      lock: async (name, until) => await insist(async () => await locks.lock(name, until)),
    },
    // What a store does is tried out as it is.
    ...(store.probe !== undefined && { probe: async prefix => (await store.probe?.(prefix)) ?? [] }),
  }
}

/** One that was cut goes on behind the last name that came. */
async function* listAll(
  store: ObjectStore,
  { prefix, after }: { readonly prefix: string; readonly after: string | undefined },
  insist: <T>(act: () => Promise<T>) => Promise<T>,
): AsyncGenerator<StoredObject> {
  let last: string | undefined
  let listing = store.list(prefix, after)[Symbol.asyncIterator]()
  let isBroken = false
  for (;;) {
    const next = await insist(async () => {
      if (isBroken) listing = store.list(prefix, last ?? after)[Symbol.asyncIterator]()
      isBroken = true
      let each = await listing.next()
      while (each.done !== true && last !== undefined && each.value.name <= last) each = await listing.next()
      isBroken = false
      return each
    })
    if (next.done === true) return
    last = next.value.name
    yield next.value
  }
}
