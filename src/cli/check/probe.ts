// kdr check --probe: how long followers take, leader by leader. It makes a topic and deletes it again, so it is shown and approved first.
import type { Config } from '../../config/index.ts'
import type { Probe, ProbedLeader } from '../../engine/check/probe.ts'
import { findKdrError, KdrError } from '../../model/errors.ts'
import { type App, writeJson } from '../app.ts'
import { approve } from '../approve.ts'
import { formatTable, type Style, styleOf } from '../table.ts'
import { wrap } from '../wrap.ts'

export type ProbeOptions = {
  /** All of the config when empty. */
  readonly clusters: readonly string[]
  readonly yes: boolean
  readonly isDry: boolean
  readonly isJson: boolean
}

type ProbedCluster = Probe | { readonly cluster: string; readonly why: string }

/** Exit 3 where a leader could not be probed. Throws KdrError: usage, approval-needed, interrupted. */
export async function runProbe(
  app: App,
  config: Config,
  { clusters, yes, isDry, isJson }: ProbeOptions,
): Promise<void> {
  const known = Object.keys(config.clusters)
  const names = clusters.length === 0 ? known : clusters
  const unknown = names.find(name => !known.includes(name))
  if (unknown !== undefined)
    throw new KdrError('usage', `the config has no cluster "${unknown}"`, {
      hint: `It has: ${known.join(', ')}.`,
    })
  const name = names.join(',')
  const change = `a topic "_kdr.probe" with a partition for each broker is made at ${name}, written to for some seconds, and deleted`
  ;(isJson ? app.stderr : app.stdout).write(wrap(change, ''))
  if (!isDry) await approve(app, { yes, name, change })
  const probes: ProbedCluster[] = []
  for (const cluster of isDry ? [] : names) probes.push(await probed(app, config, cluster))
  if (isJson) writeJson(app, { dryRun: isDry, probes })
  else if (isDry) app.stdout.write('dry run: nothing was changed\n')
  else app.stdout.write(`\n${probes.map(each => probeText(each, styleOf(app.stdout, app.env))).join('\n')}`)
  if (probes.some(isPartial)) app.exit = 3
}

const isPartial = (each: ProbedCluster): boolean =>
  'why' in each || each.leaders.some(leader => 'why' in leader)

async function probed(app: App, config: Config, cluster: string): Promise<ProbedCluster> {
  try {
    return await app.services.probeCluster(config, cluster, app.signal)
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined || known.code === 'interrupted') throw error
    return { cluster, why: known.message }
  }
}

function probeText(each: ProbedCluster, style: Style): string {
  if ('why' in each) return wrap(`${each.cluster}: ${style.red('not probed')}: ${each.why}`, '  ', '')
  const columns = [
    { title: 'LEADER', align: 'right' },
    { title: 'IN SYNC', align: 'right' },
    { title: 'ACKS=1', align: 'right' },
    { title: 'ACKS=ALL', align: 'right' },
    { title: 'FOLLOWERS ADD', align: 'right' },
  ] as const
  const rows = each.leaders.flatMap(leader => ('why' in leader ? [] : [rowOf(leader)]))
  const others = each.leaders.flatMap(leader =>
    'why' in leader ? [wrap(`broker ${leader.broker}: ${leader.why}`, '    ', '  - ')] : [],
  )
  return `medians of ${each.cluster}:\n${formatTable(columns, rows, style)}${others.join('')}`
}

function rowOf(leader: Exclude<ProbedLeader, { readonly why: string }>): string[] {
  const { broker, inSync, acksOneMs, acksAllMs, differenceMs } = leader
  return [
    String(broker),
    String(inSync),
    ...[acksOneMs, acksAllMs, differenceMs].map(ms => `${ms.toFixed(2)} ms`),
  ]
}
