// Vaults and sets of the config as `kdr vault`, `kdr backup` and `kdr restore` need them.
import type { CommitSummary, OpenedSet, OpenedVault, ShortestLock } from '../cli/app-vault.ts'
import type { Config, SetConfig, VaultConfig } from '../config/index.ts'
import { backUp, type BackupProgress, type BackupResult } from '../engine/backup/backup.ts'
import { recordCodec } from '../kafka/records.ts'
import { KdrError } from '../model/errors.ts'
import { compilePatterns } from '../model/patterns.ts'
import { lateAt } from '../model/schedule.ts'
import type { SetState } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { openStore } from '../store/open.ts'
import { patientStore } from '../store/patient.ts'
import { commitNumbers, locate, readCommit, readState } from '../vault/chain.ts'
import { lockedNames, shortestLock } from '../vault/locks.ts'
import { readPoint } from '../vault/point.ts'
import { executePrune, preparePrune } from '../vault/prune.ts'
import { readRecords } from '../vault/records.ts'
import { initVault, openVault, probeStore } from '../vault/vault.ts'
import { recordVerified } from '../vault/verified.ts'
import { verifyVault } from '../vault/verify.ts'
import { openSetWriter } from '../vault/writer.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { exportSet } from './export.ts'
import { compareWithSource } from './compare-source.ts'
import { systemClock, systemEntropy } from './system.ts'
import { kdrVersion } from './version.ts'

/** Random, and short enough for the name of an object. */
export const unique = (): string => systemEntropy.uuid().replaceAll('-', '').slice(0, 16)
const program = (): string => `kdr ${kdrVersion()}`

/** `signal`: ends the waiting for a store that does not answer. */
export function storeOf(config: Config, name: string, signal?: AbortSignal): ObjectStore {
  const fraction = (): number => systemEntropy.fraction()
  const store = openStore({ ...vaultOf(config, name), now: () => systemClock.now() }, unique)
  return patientStore(store, { clock: systemClock, fraction, signal })
}

const NO_LOCKS = {
  ability: 'object lock',
  has: false,
  why: 'only a bucket can keep what is in it from being deleted',
  isOptional: true,
} as const

export async function withVault<T>(
  config: Config,
  name: string,
  act: (vault: OpenedVault) => Promise<T>,
): Promise<T> {
  const store = storeOf(config, name)
  return await act({
    url: store.name,
    init: async () =>
      await initVault(store, {
        vault: systemEntropy.uuid(),
        createdAt: new Date(systemClock.now()).toISOString(),
        by: program(),
      }),
    probe: async () => {
      const id = unique()
      // What is tried out must not be locked.
      const unlocked = openStore({ ...vaultOf(config, name), lock: undefined }, unique)
      const own = (await store.probe?.(`probe/${id}`)) ?? [NO_LOCKS]
      return [...(await probeStore(unlocked, id)), ...own]
    },
    shortestLocks: async () => {
      const sets = Object.values(config.sets).filter(({ vault }) => vault === name)
      const found: (ShortestLock & { readonly set: string })[] = []
      for (const { name: set } of sets) {
        const number = (await commitNumbers(store, set)).at(-1)
        const lock = number === undefined ? undefined : await lockOf(store, set, number)
        if (lock !== undefined) found.push({ set, ...lock })
      }
      return found
    },
  })
}

function vaultOf(config: Config, name: string): VaultConfig {
  const vault = config.vaults[name]
  if (vault !== undefined) return vault
  throw new KdrError('usage', `the config has no vault "${name}"`, {
    hint: hintOf('vaults', Object.keys(config.vaults)),
  })
}

export function setOf(config: Config, name: string): SetConfig {
  const set = config.sets[name]
  if (set !== undefined) return set
  throw new KdrError('usage', `the config has no set "${name}"`, {
    hint: hintOf('sets', Object.keys(config.sets)),
  })
}

function hintOf(key: string, names: readonly string[]): string {
  return names.length === 0 ? `Add one under \`${key}:\`.` : `It has: ${names.join(', ')}.`
}

