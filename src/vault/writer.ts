// Writes one commit of a set: segments and packs first, then their indexes, last the commit, which names them with their hashes. What
// is written before a commit that never comes is garbage, and harmless. The commit's number decides between two writers.
import { findKdrError, invariant, KdrError } from '../model/errors.ts'
import {
  applyCommit,
  CHECKPOINT_EVERY,
  type Commit,
  type Compression,
  type IndexRecord,
  type Segment,
  type SegmentIndex,
  type SetState,
  type VaultObject,
  wholeOf,
} from '../model/vault.ts'
import type { Body, ObjectStore } from '../ports/store.ts'
import type { CommitDraft, Committed, Part, SetWriter } from '../ports/vault.ts'
import { readCommit, readLatest } from './chain.ts'
import { compressionFor, type Framed, frameBatches } from './frames.ts'
import { commitName, packStem, segmentStem } from './names.ts'
import { firstOpen } from './open-transactions.ts'
import { SegmentReader } from './reader.ts'
import { seal, sha256 } from './sealed.ts'
import { openVault } from './vault.ts'

/** A smaller part waits for others: 3,000 partitions with a few records each are one object, not 3,000. */
const PACK_BELOW_BYTES = 4 * 1024 * 1024
const PACK_BYTES = 16 * 1024 * 1024

export type WriterOptions = {
  readonly store: ObjectStore
  readonly set: string
  /** Who writes: the program and its version. */
  readonly by: string
  /** Gives names that no other writer uses: letters and digits. */
  readonly unique: () => string
  /** Wall clock, ms. */
  readonly now: () => number
  /** As fits the records unless given. */
  readonly compression?: Compression | undefined
}

/** Throws KdrError: not-ready without a vault, damaged, store-unreachable. */
export async function openSetWriter(options: WriterOptions): Promise<SetWriter> {
  const { vault } = await openVault(options.store)
  return new VaultSetWriter(options, vault, await readLatest(options.store, options.set))
}

type Pack = {
  readonly stem: string
  readonly body: Buffer[]
  readonly indexes: SegmentIndex[]
  bytes: number
}

class VaultSetWriter implements SetWriter {
  readonly state: SetState | undefined
  readonly #options: WriterOptions
  readonly #vault: string
  readonly #writer: string
  readonly #objects: VaultObject[] = []
  #pack: Pack | undefined

  constructor(options: WriterOptions, vault: string, state: SetState | undefined) {
    this.#options = options
    this.#vault = vault
    this.state = state
    this.#writer = options.unique()
  }

  async write(part: Part): Promise<Segment> {
    invariant(part.batches.length > 0, 'a segment without batches')
    const framed = await frameBatches(part, this.#options.compression ?? compressionFor(part.batches))
    if (framed.facts.rawBytes < PACK_BELOW_BYTES) return await this.#addToPack(framed)
    const stem = segmentStem(part.topicId, part.partition, framed.facts.from, this.#options.unique())
    const object = `${stem}.log${framed.facts.compression === 'zstd' ? '.zst' : ''}`
    const index = `${stem}.index.json`
    await this.#put(object, framed.body)
    await this.#putIndex(index, [framed.index])
    return { object, position: 0, index, ...framed.facts }
  }

  async firstOpen(segments: readonly Segment[], at: number): Promise<number> {
    const { store, set } = this.#options
    return await firstOpen(new SegmentReader(store, set), segments, { from: segments[0]?.from ?? at, at })
  }

  async commit(draft: CommitDraft): Promise<Committed> {
    await this.#closePack()
    const { commit, body } = this.#compose(draft)
    await this.#createCommit(commit.number, body)
    return {
      number: commit.number,
      objects: this.#objects.length + 1,
      bytes: this.#objects.reduce((sum, { bytes }) => sum + bytes, body.length),
    }
  }

  async #addToPack({ body, index, facts }: Framed): Promise<Segment> {
    const pack = (this.#pack ??= {
      stem: packStem(this.#options.unique()),
      body: [],
      indexes: [],
      bytes: 0,
    })
    const position = pack.bytes
    pack.body.push(...body)
    pack.indexes.push({ ...index, position })
    pack.bytes += facts.bytes
    if (pack.bytes >= PACK_BYTES) await this.#closePack()
    return { object: `${pack.stem}.pack`, position, index: `${pack.stem}.index.json`, ...facts }
  }

  async #closePack(): Promise<void> {
    const pack = this.#pack
    if (pack === undefined) return
    this.#pack = undefined
    await this.#put(`${pack.stem}.pack`, pack.body)
    await this.#putIndex(`${pack.stem}.index.json`, pack.indexes)
  }

  async #putIndex(name: string, segments: readonly SegmentIndex[]): Promise<void> {
    const record: IndexRecord = { v: 1, segments }
    await this.#put(name, [Buffer.from(`${JSON.stringify(record)}\n`)])
  }

  async #put(name: string, body: Body): Promise<void> {
    const bytes = body.reduce((sum, piece) => sum + piece.length, 0)
    const object = { name, bytes, sha256: sha256(...body) }
    const answer = await this.#options.store.create(`${this.#options.set}/${name}`, body)
    invariant(answer === 'created', 'a name that should be unique is taken', { name })
    this.#objects.push(object)
  }

  #compose(draft: CommitDraft): { readonly commit: Commit; readonly body: Buffer } {
    const { set, by, now } = this.#options
    const number = (this.state?.number ?? 0) + 1
    const commit: Commit = {
      v: 1,
      kind: 'commit',
      vault: this.#vault,
      set,
      number,
      previous: this.state?.sha256 ?? null,
      isCheckpoint: false,
      writer: this.#writer,
      by,
      at: new Date(now()).toISOString(),
      ...draft,
      schemas: null,
      objects: this.#objects,
    }
    if (number % CHECKPOINT_EVERY !== 0) return { commit, body: seal(commit) }
    const whole: Commit = { ...commit, isCheckpoint: true, ...wholeOf(applyCommit(this.state, commit, '')) }
    return { commit: whole, body: seal(whole) }
  }

  /** An answer that is lost, or says that somebody was first, may be about this writer's own commit. */
  async #createCommit(number: number, body: Buffer): Promise<void> {
    const { store, set } = this.#options
    try {
      if ((await store.create(commitName(set, number), [body])) === 'created') return
    } catch (error) {
      if (findKdrError(error)?.code !== 'store-unreachable' || !(await this.#isOwn(number))) throw error
      return
    }
    if (await this.#isOwn(number)) return
    throw new KdrError(
      'other-writer',
      `another writer has made commit ${number} of set "${set}": what this one has read is not committed`,
    )
  }

  async #isOwn(number: number): Promise<boolean> {
    const { store, set } = this.#options
    try {
      return (await readCommit(store, set, number)).commit.writer === this.#writer
    } catch (error) {
      if (findKdrError(error) !== undefined) return false
      throw error
    }
  }
}
