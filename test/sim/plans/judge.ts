// What must hold when a plan is over: each link is moved once or not touched, its generation says so, everything came in its turn,
// and the report says what the runs of the links say. The oracles look at the logs of the clusters, not through ports.
import { isDeepStrictEqual } from 'node:util'
import { planReportOf, resultOf } from '../../../src/engine/plans/report.ts'
import { isLink } from '../../../src/engine/plans/steps.ts'
import { reportOf } from '../../../src/engine/runs/report.ts'
import {
  type LinkStep,
  type PlanRunRecord,
  type PlanRunReport,
  type PlanShape,
  type PlanStep,
  readPlanRuns,
  readPlanSteps,
} from '../../../src/model/plan-runs.ts'
import { readRuns, readSteps } from '../../../src/model/run-records.ts'
import type { RunReport } from '../../../src/model/runs.ts'
import { type LinkRecord, linkKey } from '../../../src/model/state-records.ts'
import { JOURNAL_TOPIC, STATE_TOPIC } from '../../../src/state/topic-store.ts'
import { idOf, type PlanningWorld, type SimLink } from './world.ts'

export type Outcome = { readonly record: PlanRunRecord; readonly steps: readonly PlanStep[] }

/** The newest run of the plan; undefined: there is none. */
export function outcomeOf(world: PlanningWorld): Outcome | undefined {
  const all = [...world.clusters.keys()].flatMap(name => {
    const journal = world.recordsOf(name, JOURNAL_TOPIC)
    return readPlanRuns(journal).map(record => ({ record, steps: readPlanSteps(journal, record.run) }))
  })
  return all.toSorted((a, b) => b.record.startedAt - a.record.startedAt)[0]
}

export function runsOf(world: PlanningWorld): Map<string, RunReport> {
  const all = [...world.clusters.keys()].flatMap(name => {
    const journal = world.recordsOf(name, JOURNAL_TOPIC)
    return readRuns(journal).map(record => reportOf(record, readSteps(journal, record.run)))
  })
  return new Map(all.map(report => [report.run, report]))
}

export function judge(
  world: PlanningWorld,
  shape: PlanShape,
  last: PlanRunReport | undefined,
): readonly string[] {
  const outcome = outcomeOf(world)
  if (outcome === undefined) return ['there is no run of the plan']
  const runs = runsOf(world)
  return [
    ...judgeState(outcome),
    ...outcome.steps.filter(isLink).flatMap(step => judgeLink(world, step, runs)),
    ...judgeOrder(world, shape, outcome),
    ...judgeReport(world, { outcome, runs, last }),
  ]
}

function judgeState({ record, steps }: Outcome): string[] {
  if (record.state === 'aborted') return []
  if (record.state !== 'done') return [`the plan is ${record.state}: ${record.sentence ?? ''}`]
  return steps
    .filter(({ state }) => state !== 'done' && state !== 'skipped')
    .map(({ link, kind, state }) => `the plan is done, and ${kind} ${link} is ${state}`)
}

/** All that was ever said of the link, by the cluster that says it first. */
function movesOf(world: PlanningWorld, { name, source, target }: SimLink): LinkRecord[] {
  const told = [source, target].flatMap(cluster =>
    world
      .historyOf(cluster, STATE_TOPIC)
      .flatMap(([key, record]) => (key === linkKey(name) ? [record as LinkRecord] : [])),
  )
  const moves = new Map(told.map(record => [`${record.generation} ${record.run ?? ''}`, record]))
  return [...moves.values()].toSorted((a, b) => a.generation - b.generation).slice(1)
}

function judgeLink(world: PlanningWorld, step: LinkStep, runs: ReadonlyMap<string, RunReport>): string[] {
  const link = world.links.get(step.link)!
  const wrong: string[] = []
  const say = (text: string): void => void wrong.push(`link "${link.name}" ${text}`)
  const first = world.recordOf(link).generation
  const moves = movesOf(world, link)
  moves.forEach(({ generation, run }, index) => {
    if (generation !== first + 1 + index) say(`is moved to generation ${generation} by "${run ?? ''}"`)
  })
  const own = [...runs.values()].filter(({ scope }) => scope.links[0] === link.name)
  for (const { run, state } of own)
    if (state !== 'done' && state !== 'aborted') say(`has a run that is ${state}: ${run}`)
  const done = own.filter(({ state }) => state === 'done').map(({ run }) => run)
  const moved = moves.map(({ run }) => run ?? '')
  if (!isDeepStrictEqual(done.toSorted(), moved.toSorted()))
    say(`was moved by ${moved.join(', ')}, and the runs that are done are ${done.join(', ')}`)
  if (moves.length > 1) say(`was moved ${moves.length} times: ${moved.join(', ')}`)
  const leadsTo = moves.length === 0 ? link.active : link.standby
  if (link.leadsTo !== leadsTo) say(`leads its applications to "${link.leadsTo}", not to "${leadsTo}"`)
  if (link.isFenced) say('keeps its applications from writing')
  const now = moves.at(-1)?.sourceClusterId ?? idOf(link.active)
  if (now !== idOf(leadsTo)) say(`is active at "${now}"`)
  // Moved by the plan, or by somebody by itself; then the plan says that it has passed it by, or that it could not go on.
  const isMoved = step.run !== undefined && moved.includes(step.run)
  if (world.options.kind === 'failback' && isMoved && leadsTo !== link.source)
    say('was taken away from home by a failback')
  if (step.state === 'done' && !isMoved) say('is done, and was not moved by its run')
  if ((step.state === 'skipped' || step.state === 'waiting') && isMoved)
    say(`is ${step.state}, and was moved by the plan`)
  return wrong
}

