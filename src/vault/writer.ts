// Writes one commit of a set: segments and packs with their indexes first, last the commit, which names them with their hashes. What
// is written before a commit that never comes is garbage, and harmless. The commit's number decides between two writers.
import { invariant } from '../model/errors.ts'
import {
  applyCommit,
  type Compression,
  type IndexRecord,
  type Segment,
  type SegmentIndex,
  type SetState,
  type VaultObject,
} from '../model/vault.ts'
import type { Body, ObjectStore } from '../ports/store.ts'
import type { CommitDraft, Committed, PartOf, PartWriter, SetWriter } from '../ports/vault.ts'
import { type ReadCommit, readLatest } from './chain.ts'
import { type Committer, composeCommit, createCommit, otherWriter } from './commit.ts'
import { type Framed, Framing } from './framing.ts'
import { extendLocks, lockedNames, planLock } from './locks.ts'
import { packStem, segmentStem, writerId } from './names.ts'
import { firstOpen } from './open-transactions.ts'
import { Blocks, Pile } from './pile.ts'
import { SegmentReader } from './reader.ts'
import { sha256 } from './sealed.ts'
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
  /** As of an earlier commit, so that not all is read again. */
  readonly known?: SetState | undefined
  /** See Committer. */
  readonly lateAt?: ((last: number) => number) | undefined
}

/** Throws KdrError: not-ready without a vault, damaged, store-unreachable. */
export async function openSetWriter(options: WriterOptions): Promise<SetWriter> {
  const { vault } = await openVault(options.store)
  return new VaultSetWriter(options, vault, await readLatest(options.store, options.set, options.known))
}

type Pack = {
  readonly stem: string
  readonly pile: Pile
  readonly indexes: SegmentIndex[]
}

class VaultSetWriter implements SetWriter {
  readonly state: SetState | undefined
  readonly #options: WriterOptions
  readonly #vault: string
  readonly #writer: string
  readonly #objects: VaultObject[] = []
  readonly #blocks = new Blocks()
  /** What it creates is created later. */
  readonly #since: number
  #pack: Pack | undefined

  constructor(options: WriterOptions, vault: string, state: SetState | undefined) {
    this.#options = options
    this.#vault = vault
    this.state = state
    this.#writer = options.unique()
    this.#since = options.now()
  }