/** Throws KdrError: usage for a set that the config does not have, not-ready without a vault. */
export async function withSet<T>(
  config: Config,
  name: string,
  act: (opened: OpenedSet) => Promise<T>,
): Promise<T> {
  const set = setOf(config, name)
  const store = storeOf(config, set.vault)
  const isIntact = recordCodec.isIntact.bind(recordCodec)
  await openVault(store)
  return await act({
    set,
    backUp: async options => await backUpSet(config, set, { store, ...options }),
    list: async () => await summaries(store, name),
    show: async point => {
      const { state, asOf } = await readPoint(store, name, point, recordCodec)
      const { commit } = await readCommit(store, name, state.number)
      return { state, asOf, notes: commit.notes }
    },
    verify: async (point, { isFull, sample, signal, onProgress }) => {
      const { number } = await locate(store, name, point)
      const began = new Date(systemClock.now()).toISOString()
      const input = { store, set: name, number, isFull, sample, isIntact, signal, onProgress }
      const found = await verifyVault(input)
      const { objects, bytes, problems } = found
      const of = { set: name, number, at: began, by: program(), objects, bytes }
      const recorded = isFull && problems.length === 0 ? await recordVerified(store, of, unique) : undefined
      // Of a chain that is broken nobody knows what it needs.
      const lock = problems.length === 0 ? await lockOf(store, name, number) : undefined
      return { number, recorded, lock, ...found }
    },
    compare: async (point, { signal, onProgress }) => {
      const cluster = await openCluster(clusterOf(config, set.cluster), systemClock)
      try {
        const found = await readPoint(store, name, point, recordCodec)
        const of = { store, set: name, point: found, cluster, clock: systemClock }
        return await compareWithSource({ ...of, signal, onProgress })
      } finally {
        await cluster.close()
      }
    },
    prune: async ({ days = set.keepDays, signal, onProgress }) => {
      if (days === undefined)
        throw new KdrError('usage', `the config does not say for how long set "${name}" is kept`, {
          hint: `Write \`keep: { days: 35 }\` into the set, or name them: kdr backup prune ${name} --days 35`,
        })
      const now = (): number => systemClock.now()
      const options = { store, set: name, by: program(), unique, now, days }
      const planned = await preparePrune(options)
      return {
        plan: planned.plan,
        execute: async () => await executePrune(options, planned, onProgress, signal),
      }
    },
    export: async (point, dir, options) => {
      const { state } = await readPoint(store, name, point, recordCodec)
      return { number: state.number, ...(await exportSet({ store, set: name, state, dir, ...options })) }
    },
    cat: async (point, options, onRecord) =>
      await readRecords(
        { store, set: name, state: (await readPoint(store, name, point, recordCodec)).state },
        { ...options, codec: recordCodec },
        onRecord,
      ),
  })
}

export type BackUpSet = {
  readonly store: ObjectStore
  readonly signal: AbortSignal
  readonly onProgress?: (progress: BackupProgress) => void
  /** See openSetWriter. */
  readonly known?: SetState | undefined
  readonly onOpened?: (state: SetState | undefined) => void
}

/** One commit. Throws KdrError: unreachable, wrong-cluster, other-writer, store-unreachable. */
export async function backUpSet(
  config: Config,
  set: SetConfig,
  { store, known, signal, onProgress, onOpened }: BackUpSet,
): Promise<BackupResult> {
  const filter = compilePatterns(set.topics, 'topics')
  const now = (): number => systemClock.now()
  const { name, every } = set
  const lateBy = every && ((last: number): number => lateAt(every.schedule, last))
  const writer = await openSetWriter({ store, set: name, by: program(), unique, now, known, lateAt: lateBy })
  onOpened?.(writer.state)
  signal.throwIfAborted()
  const cluster = await openCluster(clusterOf(config, set.cluster), systemClock)
  try {
    return await backUp({
      cluster,
      writer,
      isWanted: topic => filter.matches(topic),
      isIntact: batch => recordCodec.isIntact(batch),
      clock: systemClock,
      signal,
      maxBytesPerSecond: set.maxBytesPerSecond,
      ...(onProgress !== undefined && { onProgress }),
    })
  } finally {
    await cluster.close()
  }
}

async function lockOf(store: ObjectStore, set: string, number: number): Promise<ShortestLock | undefined> {
  if (store.locks === undefined) return undefined
  return await shortestLock(store, lockedNames(set, await readState(store, set, number)))
}

async function summaries(store: ObjectStore, set: string): Promise<CommitSummary[]> {
  const found: CommitSummary[] = []
  for (const number of await commitNumbers(store, set)) {
    const { commit } = await readCommit(store, set, number)
    // A checkpoint names what earlier commits have written too.
    const isNew = commit.isCheckpoint ? undefined : commit
    const segments = isNew?.topics.flatMap(topic => topic.partitions.flatMap(each => each.segments))
    found.push({
      number,
      at: commit.at,
      endsAt: commit.endsAt,
      isCheckpoint: commit.isCheckpoint,
      isPrune: commit.kind === 'prune',
      records: segments?.reduce((sum, { records }) => sum + records, 0),
      storedBytes: isNew?.objects.reduce((sum, { bytes }) => sum + bytes, 0),
      notes: commit.notes.length,
    })
  }
  return found
}
