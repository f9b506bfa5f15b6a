// No topic may come back to the cluster where it began (a → b → a, a → b → c → a): there kdr would be a second writer. The
// config is checked by names (config/circles.ts); here it is by cluster ids, whatever the names: what other links have
// brought to the source stands in the source's own `_kdr.state`, each with the clusters that it came through. The same
// look notices source and target in each other's place.
import { KdrError } from '../../model/errors.ts'
import { type LinkRecord, linkKey, readTopics } from '../../model/state-records.ts'
import type { StateStore } from '../../ports/state.ts'

export type CircleInput = {
  readonly link: string
  readonly source: { readonly name: string; readonly clusterId: string }
  readonly target: { readonly name: string; readonly clusterId: string }
  readonly isWanted: (topic: string) => boolean
}

/**
 * `store`: the source's own. Returns the ids of the clusters that topics of this link come from before the source. Throws
 * KdrError: config-invalid for a circle, wrong-cluster when both sides of this link have changed places.
 */
export function assertNoCircle(store: StateStore, input: CircleInput): string[] {
  const upstream = new Set<string>()
  const prefix = linkKey('')
  for (const [key, value] of store.entries(prefix)) {
    const record = value as unknown as LinkRecord
    // Not about this cluster: a copy of another one's memory.
    if (record.targetClusterId !== input.source.clusterId) continue
    const name = key.slice(prefix.length)
    if (name === input.link) assertOwnDirection(record, input)
    const common = [...readTopics(store, name).keys()].filter(input.isWanted)
    if (common.length === 0) continue
    const cameThrough = [record.sourceClusterId, ...(record.upstream ?? [])]
    if (cameThrough.includes(input.target.clusterId)) throw circle(input, name, common)
    for (const id of cameThrough) upstream.add(id)
  }
  return [...upstream]
}

function assertOwnDirection(record: LinkRecord, { link, source, target }: CircleInput): void {
  if (record.sourceClusterId !== target.clusterId) return
  throw new KdrError(
    'wrong-cluster',
    `"${source.name}" (id ${source.clusterId}) is the target of link "${link}", and "${target.name}" (id ${target.clusterId}) its source: they have changed places`,
    {
      hint: `Check \`bootstrap\` of "${source.name}" and "${target.name}", and \`source\` and \`target\` of the link.`,
    },
  )
}

function circle({ link, source, target }: CircleInput, other: string, common: readonly string[]): KdrError {
  const [first = ''] = common
  const more = common.length === 1 ? '' : ` and ${common.length - 1} more`
  return new KdrError(
    'config-invalid',
    `link "${link}" would bring topic "${first}"${more} back to where it came from: "${source.name}" mirrors it, by link "${other}", from "${target.name}" (cluster id ${target.clusterId})`,
    {
      hint: `Leave such topics out of \`topics:\` of this link; or, if link "${other}" is over: kdr link forget ${other} --topic ${first}`,
    },
  )
}
