// Vaults and sets of the config as `kdr vault`, `kdr backup` and `kdr restore` need them.
import type { CatOptions, CatRecord, CommitSummary, OpenedSet, OpenedVault } from '../cli/app-vault.ts'
import type { Config, SetConfig, VaultConfig } from '../config/index.ts'
import { backUp } from '../engine/backup/backup.ts'
import { recordCodec } from '../kafka/records.ts'
import { KdrError } from '../model/errors.ts'
import { compilePatterns } from '../model/patterns.ts'
import type { PartitionState } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { openStore } from '../store/open.ts'
import { commitNumbers, locate, readCommit } from '../vault/chain.ts'
import { readPoint, type SetPoint } from '../vault/point.ts'
import { SegmentReader } from '../vault/reader.ts'
import { firstLater } from '../vault/times.ts'
import { initVault, openVault, probeStore } from '../vault/vault.ts'
import { verifyVault } from '../vault/verify.ts'
import { openSetWriter } from '../vault/writer.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { systemClock, systemEntropy } from './system.ts'
import { kdrVersion } from './version.ts'

/** Random, and short enough for the name of an object. */
const unique = (): string => systemEntropy.uuid().replaceAll('-', '').slice(0, 16)
const program = (): string => `kdr ${kdrVersion()}`

export function storeOf(config: Config, name: string): ObjectStore {
  return openStore(vaultOf(config, name), unique)
}

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
    probe: async () => await probeStore(store, unique()),
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
  const filter = compilePatterns(set.topics, 'topics')
  await openVault(store)
  return await act({
    set,
    backUp: async ({ signal, onProgress }) => {
      const cluster = await openCluster(clusterOf(config, set.cluster), systemClock)
      try {
        const now = (): number => systemClock.now()
        const writer = await openSetWriter({ store, set: name, by: program(), unique, now })
        const isWanted = (topic: string): boolean => filter.matches(topic)
        return await backUp({ cluster, writer, isWanted, clock: systemClock, signal, onProgress })
      } finally {
        await cluster.close()
      }
    },
    list: async () => await summaries(store, name),
    show: async point => {
      const { state, asOf } = await readPoint(store, name, point, recordCodec)
      const { commit } = await readCommit(store, name, state.number)
      return { state, asOf, notes: commit.notes }
    },
    verify: async (point, { isFull, signal, onProgress }) => {
      const { number } = await locate(store, name, point)
      const isIntact = recordCodec.isIntact.bind(recordCodec)
      const input = { store, set: name, number, isFull, isIntact, signal, onProgress }
      return { number, ...(await verifyVault(input)) }
    },
    cat: async (point, options, onRecord) =>
      await cat(
        { store, set: name, point: await readPoint(store, name, point, recordCodec) },
        options,
        onRecord,
      ),
  })
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
      records: segments?.reduce((sum, { records }) => sum + records, 0),
      storedBytes: isNew?.objects.reduce((sum, { bytes }) => sum + bytes, 0),
      notes: commit.notes.length,
    })
  }
  return found
}

type From = { readonly store: ObjectStore; readonly set: string; readonly point: SetPoint }

/** As a read-committed consumer would see them, partition by partition. Throws KdrError('usage') for a topic that is not there. */
async function cat(
  { store, set, point: { state } }: From,
  { topic, partition, from, to }: CatOptions,
  onRecord: (record: CatRecord) => void,
): Promise<void> {
  const found = state.topics.get(topic)
  if (found === undefined)
    throw new KdrError('usage', `set "${set}" has no topic "${topic}" in commit ${state.number}`)
  const partitions = found.partitions.filter(each => partition === undefined || each.partition === partition)
  if (partitions.length === 0)
    throw new KdrError(
      'usage',
      `topic "${topic}" has ${found.partitions.length} partition(s), and no ${partition ?? 0}`,
    )
  const reader = new SegmentReader(store, set)
  const offsetOf = async (
    log: PartitionState,
    at: CatOptions['from'],
    otherwise: number,
  ): Promise<number> => {
    if (at === undefined) return otherwise
    if ('offset' in at) return at.offset
    const range = { from: log.start, end: log.end, time: at.time - 1, codec: recordCodec }
    return (await firstLater(reader, log.segments, range)) ?? log.end
  }
  for (const log of partitions) {
    const first = Math.max(log.start, await offsetOf(log, from, log.start))
    const end = Math.min(log.end, await offsetOf(log, to, log.end))
    for (let next = first; next < end; ) {
      const run = await reader.read(log.segments, next, end)
      if (run === undefined) break
      for (const batch of run.batches) {
        const { header } = batch
        const isAborted = run.aborted.some(
          each =>
            each.producer === String(header.producerId) &&
            each.from <= header.baseOffset &&
            header.baseOffset < (each.to ?? Number.POSITIVE_INFINITY),
        )
        if (header.isControl || (header.isTransactional && isAborted)) continue
        for (const record of recordCodec.decode(batch))
          if (record.offset >= first && record.offset < end)
            onRecord({ topic, partition: log.partition, ...record })
      }
      next = run.batches.at(-1)!.header.lastOffset + 1
    }
  }
}
