// Carries out a restore: a point of a set is read like a cluster, and copied by the engine that copies links, so that offsets, gaps, log
// starts, retries and resuming are the same thing. What the copy remembers stands in the target's `_kdr.state` until all is verified;
// then topics get the configs that they had, rights are given, and nothing of it is left.
import {
  NOT_EMPTY_HINT,
  type RestoreOptions,
  type RestorePlan,
  type RestoreReport,
} from '../cli/app-vault.ts'
import { catchUp } from '../engine/replicate/once.ts'
import type { Replication } from '../engine/replicate/replication.ts'
import { startReplication } from '../engine/replicate/start.ts'
import { firstDifference } from '../engine/verify/first-difference.ts'
import { namingRight } from '../engine/status/missing-right.ts'
import { verify } from '../engine/verify/verify.ts'
import { recordCodec } from '../kafka/records.ts'
import { KdrError } from '../model/errors.ts'
import { codeName, KafkaCode } from '../model/kafka-codes.ts'
import type { LinkSettings } from '../model/link-settings.ts'
import { readTopics } from '../model/state-records.ts'
import type { SetState, TopicState } from '../model/vault.ts'
import type { Clock, Entropy } from '../ports/clock.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { StateStore } from '../ports/state.ts'
import { openTopicStore, STATE_TOPIC } from '../state/topic-store.ts'
import { assertMemory } from './memory.ts'
import { restoreGroups } from './restore-groups.ts'
import { giveRights, type PlannedRights } from './restore-rights.ts'

export type Opened = {
  readonly options: Pick<RestoreOptions, 'to' | 'keepsRetention' | 'signal' | 'log' | 'onProgress' | 'onStep'>
  readonly link: string
  readonly source: Cluster
  readonly target: Cluster
  /** Addresses of the target. */
  readonly bootstrap: readonly string[]
  readonly topics: readonly TopicState[]
  readonly state: SetState
  readonly rights: PlannedRights | undefined
  readonly clock: Clock
  readonly entropy: Entropy
}

/** Throws KdrError: not-empty, unfinished, not-ready, not-allowed, unreachable, other-controller, interrupted. */
export async function restore(opened: Opened, plan: RestorePlan): Promise<RestoreReport> {
  const { target, options } = opened
  const [conflict] = plan.conflicts
  if (conflict !== undefined) throw new KdrError('not-empty', conflict.what, { hint: NOT_EMPTY_HINT })
  const store = await openTopicStore(target, recordCodec, opened.clock, {
    create: true,
    writer: opened.entropy.bits62(),
  })
  try {
    await assertMemory(target, opened.bootstrap)
    const copied = await copy(opened, plan, store)
    const problems = [...copied.problems, ...(await check(opened))]
    const rightsLeft: string[] = []
    const configsLeft: string[] = []
    if (problems.length === 0) {
      await giveConfigs(opened, plan, store)
      configsLeft.push(...(await unknownConfigs(opened)))
      if (opened.rights !== undefined) rightsLeft.push(...(await giveRights(target, opened.rights)))
      await forget(store, opened)
    }
    const { records, bytes, groups, groupsLeft } = copied
    return {
      verified: problems.length === 0,
      problems,
      records,
      bytes,
      groups,
      groupsLeft,
      rightsLeft,
      configsLeft,
    }
  } finally {
    await store.close()
    options.onStep('done')
  }
}

type Copied = Pick<RestoreReport, 'records' | 'bytes' | 'groups' | 'groupsLeft' | 'problems'>

