// Writes a file for applications from a template. The old file is kept beside it before the new one takes its place, in one
// rename: whoever reads it sees the one or the other, and a run that stops in between can go on or go back.

import { randomBytes } from 'node:crypto'
import { type FileHandle, open, readFile, realpath, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { KdrError } from '../model/errors.ts'
import type { Redirect, RunFacts } from '../ports/outside.ts'

/** Absolute paths. */
export type TemplateSettings = { readonly from: string; readonly to: string }

/** What may stand in `{{...}}`. */
const PLACEHOLDERS = [
  'bootstrap',
  'active',
  'standby',
  'link',
  'generation',
  'run',
  'kind',
] as const satisfies readonly (keyof RunFacts)[]

/** `owner`: uid and gid; undefined: whoever kdr runs as. */
type Content = {
  readonly bytes: Buffer
  readonly mode: number
  readonly owner: readonly [uid: number, gid: number] | undefined
}

export class TemplateRedirect implements Redirect {
  readonly name: string
  readonly #settings: TemplateSettings

  constructor(settings: TemplateSettings) {
    this.#settings = settings
    this.name = `template ${settings.to}`
  }

  describe({ bootstrap }: RunFacts): string {
    const { from, to } = this.#settings
    return `write "${to}" from "${from}", with the bootstrap servers ${bootstrap}`
  }

  async isApplied(facts: RunFacts): Promise<boolean> {
    const { bytes } = await this.#rendered(facts)
    const there = await readContent(await this.#to())
    return there?.bytes.equals(bytes) === true
  }

  async apply(facts: RunFacts): Promise<void> {
    const wanted = await this.#rendered(facts)
    const to = await this.#to()
    const there = await readContent(to)
    const before = beforeOf(to, facts)
    // Not written over: the second time, what stands there may be of the first.
    if ((await readContent(before.kept)) === undefined && (await readContent(before.absent)) === undefined) {
      if (there === undefined) await write(before.absent, { ...wanted, bytes: Buffer.alloc(0) })
      else await write(before.kept, there)
    }
    if (there?.bytes.equals(wanted.bytes) === true) return
    await write(to, there === undefined ? wanted : { ...there, bytes: wanted.bytes })
  }

  async verify(facts: RunFacts): Promise<void> {
    if (await this.isApplied(facts)) return
    throw new KdrError(
      'not-ready',
      `"${this.#settings.to}" is not what "${this.#settings.from}" makes of this run`,
      { hint: 'Somebody else writes that file, or the template has changed meanwhile: run again.' },
    )
  }

  async undo(facts: RunFacts): Promise<void> {
    const to = await this.#to()
    const before = beforeOf(to, facts)
    const kept = await readContent(before.kept)
    const isAbsent = kept === undefined && (await readContent(before.absent)) !== undefined
    if (kept === undefined && !isAbsent) {
      if (!(await this.isApplied(facts))) return
      throw new KdrError('not-ready', `"${to}" cannot be put back: there is no "${before.kept}"`, {
        hint: 'Write the file as it is to be by hand.',
      })
    }
    await this.#assertOwn(to, facts, kept, before.kept)
    if (isAbsent) {
      await removeIfThere(to)
      await removeIfThere(before.absent)
    } else await rename(before.kept, to)
    await syncDirectory(to)
  }

  /** What somebody has written there since is not thrown away. */
  async #assertOwn(to: string, facts: RunFacts, kept: Content | undefined, keptAt: string): Promise<void> {
    const there = await readContent(to)
    if (there === undefined || kept?.bytes.equals(there.bytes) === true || (await this.isApplied(facts)))
      return
    throw new KdrError('not-ready', `"${to}" has been changed since this run has written it`, {
      hint: `Put it back by hand: what was there before is in "${keptAt}".`,
    })
  }

  /** Through links: what is replaced is the file, not the link to it. */
  async #to(): Promise<string> {
    const { to } = this.#settings
    return await realpath(to).catch((error: unknown) => {
      if (isMissing(error)) return to
      throw unusable(to, 'read', error)
    })
  }

  /** With the template's own mode, for a file that is not there yet. */
  async #rendered(facts: RunFacts): Promise<Content> {
    const { from } = this.#settings
    const template = await readContent(from)
    if (template === undefined) {
      throw new KdrError('config-invalid', `there is no template "${from}"`, {
        hint: 'Correct `from` of the redirect: a relative path starts where the config file is.',
      })
    }
    const bytes = Buffer.from(render(template.bytes.toString('utf8'), facts, from))
    return { bytes, mode: template.mode, owner: undefined }
  }
}

/** Throws KdrError('config-invalid') that names an unknown placeholder. `from`: for the message. */
export function render(template: string, facts: RunFacts, from: string): string {
  return template.replace(/\{\{\s*([^{}]*?)\s*\}\}/g, (whole, name: string, at: number) => {
    const known = PLACEHOLDERS.find(each => each === name)
    if (known !== undefined) return String(facts[known])
    const line = template.slice(0, at).split('\n').length
    throw new KdrError('config-invalid', `"${from}:${line}": there is no placeholder \`${whole}\``, {
      hint: `A template may use ${PLACEHOLDERS.map(each => `\`{{${each}}}\``).join(', ')}.`,
    })
  })
}

/** `absent`: an empty file that says that there was none. */
function beforeOf(to: string, { run }: RunFacts): { readonly kept: string; readonly absent: string } {
  const kept = `${to}.kdr-before-${run.replace(/[^A-Za-z0-9._-]/g, '_')}`
  return { kept, absent: `${kept}.absent` }
}

/** Undefined: there is no such file. */
async function readContent(path: string): Promise<Content | undefined> {
  try {
    const [bytes, { mode, uid, gid }] = [await readFile(path), await stat(path)]
    return { bytes, mode: mode & 0o7777, owner: [uid, gid] }
  } catch (error) {
    if (isMissing(error)) return undefined
    throw unusable(path, 'read', error)
  }
}

/** Whole or not at all, also after a loss of power. */
async function write(path: string, { bytes, mode, owner }: Content): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`
  let file: FileHandle | undefined
  try {
    file = await open(temporary, 'wx', 0o600)
    await file.writeFile(bytes)
    const own = await file.stat()
    const isForeign = owner !== undefined && (own.uid !== owner[0] || own.gid !== owner[1])
    // Before the mode: a change of owner takes bits of it away.
    if (isForeign) await file.chown(...owner)
    await file.chmod(mode)
    await file.sync()
    await file.close()
    file = undefined
    await rename(temporary, path)
    await syncDirectory(path)
  } catch (error) {
    await file?.close()
    await removeIfThere(temporary)
    throw unusable(path, 'written', error)
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(dirname(path), 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

async function removeIfThere(path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => {
    if (!isMissing(error)) throw unusable(path, 'removed', error)
  })
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

function unusable(path: string, done: string, error: unknown): KdrError {
  const code = (error as NodeJS.ErrnoException).code ?? String(error)
  const isDenied = code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
  return new KdrError(isDenied ? 'not-allowed' : 'not-ready', `"${path}" cannot be ${done}: ${code}`, {
    hint: 'kdr must be able to write in the folder of the file, and to give the new file the owner of the old one.',
    cause: error,
  })
}
