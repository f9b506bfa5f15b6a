// kdr restore: a point of a set is read like a cluster, and copied by the engine that copies links, so that offsets, gaps, log starts,
// retries and resuming are the same thing. What the copy remembers stands in the target's `_kdr.state` until all is verified; then
// topics get the configs that they had, and nothing of it is left.
import {
  NOT_EMPTY_HINT,
  type OpenedRestore,
  type RestoreOptions,
  type RestorePlan,
  type RestoreReport,
} from '../cli/app-vault.ts'
import type { Config } from '../config/index.ts'
import { catchUp } from '../engine/replicate/once.ts'
import type { Replication } from '../engine/replicate/replication.ts'
import { startReplication } from '../engine/replicate/start.ts'
import { firstDifference } from '../engine/verify/first-difference.ts'
import { verify } from '../engine/verify/verify.ts'
import { recordCodec } from '../kafka/records.ts'
import { KdrError } from '../model/errors.ts'
import { codeName, KafkaCode } from '../model/kafka-codes.ts'
import type { LinkSettings } from '../model/link-settings.ts'
import { readLink, readTopics } from '../model/state-records.ts'
import { type SetState, spellPoint, type TopicState } from '../model/vault.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { Log } from '../ports/log.ts'
import type { StateStore } from '../ports/state.ts'
import { openTopicStore, STATE_TOPIC } from '../state/topic-store.ts'
import { readCommit } from '../vault/chain.ts'
import { readPoint, type SetPoint } from '../vault/point.ts'
import { vaultCluster } from '../vault/source.ts'
import { openVault } from '../vault/vault.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { withStore } from './open-link.ts'
import { restoreGroups } from './restore-groups.ts'
import { systemClock, systemEntropy } from './system.ts'
import { setOf, storeOf } from './vaults.ts'

type Opened = {
  readonly options: RestoreOptions
  readonly link: string
  readonly source: Cluster
  readonly target: Cluster
  readonly topics: readonly TopicState[]
  readonly state: SetState
  readonly log: Log
}

/** Throws KdrError: usage, not-ready, damaged, unreachable. Nothing changes before `execute`. */
export async function withRestore<T>(
  config: Config,
  options: RestoreOptions,
  act: (opened: OpenedRestore) => Promise<T>,
): Promise<T> {
  const { set, point, to } = options
  const store = storeOf(config, setOf(config, set).vault)
  if (config.clusters[to] === undefined)
    throw new KdrError('usage', `the config has no cluster "${to}"`, {
      hint: `It has: ${Object.keys(config.clusters).join(', ')}.`,
    })
  const { vault } = await openVault(store)
  const whole = await readPoint(store, set, point, recordCodec)
  const { commit } = await readCommit(store, set, whole.state.number)
  const found = chosen(whole, options)
  const { state, asOf } = found
  const topics = [...state.topics.values()]
  const at = asOf === undefined ? `${state.number}` : `${state.number}@${asOf}`
  const target = await openCluster(clusterOf(config, to), systemClock)
  try {
    const source = vaultCluster({
      name: `set ${set}`,
      clusterId: `vault:${vault}/${set}@${at}`,
      store,
      set,
      point: found,
      codec: recordCodec,
      clock: systemClock,
    })
    const link = `restore@${set}@${at}`
    const opened: Opened = { options, link, source, target, topics, state, log: options.log }
    const plan: RestorePlan = {
      set,
      commit: state.number,
      point: spellPoint(point),
      asOf: asOf ?? Date.parse(state.endsAt),
      target: to,
      groups: state.groups.size,
      notes: commit.notes,
      ...(await planTopics(opened)),
    }
    return await act({ plan, execute: async () => await restore(opened, plan) })
  } finally {
    await target.close()
  }
}

/** Throws KdrError('usage') for a topic that is not there. */
function chosen({ state, asOf }: SetPoint, { set, topics: names, withGroups }: RestoreOptions): SetPoint {
  for (const name of names)
    if (!state.topics.has(name))
      throw new KdrError('usage', `set "${set}" has no topic "${name}" at this point`, {
        hint: `See what it has: kdr backup show ${set}@${state.number}`,
      })
  const topics =
    names.length === 0 ? state.topics : new Map(names.map(name => [name, state.topics.get(name)!]))
  const groups = new Map(
    [...(withGroups ? state.groups.values() : [])]
      .map(group => ({ ...group, offsets: group.offsets.filter(([topic]) => topics.has(topic)) }))
      .filter(({ offsets }) => offsets.length > 0)
      .map(group => [group.group, group] as const),
  )
  return { state: { ...state, topics, groups }, asOf }
}

