// A vault in a bucket of S3, or of what speaks its protocol. An object is created once by a conditional write (If-None-Match);
// a service that ignores the condition would let two writers win, so that is tried out before anything is written (vault probe).
// The SDK is loaded when a vault is in a bucket; where credentials come from is its business (environment, profile, role, ...).
import type * as S3 from '@aws-sdk/client-s3'
import { KdrError } from '../model/errors.ts'
import type { Body, ByteRange, ObjectStore, StoredObject } from '../ports/store.ts'
import { assertObjectName } from './names.ts'

export type S3Options = {
  readonly bucket: string
  /** Below it, with a `/` in between; empty: the bucket is the vault's own. */
  readonly prefix: string
  readonly region?: string | undefined
  /** Of another service than Amazon's. */
  readonly endpoint?: string | undefined
  /** `http://host/bucket/...` instead of `http://bucket.host/...`: most other services need it. */
  readonly pathStyle?: boolean | undefined
  /** `AES256`, `aws:kms`; undefined: as the bucket is set. */
  readonly encryption?: 'AES256' | 'aws:kms' | undefined
}

const CONNECT_MS = 5_000
/** Of one request without a byte moving. */
const SILENT_MS = 30_000

/** Asks for nothing yet. */
export function openS3Store(options: S3Options): ObjectStore {
  return new S3Store(options)
}

type Opened = { readonly sdk: typeof S3; readonly client: S3.S3Client }

class S3Store implements ObjectStore {
  readonly name: string
  readonly #options: S3Options
  readonly #below: string
  #opening: Promise<Opened> | undefined

  constructor(options: S3Options) {
    const { bucket, prefix } = options
    this.#options = options
    this.#below = prefix === '' ? '' : `${prefix}/`
    this.name = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`
  }

  async create(name: string, body: Body): Promise<'created' | 'exists'> {
    try {
      await this.#write(name, body, '*')
      return 'created'
    } catch (error) {
      if (statusOf(error) === 412) return 'exists'
      // Another writer of that name is under way: whether it wins is not known yet.
      if (statusOf(error) === 409 && (await this.head(name)) !== undefined) return 'exists'
      throw this.#failure(`create "${name}"`, error)
    }
  }

  async put(name: string, body: Body): Promise<void> {
    await this.#ask(`write "${name}"`, async () => await this.#write(name, body, undefined))
  }

  async get(name: string, range?: ByteRange): Promise<Buffer | undefined> {
    if (range !== undefined && range.to <= range.from)
      return (await this.head(name)) === undefined ? undefined : Buffer.alloc(0)
    return await this.#ask(`read "${name}"`, async () => {
      const { sdk, client } = await this.#open()
      const command = new sdk.GetObjectCommand({
        ...this.#at(name),
        // The last byte counts.
        ...(range !== undefined && { Range: `bytes=${range.from}-${range.to - 1}` }),
      })
      try {
        const { Body: body } = await client.send(command)
        return Buffer.from((await body?.transformToByteArray()) ?? [])
      } catch (error) {
        // It begins behind the end.
        if (statusOf(error) === 416) return Buffer.alloc(0)
        throw error
      }
    })
  }

  async head(name: string): Promise<StoredObject | undefined> {
    return await this.#ask(`look at "${name}"`, async () => {
      const { sdk, client } = await this.#open()
      const { ContentLength: bytes = 0 } = await client.send(new sdk.HeadObjectCommand(this.#at(name)))
      return { name, bytes }
    })
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const Prefix = `${this.#below}${prefix}`
    let token: string | undefined
    do {
      const page = await this.#ask(`list "${prefix}"`, async () => {
        const { sdk, client } = await this.#open()
        const Bucket = this.#options.bucket
        return await client.send(new sdk.ListObjectsV2Command({ Bucket, Prefix, ContinuationToken: token }))
      })
      for (const { Key = '', Size = 0 } of page?.Contents ?? [])
        yield { name: Key.slice(this.#below.length), bytes: Size }
      token = page?.NextContinuationToken
    } while (token !== undefined)
  }

  async delete(name: string): Promise<void> {
    await this.#ask(`delete "${name}"`, async () => {
      const { sdk, client } = await this.#open()
      await client.send(new sdk.DeleteObjectCommand(this.#at(name)))
    })
  }

  async #write(name: string, body: Body, ifNoneMatch: '*' | undefined): Promise<void> {
    const { sdk, client } = await this.#open()
    const { encryption } = this.#options
    await client.send(
      new sdk.PutObjectCommand({
        ...this.#at(name),
        Body: Buffer.concat(body),
        ...(ifNoneMatch !== undefined && { IfNoneMatch: ifNoneMatch }),
        ...(encryption !== undefined && { ServerSideEncryption: encryption }),
      }),
    )
  }

  #at(name: string): { readonly Bucket: string; readonly Key: string } {
    assertObjectName(name)
    return { Bucket: this.#options.bucket, Key: `${this.#below}${name}` }
  }

  async #open(): Promise<Opened> {
    this.#opening ??= connect(this.#options)
    return await this.#opening
  }

  /** Undefined when there is no such object. */
  async #ask<T>(what: string, act: () => Promise<T>): Promise<T | undefined> {
    try {
      return await act()
    } catch (error) {
      if (statusOf(error) === 404 && nameOf(error) !== 'NoSuchBucket') return undefined
      throw this.#failure(what, error)
    }
  }

  #failure(what: string, cause: unknown): unknown {
    const name = nameOf(cause)
    const message = `cannot ${what} in ${this.name}: ${name}: ${cause instanceof Error ? cause.message : String(cause)}`
    if (name === 'NoSuchBucket')
      return new KdrError('store-lacks', `there is no bucket "${this.#options.bucket}"`, {
        hint: 'Make it first, or mend the `url` of the vault.',
        cause,
      })
    const isRefused =
      statusOf(cause) === 403 || statusOf(cause) === 401 || name === 'CredentialsProviderError'
    if (isRefused)
      return new KdrError('not-allowed', message, {
        hint: 'Give kdr s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket there; credentials come from where the AWS tools have theirs.',
        cause,
      })
    return cause instanceof KdrError ? cause : new KdrError('store-unreachable', message, { cause })
  }
}

async function connect({ region, endpoint, pathStyle = false }: S3Options): Promise<Opened> {
  const sdk = await import('@aws-sdk/client-s3')
  const client = new sdk.S3Client({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    forcePathStyle: pathStyle,
    // Whoever asks decides what is tried again: of a conditional write the second answer would say "exists" of the first.
    maxAttempts: 1,
    requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: SILENT_MS },
  })
  return { sdk, client }
}

function statusOf(error: unknown): number | undefined {
  return (error as Partial<S3.S3ServiceException> | undefined)?.$metadata?.httpStatusCode
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'Error'
}
