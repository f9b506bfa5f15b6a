// A run writes down what it does before it does it, at the standby. Where too few replicas of `_kdr.journal` or `_kdr.state` are in
// sync there, brokers refuse that, and so the run. Who cannot wait breaks the glass (`--break-glass`): for this run these topics
// take writes with the replicas that are left. DESIGN 3 has a local journal for that; but a journal that only one machine knows
// lets two controllers act, and the next one begin without knowing of this. The order of one log still decides here.
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import { findKdrError, KdrError } from '../../model/errors.ts'
import type { Lowered } from '../../model/runs.ts'
import type { Cluster } from '../../ports/cluster.ts'

const SETTING = 'min.insync.replicas'
/** What a run writes to. */
export const RUN_TOPICS = ['_kdr.journal', '_kdr.state', '_kdr.canary'] as const

/** `inSync`: replicas now; `wanted`: how many a write needs. */
export type WeakTopic = { readonly topic: string; readonly inSync: number; readonly wanted: number }

type Admin = Pick<Cluster, 'name' | 'describe' | 'topicConfigs' | 'alterTopicConfigs'>

/** The topics of a run that take no writes. What may not be looked at is not among them. */
export async function weakTopics(target: Pick<Admin, 'describe' | 'topicConfigs'>): Promise<WeakTopic[]> {
  const { topics } = await target.describe()
  const there = RUN_TOPICS.filter(name => topics.has(name))
  if (there.length === 0) return []
  const configs = await target.topicConfigs(there)
  return there.flatMap(topic => {
    const inSync = Math.min(...topics.get(topic)!.partitions.map(({ isr }) => isr.length))
    const wanted = Number(configs.get(topic)?.entries.get(SETTING)?.value ?? '1')
    return inSync < wanted ? [{ topic, inSync, wanted }] : []
  })
}

export function weakSentence(weak: readonly WeakTopic[], standby: string): string {
  const each = weak.map(({ topic, inSync, wanted }) => `${topic} has ${inSync} of ${wanted}`)
  return `"${standby}" cannot keep the journal of a run: too few replicas are in sync (${each.join(', ')})`
}

/**
 * `onLowered`: told of each that is lowered, or may be. Throws KdrError('not-ready') for a topic that has no replica at all, before
 * anything is changed, and where a change is refused.
 */
export async function breakGlass(
  target: Pick<Admin, 'name' | 'alterTopicConfigs'>,
  weak: readonly WeakTopic[],
  onLowered: (lowered: Lowered) => void,
): Promise<void> {
  const lost = weak.find(({ inSync }) => inSync === 0)
  if (lost !== undefined)
    throw new KdrError('not-ready', `${lost.topic} of "${target.name}" has no replica that is in sync`)
  for (const { topic, inSync, wanted } of weak) {
    try {
      await set(target, { topic, value: inSync })
    } catch (error) {
      // Without an answer it may be lowered.
      if (findKdrError(error)?.code === 'unreachable') onLowered({ topic, was: wanted })
      throw error
    }
    onLowered({ topic, was: wanted })
  }
}

/** Puts back what was lowered wherever the replicas are there again. Returns what had to stay as it is. */
export async function putBack(target: Admin, lowered: readonly Lowered[]): Promise<Lowered[]> {
  const { topics } = await target.describe()
  const isBack = ({ topic, was }: Lowered): boolean =>
    (topics.get(topic)?.partitions ?? []).every(({ isr }) => isr.length >= was)
  await restoreGlass(target, lowered.filter(isBack))
  return lowered.filter(each => !isBack(each))
}

/** As it was, whoever is in sync. */
export async function restoreGlass(
  target: Pick<Admin, 'name' | 'alterTopicConfigs'>,
  lowered: readonly Lowered[],
): Promise<void> {
  for (const { topic, was } of lowered) await set(target, { topic, value: was })
}

async function set(
  target: Pick<Admin, 'name' | 'alterTopicConfigs'>,
  { topic, value }: { readonly topic: string; readonly value: number },
): Promise<void> {
  const { code, message = '' } = await target.alterTopicConfigs(topic, { [SETTING]: String(value) })
  if (code === KafkaCode.NONE) return
  throw new KdrError(
    'not-ready',
    `${SETTING} of ${topic} at "${target.name}" cannot be set to ${value}: ${codeName(code)} ${message}`.trim(),
  )
}
