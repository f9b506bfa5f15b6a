// The objects that `kdr run` answers under /api/, as schemas: the OpenAPI document is made from them, and tests hold real answers
// against them. They are those of --json: fields may be added, none is renamed.
import { z } from 'zod'
import { GROUP_REASONS, GROUP_STATES } from '../../model/group-records.ts'
import { FAULT_REASONS, PARTITION_STATES } from '../../model/link.ts'
import { activeAlert, linkAlert } from './alerts.ts'
import { watchedCluster } from './clusters.ts'
import { rpoHistory, withinKept, withinTodayRatio, worstRpo } from './history.ts'
import { count, ms, time } from './values.ts'

const version = z.literal(1)
const names = z.array(z.string())

const lossCause = z.enum(['retention', 'corrupt', 'too-large'])
const offsetCounts = z
  .strictObject({
    records: count,
    markers: count,
    aborted: count,
    compacted: count,
    seeded: count,
    lost: count,
    uncounted: count,
  })
  .describe('What the offsets below the cursor are; together they are the cursor.')

const partition = z.strictObject({
  partition: count,
  state: z.enum(PARTITION_STATES),
  reason: z.enum(FAULT_REASONS).optional(),
  sentence: z.string().optional().describe('Ends with the way out.'),
  loss: z
    .strictObject({ from: count, to: count, cause: lossCause })
    .optional()
    .describe('What `kdr link accept-loss` would give up.'),
  cursor: count.describe('The next offset to copy.'),
  sourceEnd: z.int(),
  lagRecords: count,
  lagMs: ms,
  headroom: z
    .strictObject({
      ms: ms.nullable(),
      basis: z.enum(['age', 'log-start', 'unknown']),
      isAtMost: z.boolean(),
    })
    .optional()
    .describe('Until the source deletes what is not copied.'),
  transaction: z
    .strictObject({
      kind: z.enum(['open', 'hanging', 'unseen']),
      producerId: z.string(),
      producerEpoch: z.int(),
      startOffset: z.int(),
      transactionalId: z.string().optional(),
      timeoutMs: ms.optional(),
      ageMs: ms,
    })
    .optional()
    .describe('That the copy waits for.'),
  offsets: offsetCounts.optional(),
  ledger: z
    .array(
      z.strictObject({
        from: count,
        to: count,
        cause: lossCause,
        by: z.string(),
        at: time,
        why: z.string().optional(),
        acceptLogStart: z.boolean().optional(),
      }),
    )
    .optional()
    .describe('What was lost and accepted, newest first.'),
  lostRanges: count.optional(),
})

const aclRule = {
  type: z.string(),
  pattern: z.string(),
  name: z.string(),
  principal: z.string(),
  host: z.string(),
  operation: z.string(),
  permission: z.string(),
}
const rights = {
  state: z.enum(['followed', 'off', 'refused', 'unknown']),
  problem: z.string().optional(),
  note: z.string().optional(),
}

const stranded = z
  .strictObject({
    run: z.string(),
    cluster: z.string(),
    records: count,
    offsets: count,
    from: z.string().nullable(),
    to: z.string().nullable(),
    partitions: z.array(
      z.strictObject({
        topic: z.string(),
        partition: count,
        state: z.enum(['clean', 'diverged', 'alone']),
        cut: z.int(),
        end: z.int(),
        records: count,
        hidden: count,
        offsets: count,
        from: z.string().nullable(),
        to: z.string().nullable(),
        older: count,
        gone: count.optional(),
        lacks: count.optional(),
        why: z.string().optional(),
      }),
    ),
    atMost: z.literal(true).optional(),
  })
  .describe('What only the cluster that a failover has left holds.')

const objectiveState = z.enum(['met', 'missed', 'unknown'])
const beyond = z.array(z.strictObject({ topic: z.string(), rpoMs: ms, rpoObjectiveMs: ms }))

