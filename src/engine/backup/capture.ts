// What a commit holds besides records: group offsets, configs, ACLs, quotas, users. Groups are captured first: the ends that follow
// cover whatever their offsets imply.
import { findKdrError } from '../../model/errors.ts'
import { codeName, isAuthorization, KafkaCode, lackingRight } from '../../model/kafka-codes.ts'
import type { Note, SetState, TopicConfig, VaultGroup, VaultRights } from '../../model/vault.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Cluster, GroupOffsets, Outcome, TopicConfigs } from '../../ports/cluster.ts'
import { PENDING_LOOK_MS, PENDING_LOOKS } from './limits.ts'

export type CapturedGroups = {
  readonly groups: ReadonlyMap<string, VaultGroup>
  readonly notes: readonly Note[]
}

/** Of all groups, the offsets in topics that are wanted. Throws KdrError('unreachable'). */
export async function captureGroups(
  cluster: Cluster,
  clock: Clock,
  {
    isWanted,
    before,
  }: { readonly isWanted: (topic: string) => boolean; readonly before: SetState | undefined },
): Promise<CapturedGroups> {
  const listed = new Map((await cluster.listGroups()).map(each => [each.group, each]))
  // Share groups acknowledge record by record: they have no offsets to commit.
  const asked = [...listed.values()].filter(({ type }) => type !== 'share').map(({ group }) => group)
  // A list leaves out what a coordinator has not loaded.
  for (const group of before?.groups.keys() ?? []) if (!listed.has(group)) asked.push(group)
  const answers = await readOffsets(cluster, clock, asked)
  const groups = new Map<string, VaultGroup>()
  const notes: Note[] = []
  for (const [group, { code, offsets, pending }] of answers) {
    const known = before?.groups.get(group)
    if (code !== KafkaCode.NONE) {
      if (known !== undefined) groups.set(group, known)
      notes.push({
        kind: 'unread',
        group,
        what: `the offsets of group "${group}" cannot be read: ${codeName(code)}${lackingRight(code, 'DESCRIBE on it')}`,
      })
      continue
    }
    const own = offsets
      .filter(({ topic }) => isWanted(topic))
      .map(({ topic, partition, offset, metadata }) => [topic, partition, offset, metadata] as const)
      .sort((a, b) => (a[0] === b[0] ? a[1] - b[1] : a[0] < b[0] ? -1 : 1))
    if (own.length === 0) continue
    groups.set(group, { group, type: listed.get(group)?.type ?? known?.type ?? 'classic', offsets: own })
    if (pending.some(({ topic }) => isWanted(topic)))
      notes.push({
        kind: 'pending',
        group,
        what: `group "${group}" has commits of a transaction under way: its offsets are those before it`,
      })
  }
  return { groups, notes }
}

async function readOffsets(
  cluster: Cluster,
  clock: Clock,
  groups: readonly string[],
): Promise<Map<string, GroupOffsets>> {
  const found = new Map<string, GroupOffsets>()
  let asked = groups
  for (let looks = 1; asked.length > 0; looks++) {
    const answers = await cluster.groupOffsets(asked)
    asked.forEach((group, index) => found.set(group, answers[index]!))
    asked = asked.filter((_group, index) => answers[index]!.pending.length > 0)
    if (looks === PENDING_LOOKS) break
    if (asked.length > 0) await clock.sleep(PENDING_LOOK_MS)
  }
  return found
}

/** Kept though a topic has them from its broker: they decide what its log looks like, and a broker elsewhere may have others. */
const DEFAULTS_KEPT: ReadonlySet<string> = new Set([
  'cleanup.policy',
  'max.message.bytes',
  'min.insync.replicas',
  'retention.ms',
  'retention.bytes',
])

const NO_CONFIGS: ReadonlyMap<string, TopicConfigs> = new Map()

export type CapturedConfigs = {
  readonly configs: ReadonlyMap<string, Readonly<Record<string, TopicConfig>>>
  readonly notes: readonly Note[]
}

/** What is set on topics themselves, and a few defaults. What cannot be read is left out, and said. */
export async function captureConfigs(cluster: Cluster, topics: readonly string[]): Promise<CapturedConfigs> {
  const configs = new Map<string, Readonly<Record<string, TopicConfig>>>()
  const notes: Note[] = []
  const answers = topics.length === 0 ? NO_CONFIGS : await cluster.topicConfigs(topics)
  for (const topic of topics) {
    const answer = answers.get(topic)
    if (answer === undefined || answer.code !== KafkaCode.NONE) {
      const why =
        answer === undefined
          ? 'no answer'
          : `${codeName(answer.code)}${lackingRight(answer.code, 'DESCRIBE_CONFIGS on it')}`
      notes.push({ kind: 'unread', topic, what: `the configs of "${topic}" cannot be read: ${why}` })
      continue
    }
    const own: Record<string, TopicConfig> = {}
    for (const [name, { value, isOverride, isSensitive }] of [...answer.entries].sort(byName))
      if (!isSensitive && (isOverride || DEFAULTS_KEPT.has(name))) own[name] = { value, isOverride }
    configs.set(topic, own)
  }
  return { configs, notes }
}

/** `notSeen`: a sentence for each that kdr may not see. */
export type CapturedRights = { readonly rights: VaultRights; readonly notSeen: readonly string[] }

/** Null for what the cluster has not, or does not show. Throws KdrError('unreachable'). */
export async function captureRights(cluster: Cluster): Promise<CapturedRights> {
  const [acls, quotas, users] = await Promise.all([
    see('ACLs', 'DESCRIBE', async () => await cluster.describeAcls()),
    see('quotas', 'DESCRIBE_CONFIGS', async () => await cluster.describeQuotas()),
    see('names of users', 'DESCRIBE', async () => await cluster.describeScramUsers()),
  ])
  const rights = {
    acls: acls.answer?.rules.toSorted(byText) ?? null,
    quotas: quotas.answer?.quotas.toSorted(byText) ?? null,
    users: users.answer?.users.toSorted(byText) ?? null,
  }
  const notSeen = [acls, quotas, users].flatMap(each => (each.notSeen === undefined ? [] : [each.notSeen]))
  return { rights, notSeen }
}

/** `answer`: undefined when there is none to take. */
async function see<T extends Outcome>(
  what: string,
  right: string,
  ask: () => Promise<T>,
): Promise<{ readonly answer?: T; readonly notSeen?: string }> {
  const answer = await shown(ask)
  if (answer === undefined) return {}
  const { code } = answer
  if (code === KafkaCode.NONE) return { answer }
  if (!isAuthorization(code)) return {}
  const why = `${codeName(code)}${lackingRight(code, `${right} on the cluster`)}`
  return { notSeen: `${what} are not in the commit: ${why}` }
}

/** Undefined for what the cluster has not, or lets nobody see who signs in like this. */
async function shown<T extends Outcome>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    const code = findKdrError(error)?.code
    if (code === 'cluster-lacks' || code === 'not-allowed') return undefined
    throw error
  }
}

function byText(a: unknown, b: unknown): number {
  const [first, second] = [JSON.stringify(a), JSON.stringify(b)]
  return first === second ? 0 : first < second ? -1 : 1
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1
}
