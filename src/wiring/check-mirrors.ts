// What each mirror of a link is to have, and what kdr has set: from the source as it was seen, and the memory at the target.
import type { LinkConfig } from '../config/index.ts'
import type { SeenCluster } from '../engine/check/observation.ts'
import type { MirrorFacts } from '../engine/check/rules/drift.ts'
import { mirrorConfigs } from '../engine/replicate/mirror-configs.ts'
import type { Cluster } from '../ports/cluster.ts'
import { overridesFor } from '../model/link-settings.ts'
import { compilePatterns } from '../model/patterns.ts'
import { readForgotten, readSeeding, readTopics } from '../model/state-records.ts'
import { withStore } from './open-link.ts'

/** Throws KdrError: unreachable, not-allowed. */
export async function mirrorsOf(
  { name, topics, overrides }: LinkConfig,
  {
    source,
    target,
  }: {
    readonly source: SeenCluster
    readonly target: { readonly sight: SeenCluster; readonly cluster: Cluster }
  },
): Promise<MirrorFacts[]> {
  const filter = compilePatterns(topics, 'topics')
  return await withStore(target.cluster, false, store => {
    const known = readTopics(store, name)
    const forgotten = new Set(readForgotten(store, name).keys())
    const seeding = readSeeding(store, name)
    const wanted = [...source.topics.keys()].filter(topic => filter.matches(topic) && !forgotten.has(topic))
    return Promise.resolve(
      wanted.map(topic => {
        const { replicationFactor, configs } = overridesFor(topic, overrides)
        const there = source.topicConfigs.get(topic)
        const here = target.sight.topicConfigs.get(topic)
        const mirror = target.sight.topics.get(topic)
        return {
          topic,
          wanted:
            there === undefined || here === undefined || mirror === undefined
              ? undefined
              : mirrorConfigs({
                  source: there,
                  knownAtTarget: new Set(here.keys()),
                  replicationFactor: mirror.partitions[0]?.replicas.length ?? 1,
                  overrides: configs,
                  isSeeding: seeding.has(topic),
                }),
          applied: known.get(topic)?.applied,
          replicas: replicationFactor,
        }
      }),
    )
  })
}
