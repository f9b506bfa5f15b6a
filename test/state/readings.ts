// What today's readers make of the records of a link `sim`, of its runs and of its plans, as plain data.
import { readAlerts } from '../../src/model/alerts.ts'
import { readDenied, readFence } from '../../src/model/denied.ts'
import { readGroupRound, readGroups } from '../../src/model/group-records.ts'
import { readJournal } from '../../src/model/journal.ts'
import { readObjectiveDays } from '../../src/model/objective-days.ts'
import { readPauses } from '../../src/model/pauses.ts'
import { readPlanRuns, readPlanSteps } from '../../src/model/plan-runs.ts'
import { readAcls, readMadeUser, readQuotas, readRights } from '../../src/model/rights.ts'
import { readClaims, readRuns, readSteps } from '../../src/model/run-records.ts'
import * as state from '../../src/model/state-records.ts'

const LINK = 'sim'

export function readingsOf(records: ReadonlyMap<string, unknown>): Readonly<Record<string, unknown>> {
  const store = {
    get: (key: string) => records.get(key),
    entries: (prefix: string) => [...records].filter(([key]) => key.startsWith(prefix)),
  }
  const partition = { topic: 'a', partition: 0 }
  const fenced = { link: LINK, clusterId: 'cluster' }
  const runs = readRuns(store)
  return plain({
    alerts: readAlerts(store, LINK),
    objectiveDays: readObjectiveDays(store, LINK),
    link: state.readLink(store, LINK),
    hold: state.readHold(store, LINK),
    slots: state.readSlots(store, LINK),
    topics: state.readTopics(store, LINK),
    partition: state.readPartition(store, LINK, partition),
    workers: state.readWorkers(store, LINK),
    reports: state.readReports(store, LINK),
    ledger: state.readLedger(store, LINK, partition),
    forgotten: state.readForgotten(store, LINK),
    leaving: state.readLeaving(store, LINK),
    stopped: state.readStopped(store, LINK, 'b'),
    seeding: state.readSeeding(store, LINK),
    commands: state.readCommands(store, LINK),
    journal: readJournal(store, LINK),
    pauses: readPauses(store, LINK),
    groups: readGroups(store, LINK),
    groupRound: readGroupRound(store, LINK),
    rights: (['acls', 'quotas'] as const).map(part => readRights(store, LINK, part)),
    acls: readAcls(store, LINK),
    quotas: readQuotas(store, LINK),
    user: readMadeUser(store, LINK, { name: 'app', mechanism: 'SCRAM-SHA-512' }),
    fence: readFence(store, fenced),
    denied: readDenied(store, fenced),
    claims: readClaims(store, LINK),
    runs,
    steps: runs.map(({ run }) => readSteps(store, run)),
    plans: readPlanRuns(store),
    planSteps: readPlanSteps(store, 'p'),
  }) as Readonly<Record<string, unknown>>
}

/** As JSON has it; maps and sets as lists. */
function plain(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, inner: unknown) =>
      inner instanceof Map || inner instanceof Set ? [...(inner as Iterable<unknown>)] : inner,
    ),
  )
}
