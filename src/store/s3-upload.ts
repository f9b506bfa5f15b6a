// Large objects in parts: a request that fails costs a part, and an object may be larger than one request takes. The object is there
// when the upload is completed, under the same condition as a single write. What was begun and not completed is cancelled, also what
// somebody else has left who died: the service would keep its parts, and charge for them, for ever.
import type * as S3 from '@aws-sdk/client-s3'
import type { Body } from '../ports/store.ts'
import type { Opened } from './s3.ts'

/** At once, of one object. */
const PARTS_AT_ONCE = 2
const OLD_MS = 86_400_000

export type Upload = {
  readonly fresh: S3.CreateMultipartUploadCommandInput
  readonly condition: { readonly IfNoneMatch?: string }
  readonly body: Body
  readonly partBytes: number
}

/** Throws what the SDK throws; the upload is cancelled then. */
export async function uploadInParts(
  { sdk, client }: Opened,
  { fresh, condition, body, partBytes }: Upload,
): Promise<void> {
  const { UploadId } = await client.send(new sdk.CreateMultipartUploadCommand(fresh))
  const upload = { Bucket: fresh.Bucket, Key: fresh.Key, UploadId }
  try {
    const done: S3.CompletedPart[] = []
    const left = partsOf(body, partBytes)
    const work = async (): Promise<void> => {
      for (const { PartNumber, Body: part } of left) {
        const { ETag } = await client.send(new sdk.UploadPartCommand({ ...upload, PartNumber, Body: part }))
        done.push({ PartNumber, ETag })
      }
    }
    const ended = await Promise.allSettled(Array.from({ length: PARTS_AT_ONCE }, work))
    for (const each of ended) if (each.status === 'rejected') throw each.reason
    const Parts = done.sort((a, b) => (a.PartNumber ?? 0) - (b.PartNumber ?? 0))
    await client.send(
      new sdk.CompleteMultipartUploadCommand({ ...upload, ...condition, MultipartUpload: { Parts } }),
    )
  } catch (error) {
    // What went wrong before is worth more. Of one that was completed, though the answer was lost, nothing is left to cancel.
    await client.send(new sdk.AbortMultipartUploadCommand(upload)).catch(() => undefined)
    throw error
  }
}

/** Joined one by one: never is the whole object there twice. */
function* partsOf(
  body: Body,
  partBytes: number,
): Generator<{ readonly PartNumber: number; readonly Body: Buffer }> {
  let PartNumber = 1
  let pieces: Uint8Array[] = []
  let room = partBytes
  for (const piece of body) {
    let rest = piece
    while (rest.length >= room) {
      yield { PartNumber: PartNumber++, Body: Buffer.concat([...pieces, rest.subarray(0, room)]) }
      rest = rest.subarray(room)
      pieces = []
      room = partBytes
    }
    if (rest.length > 0) pieces.push(rest)
    room -= rest.length
  }
  if (pieces.length > 0) yield { PartNumber, Body: Buffer.concat(pieces) }
}

/** Those that nobody has gone on with for a day. Who may not look, or cancel, leaves that to the bucket's own rules. */
export async function abortOldUploads(
  { sdk, client }: Opened,
  { Bucket, Prefix, now }: { readonly Bucket: string; readonly Prefix: string; readonly now: number },
): Promise<void> {
  try {
    const { Uploads = [] } = await client.send(new sdk.ListMultipartUploadsCommand({ Bucket, Prefix }))
    for (const { Key, UploadId, Initiated } of Uploads)
      if (Initiated !== undefined && Initiated.getTime() < now - OLD_MS)
        await client.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId }))
  } catch (error) {
    if (!(error instanceof sdk.S3ServiceException)) throw error
  }
}
