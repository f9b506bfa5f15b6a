// Objects in memory, for tests: the shortest form of what the port promises.
import { KdrError } from '../model/errors.ts'
import type { Body, ByteRange, ObjectLocks, ObjectStore, StoredObject } from '../ports/store.ts'
import { assertObjectName } from './names.ts'

export type MemoryLocks = Pick<ObjectLocks, 'keepMs' | 'slackMs'> & { readonly now: () => number }

export class MemoryStore implements ObjectStore {
  readonly name = 'memory:'
  readonly objects = new Map<string, Buffer>()
  readonly lockedUntil = new Map<string, number>()
  readonly locks: ObjectLocks | undefined
  readonly #locking: MemoryLocks | undefined

  constructor(locking?: MemoryLocks) {
    this.#locking = locking
    this.locks = locking && { ...locking, ...this.#makeLocks() }
  }

  create(name: string, body: Body): Promise<'created' | 'exists'> {
    assertObjectName(name)
    if (this.objects.has(name)) return Promise.resolve('exists')
    this.objects.set(name, Buffer.concat(body))
    if (this.#locking !== undefined) {
      const { keepMs, slackMs, now } = this.#locking
      this.lockedUntil.set(name, now() + keepMs + slackMs)
    }
    return Promise.resolve('created')
  }

  put(name: string, body: Body): Promise<void> {
    assertObjectName(name)
    this.objects.set(name, Buffer.concat(body))
    return Promise.resolve()
  }

  get(name: string, range?: ByteRange): Promise<Buffer | undefined> {
    const found = this.objects.get(name)
    // A copy: nobody may change what is stored.
    const bytes = found === undefined ? undefined : Buffer.from(found.subarray(range?.from, range?.to))
    return Promise.resolve(bytes)
  }

  head(name: string): Promise<StoredObject | undefined> {
    const found = this.objects.get(name)
    return Promise.resolve(found && { name, bytes: found.length })
  }

  async *list(prefix: string, after = ''): AsyncIterable<StoredObject> {
    const names = [...this.objects.keys()].filter(name => name.startsWith(prefix) && name > after).sort()
    for (const name of names) {
      const found = await this.head(name)
      if (found !== undefined) yield found
    }
  }

  delete(name: string): Promise<void> {
    const until = this.lockedUntil.get(name) ?? 0
    if (until > (this.#locking?.now() ?? 0)) {
      const lockedUntil = new Date(until).toISOString()
      const error = new KdrError('not-allowed', `"${name}" is locked until ${lockedUntil}`, {
        facts: { lockedUntil },
      })
      return Promise.reject(error)
    }
    this.objects.delete(name)
    this.lockedUntil.delete(name)
    return Promise.resolve()
  }

  #makeLocks(): Pick<ObjectLocks, 'lockedUntil' | 'lock'> {
    const assertThere = (name: string): void => {
      if (!this.objects.has(name)) throw new KdrError('damaged', `object "${name}" is missing`)
    }
    return {
      lockedUntil: async name => {
        assertThere(name)
        return await Promise.resolve(this.lockedUntil.get(name))
      },
      lock: async (name, until) => {
        assertThere(name)
        this.lockedUntil.set(name, Math.max(until, this.lockedUntil.get(name) ?? 0))
        return await Promise.resolve()
      },
    }
  }
}
