// A process that ends at its nth call through a port, before that call's effect or after it: what it asks for from then on has no effect.
import type { Cluster, FetchLane } from '../../src/ports/cluster.ts'
import type { Body, ByteRange, ObjectStore, StoredObject } from '../../src/ports/store.ts'

export class Killed extends Error {}

export class Life {
  calls = 0
  isOver = false
  #end: { readonly call: number; readonly isBefore: boolean } | undefined

  /** Counted from now on. */
  endAt(call: number, isBefore: boolean): this {
    this.#end = { call: this.calls + call, isBefore }
    return this
  }

  async call<T>(act: () => Promise<T> | T): Promise<T> {
    this.#assertAlive()
    const isLast = ++this.calls === this.#end?.call
    if (isLast && this.#end?.isBefore === true) this.isOver = true
    this.#assertAlive()
    const answer = await act()
    if (isLast) this.isOver = true
    this.#assertAlive()
    return answer
  }

  #assertAlive(): void {
    if (this.isOver) throw new Killed('killed')
  }
}

export function mortalStore(store: ObjectStore, life: Life): ObjectStore {
  return {
    name: store.name,
    create: async (name: string, body: Body) => await life.call(() => store.create(name, body)),
    put: async (name: string, body: Body) => await life.call(() => store.put(name, body)),
    get: async (name: string, range?: ByteRange) => await life.call(() => store.get(name, range)),
    head: async (name: string) => await life.call(() => store.head(name)),
    async *list(prefix: string, after?: string): AsyncIterable<StoredObject> {
      const found = await life.call(() => store.list(prefix, after))
      for await (const each of found) yield await life.call(() => each)
    },
    delete: async (name: string) => await life.call(() => store.delete(name)),
  }
}

/** What a backup asks of a cluster. */
export function mortalCluster(cluster: Cluster, life: Life): Cluster {
  const lane = (inner: FetchLane): FetchLane =>
    Object.assign(Object.create(inner) as FetchLane, {
      fetch: async (request: Parameters<FetchLane['fetch']>[0]) =>
        await life.call(() => inner.fetch(request)),
      close: async () => await inner.close(),
    })
  return new Proxy(cluster, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key)
      if (typeof value !== 'function' || key === 'close') return value
      return async (...args: unknown[]): Promise<unknown> => {
        const answer: unknown = await life.call(() => Reflect.apply(value, target, args) as unknown)
        return key === 'openFetchLane' ? lane(answer as FetchLane) : answer
      }
    },
  })
}
