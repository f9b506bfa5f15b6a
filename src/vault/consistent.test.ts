// --consistent, by random histories of transactions over several partitions: markers come to each partition at a moment of its own, the
// look and the ends are taken while all goes on, and in the cut every transaction is whole or not there at all.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Random } from '../../test/sim/random.ts'
import { consistentEnds, type LookedLog, type Span } from './consistent.ts'

const PARTITIONS = [0, 1, 2, 3]
type Entry = { readonly transaction: Transaction; readonly isMarker: boolean }
type Transaction = {
  readonly producer: number
  readonly epoch: number
  readonly wrote: Set<number>
  /** Of those, and of the groups, what has no marker yet once it is being ended. */
  unmarked: Set<number> | undefined
  readonly hasOffsets: boolean
}
/** The group offsets, as if they were a partition. */
const GROUPS = 9

class World {
  readonly logs: Entry[][] = PARTITIONS.map(() => [])
  readonly committed = new Set<Transaction>()
  readonly #random: Random
  readonly #hasEpochs: boolean
  readonly #under = new Map<number, Transaction>()
  readonly #epochs = new Map<number, number>()
  readonly all: Transaction[] = []

  constructor(random: Random, hasEpochs: boolean) {
    this.#random = random
    this.#hasEpochs = hasEpochs
  }

  step(): void {
    const random = this.#random
    const producer = random.between(1, 4)
    const under = this.#under.get(producer)
    if (under === undefined) {
      const epoch = this.#hasEpochs ? (this.#epochs.get(producer) ?? 0) + 1 : 0
      this.#epochs.set(producer, epoch)
      const transaction = {
        producer,
        epoch,
        wrote: new Set<number>(),
        unmarked: undefined,
        hasOffsets: random.chance(0.7),
      }
      this.#under.set(producer, transaction)
      this.all.push(transaction)
    } else if (under.unmarked === undefined) {
      // The first one now and then holds others up for long.
      if (random.chance(producer === 1 ? 0.05 : 0.3))
        under.unmarked = new Set([...under.wrote, ...(under.hasOffsets ? [GROUPS] : [])])
      else {
        const at = random.between(0, PARTITIONS.length - 1)
        under.wrote.add(at)
        this.logs[at]!.push({ transaction: under, isMarker: false })
      }
    } else if (under.unmarked.size === 0) this.#under.delete(producer)
    else {
      const at = [...under.unmarked][random.between(0, under.unmarked.size - 1)]!
      under.unmarked.delete(at)
      if (at === GROUPS) this.committed.add(under)
      else this.logs[at]!.push({ transaction: under, isMarker: true })
    }
  }

