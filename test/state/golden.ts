// Makes the golden state of the present version, once: `node test/state/golden.ts test/state/golden/v1`. It is kept as it is: whatever
// comes later must read it. Most of it is what a simulated failover leaves behind; the rest stands here, a record of each kind.
import { mkdirSync, writeFileSync } from 'node:fs'
import { recordCodec } from '../../src/kafka/records.ts'
import { splitBatches } from '../../src/model/batch.ts'
import type { AlertsRecord } from '../../src/model/alerts.ts'
import type { FenceRecord } from '../../src/model/denied.ts'
import type { JournalEntry } from '../../src/model/journal.ts'
import type { Ledger } from '../../src/model/ledger.ts'
import type { ObjectiveDay } from '../../src/model/objective-days.ts'
import type { Pause } from '../../src/model/pauses.ts'
import type { PlanRunRecord, PlanStep } from '../../src/model/plan-runs.ts'
import type { AclBucket, AclsReport, MadeUser, QuotaBucket, QuotasReport } from '../../src/model/rights.ts'
import {
  type CommandRecord,
  type ForgottenRecord,
  type GivenUpRecord,
  type HoldRecord,
  type LeavingRecord,
  type StoppedRecord,
  toRecord,
} from '../../src/model/state-records.ts'
import { JOURNAL_TOPIC, STATE_TOPIC } from '../../src/state/topic-store.ts'
import { move } from '../sim/move-history.ts'
import type { MovingWorld } from '../sim/moving-world.ts'
import { readingsOf } from './readings.ts'

type Line = readonly [key: string, value: string]

const AT = Date.parse('2026-01-31T12:00:00Z')
const BY = 'me@here'
const ID = '7d9f1d2e-0c55-4a3e-8f1e-2f0a1b2c3d4e'
const RULE = ['TOPIC', 'LITERAL', 'a', 'User:app', '*', 'WRITE', 'DENY'] as const

/** What one key says last, in the order of the keys. */
function linesOf(world: MovingWorld, topic: string): Line[] {
  const found = new Map<string, string>()
  for (const { topic: name, at } of world.target.all()) {
    if (name !== topic) continue
    for (const batch of splitBatches(at.log.read(0, at.log.end, Infinity)))
      if (!batch.header.isControl)
        for (const { key, value } of recordCodec.decode(batch))
          if (value === null) found.delete(String(key))
          else found.set(String(key), String(value))
  }
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1))
}

const made = <Of extends object>(key: string, kind: string, value: Of): Line => [
  key,
  JSON.stringify(toRecord(kind, value)),
]

