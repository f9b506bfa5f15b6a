// `kdr runs replay`: from the place where a failback has put its export into topics of the cluster that is active now. Whoever replays has
// the journal of the link as a run has it, so that two of them, or one and a run, are never at it together.
import { createHash } from 'node:crypto'
import type { ReplayedTopic, ReplayOptions, Services } from '../cli/app.ts'
import type { Config } from '../config/index.ts'
import { deniedAt, type FenceSite, lift, refresh } from '../engine/runs/denials.ts'
import { type ExportedPartition, type Manifest, MANIFEST } from '../engine/runs/export.ts'
import { beating } from '../engine/runs/beating.ts'
import { Journal } from '../engine/runs/journal.ts'
import { takeOwnRights } from '../engine/runs/own-rights.ts'
import { type ReplayPartition, replayTopic, strandedTopic, visibleRecords } from '../engine/runs/replay.ts'
import { recordCodec } from '../kafka/records.ts'
import { KdrError } from '../model/errors.ts'
import { compilePatterns } from '../model/patterns.ts'
import type { RunRecord } from '../model/runs.ts'
import type { Cluster, TopicConfigs } from '../ports/cluster.ts'
import type { DecodedRecord } from '../ports/records.ts'
import type { StateStore } from '../ports/state.ts'
import type { ObjectStore } from '../ports/store.ts'
import { JOURNAL_TOPIC } from '../state/topic-store.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { directionOf } from './direction.ts'
import { exportStore } from './failback.ts'
import { ifReachable, Opened, storeOf } from './opened.ts'
import { ownPrincipals } from './outside.ts'
import { findExports } from './run-history.ts'
import { systemClock, systemEntropy, whoAmI } from './system.ts'

type Export = {
  readonly record: RunRecord
  readonly manifest: Manifest
  readonly read: (object: string) => Promise<Buffer>
}
/** `partitions`: of the export, those that are to be replayed from it. */
type Chosen = {
  readonly found: Export
  readonly partitions: readonly ExportedPartition[]
  readonly replayed: readonly ReplayPartition[]
}

export const withReplay: Services['withReplay'] = async (config, run, options, act) => {
  const records = await findExports(config, run)
  const [record] = records
  const exports = await Promise.all(records.map(async each => await openManifest(config, each, options)))
  const topics = compilePatterns(options.topics.length === 0 ? ['*'] : options.topics, 'any')
  const newest = newestOf(exports.map(({ manifest }) => manifest))
  const chosen = exports.flatMap((found, index): Chosen[] => {
    const partitions = newest[index]!.filter(({ topic }) => topics.matches(topic))
    const replayed = partitions.map(each => partitionOf(found, each, options.keys))
    return partitions.length === 0 ? [] : [{ found, partitions, replayed }]
  })
  if (chosen.length === 0)
    throw new KdrError('usage', `run "${record.run}" has exported nothing of such topics`, {
      hint: `It has: ${[...new Set(newest.flat().map(({ topic }) => topic))].join(', ')}.`,
    })
  const opened = new Opened()
  try {
    const link = config.links[record.link]
    if (link === undefined)
      throw new KdrError(
        'usage',
        `run "${record.run}" is about link "${record.link}", which the config does not have`,
      )
    const { link: now } = await directionOf(config, link)
    const cluster = await opened.add(openCluster(clusterOf(config, now.source), systemClock))
    const all = chosen.flatMap(each => each.partitions)
    const names = [...new Set(all.map(({ topic }) => topic))]
    const isOriginal = options.into === 'original'
    return await act({
      run: record.run,
      cluster: now.source,
      warnings: isOriginal ? outlivedOf(all, await cluster.topicConfigs(names), systemClock.now()) : [],
      topics: await planned(chosen, options),
      execute: async onProgress =>
        await execute(opened, { config, record, cluster, chosen, options }, onProgress),
    })
  } finally {
    await opened.close()
  }
}

/** Newest first. Of a log that several have exported the newest has all; one that is gone since only an older one has. */
export function newestOf(manifests: readonly Manifest[]): ExportedPartition[][] {
  const seen = new Set<string>()
  return manifests.map(({ partitions }) =>
    partitions.filter(({ topicId, partition }) => {
      const log = `${topicId}/${partition}`
      const isFirst = !seen.has(log)
      seen.add(log)
      return isFirst
    }),
  )
}

