// What was seen of a cluster, in sentences: for comments of a draft, and for whoever runs `kdr init`.

import type { InspectedCluster, InspectedTopic } from './inspected.ts'

export function seenSentences(seen: InspectedCluster): string[] {
  const { brokers, racks, topics, groups } = seen
  const kinds = [
    [topics.filter(isCompacted).length, 'compacted'],
    [topics.filter(isTiered).length, 'with tiered storage'],
  ] as const
  const shown = kinds.filter(([count]) => count > 0).map(([count, kind]) => `${count} ${kind}`)
  return [
    [
      `Seen: cluster id ${seen.clusterId}`,
      plural(brokers, 'broker') + (racks.length === 0 ? '' : ` (racks: ${listed(racks)})`),
      plural(topics.length, 'topic') + (shown.length === 0 ? '' : ` (${shown.join(', ')})`),
      `${plural(groups.length, 'group')}.`,
    ].join(', '),
  ]
}

/** What the picture lacks; nothing where all was shown. */
export function unseenSentences({ unseen, hasAuthorizer }: InspectedCluster): string[] {
  return [
    ...unseen.map(({ what, why, needs }) => `Not seen: ${what} (${why}). It takes ${needs}.`),
    ...(hasAuthorizer
      ? ['Perhaps not seen: topics and groups without DESCRIBE; brokers leave those out and say nothing.']
      : []),
  ]
}

export function isCompacted({ configs }: InspectedTopic): boolean {
  return configs?.['cleanup.policy']?.includes('compact') === true
}

export function isTiered({ configs }: InspectedTopic): boolean {
  return configs?.['remote.storage.enable'] === 'true'
}

const LISTED = 4

export function listed(names: readonly string[]): string {
  const rest = names.length - LISTED
  return rest > 0 ? `${names.slice(0, LISTED).join(', ')} and ${rest} more` : names.join(', ')
}

export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** A comment's lines, each at most as long as a line of YAML should be. */
export function comment(sentence: string, indent: number): string[] {
  const start = `${' '.repeat(indent)}# `
  const lines: string[] = []
  let line = start
  for (const word of sentence.split(' ')) {
    if (line.length > start.length && line.length + word.length > LINE) {
      lines.push(line.trimEnd())
      line = start
    }
    line += `${word} `
  }
  return [...lines, line.trimEnd()]
}

const LINE = 118
