// A plan of the config in the shape in which it is carried out, and what no single value of it shows.
import type { Gate } from '../model/plan-runs.ts'
import type { PlanConfig } from './config.ts'
import type { Path } from './json-schema.ts'
import type { ParsedPlan } from './schema-plan.ts'

export function planOf(plan: ParsedPlan, name: string): PlanConfig {
  const stages = plan.links.map(each => (typeof each === 'string' ? [each] : each))
  return {
    name,
    stages,
    links: stages.flat(),
    topics: plan.topics,
    gates: plan.gates.map(gateOf),
    decides: plan.decides,
    objectives: { rpoMs: plan.objectives.rpo, rtoMs: plan.objectives.rto },
  }
}

/** The schema has seen to it that there is exactly one of them. */
function gateOf({ before, ask, command, wait, at = '' }: ParsedPlan['gates'][number]): Gate {
  if (ask !== undefined) return { before, kind: 'ask', question: ask }
  if (command !== undefined) return { before, kind: 'command', command }
  if (wait !== undefined) return { before, kind: 'wait', ms: wait }
  return { before, kind: 'at', at }
}

export function checkPlan(
  plan: ParsedPlan,
  { name, links }: { readonly name: string; readonly links: readonly string[] },
  report: (path: Path, message: string) => void,
): void {
  const here = ['plans', name]
  if (links.includes(name))
    report(here, `\`${name}\` is a link too: commands could not tell which one is meant`)
  const own = new Set<string>()
  for (const [index, each] of plan.links.entries())
    for (const [inner, link] of (typeof each === 'string' ? [each] : each).entries()) {
      const path = [...here, 'links', index, ...(typeof each === 'string' ? [] : [inner])]
      if (own.has(link)) report(path, `\`${link}\` is in the plan twice`)
      own.add(link)
    }
  const assertOwn = (link: string, path: Path): void => {
    if (!own.has(link)) report(path, `\`${link}\` is not among the links of the plan`)
  }
  for (const [index, { before }] of plan.gates.entries())
    assertOwn(before, [...here, 'gates', index, 'before'])
  for (const link of Object.keys(plan.topics)) assertOwn(link, [...here, 'topics', link])
}
