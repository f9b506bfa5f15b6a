// A point of a set as plain Kafka log segments in a folder, one folder a partition, as a broker has them: readable by kafka-dump-log,
// and by whatever reads Kafka's own files.
import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { ExportProgress, ExportResult } from '../cli/app-vault.ts'
import { recordCodec } from '../kafka/records.ts'
import { KdrError } from '../model/errors.ts'
import type { PartitionState, SetState } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { plainLog } from '../vault/plain-log.ts'
import { SegmentReader } from '../vault/reader.ts'

/** As brokers have it (`segment.bytes`). Offsets within a segment are counted in 31 bits. */
const SEGMENT_BYTES = 1024 ** 3
const SEGMENT_OFFSETS = 2 ** 31 - 1
const OFFSET_DIGITS = 20

export type Exporting = {
  readonly store: ObjectStore
  readonly set: string
  readonly state: SetState
  /** Made when it is not there; it must be empty. */
  readonly dir: string
  readonly signal: AbortSignal
  readonly onProgress: (progress: ExportProgress) => void
  /** For tests, where all is small. */
  readonly segmentBytes?: number
}

/** Throws KdrError: not-empty, damaged, store-unreachable. What was written before is left. */
export async function exportSet(exporting: Exporting): Promise<ExportResult> {
  const { store, set, state, dir, signal, onProgress } = exporting
  await assertEmpty(dir)
  const logs = [...state.topics.values()].flatMap(({ name, partitions }) =>
    partitions.map(log => ({ name: `${name}-${log.partition}`, log })),
  )
  const reader = new SegmentReader(store, set)
  const total = { partitions: 0, files: 0, records: 0, bytes: 0 }
  for (const { name, log } of logs) {
    const folder = join(dir, name)
    await mkdir(folder, { recursive: true })
    const writer = new LogWriter(folder, exporting.segmentBytes ?? SEGMENT_BYTES)
    try {
      await writeLog(writer, { reader, log, signal }, () =>
        onProgress({
          partitions: logs.length,
          partitionsDone: total.partitions,
          bytes: total.bytes + writer.bytes,
        }),
      )
    } finally {
      await writer.close()
    }
    total.partitions++
    total.files += writer.files
    total.records += writer.records
    total.bytes += writer.bytes
  }
  return total
}

async function writeLog(
  writer: LogWriter,
  {
    reader,
    log,
    signal,
  }: { readonly reader: SegmentReader; readonly log: PartitionState; readonly signal: AbortSignal },
  onWritten: () => void,
): Promise<void> {
  for await (const batches of plainLog(reader, log, recordCodec)) {
    signal.throwIfAborted()
    for (const { header, bytes } of batches) await writer.append(header, bytes)
    onWritten()
  }
}

class LogWriter {
  files = 0
  records = 0
  bytes = 0
  readonly #folder: string
  readonly #segmentBytes: number
  #file: FileHandle | undefined
  #base = 0
  #fileBytes = 0

  constructor(folder: string, segmentBytes: number) {
    this.#folder = folder
    this.#segmentBytes = segmentBytes
  }

  async append(
    header: { readonly baseOffset: number; readonly lastOffset: number; readonly recordCount: number },
    bytes: Buffer,
  ): Promise<void> {
    const isFull =
      this.#fileBytes + bytes.length > this.#segmentBytes || header.lastOffset - this.#base > SEGMENT_OFFSETS
    if (this.#file === undefined || isFull) await this.#roll(header.baseOffset)
    await this.#file?.appendFile(bytes)
    this.#fileBytes += bytes.length
    this.bytes += bytes.length
    this.records += header.recordCount
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    try {
      await file?.sync()
    } finally {
      await file?.close()
    }
  }

  async #roll(base: number): Promise<void> {
    await this.close()
    this.#file = await open(join(this.#folder, `${String(base).padStart(OFFSET_DIGITS, '0')}.log`), 'wx')
    this.#base = base
    this.#fileBytes = 0
    this.files++
  }
}

async function assertEmpty(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true })
  const [first] = await readdir(dir)
  if (first === undefined) return
  throw new KdrError('not-empty', `"${dir}" is not empty: it has "${first}"`, {
    hint: 'Name a folder that is empty, or is not there yet.',
  })
}