  open(of: PartOf): PartWriter {
    const framing = new Framing(of, this.#options.compression, this.#blocks)
    return {
      add: async (batches, aborted) => await framing.add(batches, aborted),
      close: async () => {
        invariant(!framing.isEmpty, 'a segment without batches')
        return await this.#write(of, await framing.finish())
      },
    }
  }

  async #write({ topicId, partition }: PartOf, framed: Framed): Promise<Segment> {
    if (framed.facts.rawBytes < PACK_BELOW_BYTES) return await this.#addToPack(framed)
    const stem = segmentStem(topicId, partition, framed.facts.from, this.#newId())
    const object = `${stem}.log${framed.facts.compression === 'zstd' ? '.zst' : ''}`
    const index = `${stem}.index.json`
    await this.#putWithIndex([object, framed.pile], [index, [framed.index]])
    return { object, position: 0, index, ...framed.facts }
  }

  async firstOpen(segments: readonly Segment[], at: number): Promise<number> {
    const { store, set } = this.#options
    return await firstOpen(new SegmentReader(store, set), segments, { from: segments[0]?.from ?? at, at })
  }

  async commit(draft: CommitDraft): Promise<Committed> {
    await this.#closePack()
    const { store, set, by, now, lateAt } = this.#options
    const committer = { store, vault: this.#vault, set, writer: this.#writer, by, now, lateAt }
    for (let before = this.state; ; ) {
      const lockedUntil = await this.#lock(committer, before, draft)
      const next = composeCommit(committer, before, { draft, objects: this.#objects, lockedUntil })
      const other = await createCommit(committer, next)
      if (other === undefined)
        return {
          number: next.commit.number,
          objects: this.#objects.length + 1,
          bytes: this.#objects.reduce((sum, { bytes }) => sum + bytes, next.body.length),
        }
      before = this.#behind(before, other)
    }
  }

  /** A prune takes nothing from a run that began before it: what the run has written goes behind it. Throws KdrError('other-writer'). */
  #behind(before: SetState | undefined, { commit, sha256: hash }: ReadCommit): SetState {
    const doomed = new Set(commit.prune?.doomed)
    const isBehind =
      commit.kind === 'prune' &&
      before !== undefined &&
      commit.previous === before.sha256 &&
      !this.#objects.some(({ name }) => doomed.has(name))
    if (!isBehind) throw otherWriter(this.#options.set, commit.number)
    return applyCommit(before, commit, hash)
  }

  async #addToPack({ pile, index, facts }: Framed): Promise<Segment> {
    const pack = (this.#pack ??= {
      stem: packStem(this.#newId()),
      pile: new Pile(this.#blocks),
      indexes: [],
    })
    const position = pack.pile.bytes
    for (const piece of pile.body) pack.pile.append(piece)
    pile.clear()
    pack.indexes.push({ ...index, position })
    if (pack.pile.bytes >= PACK_BYTES) await this.#closePack()
    return { object: `${pack.stem}.pack`, position, index: `${pack.stem}.index.json`, ...facts }
  }

  async #closePack(): Promise<void> {
    const pack = this.#pack
    if (pack === undefined) return
    this.#pack = undefined
    await this.#putWithIndex([`${pack.stem}.pack`, pack.pile], [`${pack.stem}.index.json`, pack.indexes])
  }

  /** Both at once: neither counts before the commit. When it throws, neither is under way any more. */
  async #putWithIndex(
    [name, pile]: readonly [string, Pile],
    [index, segments]: readonly [string, readonly SegmentIndex[]],
  ): Promise<void> {
    const record: IndexRecord = { v: 1, segments }
    const ended = await Promise.allSettled([
      this.#put(name, pile.body),
      this.#put(index, [Buffer.from(`${JSON.stringify(record)}\n`)]),
    ])
    pile.clear()
    for (const each of ended) if (each.status === 'rejected') throw each.reason
  }

  async #put(name: string, body: Body): Promise<void> {
    const bytes = body.reduce((sum, piece) => sum + piece.length, 0)
    const object = { name, bytes, sha256: sha256(...body) }
    const path = `${this.#options.set}/${name}`
    const answer = await this.#options.store.create(path, body)
    // Nobody else has this name: an attempt whose answer was lost has landed.
    if (answer === 'exists') {
      const there = await this.#options.store.get(path)
      invariant(
        there !== undefined && sha256(there) === object.sha256,
        'a name that should be unique is taken',
        {
          name,
        },
      )
    }
    this.#objects.push(object)
  }

  /** Before the commit says so: until when all that it references is locked. Undefined: the store does not lock. */
  async #lock(
    committer: Committer,
    before: SetState | undefined,
    draft: CommitDraft,
  ): Promise<string | undefined> {
    const { set, now, store } = committer
    const { locks } = store
    if (locks === undefined) return undefined
    const known = before?.lockedUntil === undefined ? undefined : Date.parse(before.lockedUntil)
    const { until, isDue } = planLock({ locks, now: now(), before: known, since: this.#since })
    if (isDue) {
      const { commit } = composeCommit(committer, before, { draft, objects: this.#objects })
      const { objects } = applyCommit(before, commit, '')
      // The commit itself is not there yet; it is locked as it is created.
      await extendLocks(locks, lockedNames(set, { number: before?.number ?? 0, objects }), until)
    }
    return new Date(until).toISOString()
  }

  #newId(): string {
    return writerId((this.state?.number ?? 0) + 1, this.#options.unique())
  }
}
