// How a link stands: what `kdr status` knows of it, held against what it is for. Pure.
import { type Finding, type FindingFacts, type FindingId, finding } from '../../../model/findings.ts'
import { counted, listed } from '../observation.ts'

/** The part of a link's status that is judged; see engine/status/status.ts. */
export type LinkFacts = {
  readonly name: string
  readonly source: string
  readonly target: string
  readonly state: 'starting' | 'mirroring' | 'paused' | 'stopped' | 'promoted' | 'faulted'
  readonly sentence: string
  readonly rpoMs: number | null
  readonly workers: readonly unknown[]
  readonly topics: readonly {
    readonly name: string
    readonly partitions: readonly {
      readonly partition: number
      readonly state: 'seeding' | 'mirroring' | 'paused' | 'promoted' | 'waiting' | 'faulted'
      readonly reason?: string
      readonly sentence?: string
    }[]
  }[]
  /** Topics of which no worker has told anything yet. */
  readonly unreported?: readonly string[]
  readonly groups: readonly {
    readonly group: string
    readonly state: 'synced' | 'clamped' | 'skipped'
    readonly reason?: string
    readonly sentence?: string
    /** How old what the target holds is. */
    readonly ageMs: number
  }[]
  readonly acls: RightsFacts
  readonly quotas: RightsFacts & { readonly different: readonly QuotaFacts[] }
  readonly users: RightsFacts & { readonly missing: readonly string[]; readonly missingCount: number }
  readonly warnings: readonly {
    readonly kind: string
    readonly topic: string
    readonly partition: number
    readonly sentence: string
  }[]
}
type RightsFacts = { readonly state: string; readonly problem?: string }
type QuotaFacts = {
  readonly entity: string
  readonly key: string
  readonly source: number | null
  readonly target: number | null
}

export type LinkSight = {
  readonly status: LinkFacts
  /** Clusters that do not know yet that the link was moved. */
  readonly stale: readonly string[]
  /** Undefined: none is set. */
  readonly rpoObjectiveMs: number | undefined
  /** How often groups are carried over. */
  readonly groupsMs: number
  /** For Kafka's own tools, at the source. */
  readonly sourceAt: string
}

export function linkFindings(sight: LinkSight): Finding[] {
  const { status, stale } = sight
  const { name, state } = status
  const tell = (id: FindingId, facts: Omit<FindingFacts, 'where'>): Finding =>
    finding(id, { where: `link:${name}`, ...facts, values: { link: name, ...facts.values } })
  const moved = stale.map(cluster =>
    tell('C085', { message: `"${cluster}" does not know that link "${name}" was moved` }),
  )
  if (state === 'promoted')
    return [
      ...moved,
      tell('C086', { message: `link "${name}" waits since a failover`, evidence: [status.sentence] }),
    ]
  return [
    ...moved,
    ...running(sight, tell),
    ...stopped(status),
    ...behind(sight, tell),
    ...warned(sight),
    ...groups(status, tell),
    ...oldGroups(sight, tell),
    ...rights(status, tell),
    ...unknownRights(status, tell),
  ]
}

type Tell = (id: FindingId, facts: Omit<FindingFacts, 'where'>) => Finding

const partitionsOf = ({ topics }: LinkFacts) =>
  topics.flatMap(({ name, partitions }) =>
    partitions.map(partition => ({ topic: name, at: `${name}/${partition.partition}`, ...partition })),
  )

function running({ status }: LinkSight, tell: Tell): Finding[] {
  const { name, workers, sentence, rpoMs } = status
  // The standby keeps what is known of the link, and does not answer.
  if (rpoMs === null)
    return [
      tell('C002', {
        message: `how link "${name}" stands could not be looked at`,
        evidence: [sentence],
        severity: 'error',
      }),
    ]
  const all = partitionsOf(status)
  const paused = all.filter(({ state }) => state === 'paused')
  const young = all.filter(({ state }) => state === 'seeding' || state === 'waiting')
  const first = young.find(each => each.sentence !== undefined)?.sentence
  const { unreported = [] } = status
  return [
    ...(workers.length > 0
      ? []
      : [tell('C070', { message: `no kdr runs link "${name}"`, evidence: [sentence] })]),
    ...(paused.length === 0
      ? []
      : [
          tell('C084', {
            message: `${counted(paused.length, 'partition')} of link "${name}" paused`,
            evidence: [listed(paused.map(({ at }) => at))],
          }),
        ]),
    ...(unreported.length === 0
      ? []
      : [
          tell('C087', {
            message: `no worker has told anything yet of ${counted(unreported.length, 'topic')} of link "${name}"`,
            evidence: [listed(unreported)],
          }),
        ]),
    ...(young.length === 0
      ? []
      : [
          tell('C087', {
            message: `${counted(young.length, 'partition')} of link "${name}" not copied yet`,
            evidence: [listed(young.map(({ at }) => at)), ...(first === undefined ? [] : [first])],
          }),
        ]),
  ]
}

