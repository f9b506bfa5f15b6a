// Secrets are named in the config, not written there. The name is safe to print, the value is not: it is read each time
// it is used, so a rotated password needs no restart, and nothing here keeps it.

import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { KdrError } from '../model/errors.ts'

export type SecretKind = 'env' | 'file' | 'exec' | 'literal'

const EXEC_TIMEOUT_MS = 30_000
const EXEC_MAX_BYTES = 1024 * 1024

/** A reference to a secret. However it is printed, what shows is the reference, never a value. */
export class SecretRef {
  readonly kind: SecretKind
  /** What may be shown: `env:NAME`, `file:PATH`, `exec:COMMAND`, or `(hidden)` for one written in the file. */
  readonly shown: string
  readonly #name: string

  private constructor(kind: SecretKind, name: string, shown: string) {
    this.kind = kind
    this.#name = name
    this.shown = shown
  }

  /** `directory`: what a relative path of `file:` starts from, which is where the config file is. */
  static parse(text: string, directory: string): SecretRef {
    const [, kind, name = ''] = /^(env|file|exec):(.*)$/s.exec(text) ?? []
    if (kind === 'env') return new SecretRef('env', name, text)
    if (kind === 'file') return new SecretRef('file', resolve(directory, name), text)
    if (kind === 'exec') return new SecretRef('exec', name, text)
    return new SecretRef('literal', text, '(hidden)')
  }

  /** Whether both name the same secret; its value may still have changed. */
  isSameAs(other: SecretRef): boolean {
    return this.kind === other.kind && this.#name === other.#name
  }

  async read(): Promise<string> {
    switch (this.kind) {
      case 'env': {
        const value = process.env[this.#name]
        if (value === undefined) throw unreadable(this.shown, 'the environment has no variable of this name')
        return value
      }
      case 'file':
        return withoutLastNewline(await readSecretFile(this.#name, this.shown))
      case 'exec':
        return withoutLastNewline(await runCommand(this.#name, this.shown))
      case 'literal':
        return this.#name
    }
  }

  toString(): string {
    return this.shown
  }

  toJSON(): string {
    return this.shown
  }
}

/** The value as it is now. Throws KdrError('config-invalid') that names the reference. */
export function resolveSecret(reference: SecretRef): Promise<string> {
  return reference.read()
}

async function readSecretFile(path: string, shown: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw unreadable(shown, error instanceof Error ? error.message : String(error), error)
  }
}

async function runCommand(command: string, shown: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)('/bin/sh', ['-c', command], {
      timeout: EXEC_TIMEOUT_MS,
      maxBuffer: EXEC_MAX_BYTES,
    })
    return stdout
  } catch (error) {
    // No cause: the error of a failed command carries its output, which may hold the secret.
    const failed =
      typeof error === 'object' && error !== null ? (error as { code?: unknown; killed?: unknown }) : {}
    const how =
      failed.killed === true
        ? 'the command did not end in time'
        : `the command failed with status ${String(failed.code)}`
    throw unreadable(shown, how)
  }
}

function unreadable(shown: string, why: string, cause?: unknown): KdrError {
  return new KdrError('config-invalid', `the secret "${shown}" cannot be read: ${why}`, {
    hint: 'Provide the variable, the file or the command that the config names.',
    cause,
  })
}

function withoutLastNewline(text: string): string {
  return text.replace(/\r?\n$/, '')
}
