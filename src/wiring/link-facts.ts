// What a running link says of itself to whoever watches: gathered from what its parts know, without asking a cluster.
import type { Replication } from '../engine/replicate/replication.ts'
import { wholeLink } from '../engine/status/whole-link.ts'
import type { TrafficMeter } from '../kafka/measured.ts'
import type { LinkFacts } from '../model/link-facts.ts'
import { compilePatterns } from '../model/patterns.ts'

export type LinkMeters = { readonly source: TrafficMeter; readonly target: TrafficMeter }

export function factsOf(
  replication: Pick<Replication, 'context' | 'progress'>,
  { source, target }: LinkMeters,
): LinkFacts {
  const { slots, store, link, settings, clock, sourceWatch } = replication.context
  const topics = compilePatterns(settings.topics, 'topics')
  const groups = compilePatterns(settings.groups, 'groups')
  return {
    slots: slots.count,
    slotsHeld: slots.held.length,
    traffic: [source.now(), target.now()],
    whole: slots.hasControl
      ? wholeLink({
          store,
          link,
          now: clock.now(),
          sourceSeenAt: sourceWatch.seenAt,
          own: replication.progress(),
          isWanted: { topic: name => topics.matches(name), group: name => groups.matches(name) },
        })
      : undefined,
  }
}
