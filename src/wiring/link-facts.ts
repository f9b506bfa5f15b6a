// What a running link says of itself to whoever watches: gathered from what its parts know, without asking a cluster.
import type { Replication } from '../engine/replicate/replication.ts'
import { reportedByOthers, wholeLink } from '../engine/status/whole-link.ts'
import type { TrafficMeter } from '../kafka/measured.ts'
import type { LinkFacts, LinkView } from '../model/link-facts.ts'
import type { LinkSettings } from '../model/link-settings.ts'
import { compilePatterns } from '../model/patterns.ts'
import { CONTROL_SLOT } from '../model/slots.ts'

export type LinkMeters = { readonly source: TrafficMeter; readonly target: TrafficMeter }

export function factsOf(
  replication: Pick<Replication, 'context' | 'progress'>,
  { source, target }: LinkMeters,
): LinkFacts {
  const { slots, store, link, settings, clock, sourceWatch } = replication.context
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
          isWanted: wantedBy(settings),
        })
      : undefined,
  }
}

export function viewOf(replication: Pick<Replication, 'context' | 'progress'>): LinkView {
  const { slots, store, link, settings, clock } = replication.context
  const own = replication.progress()
  const others = slots.livingOthers().filter(({ record }) => record.slots.includes(CONTROL_SLOT))
  return {
    partitions: [
      ...own,
      ...reportedByOthers({ store, link, now: clock.now(), own, isWanted: wantedBy(settings) }),
    ],
    controllers: others.length + (slots.hasControl ? 1 : 0),
  }
}

function wantedBy({ topics, groups }: LinkSettings) {
  const wanted = { topics: compilePatterns(topics, 'topics'), groups: compilePatterns(groups, 'groups') }
  return {
    topic: (name: string) => wanted.topics.matches(name),
    group: (name: string) => wanted.groups.matches(name),
  }
}