async function copy(opened: Opened, plan: RestorePlan, store: StateStore): Promise<Copied> {
  const { link, source, target, options, clock } = opened
  const clusters = { source, target, codec: recordCodec, clock }
  const replication = await startReplication({
    ...clusters,
    settings: settingsOf(opened),
    store,
    entropy: opened.entropy,
    log: options.log,
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
        options.onProgress({ offsets: total, offsetsLeft: Math.min(left, total), records, bytes }),
    })
    if (result.faulted.length > 0) throw faulted(result.faulted)
    await replication.trimNow()
    await settled(replication, clock)
    await replication.syncConfigs()
    options.onStep('groups')
    const groups = await restoreGroups({
      replication,
      state: opened.state,
      link,
      occupied: plan.groupsOccupied,
    })
    const held = replication.copies().flatMap(({ heldLogStart }) => heldLogStart ?? [])
    const problems = held.map(({ sentence }) => namingRight(sentence))
    return { records: result.records, bytes: result.bytes, ...groups, problems }
  } finally {
    await replication.stop()
  }
}

/** Log starts are moved, and topics that were made ready for that have their configs, when nothing is seeded any more. */
async function settled(replication: Replication, clock: Clock): Promise<void> {
  for (let looks = 0; looks < SETTLE_LOOKS; looks++) {
    const moved = replication.copies().every(copy => copy.targetLogStart >= copy.origin)
    if (moved) return
    await clock.sleep(SETTLE_MS)
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
async function check({ source, target, topics, link, options, clock }: Opened): Promise<string[]> {
  options.onStep('verify')
  const { partitions } = await verify({
    source,
    target,
    codec: recordCodec,
    clock,
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
async function giveConfigs(
  { target, link, topics, options }: Opened,
  { retention }: RestorePlan,
  store: StateStore,
): Promise<void> {
  const records = readTopics(store, link)
  const policy = (await target.brokerConfigs(['log.cleanup.policy'])).get('log.cleanup.policy')
  for (const { name, configs } of topics) {
    const held = records.get(name)?.held
    if (held === undefined) continue
    const kept = options.keepsRetention ? retention.filter(({ topic }) => topic === name) : []
    const given = Object.entries(held).filter(([config]) => !kept.some(each => each.config === config))
    const own = configs['cleanup.policy']
    // What it had from its brokers it has from these, where they say the same.
    const isDefault = own?.isOverride === false && own.value === policy
    const { code, message = '' } = await target.alterTopicConfigs(name, {
      ...Object.fromEntries(given),
      ...(isDefault && { 'cleanup.policy': null }),
    })
    if (code !== KafkaCode.NONE)
      throw new KdrError(
        'not-ready',
        `"${name}" cannot be given its configs: ${codeName(code)} ${message}`.trim(),
      )
  }
}

/** A cluster of another version has other configs; what it does not know is left out. */
async function unknownConfigs({ target, topics, options }: Opened): Promise<string[]> {
  const known = await target.topicConfigs(topics.map(({ name }) => name))
  return topics.flatMap(({ name, configs }) => {
    const there = known.get(name)
    if (there?.code !== KafkaCode.NONE) return []
    const own = Object.entries(configs).filter(
      ([config, { isOverride }]) => isOverride && !there.entries.has(config),
    )
    return own.map(
      ([config, { value }]) =>
        `"${name}" had ${config}=${value ?? ''}: "${options.to}" does not know that config, and it is left out`,
    )
  })
}

/** Where there is nothing else in it, in one act: whoever is stopped has the restore before it, or behind it. */
async function forget(store: StateStore, { link, target }: Opened): Promise<void> {
  await store.refresh()
  const isOwn = ([key]: readonly [string, unknown]): boolean => key.split('/')[1] === link
  const all = store.entries('')
  if (all.every(isOwn) && (await target.deleteTopic(STATE_TOPIC)).code === KafkaCode.NONE) return
  const own = all.filter(isOwn)
  // The link's record last: while it is there, the restore is not over.
  const isLink = ([key]: readonly [string, unknown]): boolean => key.startsWith('link/')
  await Promise.all(own.filter(each => !isLink(each)).map(async ([key]) => await store.put(key, undefined)))
  await Promise.all(own.filter(isLink).map(async ([key]) => await store.put(key, undefined)))
}
