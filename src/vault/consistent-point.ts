// --consistent: the newest commit at or before a point of which such a cut can be made (consistent.ts), and the cut. Where a transaction
// that was under way for long stood before what others had completed, it goes back: first in this commit, with the group offsets of one
// from before that transaction, and where the commit does not even hold all of it, to the commit before.
import { KdrError } from '../model/errors.ts'
import type { Commit, LookedPartition, PartitionState, Point, SetState, TopicState } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { commitNumbers, locate, readCommit, readState } from './chain.ts'
import { type ConsistentEnds, consistentEnds, type LookedLog, spansOf } from './consistent.ts'
import type { SetPoint } from './point.ts'
import { SegmentReader } from './reader.ts'

export type WentBack = {
  readonly topic: string
  readonly partition: number
  /** Its end in the commit, and in the cut. */
  readonly from: number
  readonly to: number
}

export type ConsistentPoint = SetPoint & {
  readonly wentBack: readonly WentBack[]
  /** What else the operator should know. */
  readonly remarks: readonly string[]
}

/** So many commits back a cut is looked for. */
const COMMITS_BACK = 100
/** Throws KdrError: usage, not-ready where no such cut can be made, damaged, store-unreachable. */
export async function readConsistent(
  store: ObjectStore,
  set: string,
  point: Point,
): Promise<ConsistentPoint> {
  const { number: wanted } = await locate(store, set, point)
  const numbers = (await commitNumbers(store, set)).filter(number => number <= wanted)
  for (const number of numbers.toReversed().slice(0, COMMITS_BACK)) {
    const { commit } = await readCommit(store, set, number)
    const cut = await new Cutter({ store, set, numbers }).cut(commit)
    if (cut === undefined) continue
    if (number === wanted) return cut
    const why = `commit ${wanted} holds only in part what was complete when it was made; commit ${number} is the newest before it that can be cut`
    return { ...cut, remarks: [why, ...cut.remarks] }
  }
  const { commit } = await readCommit(store, set, wanted)
  const ids = (commit.transactions?.open ?? []).map(({ id }) => `"${id}"`).join(', ')
  throw new KdrError(
    'not-ready',
    `no commit of set "${set}" up to ${wanted} can be cut so that every transaction is whole: for all this time some were under way${ids === '' ? '' : ` (${ids})`}`,
    { hint: 'Restore the commit as it is, without --consistent; or end that transaction and back up again.' },
  )
}

type CutterInput = {
  readonly store: ObjectStore
  readonly set: string
  /** Of the commits, up to the point. */
  readonly numbers: readonly number[]
}

class Cutter {
  readonly #input: CutterInput
  readonly #reader: SegmentReader

  constructor(input: CutterInput) {
    this.#input = input
    this.#reader = new SegmentReader(input.store, input.set)
  }

  /** Undefined: some of what was complete is not in the commit. */
  async cut(commit: Commit): Promise<ConsistentPoint | undefined> {
    const look = lookOf(commit)
    const state = await readState(this.#input.store, this.#input.set, commit.number)
    const looked = new Map(look.partitions.map(each => [`${each[0]}/${each[1]}`, each]))
    const first = await this.#ends(state, looked, 'stable')
    if (first.kind === 'held') return undefined
    if (!first.isFarBack && !first.isShort) return cutAt(state, first, look.moving)
    for await (const floor of this.#floors({ state, looked, isPrune: commit.kind === 'prune' })) {
      const ends = await this.#ends(state, looked, floor)
      if (ends.kind === 'held') return undefined
      if (!ends.isShort) return cutFarBack(state, ends, floor?.state)
    }
    return undefined
  }

  async #ends(
    { topics }: SetState,
    looked: Looked,
    floor: 'stable' | Floor | undefined,
  ): Promise<ConsistentEnds> {
    const logs: LookedLog[] = []
    for (const topic of topics.values())
      for (const log of topic.partitions) {
        const name = `${topic.name}/${log.partition}`
        const [, , stable, low, high] = looked.get(name) ?? ['', 0, log.end, log.end, log.end]
        const from = floor === 'stable' ? stable : endIn(floor?.state, topic, log)
        const spans = await spansOf(this.#reader, log, { from: Math.max(from, log.start), end: log.end })
        const sureFrom = floor === 'stable' ? 0 : (floor?.sureFrom(topic, log) ?? 0)
        logs.push({ name, end: log.end, low, high, spans, sureFrom })
      }
    return consistentEnds(logs)
  }

  /** Further and further back; in the end, everything. A prune is the commit before it once more: that one leads no further. */
  async *#floors(from: {
    readonly state: SetState
    readonly looked: Looked
    readonly isPrune: boolean
  }): AsyncGenerator<Floor | undefined> {
    const { store, set, numbers } = this.#input
    let after = from
    for (const each of numbers.filter(number => number < from.state.number).toReversed()) {
      const { commit } = await readCommit(store, set, each)
      const isPrune = commit.kind === 'prune'
      if (after.isPrune) {
        after = { ...after, isPrune }
        continue
      }
      const before = await readState(store, set, each)
      yield floorOf(before, after)
      if (commit.transactions === undefined) break
      const own = new Map(commit.transactions.partitions.map(of => [`${of[0]}/${of[1]}`, of]))
      after = { state: before, looked: own, isPrune }
    }
    yield undefined
  }
}

