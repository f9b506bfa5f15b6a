// kdr restore: finds the point in the vault, plans what is written to the target, and hands both to restore-run.ts.
import type { OpenedRestore, RestoreOptions, RestorePlan } from '../cli/app-vault.ts'
import { type Config, principalOf } from '../config/index.ts'
import { recordCodec } from '../kafka/records.ts'
import { isWhole, newName } from '../model/choice.ts'
import { KdrError } from '../model/errors.ts'
import { readLink, readTopics } from '../model/state-records.ts'
import { spellPoint } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { readUpTo } from '../vault/by-timestamp.ts'
import { readCommit } from '../vault/chain.ts'
import { choose, endBefore } from '../vault/choose.ts'
import { readConsistent, type WentBack } from '../vault/consistent-point.ts'
import { measuredSpeed } from '../vault/measured.ts'
import { readPoint, type SetPoint } from '../vault/point.ts'
import { SegmentReader } from '../vault/reader.ts'
import { vaultCluster } from '../vault/source.ts'
import { openVault } from '../vault/vault.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { withStore } from './open-link.ts'
import { clampedGroups, findConflicts, findOccupied, planTopics } from './restore-plan.ts'
import { planRetention } from './restore-retention.ts'
import { mirrorsAt, planRights, type RightsScope } from './restore-rights.ts'
import { wayOf } from './restore-way.ts'
import { restore } from './restore-run.ts'
import { systemClock, systemEntropy } from './system.ts'
import { setOf, storeOf } from './vaults.ts'

/** Throws KdrError: usage, not-ready, damaged, unreachable. Nothing changes before `execute`. */
export async function withRestore<T>(
  config: Config,
  options: RestoreOptions,
  act: (opened: OpenedRestore) => Promise<T>,
): Promise<T> {
  const { set, point, to } = options
  const { vault: vaultName, cluster } = setOf(config, set)
  const store = storeOf(config, vaultName)
  if (config.clusters[to] === undefined)
    throw new KdrError('usage', `the config has no cluster "${to}"`, {
      hint: `It has: ${Object.keys(config.clusters).join(', ')}.`,
    })
  const { vault } = await openVault(store)
  const { point: found, names, wentBack, remarks } = await find(store, options)
  const { state, asOf } = found
  const { commit } = await readCommit(store, set, state.number)
  const topics = [...state.topics.values()]
  const at = `${state.number}${asOf === undefined ? '' : `@${asOf}`}${wayOf(options)}`
  const link = `restore@${set}@${at}`
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
    const known = await withStore(target, false, async memory => {
      const { clusterId } = await target.describe()
      return {
        isResumed: readLink(memory, link) !== undefined,
        topics: new Map([...readTopics(memory, link)].map(([name, each]) => [name, each.targetTopicId])),
        mirrors: mirrorsAt(memory, clusterId, link),
      }
    })
    const sides = [clusterOf(config, to), clusterOf(config, cluster)]
    const own = (await Promise.all(sides.map(principalOf))).filter(each => each !== undefined)
    const rights = await planRights({
      target,
      rights: state.rights,
      names,
      groups: state.groups,
      scope: scopeOf(options),
      own: new Set(own),
      mirrors: known.mirrors,
    })
    const occupied = await findOccupied(target, state)
    const plan: RestorePlan = {
      set,
      commit: state.number,
      point: spellPoint(point),
      asOf: asOf ?? Date.parse(state.endsAt),
      target: to,
      groups: state.groups.size,
      groupsOccupied: occupied,
      notes: commit.notes.filter(({ topic }) => topic === undefined || isNoted(options, topic)),
      isResumed: known.isResumed,
      conflicts: await findConflicts(target, topics, known.topics),
      ...planTopics(topics, await measuredSpeed(store, set, state)),
      retention: await planRetention(target, topics, {
        now: systemClock.now(),
        reader: new SegmentReader(store, set),
      }),
      keepsRetention: options.keepsRetention,
      rights: rights?.shown,
      wentBack,
      remarks: [...remarks, ...clampedGroups(state)],
    }
    const opened = {
      options,
      link,
      source,
      target,
      bootstrap: clusterOf(config, to).bootstrap,
      topics,
      state,
      rights,
      clock: systemClock,
      entropy: systemEntropy,
    }
    return await act({ plan, execute: async () => await restore(opened, plan) })
  } finally {
    await target.close()
  }
}

type Found = {
  readonly point: SetPoint
  /** Of the topics that are restored: in the set, each with the new one. */
  readonly names: ReadonlyMap<string, string>
  readonly wentBack: readonly WentBack[]
  readonly remarks: readonly string[]
}

async function find(store: ObjectStore, options: RestoreOptions): Promise<Found> {
  const { set, point, choice, cut } = options
  const found = await findPoint(store, options)
  const ended = await endBefore(found.point, choice.untilOffsets, { store, set })
  const isMeant = ({ topic }: { readonly topic: string }): boolean => isNoted(options, topic)
  const remarks = [...found.remarks]
  if (cut === 'by-timestamp')
    remarks.push('records are chosen by their timestamps: what is restored is not a state that ever existed')
  if (cut === 'consistent' && point.kind === 'time')
    remarks.push('a consistent cut is one of a commit: of the last one at or before that time')
  const meant = [...ended.state.topics.keys()].filter(topic => isNoted(options, topic))
  return {
    point: choose(ended, choice, set),
    names: new Map(meant.map(name => [name, newName(name, choice.renames)])),
    wentBack: found.wentBack.filter(isMeant),
    remarks,
  }
}

async function findPoint(
  store: ObjectStore,
  { set, point, choice, cut }: RestoreOptions,
): Promise<Omit<Found, 'names'>> {
  const plain = { wentBack: [], remarks: [] }
  if (cut === 'as-of') return { point: await readPoint(store, set, point, recordCodec), ...plain }
  if (choice.untilOffsets.length > 0)
    throw new KdrError('usage', '`--until-offset` cannot go with `--consistent` or `--by-timestamp`')
  if (cut === 'consistent') {
    const { wentBack, remarks, ...cutPoint } = await readConsistent(store, set, point)
    return { point: cutPoint, wentBack, remarks }
  }
  if (point.kind !== 'time')
    throw new KdrError('usage', '`--by-timestamp` needs a time', {
      hint: `Write it like ${set}@2026-01-31T12:00:00Z.`,
    })
  return { point: await readUpTo(store, set, point.at, recordCodec), ...plain }
}

const isNoted = ({ choice: { topics } }: RestoreOptions, topic: string): boolean =>
  topics.length === 0 || topics.includes(topic)

/** Single topics come into a cluster that lives, whose administrators have had the last word since. */
function scopeOf({ rights, choice }: RestoreOptions): RightsScope {
  if (rights === 'none') return 'none'
  if (isWhole(choice)) return 'all'
  return rights === 'asked' ? 'named' : 'none'
}
