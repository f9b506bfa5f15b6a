// Writes a commented `kdr.yaml`: with placeholders, or from what real clusters hold. What it writes passes
// `kdr config check` as it stands.

import { linkLines } from './draft-link.ts'
import { comment, seenSentences, unseenSentences } from './draft-seen.ts'
import type { InspectedCluster } from './inspected.ts'

export { seenSentences, unseenSentences } from './draft-seen.ts'

/** A cluster that was looked at; `bootstrap` as it was given. */
export type SeenCluster = { readonly bootstrap: string; readonly seen: InspectedCluster }

/** `clusters`: none, the source, or source and target. `schemaFile`: the JSON Schema that editors use. */
export function draftConfig(clusters: readonly SeenCluster[], schemaFile: string): string {
  const [source, target] = clusters
  return [
    `# yaml-language-server: $schema=${schemaFile}`,
    '# The config of kdr. `kdr config check` looks at it, `kdr config explain` shows every effective value.',
    'v: 1',
    '',
    'clusters:',
    ...clusterLines('east', source, 'east-1:9092,east-2:9092', 'data flows from here'),
    ...clusterLines('west', target, 'west-1:9092,west-2:9092', 'to here'),
    '',
    ...linkLines({ name: 'east', seen: source?.seen }, { name: 'west', seen: target?.seen }),
    '',
    '# server: { listen: "127.0.0.1:9464", token: env:KDR_TOKEN }',
    '',
  ].join('\n')
}

/** To go behind a config that has the clusters and no links yet. `clusters`: the source and the target, by their names there. */
export function draftLink(
  source: { readonly name: string; readonly seen: InspectedCluster },
  target: { readonly name: string; readonly seen: InspectedCluster },
): string {
  const seen = [source, target].flatMap(({ name, seen }) =>
    [...seenSentences(seen), ...unseenSentences(seen)].flatMap(sentence =>
      comment(`${name}: ${sentence}`, 0),
    ),
  )
  return `${[...seen, ...linkLines(source, target)].join('\n')}\n`
}

function clusterLines(
  name: string,
  cluster: SeenCluster | undefined,
  placeholder: string,
  role: string,
): string[] {
  const seen = cluster === undefined ? [] : [...seenSentences(cluster.seen), ...unseenSentences(cluster.seen)]
  return [
    `  ${name}:                                # ${role}`,
    ...seen.flatMap(sentence => comment(sentence, 4)),
    `    bootstrap: ${JSON.stringify(cluster?.bootstrap ?? placeholder)}${cluster === undefined ? '   # put the real addresses here' : ''}`,
    '    # tls: true                         # or { ca: file:ca.pem, cert: file:kdr.pem, key: file:kdr.key }',
    '    # sasl: { mechanism: scram-sha-512, username: kdr, password: env:KDR_PASSWORD }',
  ]
}
