// A vault in a bucket of S3, or of what speaks its protocol. An object is created once by a conditional write (If-None-Match);
// a service that ignores the condition would let two writers win, so that is tried out before anything is written (vault probe).
// Large objects go up in parts. The SDK is loaded when a vault is in a bucket; where credentials come from is its business
// (environment, profile, role, ...).
import type * as S3 from '@aws-sdk/client-s3'
import { KdrError } from '../model/errors.ts'
import type { Ability, Body, ByteRange, ObjectLocks, ObjectStore, StoredObject } from '../ports/store.ts'
import { assertObjectName } from './names.ts'
import { probeBucket } from './s3-probe.ts'
import { abortOldUploads, uploadInParts } from './s3-upload.ts'

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
  /** With `aws:kms`: undefined for the default key of the account. */
  readonly kmsKey?: string | undefined
  readonly lock?: { readonly mode: 'governance' | 'compliance'; readonly days: number } | undefined
  /** Wall clock, ms: for locks. */
  readonly now?: (() => number) | undefined
  /** Objects from this size on go up in parts of this size; 5 MiB is the least that services take. */
  readonly partBytes?: number | undefined
}

const CONNECT_MS = 5_000
/** Of one request without a byte moving. */
const SILENT_MS = 30_000
/** A segment is one request, whatever the largest batch of it was; packs too. */
const PART_BYTES = 32 * 1024 * 1024
const DAY_MS = 86_400_000
/** Each commit would otherwise extend each lock: once in a tenth of the time is enough, at most once an hour. */
const SLACK = { share: 0.1, leastMs: 3_600_000, mostMs: 7 * DAY_MS } as const

/** Asks for nothing yet. */
export function openS3Store(options: S3Options): ObjectStore {
  return new S3Store(options)
}

export type Opened = { readonly sdk: typeof S3; readonly client: S3.S3Client }

/** What goes with each new object. */
type Writing = {
  readonly isOnce: boolean
  readonly lockUntil?: number | undefined
}

class S3Store implements ObjectStore {
  readonly name: string
  readonly locks: ObjectLocks | undefined
  readonly #options: S3Options
  readonly #below: string
  readonly #partBytes: number
  #opening: Promise<Opened> | undefined
  #hasSwept = false

  constructor(options: S3Options) {
    const { bucket, prefix, lock, partBytes = PART_BYTES } = options
    this.#options = options
    this.#below = prefix === '' ? '' : `${prefix}/`
    this.#partBytes = partBytes
    this.name = `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`
    this.locks = lock === undefined ? undefined : this.#makeLocks(lock.days * DAY_MS)
  }

  async create(name: string, body: Body): Promise<'created' | 'exists'> {
    const { locks } = this
    const lockUntil = locks && this.#now() + locks.keepMs + locks.slackMs
    try {
      await this.#write(name, body, { isOnce: true, lockUntil })
      return 'created'
    } catch (error) {
      if (statusOf(error) === 412) return 'exists'
      // Another writer of that name is under way: whether it wins is not known yet.
      if (statusOf(error) === 409 && (await this.head(name)) !== undefined) return 'exists'
      throw this.#failure(`create "${name}"`, error)
    }
  }

  async put(name: string, body: Body): Promise<void> {
    await this.#ask(`write "${name}"`, async () => await this.#write(name, body, { isOnce: false }))
  }

  async get(name: string, range?: ByteRange): Promise<Buffer | undefined> {
    if (range !== undefined && range.to <= range.from)
      return (await this.head(name)) === undefined ? undefined : Buffer.alloc(0)
    return await this.#find(`read "${name}"`, async () => {
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
    const found = await this.#look(name)
    return found && { name, bytes: found.ContentLength ?? 0 }
  }

  async *list(prefix: string, after?: string): AsyncIterable<StoredObject> {
    const Prefix = `${this.#below}${prefix}`
    const StartAfter = after && `${this.#below}${after}`
    let token: string | undefined
    do {
      const page = await this.#ask(`list "${prefix}"`, async () => {
        const { sdk, client } = await this.#open()
        const Bucket = this.#options.bucket
        return await client.send(
          new sdk.ListObjectsV2Command({ Bucket, Prefix, StartAfter, ContinuationToken: token }),
        )
      })
      for (const { Key = '', Size = 0 } of page.Contents ?? [])
        yield { name: Key.slice(this.#below.length), bytes: Size }
      token = page.NextContinuationToken
    } while (token !== undefined)
  }