/** A topic at a time, since that is what is accepted, mended or copied anew. */
function stopped(status: LinkFacts): Finding[] {
  const faulted = partitionsOf(status).filter(({ state }) => state === 'faulted')
  return [...Map.groupBy(faulted, ({ topic }) => topic)].map(([topic, some]) => {
    const sentences = [...new Set(some.map(({ reason = '', sentence = '' }) => `${reason}: ${sentence}`))]
    return finding('C071', {
      where: `link:${status.name} topic:${topic}`,
      message: `${counted(some.length, 'partition')} of "${topic}" in link "${status.name}" stopped`,
      evidence: sentences.slice(0, 3),
    })
  })
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

function behind({ status: { name, rpoMs }, rpoObjectiveMs }: LinkSight, tell: Tell): Finding[] {
  if (rpoMs === null || rpoObjectiveMs === undefined || rpoMs <= rpoObjectiveMs) return []
  return [
    tell('C072', {
      message: `link "${name}" is ${seconds(rpoMs)} behind, and ${seconds(rpoObjectiveMs)} is its objective`,
    }),
  ]
}

const OF_WARNING: Readonly<Record<string, FindingId>> = {
  'retention-headroom': 'C073',
  'hanging-transaction': 'C061',
  'open-transaction': 'C061',
}

function warned({ status, sourceAt }: LinkSight): Finding[] {
  const by = Map.groupBy(status.warnings, ({ kind, topic }) => `${kind} ${topic}`)
  return [...by.values()].flatMap(([first, ...more]) => {
    const id = OF_WARNING[first?.kind ?? '']
    if (first === undefined || id === undefined) return []
    const { topic } = first
    const also = more.length === 0 ? [] : [`and ${counted(more.length, 'more partition')} of it`]
    return [
      finding(id, {
        where: `link:${status.name} topic:${topic}`,
        message:
          id === 'C073'
            ? `the source deletes soon what link "${status.name}" has not copied of "${topic}"`
            : `a transaction holds link "${status.name}" back in "${topic}"`,
        evidence: [first.sentence, ...also],
        values: { at: sourceAt, topic },
      }),
    ]
  })
}

/** As they should be, or nothing that a failover would miss. */
const QUIET: readonly (string | undefined)[] = ['nothing-committed', 'not-mirrored']

function groups({ groups: all, name }: LinkFacts, tell: Tell): Finding[] {
  const others = all.filter(({ state, reason }) => state !== 'synced' && !QUIET.includes(reason))
  const by = Map.groupBy(others, ({ reason }) => reason ?? 'no reason')
  return [...by].map(([reason, some]) =>
    tell('C081', {
      message: `${counted(some.length, 'group')} of link "${name}" not in step: ${reason}`,
      evidence: [
        listed(some.map(({ group }) => `"${group}"`)),
        ...((some[0]?.sentence ?? '') ? [some[0]!.sentence!] : []),
      ],
    }),
  )
}

/** Rounds that may fail, or take longer than their interval, before groups are taken for left behind. */
const ROUNDS_MISSED = 12
const LEAST_AGE_MS = 60_000

/** A round that fails leaves what the one before has said of each. Without a worker it is no wonder, and said already. */
function oldGroups({ status: { name, workers, groups: all }, groupsMs }: LinkSight, tell: Tell): Finding[] {
  const limitMs = Math.max(LEAST_AGE_MS, ROUNDS_MISSED * groupsMs)
  const old = all.filter(({ state, ageMs }) => state === 'synced' && ageMs > limitMs)
  if (workers.length === 0 || old.length === 0) return []
  const oldestMs = old.reduce((most, { ageMs }) => Math.max(most, ageMs), 0)
  return [
    tell('C081', {
      message: `${counted(old.length, 'group')} of link "${name}" not carried over for ${seconds(oldestMs)}`,
      evidence: [
        listed(old.map(({ group }) => `"${group}"`)),
        `\`sync.groups\` is ${seconds(groupsMs)}: more than ${ROUNDS_MISSED} rounds have not ended well`,
      ],
    }),
  ]
}

/** With a worker: what keeps it from looking is in its log. */
function unknownRights({ name, workers, acls, quotas, users }: LinkFacts, tell: Tell): Finding[] {
  const unknown = Object.entries({ ACLs: acls, quotas, users }).flatMap(([what, { state }]) =>
    state === 'unknown' ? [what] : [],
  )
  if (workers.length === 0 || unknown.length === 0) return []
  return [
    tell('C002', {
      message: `${listed(unknown)} of link "${name}" could not be looked at`,
      evidence: ['no worker has looked yet'],
      hint: `See what the log of kdr says of them: it looks as soon as it runs, and then at intervals (\`sync\` of the link).`,
    }),
  ]
}

function rights({ name, acls, quotas, users }: LinkFacts, tell: Tell): Finding[] {
  const problem = (id: FindingId, what: string, { problem: why }: RightsFacts): Finding[] =>
    why === undefined
      ? []
      : [tell(id, { message: `${what} of link "${name}" do not follow`, evidence: [why] })]
  return [
    ...problem('C078', 'ACLs', acls),
    ...problem('C079', 'quotas', quotas),
    ...(quotas.different.length === 0
      ? []
      : [
          tell('C079', {
            message: `${counted(quotas.different.length, 'quota')} of link "${name}" set otherwise at the target`,
            evidence: quotas.different
              .slice(0, 5)
              .map(
                ({ entity, key, source, target }) =>
                  `${entity} ${key}: ${source ?? 'none'} at the source, ${target ?? 'none'} at the target`,
              ),
          }),
        ]),
    ...problem('C080', 'users', users),
    ...(users.missingCount === 0
      ? []
      : [
          tell('C080', {
            message: `${counted(users.missingCount, 'user')} of link "${name}" not at the target`,
            evidence: [listed(users.missing)],
          }),
        ]),
  ]
}