async function openManifest(config: Config, record: RunRecord, { from }: ReplayOptions): Promise<Export> {
  const { store, prefix } = exportStore(config, from ?? record.exportTo ?? '')
  const folder = `${prefix}${record.run}/`
  const text = await store.get(`${folder}${MANIFEST}`)
  if (text === undefined)
    throw new KdrError('usage', `there is no export of run "${record.run}" at "${store.name}"`, {
      hint: 'Name the folder or vault that has it now: --from DIR. Of several exports of one failover each can be replayed by its own id.',
    })
  const manifest = JSON.parse(text.toString()) as Manifest
  if (manifest.v !== 1)
    throw new KdrError('newer-version', `the export of run "${record.run}" has version ${String(manifest.v)}`)
  const hashes = new Map(
    manifest.partitions.flatMap(({ objects }) => objects.map(each => [each.name, each.sha256] as const)),
  )
  return {
    record,
    manifest,
    read: async object => await readObject(store, `${folder}${object}`, hashes.get(object)),
  }
}

async function readObject(store: ObjectStore, name: string, sha256: string | undefined): Promise<Buffer> {
  const bytes = await store.get(name)
  if (bytes === undefined || createHash('sha256').update(bytes).digest('hex') !== sha256)
    throw new KdrError('damaged', `"${name}" of "${store.name}" is not what the manifest says`, {
      hint: 'Take the export from a copy (--from DIR).',
    })
  return bytes
}

function partitionOf(
  { read }: Export,
  { topic, partition, cut, objects }: ExportedPartition,
  keys: readonly string[],
): ReplayPartition {
  const segments = objects.map(({ name }) => name).filter(name => name.endsWith('.log'))
  const filter = compilePatterns(keys, 'any')
  const isWanted = ({ key }: DecodedRecord): boolean =>
    keys.length === 0 || (key !== null && filter.matches(key.toString()))
  async function* records(): AsyncIterable<DecodedRecord> {
    for await (const record of visibleRecords(segments, read, { codec: recordCodec, from: cut }))
      if (isWanted(record)) yield record
  }
  return { topic, partition, keys, records }
}

async function planned(chosen: readonly Chosen[], { into, keys }: ReplayOptions): Promise<ReplayedTopic[]> {
  const counts = new Map<string, number>()
  for (const { partitions, replayed } of chosen)
    for (const [index, each] of replayed.entries()) {
      let count = 0
      if (keys.length === 0) count = partitions[index]!.records
      else for await (const _record of each.records()) count++
      counts.set(each.topic, (counts.get(each.topic) ?? 0) + count)
    }
  return [...counts].map(([topic, records]) => ({
    topic,
    into: into === 'original' ? topic : strandedTopic(topic),
    records,
  }))
}

type Work = {
  readonly config: Config
  readonly record: RunRecord
  readonly cluster: Cluster
  readonly chosen: readonly Chosen[]
  readonly options: ReplayOptions
}

async function execute(
  opened: Opened,
  { config, record, cluster, chosen, options }: Work,
  onProgress: (sentence: string) => void,
): Promise<ReplayedTopic[]> {
  const { into, takeOver } = options
  const store = await opened.add(storeOf(cluster, { create: true, topic: JOURNAL_TOPIC }))
  await store.refresh()
  const journal = new Journal({
    store,
    clock: systemClock,
    link: record.link,
    controller: systemEntropy.uuid(),
    by: whoAmI(),
  })
  await journal.claim(takeOver)
  const stopBeats = beating(journal, systemClock)
  // The oldest first, as it was written.
  const byTopic = chosen.toReversed().flatMap(({ found, replayed }) =>
    [...Map.groupBy(replayed, ({ topic }) => topic)].map(([topic, partitions]) => ({
      found,
      topic,
      partitions,
    })),
  )
  const placeIn = (topic: string): string => (into === 'original' ? topic : strandedTopic(topic))
  const names = [...new Set(byTopic.map(({ topic }) => placeIn(topic)))]
  try {
    const elsewhere = await memoryElsewhere(opened, { config, record, cluster }, onProgress)
    const rights = await ownRights(opened, { config, record, cluster, journal })
    await rights.lift(names)
    const done = new Map<string, number>()
    for (const { found, topic, partitions } of byTopic) {
      const records = await replayTopic(
        {
          run: found.record.run,
          into,
          clusterId: found.manifest.clusterId,
          target: cluster,
          store: journal.guarding(store),
          elsewhere,
          guard: journal.guard,
          clock: systemClock,
          codec: recordCodec,
          progress: onProgress,
        },
        topic,
        partitions,
      )
      done.set(topic, (done.get(topic) ?? 0) + records)
    }
    await rights.takeBack()
    return [...done].map(([topic, records]) => ({ topic, into: placeIn(topic), records }))
  } finally {
    await stopBeats()
    await journal.release().catch(() => undefined)
  }
}

