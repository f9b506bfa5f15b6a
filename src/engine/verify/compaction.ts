// Which records the cleaner may have taken from a compacted topic. A record that one side lacks is explained when that
// side holds a later one with the same key, or when it was a tombstone, or when what followed it was a tombstone that has
// expired there. Keys are kept exactly, not as hashes, so that a loss is never explained by chance; when too many have
// come together, the log is searched and they are forgotten.
import type { TopicPartition } from '../../ports/cluster.ts'
import type { DecodedRecord, RecordCodec } from '../../ports/records.ts'
import { type LogSource, type OffsetRange, otherSide, type SideName } from './sides.ts'
import type { Tally } from './tally.ts'
import { Walk } from './walk.ts'

const MAX_MISSING = 200_000
const MAX_KEY_BYTES = 16 * 1024 * 1024

type LastOfKey = { readonly offset: number; readonly isTombstone: boolean }

export type Sides = Readonly<Record<SideName, LogSource>>

/** `ends`: up to where each side is searched for later records; beyond the range that is compared. */
export type CompactionInput = {
  readonly of: TopicPartition
  readonly sides: Sides
  readonly ends: Readonly<Record<SideName, number>>
  readonly codec: RecordCodec
}

export class MissingRecords {
  readonly #input: CompactionInput
  readonly #tally: Tally
  readonly #missing: Record<SideName, Map<string, number[]>> = { source: new Map(), target: new Map() }
  #count = 0
  #keyBytes = 0

  constructor(input: CompactionInput, tally: Tally) {
    this.#input = input
    this.#tally = tally
  }

  get isFull(): boolean {
    return this.#count >= MAX_MISSING || this.#keyBytes >= MAX_KEY_BYTES
  }

  /** A record that only `holder` has, in a compacted topic. */
  add({ offset, key, value }: DecodedRecord, holder: SideName): void {
    if (key === null) {
      this.#tally.unexplain(offset, holder)
      return
    }
    if (value === null) return
    const name = key.toString('latin1')
    const offsets = this.#missing[otherSide(holder)].get(name)
    if (offsets === undefined) {
      this.#missing[otherSide(holder)].set(name, [offset])
      this.#keyBytes += name.length
    } else offsets.push(offset)
    this.#count++
  }

  /** Tells the tally which of the records added so far are unexplained, and forgets them all. */
  async settle(): Promise<void> {
    for (const side of ['source', 'target'] as const) await this.#settle(side, this.#missing[side])
    this.#count = 0
    this.#keyBytes = 0
  }

  async #settle(lacking: SideName, missing: Map<string, number[]>): Promise<void> {
    if (missing.size === 0) return
    const holder = otherSide(lacking)
    const here = await this.#lastOf(missing, lacking)
    drop(missing, (key, offset) => (here.get(key)?.offset ?? -1) > offset)
    if (missing.size > 0) {
      const there = await this.#lastOf(missing, holder)
      drop(missing, (key, offset) => {
        const last = there.get(key)
        return last !== undefined && last.isTombstone && last.offset > offset
      })
    }
    for (const offsets of missing.values())
      for (const offset of offsets) this.#tally.unexplain(offset, holder)
    missing.clear()
  }

  /** The last record of each of these keys that `side` holds, searched from the first missing offset on. */
  async #lastOf(
    keys: ReadonlyMap<string, readonly number[]>,
    side: SideName,
  ): Promise<Map<string, LastOfKey>> {
    const { sides, of, codec, ends } = this.#input
    let from = Number.MAX_SAFE_INTEGER
    for (const offsets of keys.values()) for (const offset of offsets) from = Math.min(from, offset)
    const last = new Map<string, LastOfKey>()
    for await (const { key, value, offset } of recordsOf(sides[side], of, codec, { from, to: ends[side] })) {
      const name = key?.toString('latin1')
      if (name !== undefined && keys.has(name)) last.set(name, { offset, isTombstone: value === null })
    }
    return last
  }
}

function drop(missing: Map<string, number[]>, isExplained: (key: string, offset: number) => boolean): void {
  for (const [key, offsets] of missing) {
    const rest = offsets.filter(offset => !isExplained(key, offset))
    if (rest.length === 0) missing.delete(key)
    else missing.set(key, rest)
  }
}

async function* recordsOf(
  source: LogSource,
  of: TopicPartition,
  codec: RecordCodec,
  range: OffsetRange,
): AsyncGenerator<DecodedRecord> {
  const walk = new Walk(source, of, codec, range)
  try {
    for (;;) {
      if (walk.head === undefined) await walk.fill()
      if (walk.head === undefined) return
      for (let record = walk.peekRecord(); record !== undefined; record = walk.peekRecord()) {
        yield record
        walk.takeRecord()
      }
      walk.pop()
    }
  } finally {
    await walk.close()
  }
}
