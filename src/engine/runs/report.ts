// What a run was, for people and scripts: its journal as one object. Pure, and says nothing that the journal does not.
// Loss is counted in offsets from the cut to where the source ends. Some of these may be markers of transactions, so it is
// at most so many records. Measured where the active answered; else from what was seen of it last, and called an estimate.
import {
  type At,
  endOf,
  type Plan,
  type ReportedLoss,
  type ReportedStep,
  type RunRecord,
  type RunReport,
  type RunSummary,
  STEPS,
  stepsOf,
  type StepData,
  type StepName,
  type StepRecord,
} from '../../model/runs.ts'

/** Of several records of a step the last one counts. `plan`: of a run that has no preflight in its journal yet. */
export function reportOf(record: RunRecord, steps: readonly StepRecord[], plan?: Plan): RunReport {
  const journal = new Journal(steps, plan)
  const { topics, reason, sentence, stoppedBy, endedAt } = record
  return {
    run: record.run,
    kind: record.kind,
    scope: { links: [record.link], ...(topics !== undefined && { topics }) },
    active: record.active,
    standby: record.standby,
    state: record.state,
    ...(sentence !== undefined && { sentence }),
    ...(stoppedBy !== undefined && { stoppedBy }),
    by: record.by,
    ...(reason !== undefined && { reason }),
    startedAt: timeOf(record.startedAt),
    ...(endedAt !== undefined && { endedAt: timeOf(endedAt) }),
    versions: record.versions,
    ...(journal.plan !== undefined && { plan: journal.plan }),
    steps: stepsOf(record).map(name => stepOf(name, journal.step(name))),
    rto: rtoOf(record, journal),
    rpo: record.state === 'aborted' ? NOTHING_LOST : rpoFound(record, journal),
    ...strandedOf(journal),
    groups: record.state === 'aborted' ? [] : groupsOf(journal),
    fence: fenceOf(journal),
    acceptedSplitBrain: record.acceptSplitBrain,
    ...((record.lowered ?? []).length > 0 && { lowered: record.lowered }),
    // Of a run that was given up they are where they belong.
    stillWriting: record.state === 'aborted' ? [] : (journal.data('fence-applications')?.left ?? []),
  }
}

export function summaryOf(report: RunReport): RunSummary {
  const { run, kind, scope, active, standby, state, startedAt, sentence, steps, rto } = report
  const isRedirected = steps.some(step => step.name === 'redirect' && isOver(step))
  return {
    run,
    kind,
    link: scope.links.join(','),
    active,
    standby,
    state,
    startedAt,
    ...(isRedirected && { rtoMs: rto.ms }),
    ...(sentence !== undefined && { sentence }),
  }
}

class Journal {
  readonly plan: Plan | undefined
  readonly #steps: ReadonlyMap<StepName, StepRecord>

  constructor(steps: readonly StepRecord[], plan: Plan | undefined) {
    this.#steps = new Map(steps.map(step => [step.name, step]))
    this.plan = this.data('preflight') ?? plan
  }

  step(name: StepName): StepRecord | undefined {
    return this.#steps.get(name)
  }

  data<Name extends StepName>(name: Name): StepData[Name] | undefined {
    return this.#steps.get(name)?.data as StepData[Name] | undefined
  }
}

/** What a failback has found counts, be it in its own report or in that of the failover. */
function strandedOf(journal: Journal): Pick<RunReport, 'stranded' | 'exported'> {
  const { stranded = journal.plan?.stranded, location } = journal.data('export') ?? {}
  return {
    ...(stranded !== undefined && { stranded }),
    ...(location !== undefined && { exported: location }),
  }
}

function stepOf(name: StepName, step: StepRecord | undefined): ReportedStep {
  if (step === undefined || step.state === 'waiting')
    return { name, state: 'waiting', startedAt: null, endedAt: null, ms: 0, what: '' }
  const { state, startedAt, ms, what } = step
  const endedAt = state === 'running' ? null : timeOf(endOf(step))
  return { name, state, startedAt: timeOf(startedAt), endedAt, ms, what }
}

/**
 * What came after the redirect kept nobody waiting, and dominates nothing; nor did what came before the move of a link that was taken
 * up again first.
 */
function rtoOf({ startedAt: begun, after }: RunRecord, journal: Journal): RunReport['rto'] {
  const startedAt = after === undefined ? begun : (journal.step('preflight')?.startedAt ?? Infinity)
  if (startedAt === Infinity) return { ms: 0, dominatedBy: null }
  const redirect = journal.step('redirect')
  const isRedirected = redirect !== undefined && isOver(redirect)
  const counted = (isRedirected ? STEPS.slice(0, STEPS.indexOf('redirect') + 1) : STEPS)
    .map(name => journal.step(name))
    .filter(step => step !== undefined)
    .filter(step => isOver(step) || step.state === 'failed')
  const ends = isRedirected ? [redirect] : counted
  const end = Math.max(startedAt, ...ends.map(endOf))
  const longest = Math.max(0, ...counted.map(({ ms }) => ms))
  const dominating = longest === 0 ? undefined : counted.find(({ ms }) => ms === longest)
  return { ms: end - startedAt, dominatedBy: dominating?.name ?? null }
}

const NOTHING_LOST: RunReport['rpo'] = { records: 0, ms: 0, basis: 'exact', partitions: [] }