  async delete(name: string): Promise<void> {
    // In a bucket with locks a plain delete only hides the object: the lock would not be noticed, and the bytes stay.
    const version = this.locks === undefined ? undefined : await this.#unlockedVersion(name)
    await this.#find(`delete "${name}"`, async () => {
      const { sdk, client } = await this.#open()
      await client.send(new sdk.DeleteObjectCommand({ ...this.#at(name), VersionId: version }))
    })
  }

  async probe(prefix: string): Promise<Ability[]> {
    const { encryption, lock } = this.#options
    const { sdk, client } = await this.#open()
    const { Bucket, Key } = this.#at(prefix)
    const settings = { ...this.#encryption(), lockMode: lock && modeOf(lock.mode), now: this.#now() }
    try {
      return await probeBucket({
        sdk,
        client,
        Bucket,
        Key,
        hasEncryption: encryption !== undefined,
        settings,
      })
    } catch (error) {
      throw this.#failure('probe', error)
    }
  }

  #makeLocks(keepMs: number): ObjectLocks {
    const slackMs = Math.min(SLACK.mostMs, Math.max(SLACK.leastMs, keepMs * SLACK.share))
    const lockedUntil = async (name: string): Promise<number | undefined> => {
      const found = await this.#look(name)
      if (found !== undefined) return found.ObjectLockRetainUntilDate?.getTime()
      throw new KdrError('damaged', `object "${name}" is missing`)
    }
    return {
      keepMs,
      slackMs,
      lockedUntil,
      lock: async (name, until) => {
        if (((await lockedUntil(name)) ?? 0) < until) await this.#lock(name, until)
      },
    }
  }

  async #lock(name: string, until: number): Promise<void> {
    const { lock } = this.#options
    await this.#ask(`lock "${name}"`, async () => {
      const { sdk, client } = await this.#open()
      const Retention = { Mode: modeOf(lock?.mode ?? 'governance'), RetainUntilDate: new Date(until) }
      try {
        await client.send(new sdk.PutObjectRetentionCommand({ ...this.#at(name), Retention }))
      } catch (cause) {
        if (nameOf(cause) !== 'NoSuchKey') throw cause
        throw new KdrError('damaged', `object "${name}" is missing`, { cause })
      }
    })
  }

  /** Throws KdrError('not-allowed') while it is locked. Undefined: there is nothing, or the bucket has no versions. */
  async #unlockedVersion(name: string): Promise<string | undefined> {
    const found = await this.#look(name)
    const until = found?.ObjectLockRetainUntilDate?.getTime()
    if (until === undefined || until <= this.#now()) return found?.VersionId
    const lockedUntil = new Date(until).toISOString()
    throw new KdrError('not-allowed', `"${name}" in ${this.name} is locked until ${lockedUntil}`, {
      hint: 'It can be deleted after that.',
      facts: { lockedUntil },
    })
  }

  async #look(name: string): Promise<S3.HeadObjectCommandOutput | undefined> {
    return await this.#find(`look at "${name}"`, async () => {
      const { sdk, client } = await this.#open()
      return await client.send(new sdk.HeadObjectCommand(this.#at(name)))
    })
  }

  async #write(name: string, body: Body, { isOnce, lockUntil }: Writing): Promise<void> {
    const opened = await this.#open()
    const { lock } = this.#options
    const condition = isOnce ? { IfNoneMatch: '*' } : {}
    const fresh = {
      ...this.#at(name),
      ...this.#encryption(),
      ...(lock !== undefined &&
        lockUntil !== undefined && {
          ObjectLockMode: modeOf(lock.mode),
          ObjectLockRetainUntilDate: new Date(lockUntil),
        }),
    }
    const bytes = body.reduce((sum, piece) => sum + piece.length, 0)
    if (bytes <= this.#partBytes) {
      const command = new opened.sdk.PutObjectCommand({ ...fresh, ...condition, Body: Buffer.concat(body) })
      await opened.client.send(command)
      return
    }
    if (!this.#hasSwept) {
      this.#hasSwept = true
      await abortOldUploads(opened, { Bucket: fresh.Bucket, Prefix: this.#below, now: this.#now() })
    }
    await uploadInParts(opened, { fresh, condition, body, partBytes: this.#partBytes })
  }

  #encryption(): Pick<S3.PutObjectCommandInput, 'ServerSideEncryption' | 'SSEKMSKeyId'> {
    const { encryption, kmsKey } = this.#options
    return {
      ...(encryption !== undefined && { ServerSideEncryption: encryption }),
      ...(kmsKey !== undefined && { SSEKMSKeyId: kmsKey }),
    }
  }

  #now(): number {
    return this.#options.now?.() ?? Date.now()
  }

  #at(name: string): { readonly Bucket: string; readonly Key: string } {
    assertObjectName(name)
    return { Bucket: this.#options.bucket, Key: `${this.#below}${name}` }
  }

  async #open(): Promise<Opened> {
    this.#opening ??= connect(this.#options)
    return await this.#opening
  }

  async #ask<T>(what: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act()
    } catch (error) {
      throw this.#failure(what, error)
    }
  }

  /** Undefined when there is no such object: whatever else a 404 answers has not been done. */
  async #find<T>(what: string, act: () => Promise<T>): Promise<T | undefined> {
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
    // Locks, encryption: what the bucket was not made for, or the service does not know.
    if (LACKING.has(name) || statusOf(cause) === 501 || lacksLocks(cause))
      return new KdrError('store-lacks', message, { cause })
    const isRefused =
      statusOf(cause) === 403 || statusOf(cause) === 401 || name === 'CredentialsProviderError'
    if (isRefused)
      return new KdrError('not-allowed', message, {
        hint: 'Give kdr s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket there, with `lock:` also s3:GetObjectRetention and s3:PutObjectRetention; credentials come from where the AWS tools have theirs.',
        cause,
      })
    return cause instanceof KdrError ? cause : new KdrError('store-unreachable', message, { cause })
  }
}

const LACKING: ReadonlySet<string> = new Set([
  'InvalidBucketObjectLockConfiguration',
  'ObjectLockConfigurationNotFoundError',
  'NotImplemented',
])

/** AWS says InvalidRequest of a bucket that was made without; others have names of their own. */
function lacksLocks(cause: unknown): boolean {
  return (
    statusOf(cause) === 400 &&
    cause instanceof Error &&
    /object ?lock/i.test(`${cause.name} ${cause.message}`)
  )
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

const modeOf = (mode: 'governance' | 'compliance'): S3.ObjectLockMode =>
  mode === 'governance' ? 'GOVERNANCE' : 'COMPLIANCE'

function statusOf(error: unknown): number | undefined {
  return (error as Partial<S3.S3ServiceException> | undefined)?.$metadata?.httpStatusCode
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'Error'
}