const STATE: readonly Line[] = [
  made<AlertsRecord>('alerts/sim', 'alerts', {
    alerts: [
      {
        name: 'KdrRpoBreached',
        labels: { link: 'sim', source: 'a', target: 'b' },
        value: 70,
        since: AT,
        firesSince: AT + 60_000,
        isTold: true,
      },
    ],
  }),
  made<CommandRecord>('command/sim/1', 'command', {
    verb: 'accept-loss',
    topic: 'a',
    partition: 0,
    losses: [{ topic: 'a', partition: 0, from: 3, to: 9, cause: 'retention' }],
    at: AT,
    by: BY,
    reason: 'old',
  }),
  made('denied/sim/cluster/3', 'denied', { rules: [RULE] }),
  made<FenceRecord>('fence/sim/cluster', 'fence', { run: 'r', principal: 'User:app', couldWrite: 3 }),
  made<ForgottenRecord>('forgotten/sim/c', 'forgotten', { targetTopicId: ID, at: AT, by: BY }),
  made<GivenUpRecord>('given-up/other', 'given-up', { run: 'r' }),
  made<HoldRecord>('hold/sim', 'hold', { run: 'r', at: AT, generation: 9 }),
  made<JournalEntry>('journal/sim/1', 'journal', {
    id: '1',
    at: AT,
    by: BY,
    verb: 'pause',
    topic: 'a',
    what: 'pauses topic "a"',
    state: 'done',
    doneAt: AT + 1,
    outcome: 'paused',
  }),
  made<LeavingRecord>('leaving/sim/c', 'leaving', { targetTopicId: ID }),
  made<Ledger>('ledger/sim/a/0', 'ledger', {
    ranges: [{ from: 3, to: 9, cause: 'retention', by: BY, at: AT, why: 'old', acceptLogStart: true }],
    summed: { ranges: 2, offsets: 3, upTo: 3 },
  }),
  made<ObjectiveDay>('objective-day/sim/2026-01-31', 'objective-day', {
    hours: {
      '12': { knownMs: 600_000, withinMs: 540_000, worstMs: 70_000 },
      '13': { knownMs: 0, withinMs: null, worstMs: 5 },
    },
    recent: [[AT, 70_000]],
  }),
  made<Pause>('pause/sim/a/0', 'pause', { at: AT, by: BY, reason: 'maintenance' }),
  made('replay/r/original/a', 'replay', { keys: [], topicId: ID, isDone: true, count: 7 }),
  made('replay/r/original/a/0', 'replay-place', { from: 5, count: 7 }),
  made<AclsReport>('rights/sim/acls', 'rights', { state: 'followed', synced: 4 }),
  made<QuotasReport>('rights/sim/quotas', 'rights', {
    state: 'refused',
    sentence: 'kdr may not see them',
    synced: 0,
    different: [{ entity: 'user=app', key: 'producer_byte_rate', source: 5, target: null }],
  }),
  made<AclBucket>('acls/sim/1', 'acls', { applied: [RULE], held: [[RULE, 'writes-to-mirrors']] }),
  made<QuotaBucket>('quotas/sim/1', 'quotas', { applied: [['[["user","app"]]|producer_byte_rate', [5, 6]]] }),
  made('seeding/sim/b/1', 'seeding', {}),
  made<StoppedRecord>('stopped/sim/b', 'stopped', { fault: { reason: 'recreated', sentence: 'made anew' } }),
  made<MadeUser>('user/sim/SCRAM-SHA-512/app', 'user', { mechanism: 'SCRAM-SHA-512', at: AT }),
]

const JOURNAL: readonly Line[] = [
  made<PlanRunRecord>('plan-run/p/1', 'plan-run', {
    run: 'p',
    plan: 'region',
    kind: 'switchover',
    state: 'done',
    startedAt: AT,
    endedAt: AT + 9,
    by: BY,
    acceptSplitBrain: false,
    versions: { kdr: '0.1.0', node: '24.0.0' },
    objectives: { rpoMs: 30_000 },
  }),
  made<PlanStep>('plan-step/p/0/1', 'plan-step', {
    kind: 'gate',
    gate: 'ask',
    index: 0,
    stage: 0,
    link: 'sim',
    state: 'done',
    startedAt: AT,
    ms: 5,
    what: 'asked',
  }),
]

if (import.meta.main) {
  const [directory = ''] = process.argv.slice(2)
  const { world } = await move({ kind: 'failover' })
  const files = [
    [STATE_TOPIC, [...linesOf(world, STATE_TOPIC), ...STATE]],
    [JOURNAL_TOPIC, [...linesOf(world, JOURNAL_TOPIC), ...JOURNAL]],
  ] as const
  mkdirSync(directory, { recursive: true })
  for (const [topic, lines] of files)
    writeFileSync(
      `${directory}/${topic}.jsonl`,
      lines.map(([key, value]) => `${JSON.stringify({ key, value })}\n`).join(''),
    )
  const all = new Map(files.flatMap(([, lines]) => lines.map(([key, value]) => [key, JSON.parse(value)])))
  writeFileSync(`${directory}/readings.json`, `${JSON.stringify(readingsOf(all), undefined, 1)}\n`)
}