async function planTopics({
  link,
  target,
  topics,
}: Opened): Promise<Pick<RestorePlan, 'topics' | 'conflicts' | 'isResumed'>> {
  const view = await target.describe()
  const known = await withStore(target, false, store =>
    Promise.resolve({ isResumed: readLink(store, link) !== undefined, topics: readTopics(store, link) }),
  )
  const standing = topics.flatMap(({ name }) => view.topics.get(name) ?? [])
  const partitions = standing.flatMap(({ name, partitions: own }) =>
    own.map(({ partition }) => ({ topic: name, partition })),
  )
  const ends = await target.offsets(partitions, 'logEnd')
  const conflicts = standing.flatMap(({ name, id }) => {
    if (known.topics.get(name)?.targetTopicId === id) return []
    const filled = partitions.filter(({ topic }, index) => topic === name && ends[index]?.offset !== 0)
    if (filled.length === 0) return []
    return [
      {
        topic: name,
        what: `"${name}" is there already, and ${filled.length} of its partitions are not empty`,
      },
    ]
  })
  return {
    isResumed: known.isResumed,
    conflicts,
    topics: topics.map(({ name, partitions: own }) => ({
      name,
      partitions: own.length,
      offsets: own.reduce((sum, { start, end }) => sum + end - start, 0),
      records: own.reduce(
        (sum, { segments }) => sum + segments.reduce((all, each) => all + each.records, 0),
        0,
      ),
      bytes: own.reduce(
        (sum, { segments }) => sum + segments.reduce((all, each) => all + each.rawBytes, 0),
        0,
      ),
    })),
  }
}

async function restore(opened: Opened, plan: RestorePlan): Promise<RestoreReport> {
  const { target, link, options } = opened
  const [conflict] = plan.conflicts
  if (conflict !== undefined) throw new KdrError('not-empty', conflict.what, { hint: NOT_EMPTY_HINT })
  const hadState = (await target.describe()).topics.has(STATE_TOPIC)
  const store = await openTopicStore(target, recordCodec, systemClock, {
    create: true,
    writer: systemEntropy.bits62(),
  })
  try {
    const copied = await copy(opened, store)
    const problems = [...copied.problems, ...(await check(opened))]
    if (problems.length === 0) {
      await giveConfigs(opened, store)
      await forget(store, link)
    }
    const isLeft = store.entries('').length > 0
    if (!hadState && !isLeft && problems.length === 0) await target.deleteTopic(STATE_TOPIC)
    const { records, bytes, groups, groupsLeft } = copied
    return { verified: problems.length === 0, problems, records, bytes, groups, groupsLeft }
  } finally {
    await store.close()
    options.onStep('done')
  }
}

type Copied = Pick<RestoreReport, 'records' | 'bytes' | 'groups' | 'groupsLeft' | 'problems'>

async function copy(opened: Opened, store: StateStore): Promise<Copied> {
  const { link, source, target, options, log } = opened
  const clusters = { source, target, codec: recordCodec, clock: systemClock }
  const replication = await startReplication({
    ...clusters,
    settings: settingsOf(opened),
    store,
    entropy: systemEntropy,
    log,
    isAlone: true,
    firstDifference: async topic => await firstDifference(clusters, topic),
  })
  try {
    const total = opened.topics.reduce(
      (sum, { partitions }) => sum + partitions.reduce((all, { start, end }) => all + end - start, 0),
      0,
    )
    const result = await catchUp(replication, {
      signal: options.signal,
      timeoutMs: undefined,
      onProgress: ({ records, bytes, left }) =>
        options.onProgress({ offsets: total, offsetsLeft: left, records, bytes }),
    })
    if (result.faulted.length > 0) throw faulted(result.faulted)
    await replication.trimNow()
    await settled(replication)
    await replication.syncConfigs()
    options.onStep('groups')
    const groups = await restoreGroups({ replication, state: opened.state, link })
    return { records: result.records, bytes: result.bytes, ...groups, problems: [] }
  } finally {
    await replication.stop()
  }
}

/** Log starts are moved, and topics that were made ready for that have their configs, when nothing is seeded any more. */
async function settled(replication: Replication): Promise<void> {
  for (let looks = 0; looks < SETTLE_LOOKS; looks++) {
    const moved = replication.copies().every(copy => copy.targetLogStart >= copy.origin)
    if (moved) return
    await systemClock.sleep(SETTLE_MS)
    await replication.trimNow()
  }
}