type Looked = ReadonlyMap<string, LookedPartition>

/** A commit below whose ends every transaction is decided; those that began above what the next one saw began after it. */
type Floor = {
  readonly state: SetState
  readonly sureFrom: (topic: TopicState, log: PartitionState) => number
}

function floorOf(state: SetState, after: { readonly state: SetState; readonly looked: Looked }): Floor {
  return {
    state,
    sureFrom: (topic, log) =>
      after.looked.get(`${topic.name}/${log.partition}`)?.[3] ?? endIn(after.state, topic, log),
  }
}

function lookOf({ set, number, transactions }: Commit): NonNullable<Commit['transactions']> {
  if (transactions === undefined)
    throw new KdrError('not-ready', `commit ${number} of set "${set}" says nothing of transactions`, {
      hint: 'An older kdr made it, or the cluster could not tell: restore it without --consistent.',
    })
  if (!transactions.isComplete)
    throw new KdrError(
      'not-ready',
      `commit ${number} of set "${set}" was made without the right to see all transactions`,
      {
        hint: 'Give kdr DESCRIBE on all transactional ids at the source and back up again; or restore without --consistent.',
      },
    )
  return transactions
}

/** Of another topic of that name nothing is known. */
function endIn(
  floor: SetState | undefined,
  { name, id }: TopicState,
  { partition, start }: PartitionState,
): number {
  const known = floor?.topics.get(name)
  return known?.id === id ? (known.partitions[partition]?.end ?? start) : start
}

type Cut = Extract<ConsistentEnds, { readonly kind: 'cut' }>

function cutAt(state: SetState, { ends, shared }: Cut, moving: readonly string[]): ConsistentPoint {
  const wentBack: WentBack[] = []
  const topics = new Map(
    [...state.topics].map(([topic, each]) => {
      const partitions = each.partitions.map(log => {
        const end = Math.max(log.start, ends.get(`${topic}/${log.partition}`) ?? log.end)
        if (end < log.end) wentBack.push({ topic, partition: log.partition, from: log.end, to: end })
        return { ...log, end }
      })
      return [topic, { ...each, partitions }] as const
    }),
  )
  const remarks = [
    ...moving.map(
      group =>
        `group "${group}" was committing while the commit was made: it may process again what it did within that moment`,
    ),
    ...shared.map(
      producer =>
        `the source gives all transactions of producer ${producer} one epoch: one of those next to the cut may be there in part`,
    ),
  ]
  return { state: { ...state, topics }, asOf: undefined, wentBack, remarks }
}

/** What groups have committed since the floor may count on what is left out. */
function cutFarBack(state: SetState, cut: Cut, floor: SetState | undefined): ConsistentPoint {
  const point = cutAt(state, cut, [])
  const groups = floor?.groups ?? new Map<string, never>()
  const from =
    floor === undefined ? 'there are none from before it' : `they are those of commit ${floor.number}`
  const why = `a transaction that was under way for long stood before others, which are left out with it: group offsets may count on them, so ${from}, and groups may process again what they did since`
  return { ...point, state: { ...point.state, groups }, remarks: [why, ...point.remarks] }
}