const link = z.strictObject({
  name: z.string(),
  source: z.string(),
  target: z.string(),
  home: z.boolean(),
  generation: count,
  mode: z.enum(['exact', 'shared']),
  state: z.enum(['starting', 'mirroring', 'paused', 'stopped', 'promoted', 'faulted']),
  sentence: z.string(),
  lagRecords: count.nullable(),
  lagMs: ms.nullable(),
  rpoMs: ms.nullable().describe('What would be lost now, in time; null: the standby does not answer.'),
  sourceSeenAt: time.nullable(),
  workers: z.array(z.strictObject({ id: z.string(), slots: z.array(count) })),
  topics: z.array(
    z.strictObject({
      name: z.string(),
      state: z.enum(PARTITION_STATES),
      partitions: z.array(partition),
    }),
  ),
  unreported: names.optional().describe('Topics of the link of which no worker has told anything yet.'),
  forgotten: z.array(z.strictObject({ topic: z.string(), at: time, by: z.string() })),
  groups: z.array(
    z.strictObject({
      group: z.string(),
      state: z.enum(GROUP_STATES),
      reason: z.enum(GROUP_REASONS).optional(),
      sentence: z.string().optional(),
      ageMs: ms,
    }),
  ),
  acls: z.strictObject({
    ...rights,
    synced: count,
    heldBack: z.array(
      z.strictObject({
        ...aclRule,
        why: z.enum(['writes-to-mirrors', 'stops-kdr', 'denied-at-source']),
      }),
    ),
  }),
  quotas: z.strictObject({
    ...rights,
    synced: count,
    different: z.array(
      z.strictObject({
        entity: z.string(),
        key: z.string(),
        source: z.number().nullable(),
        target: z.number().nullable(),
      }),
    ),
  }),
  users: z.strictObject({
    ...rights,
    present: count,
    missing: names,
    missingCount: count,
    configured: z.array(
      z.strictObject({
        user: z.string(),
        mechanism: z.string(),
        isMadeByKdr: z.boolean(),
        login: z.enum(['proven', 'refused', 'unproven']),
        sentence: z.string().optional(),
      }),
    ),
  }),
  guard: z.strictObject({ ...rights, topics: count }).optional(),
  stranded: stranded.optional(),
  alerts: z
    .array(linkAlert)
    .optional()
    .describe('That fire, where the config has `alerts:` and a worker lives.'),
  history: rpoHistory.optional().describe('How its RPO was; left out: nothing is kept.'),
  warnings: z.array(
    z.strictObject({
      kind: z.enum(['retention-headroom', 'hanging-transaction', 'open-transaction']),
      topic: z.string(),
      partition: count,
      sentence: z.string(),
    }),
  ),
  rpoObjectiveMs: ms.optional(),
  rpoObjectiveState: objectiveState.optional(),
  beyondObjective: beyond.optional(),
})

const setState = z.enum(['current', 'late', 'unverified', 'unscheduled', 'waiting', 'unreachable', 'faulted'])
const set = z.strictObject({
  name: z.string(),
  cluster: z.string(),
  vault: z.string(),
  state: setState,
  sentence: z.string(),
  every: z.string().nullable(),
  lastCommit: count.nullable(),
  at: time.nullable(),
  ageMs: ms.nullable(),
  objectiveMs: ms.nullable(),
  verifiedAt: time.nullable(),
  verifyEveryMs: ms.nullable().describe('null: by hand.'),
  prune: z.enum(['auto', 'by-hand']).nullable().describe('null: the config names no days.'),
  bytes: count.nullable(),
  objects: count.nullable(),
  history: rpoHistory
    .optional()
    .describe('How old its newest commit was, within its schedule or beyond it; left out: nothing is kept.'),
})

const runKind = z.enum(['switchover', 'failover', 'failback'])
const run = z.strictObject({
  run: z.string(),
  kind: runKind,
  link: z.string().describe('Of a run of a plan: all of its links.'),
  plan: z.string().optional(),
  active: z.string(),
  standby: z.string(),
  state: z.enum(['planned', 'running', 'stopped', 'aborted', 'done']),
  sentence: z.string().optional(),
  startedAt: time,
  rtoMs: ms.optional().describe('Left out until applications can write again.'),
})

