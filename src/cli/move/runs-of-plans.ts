// kdr runs show | abort for runs of plans. Giving one up leaves its links where they are: each has a run of its own.
import type { Config } from '../../config/index.ts'
import { type App, writeJson } from '../app.ts'
import { approve } from '../approve.ts'
import { planHtml } from './plan-html.ts'
import { planReportText } from './plan-text.ts'
import type { AbortOptions, Format } from './runs.ts'
import { styleOf } from '../table.ts'

/** False: it is no plan's. */
export async function showPlanRun(
  app: App,
  config: Config,
  { run, format }: { readonly run: string; readonly format: Format },
): Promise<boolean> {
  if (!mayBeOfPlan(config, run)) return false
  const report = await app.services.readPlanRun(config, run)
  if (report === undefined) return false
  switch (format) {
    case 'json':
      writeJson(app, report)
      break
    case 'html':
      app.stdout.write(planHtml(report))
      break
    case 'text':
      app.stdout.write(planReportText(report, styleOf(app.stdout, app.env)))
      break
  }
  return true
}

/** False: it is no plan's. */
export async function abortPlanRun(
  app: App,
  config: Config,
  { run, options }: { readonly run: string; readonly options: AbortOptions },
): Promise<boolean> {
  if (!mayBeOfPlan(config, run)) return false
  const before = await app.services.readPlanRun(config, run)
  if (before === undefined) return false
  const { plan } = before.scope
  const change = `run "${run}" of plan "${plan}" is given up: its links stay where they are, and those that have not begun are not moved`
  ;(options.json === true ? app.stderr : app.stdout).write(`${change}\n`)
  if (options.dryRun === true) {
    if (options.json === true) writeJson(app, { ...before, dryRun: true })
    else app.stdout.write('dry run: nothing was changed\n')
    return true
  }
  await approve(app, { yes: options.yes === true, name: plan, change })
  const { reason } = options
  const report = await app.services.abortPlanRun(config, run, {
    takeOver: options.takeOver === true,
    ...(reason !== undefined && { reason }),
    signal: app.signal,
  })
  if (report === undefined) return false
  if (options.json === true) writeJson(app, { ...report, dryRun: false })
  else app.stdout.write(`\n${planReportText(report, styleOf(app.stdout, app.env))}`)
  return true
}

/** Its id begins with the name of its plan. Nobody waits for clusters that keep silent to learn that a link's run is no plan's. */
function mayBeOfPlan({ plans }: Config, run: string): boolean {
  return Object.keys(plans).some(name => run.startsWith(`${name}-`))
}
