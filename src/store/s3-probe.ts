// What a bucket can do beyond what any store can: each tried out, because services differ in what they say and what they do.
import { setTimeout as sleep } from 'node:timers/promises'
import type * as S3 from '@aws-sdk/client-s3'
import type { Ability } from '../ports/store.ts'
import type { Opened } from './s3.ts'
import { uploadInParts } from './s3-upload.ts'

/** The least that a part may have, but the last. */
const PART_BYTES = 5 * 1024 * 1024
/** How long the object is locked that is tried to be deleted. */
const LOCK_MS = 4_000

export type ProbeBucket = Opened & {
  readonly Bucket: string
  /** Names begin with it. */
  readonly Key: string
  readonly hasEncryption: boolean
  readonly settings: Pick<S3.PutObjectCommandInput, 'ServerSideEncryption' | 'SSEKMSKeyId'> & {
    /** Undefined: the vault does not lock. */
    readonly lockMode: S3.ObjectLockMode | undefined
    readonly now: number
  }
}

/** Throws what the SDK throws when nobody answers. */
export async function probeBucket(of: ProbeBucket): Promise<Ability[]> {
  const abilities = [await inParts(of)]
  if (of.hasEncryption) abilities.push(await encryption(of))
  abilities.push(await locking(of))
  return abilities
}

async function inParts({ sdk, client, Bucket, Key, settings }: ProbeBucket): Promise<Ability> {
  const { lockMode: _lockMode, now: _now, ...encryption } = settings
  const fresh = { Bucket, Key: `${Key}-parts`, ...encryption }
  const first = Buffer.alloc(PART_BYTES + 1, 'a')
  const condition = { IfNoneMatch: '*' }
  const ability = 'create once, in parts'
  const why = 'objects above 32 MiB: large batches, large checkpoints'
  try {
    await uploadInParts({ sdk, client }, { fresh, condition, body: [first], partBytes: PART_BYTES })
    const again = Buffer.alloc(PART_BYTES + 2, 'b')
    const isRefused = await uploadInParts(
      { sdk, client },
      { fresh, condition, body: [again], partBytes: PART_BYTES },
    ).then(
      () => false,
      (error: unknown) => statusOf(error) === 412,
    )
    const { ContentLength } = await client.send(new sdk.HeadObjectCommand({ Bucket, Key: fresh.Key }))
    return { ability, has: isRefused && ContentLength === first.length, why }
  } catch (error) {
    if (!(error instanceof sdk.S3ServiceException)) throw error
    return { ability, has: false, why: `${why} (${error.name})` }
  } finally {
    await removeAll({ sdk, client }, Bucket, fresh.Key)
  }
}

async function encryption({ sdk, client, Bucket, Key: below, settings }: ProbeBucket): Promise<Ability> {
  const Key = `${below}-encrypted`
  const { lockMode: _lockMode, now: _now, ...wanted } = settings
  const ability = `encryption by ${wanted.ServerSideEncryption ?? 'the service'}`
  const why = '`encryption:` of the vault'
  try {
    await client.send(new sdk.PutObjectCommand({ Bucket, Key, Body: 'x', ...wanted }))
    const { ServerSideEncryption: found } = await client.send(new sdk.HeadObjectCommand({ Bucket, Key }))
    return { ability, has: found === wanted.ServerSideEncryption, why }
  } catch (error) {
    if (!(error instanceof sdk.S3ServiceException)) throw error
    return { ability, has: false, why: `${why} (${error.name})` }
  } finally {
    await removeAll({ sdk, client }, Bucket, Key)
  }
}

/** Locks an object for seconds, and tries to delete it. */
async function locking({ sdk, client, Bucket, Key: below, settings }: ProbeBucket): Promise<Ability> {
  const Key = `${below}-locked`
  const { lockMode, now } = settings
  const isOptional = lockMode === undefined
  const of = { ability: 'object lock', ...(isOptional && { isOptional }) }
  const why = isOptional
    ? 'for a vault with `lock:`, whose objects nobody can delete'
    : '`lock:` of the vault: nobody can delete what a commit needs'
  const ObjectLockRetainUntilDate = new Date(now + LOCK_MS)
  try {
    const lock = { ObjectLockMode: lockMode ?? 'GOVERNANCE', ObjectLockRetainUntilDate }
    const put = await client.send(new sdk.PutObjectCommand({ Bucket, Key, Body: 'x', ...lock }))
    const held = await client.send(new sdk.HeadObjectCommand({ Bucket, Key }))
    const isHeld = held.ObjectLockRetainUntilDate !== undefined && put.VersionId !== undefined
    const isKept = await client
      .send(new sdk.DeleteObjectCommand({ Bucket, Key, VersionId: put.VersionId }))
      .then(
        () => false,
        (error: unknown) => error instanceof sdk.S3ServiceException,
      )
    if (isKept) await sleep(LOCK_MS)
    return { ...of, has: isHeld && isKept, why }
  } catch (error) {
    if (!(error instanceof sdk.S3ServiceException)) throw error
    return { ...of, has: false, why: `${why} (${error.name})` }
  } finally {
    await removeAll({ sdk, client }, Bucket, Key)
  }
}

/** All versions of it; what cannot be removed is left. */
async function removeAll({ sdk, client }: Opened, Bucket: string, Key: string): Promise<void> {
  await client.send(new sdk.DeleteObjectCommand({ Bucket, Key })).catch(() => undefined)
  try {
    const found = await client.send(new sdk.ListObjectVersionsCommand({ Bucket, Prefix: Key }))
    for (const { Key: key, VersionId } of [...(found.Versions ?? []), ...(found.DeleteMarkers ?? [])])
      if (key === Key) await client.send(new sdk.DeleteObjectCommand({ Bucket, Key, VersionId }))
  } catch (error) {
    if (!(error instanceof sdk.S3ServiceException)) throw error
  }
}

function statusOf(error: unknown): number | undefined {
  return (error as Partial<S3.S3ServiceException> | undefined)?.$metadata?.httpStatusCode
}