const finding = {
  id: z.string().describe('Keeps its meaning: docs/findings has a page for each.'),
  severity: z.enum(['error', 'warning', 'info']),
  where: z.string().describe('Such as `cluster:east topic:orders`.'),
  message: z.string(),
  evidence: names,
  hint: z.string().describe('The command that mends it, or a sentence.'),
  fix: z.string().optional().describe('What `kdr check --fix` would do.'),
}

const openFinding = z.strictObject(finding)

const lastRun = z
  .strictObject({
    run: z.string(),
    kind: runKind,
    startedAt: time,
    rtoMs: ms,
    rtoObjectiveState: z.enum(['met', 'missed']).nullable(),
  })
  .nullable()
  .describe('The newest that led to where applications could write; null: none.')

export const CONTRACT = {
  clusters: z.strictObject({ v: version, clusters: z.array(watchedCluster) }),
  alerts: z.strictObject({ v: version, alerts: z.array(activeAlert) }),
  status: z.strictObject({ v: version, links: z.array(link), sets: z.array(set) }),
  runs: z.strictObject({
    v: version,
    runs: z.array(run),
    silent: names
      .optional()
      .describe('Clusters that do not answer: runs that only these know are missing. Left out: none.'),
  }),
  check: z.strictObject({
    v: version,
    checkedAt: time.describe('When the look ended that this tells of.'),
    ageMs: ms,
    ready: z.enum(['READY', 'AT RISK', 'NOT READY']),
    findings: z.array(openFinding).describe('Gravest first.'),
    accepted: z.array(
      z.strictObject({
        ...finding,
        accepted: z.strictObject({ until: time.nullable(), why: z.string() }),
      }),
    ),
    racks: z.array(
      z.strictObject({
        cluster: z.string(),
        rack: z.string(),
        brokers: z.array(z.int()),
        leaders: count,
        replicas: count,
        withoutLeader: names,
        refusesAcksAll: names,
        losesAcksOne: names,
        quorumSurvives: z.boolean().nullable(),
      }),
    ),
    looked: z.strictObject({ clusters: names, links: names, sets: names }),
  }),
  objectives: z.strictObject({
    v: version,
    links: z.array(
      z.strictObject({
        name: z.string(),
        rpoObjectiveMs: ms.nullable().describe('The strictest that concerns it; null: none.'),
        rpoObjectiveState: objectiveState.nullable(),
        rpoMs: ms.nullable(),
        beyondObjective: beyond,
        ...worstRpo,
        withinTodayRatio,
        withinRatio: withinKept,
        rtoObjectiveMs: ms.nullable(),
        lastRun,
      }),
    ),
    plans: z.array(
      z.strictObject({
        name: z.string(),
        links: names,
        rpoObjectiveMs: ms.nullable(),
        rtoObjectiveMs: ms.nullable(),
        lastRun,
      }),
    ),
    sets: z.array(
      z.strictObject({
        name: z.string(),
        state: setState,
        ageMs: ms.nullable(),
        objectiveMs: ms.nullable(),
        ...worstRpo,
        withinTodayRatio,
        withinRatio: withinKept,
      }),
    ),
  }),
} as const

export const ERROR = z.strictObject({
  v: version,
  error: z.strictObject({
    code: z.string(),
    message: z.string(),
    hint: z.string(),
    exit: z.int(),
    facts: z.record(z.string(), z.unknown()).optional(),
  }),
})

/** What has a name of its own in the document. */
export const NAMED = {
  Link: link,
  Set: set,
  Run: run,
  Finding: openFinding,
  WatchedCluster: watchedCluster,
  Alert: activeAlert,
  Error: ERROR,
} as const

export type ApiPart = keyof typeof CONTRACT
