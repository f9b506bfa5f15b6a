// `--topic` of a run: a link moves as a whole, as all of its mirrors have one direction, one generation and one fence. So topics that are to
// move by themselves are a link of their own, and of a plan those links move whose topics are named.
import type { Config, LinkConfig } from '../config/index.ts'
import { KdrError } from '../model/errors.ts'
import { compilePatterns } from '../model/patterns.ts'
import type { RunKind } from '../model/runs.ts'
import { readTopics } from '../model/state-records.ts'
import { BothClusters } from './both-clusters.ts'
import { type Direction, directionAmong } from './direction.ts'
import { Opened, storeOf } from './opened.ts'

const NAMES_SHOWN = 3

export type Part = { readonly chosen: readonly string[]; readonly left: readonly string[] }

/** `topics`: patterns. */
export function partOf(names: readonly string[], topics: readonly string[]): Part {
  const filter = compilePatterns(topics, 'topics')
  const isChosen = (name: string): boolean => filter.matches(name)
  return { chosen: names.filter(isChosen), left: names.filter(name => !isChosen(name)) }
}

/** `names`: see mirroredBy. Throws KdrError('usage') where some of its topics would stay, or none is meant. */
export function assertWhole(
  config: Config,
  { name, source, target, topics: own }: LinkConfig,
  { names, topics, kind }: { names: readonly string[]; topics: readonly string[]; kind: RunKind },
): void {
  const filter = compilePatterns(own, 'topics')
  const { chosen, left } = partOf(names, topics)
  const staying = left.filter(topic => filter.matches(topic))
  // The config gives them to another link, and nobody has handed them over.
  const parted = chosen.filter(topic => !filter.matches(topic))
  if (staying.length + parted.length === 0) return
  const hasOther = (other: LinkConfig): boolean =>
    other.name !== name &&
    [source, target].every(cluster => [other.source, other.target].includes(cluster)) &&
    topics.some(topic => compilePatterns(other.topics, 'topics').matches(topic))
  const other = Object.values(config.links).find(hasOther)
  if (chosen.length === 0)
    throw new KdrError('usage', `link "${name}" has no topic that \`--topic\` names`, {
      hint:
        other === undefined
          ? `See what it mirrors: kdr status --link ${name} --all`
          : `They are those of link "${other.name}": kdr ${kind} ${other.name}`,
    })
  const hint =
    other === undefined
      ? `Give ${shown(chosen)} a link of their own in the config, and leave them out of \`topics:\` of link "${name}" (docs/plans.md). Then: kdr link hand-over ${name} NEW; kdr ${kind} NEW`
      : `The config has link "${other.name}" for them: kdr link hand-over ${name} ${other.name}; then: kdr ${kind} ${other.name}`
  const why =
    parted.length > 0
      ? `${shown(parted)} are not handed over by link "${name}" yet`
      : `link "${name}" moves as a whole: ${shown(staying)} would stay behind`
  throw new KdrError('usage', why, { hint })
}

/** What it mirrors, though the config may take it no more; of one that waits since a failover, what it has mirrored. */
export async function mirroredBy(
  opened: Opened,
  clusters: BothClusters,
  { link, record }: Pick<Direction, 'link' | 'record'>,
): Promise<string[]> {
  const cluster = await clusters.insist(record?.isWaiting === true ? link.source : link.target)
  const store = await opened.add(storeOf(cluster, { create: false }))
  await store.refresh()
  return [...readTopics(store, link.name).keys()].toSorted()
}

/** Of these links, those that `topics` mean. Throws KdrError: usage where none is, or one in part; unreachable for a standby. */
export async function linksOfTopics(
  config: Config,
  links: readonly string[],
  { topics, kind }: { readonly topics: readonly string[]; readonly kind: RunKind },
): Promise<string[]> {
  const opened = new Opened()
  try {
    const found = await Promise.all(
      links.map(async name => {
        const link = config.links[name]!
        const clusters = await opened.add(BothClusters.open(config, link, { isUrgent: kind === 'failover' }))
        const [source, target] = [clusters.ifThere(link.source), clusters.ifThere(link.target)]
        const direction = await directionAmong(link, { source, target })
        const names = await mirroredBy(opened, clusters, direction)
        if (partOf(names, topics).chosen.length === 0) return []
        assertWhole(config, link, { names, topics, kind })
        return [name]
      }),
    )
    if (found.flat().length > 0) return found.flat()
  } finally {
    await opened.close()
  }
  throw new KdrError('usage', 'no link of the plan has a topic that `--topic` names', {
    hint: 'See what they mirror: kdr status --all',
  })
}

function shown(names: readonly string[]): string {
  const some = names.slice(0, NAMES_SHOWN).map(name => `"${name}"`)
  const hidden = names.length - NAMES_SHOWN
  return hidden > 0 ? `${some.join(', ')} and ${hidden} more` : some.join(', ')
}
