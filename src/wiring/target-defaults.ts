// What the target's brokers ask for where neither the topic nor the config does. Most of it a mirror is created with in so many words
// (mirror-configs.ts). What stays is `min.insync.replicas`: above the number of replicas nothing can be written, and a broker says so
// only when it is tried. Here it is said before, with the way out.

import { type LinkSettings, overridesFor } from '../model/link-settings.ts'
import { findKdrError } from '../model/errors.ts'
import { compilePatterns } from '../model/patterns.ts'
import type { Cluster, ClusterView, TopicView } from '../ports/cluster.ts'
import type { Log } from '../ports/log.ts'

const IN_SYNC = 'min.insync.replicas'
const NAMED = 10

type Sides = {
  readonly source: Pick<Cluster, 'topicConfigs'> & { readonly name: string }
  readonly target: Pick<Cluster, 'brokerConfigs'> & { readonly name: string }
  readonly views: { readonly source: ClusterView; readonly target: ClusterView }
}

/** A line for topics that are about to be created, and could not be written then. What may not be seen is passed by. */
export async function tellUnwritable(
  link: Pick<LinkSettings, 'name' | 'topics' | 'overrides'>,
  { source, target, views }: Sides,
  log: Log,
): Promise<void> {
  try {
    const asked = Number((await target.brokerConfigs([IN_SYNC])).get(IN_SYNC) ?? 1)
    const short = shortOf(link, views, asked)
    if (short.length === 0) return
    // As at the source, where the topic itself says how many.
    const configs = await source.topicConfigs(short)
    const unwritable = short.filter(topic => configs.get(topic)?.entries.get(IN_SYNC)?.isOverride !== true)
    if (unwritable.length > 0) log.event('warn', sentence(link.name, target.name, asked, unwritable))
  } catch (error) {
    if (findKdrError(error)?.code !== 'not-allowed') throw error
  }
}

/** Pure. Topics that the target has not yet, and that would have fewer replicas than must be in sync; by name. */
export function shortOf(
  { topics, overrides }: Pick<LinkSettings, 'topics' | 'overrides'>,
  views: Sides['views'],
  asked: number,
): string[] {
  const filter = compilePatterns(topics, 'topics')
  const isShort = ({ name, partitions }: TopicView): boolean => {
    const { replicationFactor, configs } = overridesFor(name, overrides)
    const atSource = Math.min(partitions[0]?.replicas.length ?? 1, views.target.brokers.length)
    return configs[IN_SYNC] === undefined && (replicationFactor ?? atSource) < asked
  }
  if (asked <= 1) return []
  return [...views.source.topics.values()]
    .filter(topic => filter.matches(topic.name) && !views.target.topics.has(topic.name) && isShort(topic))
    .map(({ name }) => name)
    .toSorted()
}

function sentence(link: string, target: string, asked: number, topics: readonly string[]): string {
  const rest = topics.length - NAMED
  const names = `${topics.slice(0, NAMED).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
  return `link "${link}": brokers of "${target}" ask for ${asked} replicas in sync (${IN_SYNC}), and these would have fewer, so that nothing could be written to them: ${names}. Give them more replicas, or ask for fewer: overrides: [{ topics: [...], configs: { ${IN_SYNC}: 1 } }]`
}
