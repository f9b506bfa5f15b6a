// Groups that read topics of more than one link. A group is at one cluster: where one of the links moves and the other stays, it would be
// at both, and read the one half here and the other half there.
import { compilePatterns } from '../../model/patterns.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import { readLink, readTopics } from '../../model/state-records.ts'
import type { RunContext } from './context.ts'

/** `topic`: one that it reads, of `link`, which stays. */
export type OfAnother = { readonly group: string; readonly link: string; readonly topic: string }

export type GroupsOfOthers = {
  /** They read topics that move, and topics that stay. */
  readonly shared: readonly OfAnother[]
  /** They read no topic that moves. */
  readonly elsewhere: readonly OfAnother[]
}

const NOTHING: GroupsOfOthers = { shared: [], elsewhere: [] }

type Input = Pick<RunContext, 'settings' | 'store' | 'target' | 'source'> & {
  /** Links that move along. */
  readonly together: readonly string[]
}

/** What a group reads is what it has committed. Throws KdrError('unreachable'). */
export async function groupsOfOthers(input: Input): Promise<GroupsOfOthers> {
  const { settings, store, source, target } = input
  const others = topicsOfOthers(input)
  if (others.size === 0) return NOTHING
  const [topics, wanted] = [
    compilePatterns(settings.topics, 'topics'),
    compilePatterns(settings.groups, 'groups'),
  ]
  const own = new Set([...readTopics(store, settings.name).keys()].filter(topic => topics.matches(topic)))
  const cluster = source ?? target
  const groups = (await cluster.listGroups())
    .map(({ group }) => group)
    .filter(group => wanted.matches(group))
    .toSorted()
  const offsets = await cluster.groupOffsets(groups)
  const found = groups.flatMap((group, index) => {
    const answer = offsets[index]
    const read = answer?.code === KafkaCode.NONE ? answer.offsets.map(({ topic }) => topic) : []
    const topic = read.find(each => others.has(each))
    const isOurs = read.some(each => own.has(each))
    return topic === undefined ? [] : [{ group, topic, link: others.get(topic)!, isOurs }]
  })
  const [shared, elsewhere] = [true, false].map(isOurs =>
    found.filter(each => each.isOurs === isOurs).map(({ group, topic, link }) => ({ group, topic, link })),
  )
  return { shared: shared!, elsewhere: elsewhere! }
}

/** Of links that lead the same way, and stay; each with its link. */
function topicsOfOthers({ settings, store, together }: Input): Map<string, string> {
  const own = readLink(store, settings.name)
  const moving = new Set([settings.name, ...together])
  const names = store.entries('link/').map(([key]) => key.slice('link/'.length))
  return new Map(
    names
      .filter(name => {
        const record = readLink(store, name)
        return (
          !moving.has(name) &&
          record?.sourceClusterId === own?.sourceClusterId &&
          record?.targetClusterId === own?.targetClusterId
        )
      })
      .flatMap(name => [...readTopics(store, name).keys()].map(topic => [topic, name] as const)),
  )
}

/** Why the link must not move alone; undefined: nothing is in the way. `moving`: its name. */
export function sharedSentence(shared: readonly OfAnother[], moving: string): string | undefined {
  const [first] = shared
  if (first === undefined) return undefined
  const { group, topic, link } = first
  const more = shared.length === 1 ? '' : ` (and ${shared.length - 1} more group(s))`
  return (
    `group "${group}" reads topics of link "${moving}", and "${topic}" of link "${link}", which stays${more}. ` +
    `Move both links, by a plan; or let link "${moving}" have all that the group reads (kdr link hand-over ${link} ${moving}); ` +
    `or exclude the group from \`groups:\` of link "${moving}": then nobody moves it`
  )
}