/** Of a failover whose old active has come back: what was found there beyond the cut. */
function rpoFound({ kind, startedAt }: RunRecord, journal: Journal): RunReport['rpo'] {
  const said = rpoOf(journal)
  const stranded = journal.data('export')?.stranded
  if (kind !== 'failover' || stranded === undefined) return said
  const found = new Map(stranded.partitions.map(each => [nameOf(each), each]))
  const isCut = new Set(said.partitions.map(nameOf))
  const partitions = [
    ...said.partitions.map(each => {
      const tail = found.get(nameOf(each))
      if (tail === undefined) return { ...each, sourceEnd: each.cut, lostRecords: 0 }
      return { ...each, sourceEnd: tail.end, lostRecords: tail.records + (tail.gone ?? 0) }
    }),
    ...stranded.partitions
      .filter(each => !isCut.has(nameOf(each)) && each.records > 0)
      .map(({ topic, partition, cut, end, records }) => ({
        topic,
        partition,
        cut,
        sourceEnd: end,
        lostRecords: records,
      })),
  ]
  const oldest = stranded.from === null ? Infinity : Date.parse(stranded.from)
  // Records may carry any time; what was seen of the source bounds it.
  const ms = Math.min(said.ms, Math.max(0, (journal.plan?.at ?? startedAt) - oldest))
  // What was deleted before anybody looked: at most so many, and of any age.
  const gone = stranded.partitions.reduce((sum, each) => sum + (each.gone ?? 0), 0)
  if (gone > 0) return { records: stranded.records + gone, ms: said.ms, basis: 'estimate', partitions }
  return {
    records: stranded.records,
    ms: stranded.records === 0 ? 0 : ms,
    basis: 'exact',
    partitions,
  }
}

function rpoOf(journal: Journal): RunReport['rpo'] {
  const { plan } = journal
  const fence = journal.step('fence-link')
  // Nothing is cut yet: what it would be, as planned.
  if (fence === undefined || !isOver(fence)) return plannedLoss(plan)
  const cuts = journal.data('fence-link')?.cuts ?? []
  const drain = journal.data('drain')
  const planned = new Map(plan?.loss.partitions.map(each => [nameOf(each), each]))
  const ends = new Map((journal.data('fence-link')?.ends ?? drain?.ends)?.map(each => [nameOf(each), each]))
  const isCut = new Set(cuts.map(nameOf))
  const partitions = [
    ...cuts.map(({ topic, partition, cut }) => {
      const name = nameOf({ topic, partition })
      // In the dark and not in the plan's loss: the source was not seen beyond what the standby has.
      const seen = planned.get(name)?.sourceEnd ?? (plan === undefined ? -1 : cut)
      return lossOf({ topic, partition }, cut, ends.get(name)?.end ?? seen)
    }),
    // No mirror that the fence knows: nothing was ever written there.
    ...[...ends.values()]
      .filter(each => !isCut.has(nameOf(each)))
      .map(each => lossOf(each, planned.get(nameOf(each))?.mirrorEnd ?? 0, each.end)),
  ]
  const isExact =
    drain !== undefined && plan?.isActiveThere !== false && cuts.every(cut => ends.has(nameOf(cut)))
  const records = partitions.reduce((sum, { lostRecords }) => sum + lostRecords, 0)
  const isNothing = records === 0 && partitions.every(({ sourceEnd }) => sourceEnd >= 0)
  return {
    records,
    // In the dark what was not seen may be lost too.
    ms: isExact && isNothing ? 0 : ((isExact ? drain.lostMs : undefined) ?? plan?.loss.ms ?? 0),
    basis: isExact ? 'exact' : 'estimate',
    partitions,
  }
}

function plannedLoss(plan: Plan | undefined): RunReport['rpo'] {
  if (plan === undefined) return { ...NOTHING_LOST, basis: 'estimate' }
  const { records, ms, basis, partitions } = plan.loss
  return {
    records,
    ms,
    basis,
    partitions: partitions.map(each => lossOf(each, each.mirrorEnd, each.sourceEnd)),
  }
}

function lossOf({ topic, partition }: At, cut: number, sourceEnd: number): ReportedLoss {
  return { topic, partition, cut, sourceEnd, lostRecords: Math.max(0, sourceEnd - cut) }
}

/** As the final sync found them; before it, as planned. */
function groupsOf(journal: Journal): RunReport['groups'] {
  const synced = journal.data('final-sync')
  if (synced !== undefined) return synced.mayRepeat
  const planned = journal.plan?.groups ?? []
  return planned
    .filter(({ state }) => state !== 'not-carried')
    .map(({ group, mayRepeat }) => ({ group, mayRepeat }))
}

function fenceOf(journal: Journal): RunReport['fence'] {
  const step = journal.step('fence-applications')
  if (step === undefined || step.state === 'waiting') return { state: 'none', what: 'not begun' }
  const state = journal.data('fence-applications')?.state ?? 'none'
  // `registered` fences nothing until the old active is back; its sentence says so.
  return { state: state === 'registered' ? 'none' : state, what: step.what }
}

const isOver = ({ state }: Pick<StepRecord, 'state'>): boolean => state === 'done' || state === 'skipped'
const nameOf = ({ topic, partition }: At): string => `${topic}/${partition}`
const timeOf = (ms: number): string => new Date(ms).toISOString()
