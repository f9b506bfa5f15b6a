// From what the config says of a vault to its store.
import { fileURLToPath } from 'node:url'
import { KdrError } from '../model/errors.ts'
import type { ObjectStore } from '../ports/store.ts'
import { openFileStore } from './files.ts'
import { openS3Store, type S3Options } from './s3.ts'

/** What `url` does not say is for buckets. */
export type StorePlace = { readonly url: string } & Omit<S3Options, 'bucket' | 'prefix'>

/** `unique`: see openFileStore. Asks for nothing yet. Throws KdrError: config-invalid, not-available. */
export function openStore({ url, ...options }: StorePlace, unique: () => string): ObjectStore {
  if (url.startsWith('file:')) return openFileStore(pathOf(url), unique)
  const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)(?:\/+(.*?))?\/*$/.exec(url) ?? []
  if (bucket !== undefined) return openS3Store({ ...options, bucket, prefix })
  const [scheme = url] = url.split(':')
  throw new KdrError('not-available', `a vault at "${scheme}:" is not available yet`, {
    hint: 'Use a folder or a bucket: url: "file:///path/to/the/vault", or "s3://bucket/prefix".',
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