  steps(most: number): void {
    for (let left = this.#random.between(0, most); left > 0; left--) this.step()
  }

  get ending(): Transaction[] {
    return [...this.#under.values()].filter(({ unmarked }) => unmarked !== undefined && unmarked.size > 0)
  }

  stable(at: number): number {
    const open = [...this.#under.values()].filter(each => !this.#isMarked(each, at))
    const first = this.logs[at]!.findIndex(({ transaction }) => open.includes(transaction))
    return first < 0 ? this.logs[at]!.length : first
  }

  #isMarked(transaction: Transaction, at: number): boolean {
    return this.logs[at]!.some(each => each.transaction === transaction && each.isMarker)
  }

  spans(at: number, from: number, end: number): Span[] {
    const found = new Map<Transaction, Span>()
    this.logs[at]!.slice(0, end).forEach(({ transaction, isMarker }, offset) => {
      if (offset < from) return
      const { producer, epoch } = transaction
      const isEpochShared = !this.#hasEpochs
      const span = found.get(transaction)
      if (span === undefined) {
        const of = { producer: BigInt(producer), epoch, isEpochShared }
        if (isMarker) found.set(transaction, { ...of, from, to: offset, isBegunBefore: true })
        else found.set(transaction, { ...of, from: offset, to: undefined, isBegunBefore: false })
      } else if (isMarker) found.set(transaction, { ...span, to: offset })
    })
    return [...found.values()]
  }
}

type Seen = {
  readonly logs: LookedLog[]
  readonly farBack: LookedLog[]
  readonly groups: ReadonlySet<Transaction>
  readonly isMoving: boolean
}

/** Those that were being ended have been. */
function untilEnded(world: World): void {
  for (const ending = world.ending; world.ending.some(each => ending.includes(each)); ) world.steps(3)
}

/** As a commit captures it; between any two answers the world goes on. */
function look(world: World): Seen {
  const each = (ask: (at: number) => number): number[] =>
    PARTITIONS.map(at => {
      world.steps(2)
      return ask(at)
    })
  for (let tries = 0; ; tries++) {
    const groups = new Set(world.committed)
    const stable = each(at => world.stable(at))
    untilEnded(world)
    const low = each(at => world.logs[at]!.length)
    untilEnded(world)
    const high = each(at => world.logs[at]!.length)
    const isMoving = world.committed.size !== groups.size
    if (isMoving && tries < 5) continue
    // For a while, so that what was written by then can be taken.
    for (let looks = 0; looks < 60 && PARTITIONS.some(at => world.stable(at) < high[at]!); looks++)
      world.step()
    const ends = each(at => world.stable(at))
    const logsFrom = (from: (at: number) => number) =>
      PARTITIONS.map(at => ({
        name: String(at),
        end: ends[at]!,
        low: low[at]!,
        high: high[at]!,
        spans: world.spans(at, from(at), ends[at]!),
      }))
    return { logs: logsFrom(at => stable[at]!), farBack: logsFrom(() => 0), groups, isMoving }
  }
}

describe('a consistent cut', () => {
  for (const hasEpochs of [true, false])
    test(`holds every transaction whole or not at all${hasEpochs ? '' : ', where all of a producer have one epoch'}`, () => {
      const counts = { whole: 0, left: 0, lowered: 0, groups: 0, held: 0, farBack: 0 }
      for (let seed = 1; seed <= 1_500; seed++) {
        const world = new World(new Random(seed), hasEpochs)
        world.steps(150)
        const { logs, farBack, groups, isMoving } = look(world)
        const first = consistentEnds(logs)
        const cut =
          first.kind === 'cut' && (first.isFarBack || first.isShort) ? consistentEnds(farBack) : first
        if (cut.kind === 'held') {
          counts.held++
          continue
        }
        const { ends, shared, isFarBack } = cut
        if (isFarBack) counts.farBack++
        const end = (at: number): number => ends.get(String(at))!
        if (logs.some(log => ends.get(log.name)! < log.end)) counts.lowered++
        for (const transaction of world.all) {
          const of = (at: number) =>
            world.logs[at]!.map((entry, offset) => ({ ...entry, offset })).filter(
              each => each.transaction === transaction,
            )
          if (shared.includes(BigInt(transaction.producer))) continue
          const places = [...transaction.wrote]
          const isWhole = places.every(at =>
            of(at).some(({ isMarker, offset }) => isMarker && offset < end(at)),
          )
          const isAbsent = places.every(at => of(at).every(({ offset }) => offset >= end(at)))
          assert.ok(isWhole || isAbsent, `seed ${seed}: producer ${transaction.producer} is there in part`)
          if (places.length === 0) continue
          if (isWhole) counts.whole++
          else counts.left++
          if (!transaction.hasOffsets || isMoving || isFarBack) continue
          counts.groups++
          assert.equal(
            groups.has(transaction),
            isWhole,
            `seed ${seed}: offsets and records of producer ${transaction.producer}`,
          )
        }
      }
      assert.ok(
        Object.values(counts).every(count => count > 40),
        JSON.stringify(counts),
      )
    })

  test('is the commit where nothing was under way', () => {
    const spans = [{ producer: 1n, epoch: 0, isEpochShared: true, from: 3, to: 5, isBegunBefore: false }]
    const log = { name: 'a', end: 9, low: 9, high: 9, spans }
    const ends = new Map([['a', 9]])
    assert.deepEqual(consistentEnds([log]), {
      kind: 'cut',
      ends,
      isFarBack: false,
      isShort: false,
      shared: [],
    })
  })
})
