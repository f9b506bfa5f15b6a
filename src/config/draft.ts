// Writes a commented `kdr.yaml`: with placeholders, or from what real clusters hold. What it writes passes
// `kdr config check` as it stands.

import { type Family, type InspectedTopic, recogniseFamilies } from './recognise.ts'

export type { InspectedTopic } from './recognise.ts'

export type InspectedCluster = { readonly clusterId: string; readonly topics: readonly InspectedTopic[] }

/** A cluster that was looked at; `bootstrap` as it was given. */
export type SeenCluster = { readonly bootstrap: string; readonly seen: InspectedCluster }

/** `clusters`: none, the source, or source and target. `schemaFile`: the JSON Schema that editors use. */
export function draftConfig(clusters: readonly SeenCluster[], schemaFile: string): string {
  const [source, target] = clusters
  const families = source === undefined ? [] : recogniseFamilies(source.seen.topics)
  return [
    `# yaml-language-server: $schema=${schemaFile}`,
    '# The config of kdr. `kdr config check` looks at it, `kdr config explain` shows every effective value.',
    'v: 1',
    '',
    'clusters:',
    ...clusterLines('east', source, 'east-1:9092,east-2:9092', 'data flows from here'),
    ...clusterLines('west', target, 'west-1:9092,west-2:9092', 'to here'),
    '',
    'links:',
    '  east-west:',
    '    source: east',
    '    target: west',
    '    # Globs (`re:` for a regular expression); the last that matches wins, `!x` excludes. "*" passes by `__*`, `_kdr.*`',
    '    # and the internal topics of known programs, which must be named.',
    ...topicLines(families),
    '    groups: ["*"]',
    '    # overrides:                        # what differs at the target; later entries win',
    '    #   - { topics: "*", replicationFactor: 3, configs: { min.insync.replicas: 2 } }',
    '    # priorities:                       # what is caught up with first; high | normal | low',
    '    #   - { topics: "pay-*", priority: high }',
    '    # onSourceDelete: keep              # keep | { deleteAfter: 7d }',
    '    # largeGap: stop                    # stop | markers | tombstones',
    '    # onOverfilled: stop                # stop | recopy',
    '    # maxBytesPerSecond: 50MB',
    '    # sync: { configs: 30s, acls: 30s, quotas: 30s, groups: 5s }',
    '',
    '# server: { listen: "127.0.0.1:9464", token: env:KDR_TOKEN }',
    '',
  ].join('\n')
}

function clusterLines(
  name: string,
  cluster: SeenCluster | undefined,
  placeholder: string,
  role: string,
): string[] {
  const seen =
    cluster === undefined
      ? []
      : [`    # Seen: cluster id ${cluster.seen.clusterId}, ${plural(cluster.seen.topics.length, 'topic')}.`]
  return [
    `  ${name}:                                # ${role}`,
    ...seen,
    `    bootstrap: ${JSON.stringify(cluster?.bootstrap ?? placeholder)}${cluster === undefined ? '   # put the real addresses here' : ''}`,
    '    # tls: true                         # or { ca: file:ca.pem, cert: file:kdr.pem, key: file:kdr.key }',
    '    # sasl: { mechanism: scram-sha-512, username: kdr, password: env:KDR_PASSWORD }',
  ]
}

function topicLines(families: readonly Family[]): string[] {
  if (families.length === 0) return ['    topics: ["*"]']
  const lines = ['    topics:', '      - "*"']
  for (const family of families) {
    lines.push(`      # ${family.program}: found ${listed(family.topics)}.`)
    for (const sentence of family.advice) lines.push(`      # ${sentence}`)
    for (const pattern of family.patterns) lines.push(`      - ${JSON.stringify(pattern)}`)
    for (const pattern of family.optional) lines.push(`      # - ${JSON.stringify(pattern)}`)
  }
  return lines
}

const LISTED = 4

function listed(topics: readonly string[]): string {
  const rest = topics.length - LISTED
  return rest > 0 ? `${topics.slice(0, LISTED).join(', ')} and ${rest} more` : topics.join(', ')
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
