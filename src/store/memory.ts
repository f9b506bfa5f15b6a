// Objects in memory, for tests: the shortest form of what the port promises.
import type { Body, ByteRange, ObjectStore, StoredObject } from '../ports/store.ts'
import { assertObjectName } from './names.ts'

export class MemoryStore implements ObjectStore {
  readonly name = 'memory:'
  readonly objects = new Map<string, Buffer>()

  create(name: string, body: Body): Promise<'created' | 'exists'> {
    assertObjectName(name)
    if (this.objects.has(name)) return Promise.resolve('exists')
    this.objects.set(name, Buffer.concat(body))
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

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const names = [...this.objects.keys()].filter(name => name.startsWith(prefix)).sort()
    for (const name of names) {
      const found = await this.head(name)
      if (found !== undefined) yield found
    }
  }

  delete(name: string): Promise<void> {
    this.objects.delete(name)
    return Promise.resolve()
  }
}