const SETTLE_LOOKS = 20
const SETTLE_MS = 250

function faulted(faults: readonly { readonly reason: string; readonly sentence: string }[]): KdrError {
  const [first] = faults
  const more = faults.length === 1 ? '' : ` (and ${faults.length - 1} more)`
  const isNotEmpty = faults.every(({ reason }) => reason === 'not-empty')
  return new KdrError(isNotEmpty ? 'not-empty' : 'unfinished', `${first?.sentence ?? ''}${more}`, {
    hint: isNotEmpty
      ? NOT_EMPTY_HINT
      : 'Put right what is said, and run the same command again: it goes on from there.',
  })
}

function settingsOf({ link, options, topics, source }: Opened): LinkSettings {
  return {
    name: link,
    source: source.name,
    target: options.to,
    mode: 'exact',
    // By name: whatever a set has taken is restored.
    topics: topics.map(({ name }) => name),
    groups: ['*'],
    overrides: [],
    priorities: [],
    onSourceDelete: 'keep',
    largeGap: 'markers',
    onOverfilled: 'stop',
    maxBytesPerSecond: undefined,
    connectionsPerBroker: 3,
    sync: { configsMs: NEVER_MS, aclsMs: NEVER_MS, quotasMs: NEVER_MS, groupsMs: NEVER_MS },
  }
}

const NEVER_MS = 86_400_000

/** Record by record, and where each log begins and ends: an end that is too low would give offsets away a second time. */
async function check({ source, target, topics, link, options }: Opened): Promise<string[]> {
  options.onStep('verify')
  const { partitions } = await verify({
    source,
    target,
    codec: recordCodec,
    clock: systemClock,
    link,
    isWanted: topic => topics.some(({ name }) => name === topic),
    topics: [],
    signal: options.signal,
  })
  const problems = partitions
    .filter(({ identical }) => !identical)
    .map(
      ({ topic, partition, firstDifference: first }) =>
        `"${topic}" partition ${partition} differs${first === undefined ? '' : ` at offset ${first.offset}: ${first.what}`}`,
    )
  const all = topics.flatMap(({ name, partitions: own }) => own.map(log => ({ topic: name, ...log })))
  const [starts, ends] = [await target.offsets(all, 'logStart'), await target.offsets(all, 'logEnd')]
  for (const [index, { topic, partition, start, end }] of all.entries()) {
    const [first, last] = [starts[index], ends[index]]
    if (first?.code !== KafkaCode.NONE || last?.code !== KafkaCode.NONE)
      problems.push(`"${topic}" partition ${partition} does not answer`)
    else if (first.offset !== start || last.offset !== end)
      problems.push(
        `"${topic}" partition ${partition} has offsets ${first.offset} to ${last.offset}, not ${start} to ${end}`,
      )
  }
  return problems
}

/** What a mirror is held back from, retention above all, comes last: old records would go while they are written. */
async function giveConfigs({ target, link, topics }: Opened, store: StateStore): Promise<void> {
  const records = readTopics(store, link)
  const policy = (await target.brokerConfigs(['log.cleanup.policy'])).get('log.cleanup.policy')
  for (const { name, configs } of topics) {
    const held = records.get(name)?.held
    if (held === undefined) continue
    const own = configs['cleanup.policy']
    // What it had from its brokers it has from these, where they say the same.
    const isDefault = own?.isOverride === false && own.value === policy
    const { code, message = '' } = await target.alterTopicConfigs(name, {
      ...held,
      ...(isDefault && { 'cleanup.policy': null }),
    })
    if (code !== KafkaCode.NONE)
      throw new KdrError(
        'not-ready',
        `"${name}" cannot be given its configs: ${codeName(code)} ${message}`.trim(),
      )
  }
}

async function forget(store: StateStore, link: string): Promise<void> {
  await store.refresh()
  const own = store.entries('').filter(([key]) => key.split('/')[1] === link)
  // The link's record last: while it is there, the restore is not over.
  const isLink = ([key]: readonly [string, unknown]): boolean => key.startsWith('link/')
  await Promise.all(own.filter(each => !isLink(each)).map(async ([key]) => await store.put(key, undefined)))
  await Promise.all(own.filter(isLink).map(async ([key]) => await store.put(key, undefined)))
}
