// From the `url` of a vault in the config to its store.
import { fileURLToPath } from 'node:url'
import { KdrError } from '../model/errors.ts'
import type { ObjectStore } from '../ports/store.ts'
import { openFileStore } from './files.ts'

/** `unique`: see openFileStore. Throws KdrError: config-invalid, not-available. */
export function openStore(url: string, unique: () => string): ObjectStore {
  if (url.startsWith('file:')) return openFileStore(pathOf(url), unique)
  const [scheme = url] = url.split(':')
  throw new KdrError('not-available', `a vault at "${scheme}:" is not available yet`, {
    hint: 'Use a folder: url: "file:///path/to/the/vault".',
  })
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url)
  } catch (cause) {
    throw new KdrError('config-invalid', `"${url}" is not the URL of a folder`, {
      hint: 'Write it as `file:///path/to/the/vault`.',
      cause,
    })
  }
}
