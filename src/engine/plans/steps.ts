// The steps of a plan's run: gates and links in the order in which they are taken. Pure.
import { KdrError } from '../../model/errors.ts'
import type { GateStep, LinkStep, PlannedLink, PlanShape, PlanStep } from '../../model/plan-runs.ts'

/** `planned`: all links of the plan, as they were observed. */
export function stepsOf({ stages, gates, topics }: PlanShape, planned: readonly PlannedLink[]): PlanStep[] {
  const known = new Map(planned.map(each => [each.link, each]))
  const waiting = { state: 'waiting', startedAt: 0, ms: 0 } as const
  const gateOf = (gate: PlanShape['gates'][number], stage: number): Omit<GateStep, 'index'> => ({
    kind: 'gate',
    gate: gate.kind,
    link: gate.before,
    stage,
    ...waiting,
    what: '',
  })
  const linkOf = (link: string, stage: number): Omit<LinkStep, 'index'> => {
    const { plan, passedBy } = known.get(link) ?? {}
    return {
      kind: 'link',
      link,
      stage,
      active: plan?.active ?? '',
      standby: plan?.standby ?? '',
      ...waiting,
      ...(passedBy !== undefined && { state: 'skipped' as const }),
      what: passedBy ?? '',
      ...(topics[link] !== undefined && { topics: topics[link] }),
    }
  }
  return stages
    .flatMap((links, stage) => [
      ...gates.filter(({ before }) => links.includes(before)).map(gate => gateOf(gate, stage)),
      ...links.map(link => linkOf(link, stage)),
    ])
    .map((step, index) => ({ ...step, index }))
}

/** The plan with these links alone, and the gates before them. `topics`: what chooses them; all topics of each must be among these. */
export function restrict<T extends PlanShape & { readonly links: readonly string[] }>(
  plan: T,
  links: readonly string[],
  topics: readonly string[],
): T {
  const isKept = (link: string): boolean => links.includes(link)
  return {
    ...plan,
    links: plan.links.filter(isKept),
    stages: plan.stages.map(stage => stage.filter(isKept)).filter(stage => stage.length > 0),
    gates: plan.gates.filter(({ before }) => isKept(before)),
    topics: Object.fromEntries(links.map(link => [link, topics])),
  }
}

/** What was approved when it began is what goes on. Throws KdrError('usage') where the config says something else by now. */
export function assertSamePlan(
  steps: readonly PlanStep[],
  shape: PlanShape,
  { run, kind }: { readonly run: string; readonly kind: string },
): void {
  const wordOf = (step: PlanStep): string =>
    step.kind === 'gate'
      ? `${step.stage} gate ${step.gate} ${step.link}`
      : `${step.stage} link ${step.link} ${(step.topics ?? []).join(' ')}`
  const now = stepsOf(shape, [])
  if (now.map(wordOf).join('\n') === steps.map(wordOf).join('\n')) return
  const left = steps.filter(step => step.kind === 'link' && step.state !== 'done' && step.state !== 'skipped')
  throw new KdrError('usage', `plan "${shape.name}" is not what it was when run "${run}" began`, {
    hint: `Take the change back, or give the run up (kdr runs abort ${run}) and move what is left by itself: ${left.map(({ link }) => `kdr ${kind} ${link}`).join('; ')}`,
  })
}

export const isLink = (step: PlanStep): step is LinkStep => step.kind === 'link'
export const isOver = ({ state }: Pick<PlanStep, 'state'>): boolean => state === 'done' || state === 'skipped'