/** What the journal of the cluster at the other end says of replays: it may have been the active one before. */
async function memoryElsewhere(
  opened: Opened,
  { config, record, cluster }: Pick<Work, 'config' | 'record' | 'cluster'>,
  onProgress: (sentence: string) => void,
): Promise<StateStore | undefined> {
  const { source, target } = config.links[record.link]!
  const name = cluster.name === source ? target : source
  const other = await ifReachable(opened.add(openCluster(clusterOf(config, name), systemClock)))
  if (other === undefined) {
    onProgress(`"${name}" does not answer: whether it was replayed there before is not known`)
    return undefined
  }
  const memory = await opened.add(storeOf(other, { create: false, topic: JOURNAL_TOPIC }))
  await memory.refresh()
  return memory
}

/**
 * Replayed records keep their times: where retention goes by these, some are deleted as soon as the broker looks. `configs`: of the topics
 * that they go to.
 */
export function outlivedOf(
  partitions: readonly Pick<ExportedPartition, 'topic' | 'from'>[],
  configs: ReadonlyMap<string, Pick<TopicConfigs, 'entries'>>,
  now: number,
): string[] {
  return [...Map.groupBy(partitions, ({ topic }) => topic)].flatMap(([topic, some]) => {
    const valueOf = (name: string): string => configs.get(topic)?.entries.get(name)?.value ?? ''
    const keptMs = Number(valueOf('retention.ms'))
    const oldest = Math.min(...some.map(({ from }) => (from === null ? Infinity : Date.parse(from))))
    const isByTimes = valueOf('message.timestamp.type') !== 'LogAppendTime'
    return !isByTimes || !valueOf('cleanup.policy').includes('delete') || keptMs <= 0 || now - oldest < keptMs
      ? []
      : [
          `"${topic}" keeps records for ${keptMs} ms by their times, and the oldest of these is from ${new Date(oldest).toISOString()}: the broker deletes such ones soon. Raise its retention.ms first, or use --into stranded`,
        ]
  })
}

/** At an active with an authorizer kdr has denied itself to write to what it has promoted: for the time of a replay it may. */
async function ownRights(
  opened: Opened,
  {
    config,
    record,
    cluster,
    journal,
  }: Pick<Work, 'config' | 'record' | 'cluster'> & { readonly journal: Journal },
) {
  const { link } = await directionOf(config, config.links[record.link]!)
  const own = await ownPrincipals(config, link)
  const memory = await opened.add(storeOf(cluster, { create: true }))
  const { clusterId } = await cluster.describe()
  const site: FenceSite = {
    of: { link: record.link, clusterId },
    cluster,
    stores: [journal.guarding(memory)],
    clock: systemClock,
    guard: journal.guard,
  }
  await refresh(site)
  const isOwn = (topics: readonly string[]) =>
    deniedAt(site).filter(({ principal, name }) => own.has(principal) && topics.includes(name))
  let lifted: string[] = []
  return {
    lift: async (topics: readonly string[]) => {
      const rules = isOwn(topics)
      lifted = [...new Set(rules.map(({ name }) => name))]
      await lift(site, rules)
    },
    takeBack: async () => {
      if (lifted.length > 0) await takeOwnRights({ own }, site, lifted)
    },
  }
}