function judgeOrder(
  world: PlanningWorld,
  { stages, gates }: PlanShape,
  { record, steps }: Outcome,
): string[] {
  const wrong: string[] = []
  const mine = new Set(steps.filter(isLink).flatMap(({ run }) => run ?? []))
  const timesOf = (links: readonly string[]): number[] =>
    world.acts.filter(({ run, link }) => mine.has(run) && links.includes(link)).map(({ at }) => at)
  const startedAt = record.startedAt - (world.clock.now() - world.clock.monotonic())
  let before = startedAt
  for (const [stage, links] of stages.entries()) {
    const times = timesOf(links)
    const begun = Math.min(...times)
    if (times.length === 0) continue
    if (begun < before) wrong.push(`stage ${stage} begins at ${begun}, before ${before}`)
    for (const step of steps.filter(isLink))
      if (step.stage < stage && step.state !== 'done' && step.state !== 'skipped')
        wrong.push(`stage ${stage} has begun, and link "${step.link}" is ${step.state}`)
    for (const gate of gates.filter(each => links.includes(each.before))) {
      const isOpen =
        gate.kind === 'wait'
          ? begun >= before + gate.ms
          : gate.kind === 'at'
            ? world.clock.now() - world.clock.monotonic() + begun >= Date.parse(gate.at)
            : world.passed.some(
                each =>
                  each.gate === (gate.kind === 'ask' ? gate.question : gate.command) &&
                  each.at >= before &&
                  each.at <= begun,
              )
      if (!isOpen) wrong.push(`stage ${stage} begins at ${begun}, and the gate (${gate.kind}) was not passed`)
    }
    before = Math.max(before, ...times)
  }
  return wrong
}

/** `last`: what the controller that came to the end has said. */
function judgeReport(
  world: PlanningWorld,
  {
    outcome: { record, steps },
    runs,
    last,
  }: {
    readonly outcome: Outcome
    readonly runs: ReadonlyMap<string, RunReport>
    readonly last: PlanRunReport | undefined
  },
): string[] {
  const wrong: string[] = []
  const report = planReportOf(record, steps)
  if (last !== undefined && !isDeepStrictEqual(last, report))
    wrong.push(`the controller reports ${JSON.stringify(last)}, the journal ${JSON.stringify(report)}`)
  for (const step of steps.filter(isLink)) {
    const own = step.run === undefined ? undefined : runs.get(step.run)
    if (step.state !== 'done' || own === undefined) continue
    if (!isDeepStrictEqual(step.result, resultOf(own)))
      wrong.push(
        `of link "${step.link}" the plan says ${JSON.stringify(step.result)}, its run ${JSON.stringify(resultOf(own))}`,
      )
  }
  const counted = steps.filter(isLink).filter(({ state }) => state === 'done')
  const lost = counted.reduce((sum, { link }) => {
    const { end, held } = world.links.get(link)!
    return sum + end - held
  }, 0)
  if (record.state === 'done' && report.rpo.records !== lost)
    wrong.push(`${report.rpo.records} records are reported as lost, and it was ${lost}`)
  const redirects = world.acts.filter(
    ({ what, run }) => what === 'redirect' && counted.some(step => step.run === run),
  )
  const led = Math.max(0, ...redirects.map(({ at }) => at)) + world.clock.now() - world.clock.monotonic()
  if (record.state === 'done' && redirects.length > 0 && record.startedAt + report.rto.ms < led)
    wrong.push(
      `an RTO of ${report.rto.ms} ms is reported, and applications could write ${led - record.startedAt} ms after the start`,
    )
  return wrong
}
