// Keys and shapes of `_kdr.journal`: runs, their steps, and who controls them. What a controller writes carries the number of its
// claim in the key, so that one that was stopped and wakes writes beside what its successor has written, and never over it: of
// several the highest number counts.
import type { RunRecord, StepName, StepRecord } from './runs.ts'
import { toRecord } from './state-records.ts'

type Records = {
  get(key: string): unknown
  entries(prefix: string): readonly (readonly [string, unknown])[]
}
type Store = Records & {
  put(key: string, record: { readonly v: 1; readonly kind: string } | undefined): Promise<void>
}

/** Who may act for a link: the claim with the highest number, of equals the one with the greater id. */
export type ClaimRecord = {
  readonly number: number
  /** When it was last confirmed, ms since 1970. */
  readonly at: number
  /** user@host. */
  readonly by: string
}
export type Claim = ClaimRecord & { readonly controller: string }

export const claimKey = (link: string, controller: string): string => `claim/${link}/${controller}`

/** The first is the one that counts. */
export function readClaims(store: Records, link: string): Claim[] {
  const prefix = claimKey(link, '')
  return store
    .entries(prefix)
    .map(([key, record]) => ({ ...(record as ClaimRecord), controller: key.slice(prefix.length) }))
    .toSorted((a, b) => b.number - a.number || (a.controller < b.controller ? 1 : -1))
}

export const readClaim = (store: Records, link: string): Claim | undefined => readClaims(store, link)[0]

const runKey = (run: string, claim: number): string => `run/${run}/${claim}`
const stepKey = (run: string, step: StepName, claim: number): string => `step/${run}/${step}/${claim}`
const pieceKey = (run: string, step: StepName, claim: number, piece: number): string =>
  `piece/${run}/${step}/${claim}.${piece}`

/** Newest first. */
export function readRuns(store: Records): RunRecord[] {
  const newest = new Map<string, { readonly claim: number; readonly record: RunRecord }>()
  for (const [key, value] of store.entries('run/')) {
    const claim = Number(key.slice(key.lastIndexOf('/') + 1))
    const record = value as RunRecord
    if (claim >= (newest.get(record.run)?.claim ?? 0)) newest.set(record.run, { claim, record })
  }
  return [...newest.values()].map(({ record }) => record).toSorted((a, b) => b.startedAt - a.startedAt)
}

export async function writeRun(store: Store, record: RunRecord, claim: number): Promise<void> {
  await store.put(runKey(record.run, claim), toRecord('run', record))
}

/** Characters of a piece: a record holds 64 KB, and a name may be written in more bytes than it has characters. */
const PIECE_CHARACTERS = 15_000

type StoredStep = Omit<StepRecord, 'data'> & { readonly pieces: number }

/** What the step has found first, so that a step that is done has all of it. */
export async function writeStep(
  store: Store,
  run: string,
  { data, ...step }: StepRecord,
  claim: number,
): Promise<void> {
  const text = data === undefined ? '' : JSON.stringify(data)
  const pieces = Math.ceil(text.length / PIECE_CHARACTERS)
  await Promise.all(
    Array.from({ length: pieces }, async (_none, piece) => {
      const part = text.slice(piece * PIECE_CHARACTERS, (piece + 1) * PIECE_CHARACTERS)
      await store.put(pieceKey(run, step.name, claim, piece), toRecord('piece', { part }))
    }),
  )
  await store.put(stepKey(run, step.name, claim), toRecord('step', { ...step, pieces }))
}

export function readSteps(store: Records, run: string): StepRecord[] {
  const newest = new Map<StepName, { readonly claim: number; readonly step: StoredStep }>()
  for (const [key, value] of store.entries(`step/${run}/`)) {
    const claim = Number(key.slice(key.lastIndexOf('/') + 1))
    const step = value as StoredStep
    if (claim >= (newest.get(step.name)?.claim ?? 0)) newest.set(step.name, { claim, step })
  }
  return [...newest.values()].map(({ claim, step: { pieces, ...step } }) => {
    if (pieces === 0) return step
    const parts = Array.from({ length: pieces }, (_none, piece) => {
      const record = store.get(pieceKey(run, step.name, claim, piece)) as { part: string } | undefined
      return record?.part ?? ''
    })
    return { ...step, data: JSON.parse(parts.join('')) as never }
  })
}

/** Keys of everything that the journal holds of a run. */
export function keysOfRun(store: Records, run: string): string[] {
  return ['run', 'step', 'piece'].flatMap(kind => store.entries(`${kind}/${run}/`).map(([key]) => key))
}
