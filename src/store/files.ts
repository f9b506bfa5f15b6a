// A vault in a folder. An object is written beside the others first, synced, and then gets its name in one step: link(2)
// refuses a name that is taken, rename(2) replaces. The folder is synced too, or the name might be gone after a crash.
import { type FileHandle, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { KdrError } from '../model/errors.ts'
import type { Body, ByteRange, ObjectStore, StoredObject } from '../ports/store.ts'
import { assertObjectName } from './names.ts'

/** What is being written; no object's name begins with a dot. */
const UNFINISHED = '.unfinished'
/** Of a listing: ten thousand commits one by one would take seconds. */
const LOOKS_AT_ONCE = 256

/** `unique`: gives names that no other process uses. The folder is made at the first write. */
export function openFileStore(root: string, unique: () => string): ObjectStore {
  return new FileStore(resolve(root), unique)
}

class FileStore implements ObjectStore {
  readonly name: string
  readonly #root: string
  readonly #unique: () => string
  /** Folders that are known to be there, and durable. */
  readonly #made = new Set<string>()

  constructor(root: string, unique: () => string) {
    this.#root = root
    this.#unique = unique
    this.name = pathToFileURL(root).href
  }

  async create(name: string, body: Body): Promise<'created' | 'exists'> {
    return await this.#write(name, body, async (unfinished, path) => {
      try {
        await link(unfinished, path)
        return 'created'
      } catch (error) {
        if (codeOf(error) === 'EEXIST') return 'exists'
        throw error
      } finally {
        await rm(unfinished, { force: true })
      }
    })
  }

  async put(name: string, body: Body): Promise<void> {
    await this.#write(name, body, async (unfinished, path) => await rename(unfinished, path))
  }

  async get(name: string, range?: ByteRange): Promise<Buffer | undefined> {
    const path = this.#pathOf(name)
    if (range !== undefined && range.to <= range.from)
      return (await this.head(name)) === undefined ? undefined : Buffer.alloc(0)
    return await this.#ask(`read "${name}"`, async () => {
      const file = await open(path, 'r')
      try {
        const { size } = await file.stat()
        const from = range?.from ?? 0
        const to = Math.min(range?.to ?? size, size)
        return await readWhole(file, from, Math.max(0, to - from))
      } finally {
        await file.close()
      }
    })
  }

  async head(name: string): Promise<StoredObject | undefined> {
    const path = this.#pathOf(name)
    return await this.#ask(`look at "${name}"`, async () => {
      const found = await stat(path)
      return found.isFile() ? { name, bytes: found.size } : undefined
    })
  }

  async *list(prefix: string, after = ''): AsyncIterable<StoredObject> {
    // Only the folder that all names with this prefix are below is walked.
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    yield* this.#walk(folder, { prefix, after })
  }

  async delete(name: string): Promise<void> {
    const path = this.#pathOf(name)
    await this.#ask(`delete "${name}"`, async () => await rm(path))
  }

  async *#walk(
    folder: string,
    { prefix, after }: { readonly prefix: string; readonly after: string },
  ): AsyncGenerator<StoredObject> {
    const entries =
      (await this.#ask(
        `list "${folder}"`,
        async () => await readdir(join(this.#root, folder), { withFileTypes: true }),
      )) ?? []
    // As the whole names are ordered: a folder `a` comes where `a/` does.
    const named = entries
      .filter(entry => !entry.name.startsWith('.'))
      .map(entry => ({ entry, name: `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}` }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
    const wanted = named.filter(({ entry, name }) =>
      entry.isDirectory()
        ? name.startsWith(prefix) || prefix.startsWith(name)
        : name.startsWith(prefix) && name > after,
    )
    for (let at = 0; at < wanted.length; at += LOOKS_AT_ONCE) {
      const some = wanted.slice(at, at + LOOKS_AT_ONCE)
      const found = await Promise.all(
        some.map(async ({ entry, name }) => (entry.isDirectory() ? undefined : await this.head(name))),
      )
      for (const [i, { entry, name }] of some.entries()) {
        if (entry.isDirectory()) yield* this.#walk(name, { prefix, after })
        else if (found[i] !== undefined) yield found[i]
      }
    }
  }

  async #write<T>(
    name: string,
    body: Body,
    give: (unfinished: string, path: string) => Promise<T>,
  ): Promise<T> {
    const path = this.#pathOf(name)
    const unfinished = join(this.#root, UNFINISHED, this.#unique())
    const written = await this.#ask(`write "${name}"`, async () => {
      await this.#makeFolder(dirname(unfinished))
      await this.#makeFolder(dirname(path))
      try {
        const file = await open(unfinished, 'wx')
        try {
          await writeWhole(file, body)
          await file.sync()
        } finally {
          await file.close()
        }
        const given = await give(unfinished, path)
        await syncFolder(dirname(path))
        return { given }
      } catch (error) {
        await rm(unfinished, { force: true })
        throw error
      }
    })
    if (written !== undefined) return written.given
    throw new KdrError('store-unreachable', `the vault's folder "${this.#root}" is going away`)
  }

  async #makeFolder(path: string): Promise<void> {
    if (this.#made.has(path)) return
    const first = await mkdir(path, { recursive: true })
    // Each folder that was made is a new name in the one above it.
    if (first !== undefined)
      for (let at = path; at.length >= first.length; at = dirname(at)) await syncFolder(dirname(at))
    this.#made.add(path)
  }

  #pathOf(name: string): string {
    assertObjectName(name)
    return join(this.#root, name)
  }

  /** Undefined when there is no such file. */
  async #ask<T>(what: string, act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act()
    } catch (error) {
      const code = codeOf(error)
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
      throw failure(`cannot ${what} in "${this.#root}"`, code, error)
    }
  }
}

/** What a failed call means for whoever asked the store. */
export function failure(what: string, code: string | undefined, cause: unknown): unknown {
  if (code === undefined) return cause
  const message = `${what}: ${cause instanceof Error ? cause.message : code}`
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new KdrError('not-allowed', message, {
      hint: "Give the user that runs kdr the right to read and write the vault's folder.",
      cause,
    })
  // Nobody makes room within the minute for which a store is asked again.
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new KdrError('store-lacks', message, { hint: 'Make room there, and do it again.', cause })
  return new KdrError('store-unreachable', message, { cause })
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}

/** In one call, if the disk takes all at once: with a call for each piece a segment takes half as much CPU again. */
async function writeWhole(file: FileHandle, body: Body): Promise<void> {
  for (let left = behind(body, 0); left.length > 0; ) {
    const { bytesWritten } = await file.writev(left)
    left = behind(left, bytesWritten)
  }
}

/** What is left of `pieces` without their first bytes; no empty ones. */
export function behind(pieces: Body, bytes: number): Uint8Array[] {
  let skipped = bytes
  return pieces.flatMap(piece => {
    const from = Math.min(skipped, piece.length)
    skipped -= from
    return from < piece.length ? [piece.subarray(from)] : []
  })
}

/** Fewer bytes where the file has become shorter meanwhile. */
async function readWhole(file: FileHandle, from: number, bytes: number): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(bytes)
  for (let read = 0; read < bytes; ) {
    const { bytesRead } = await file.read(whole, read, bytes - read, from + read)
    if (bytesRead === 0) return whole.subarray(0, read)
    read += bytesRead
  }
  return whole
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
