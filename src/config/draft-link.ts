// The link that a draft proposes: what to copy, and what has to be otherwise at the target. Each line says what it comes from; what
// only a person can decide stays a comment.

import { compilePatterns } from '../model/patterns.ts'
import { comment, isCompacted, isTiered, listed, plural } from './draft-seen.ts'
import type { InspectedCluster, InspectedTopic } from './inspected.ts'
import { type Family, recogniseFamilies } from './recognise.ts'

/** `seen` is undefined for a cluster that nobody has looked at. */
export type LinkEnd = { readonly name: string; readonly seen: InspectedCluster | undefined }

/** From `links:` on. */
export function linkLines(source: LinkEnd, target: LinkEnd): string[] {
  const families = source.seen === undefined ? [] : recogniseFamilies(source.seen.topics)
  const taken = compilePatterns(['*', ...families.flatMap(({ patterns }) => patterns)], 'topics')
  const mirrored = source.seen?.topics.filter(({ name }) => taken.matches(name)) ?? []
  const link = `${source.name}-${target.name}`
  return [
    'links:',
    `  ${link}:`,
    `    source: ${source.name}`,
    `    target: ${target.name}`,
    '    # Globs (`re:` for a regular expression); the last that matches wins, `!x` excludes. "*" passes by `__*`, `_kdr.*`',
    '    # and the internal topics of known programs, which must be named.',
    ...topicLines(families),
    ...[...topicNotes(mirrored, target), ...standing(mirrored, target, link)].flatMap(note =>
      comment(note, 4),
    ),
    '    groups: ["*"]',
    ...groupNotes(source.seen).flatMap(note => comment(note, 4)),
    ...overrideLines(mirrored, target),
    '    # priorities:                       # what is caught up with first; high | normal | low',
    '    #   - { topics: "pay-*", priority: high }',
    '    # onSourceDelete: keep              # keep | { deleteAfter: 7d }',
    '    # largeGap: stop                    # stop | markers | tombstones',
    '    # onOverfilled: stop                # stop | recopy',
    '    # maxBytesPerSecond: 50MB',
    '    # sync: { configs: 30s, acls: 30s, quotas: 30s, groups: 5s }',
    ...userLines(source.seen, target.seen),
  ]
}

function topicLines(families: readonly Family[]): string[] {
  if (families.length === 0) return ['    topics: ["*"]']
  const lines = ['    topics:', '      - "*"']
  for (const family of families) {
    lines.push(...comment(`${family.program}: found ${listed(family.topics)}.`, 6))
    for (const sentence of family.advice) lines.push(...comment(sentence, 6))
    for (const pattern of family.patterns) lines.push(`      - ${JSON.stringify(pattern)}`)
    for (const pattern of family.optional) lines.push(`      # - ${JSON.stringify(pattern)}`)
  }
  return lines
}

function topicNotes(mirrored: readonly InspectedTopic[], target: LinkEnd): string[] {
  const compacted = mirrored.filter(isCompacted)
  const tiered = mirrored.filter(isTiered)
  return [
    ...(compacted.length === 0
      ? []
      : [
          `Compacted (${plural(compacted.length, 'topic')}): gaps are filled best by markers, for which kdr needs ALTER on the cluster "${target.name}".`,
        ]),
    ...(tiered.length === 0
      ? []
      : [
          `Tiered storage (${listed(tiered.map(({ name }) => name))}): a mirror holds all of it on the disks of "${target.name}".`,
        ]),
  ]
}

/** What is at the target already. */
function standing(mirrored: readonly InspectedTopic[], target: LinkEnd, link: string): string[] {
  if (target.seen === undefined) return []
  const there = new Set(target.seen.topics.map(({ name }) => name))
  const both = mirrored.map(({ name }) => name).filter(name => there.has(name))
  const notes: string[] = []
  if (both.length > 0)
    notes.push(
      `At "${target.name}" already: ${listed(both)}. What holds records there is refused (exit 12): delete it, or let kdr verify it and go on (kdr link adopt ${link} --topic TOPIC).`,
    )
  if (target.seen.defaults['auto.create.topics.enable'] === 'true')
    notes.push(
      `"${target.name}" makes topics when somebody asks for one (auto.create.topics.enable): an empty one is taken over, one that was written to is refused.`,
    )
  return notes
}

function groupNotes(seen: InspectedCluster | undefined): string[] {
  const others = seen?.groups.filter(({ type }) => type === 'share' || type === 'streams') ?? []
  if (others.length === 0) return []
  const names = others.map(({ group, type }) => `${group} (${type})`)
  return [`Not carried, because of their kind: ${listed(names)}.`]
}

function overrideLines(mirrored: readonly InspectedTopic[], target: LinkEnd): string[] {
  const proposed = target.seen === undefined ? undefined : proposeOverride(mirrored, target.name, target.seen)
  if (proposed === undefined)
    return [
      '    # overrides:                        # what differs at the target; later entries win',
      '    #   - { topics: "*", replicationFactor: 3, configs: { min.insync.replicas: 2 } }',
    ]
  const { why, topics, replicationFactor, minInSync } = proposed
  const parts = [
    `topics: ${JSON.stringify(topics)}`,
    `replicationFactor: ${replicationFactor}`,
    `configs: { min.insync.replicas: ${minInSync} }`,
  ]
  return [
    '    overrides:                          # what differs at the target; later entries win',
    ...comment(why, 6),
    `      - { ${parts.join(', ')} }`,
  ]
}

type ProposedOverride = {
  readonly why: string
  readonly topics: string
  readonly replicationFactor: number
  readonly minInSync: number
}

/** Pure. What a target with fewer brokers needs so that its mirrors can be written while one of them is down. */
export function proposeOverride(
  mirrored: readonly InspectedTopic[],
  target: string,
  { brokers }: Pick<InspectedCluster, 'brokers'>,
): ProposedOverride | undefined {
  const most = mirrored.reduce(
    (largest, { replicationFactor = 0 }) => Math.max(largest, replicationFactor),
    0,
  )
  if (most <= brokers) return undefined
  const why = `Up to ${most} replicas at the source, and "${target}" has ${plural(brokers, 'broker')}`
  return {
    why: brokers === 1 ? `${why}.` : `${why}: so many replicas, of which one may be down.`,
    topics: '*',
    replicationFactor: brokers,
    minInSync: Math.max(1, brokers - 1),
  }
}

function userLines(source: InspectedCluster | undefined, target: InspectedCluster | undefined): string[] {
  const missing = source?.users.filter(user => target?.users.includes(user) !== true) ?? []
  if (missing.length === 0) return []
  return [
    ...comment(
      `SCRAM users of the source: ${listed(missing)}. No cluster tells their passwords: name those that the target is to have.`,
      4,
    ),
    '    # users:',
    `    #   ${JSON.stringify(missing[0])}: { mechanism: scram-sha-512, password: env:APP_PASSWORD }`,
  ]
}
