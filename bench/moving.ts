// How long applications wait when a link moves: `kdr switchover`, and, with topics of its own, `kdr failover` from a cluster
// that does not answer. What the run's own report says is held against the time of the command; `kdr run` lives all the while.

import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { LinkStatus } from '../src/engine/status/status.ts'
import type { RunKind, RunReport } from '../src/model/runs.ts'
import type { MoveCase } from './cases.ts'
import { KDR } from './contenders/kdr.ts'
import { topOfProfiles } from './profile.ts'
import { Program } from './program.ts'
import type { CaseReport, MoveFigures } from './report.ts'
import { type Say, takeTurns } from './rounds.ts'
import type { Settings } from './settings.ts'
import type { Stage } from './stage.ts'

/** Nothing listens there. */
const DARK = 'localhost:1'
const IN_STEP_LIMIT_MS = 5 * 60_000
const MOVE_LIMIT_MS = 5 * 60_000
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024
/** Requests of the judge on the way. */
const AT_ONCE = 50

/** One move. Everything of it has this name, or begins with it. */
type Round = {
  readonly kind: RunKind
  readonly name: string
  readonly config: string
  readonly darkConfig: string
}

export async function measureMoving(
  stage: Stage,
  of: MoveCase,
  { settings, say }: { readonly settings: Settings; readonly say: Say },
): Promise<CaseReport> {
  const attempts = await takeTurns(
    of.contenders,
    { rounds: settings.rounds, say },
    async (_contender, index) => {
      const there = await moveOnce(stage, of, { kind: 'switchover', index, settings, say })
      const home = await moveOnce(stage, of, { kind: 'failover', index, settings, say })
      const watchSeconds = watchOf(there.report)
      const switchoverSeconds = there.report.rto.ms / 1_000
      return {
        switchoverSeconds,
        watchSeconds,
        switchoverOwnSeconds: switchoverSeconds - watchSeconds,
        switchoverCommandSeconds: there.seconds,
        failoverSeconds: home.report.rto.ms / 1_000,
        failoverCommandSeconds: home.seconds,
        ...stepsOf(there.report),
        ...stepsOf(home.report),
      }
    },
  )
  return { kind: 'move', of, attempts }
}

type Moving = {
  readonly kind: RunKind
  readonly index: number
  readonly settings: Settings
  readonly say: Say
}
type Moved = { readonly report: RunReport; readonly seconds: number }

async function moveOnce(stage: Stage, of: MoveCase, { kind, index, settings, say }: Moving): Promise<Moved> {
  const round = makeRound(stage, kind, `${of.name}-${kind}-${index}`)
  const { name, config } = round
  await fill(stage, of, name)
  const daemon = new Program({
    name: 'kdr',
    command: KDR,
    args: ['run', '--config', config],
    logFile: join(stage.dir, `${name}.log`),
    mode: 'daemon',
  })
  try {
    await untilInStep(of, config, daemon)
    const profiles = settings.isProfiling ? join(stage.dir, `${name}.profiles`) : undefined
    const moved = await move(round, profiles)
    if (profiles !== undefined) say(topOfProfiles(profiles))
    return moved
  } finally {
    await daemon.stop()
    await clean(stage, name)
  }
}

/** JSON is YAML. */
function makeRound({ dir, sourceAt, targetAt }: Stage, kind: RunKind, name: string): Round {
  const write = (file: string, source: string): string => {
    const path = join(dir, file)
    const clusters = { source: { bootstrap: source }, target: { bootstrap: targetAt.bootstrap } }
    const link = {
      source: 'source',
      target: 'target',
      topics: [`${name}-*`],
      groups: [`${name}-*`],
      fence: { command: 'true' },
    }
    writeFileSync(path, JSON.stringify({ clusters, links: { [name]: link } }))
    return path
  }
  const config = write(`${name}.json`, sourceAt.bootstrap)
  return { kind, name, config, darkConfig: write(`${name}-dark.json`, DARK) }
}

async function fill({ judge, sourceAt }: Stage, of: MoveCase, name: string): Promise<void> {
  const topics = Array.from({ length: of.topics }, (_, index) => `${name}-${index}`)
  const { partitionsPerTopic: partitions, recordsPerPartition, offsetsPerGroup } = of
  const { producer } = await judge.openProducer({ ...sourceAt, lingerMs: 0 })
  await inParts(topics, async topic => {
    // A config that the mirrors are not to have before they are promoted.
    await judge.createTopic({ ...sourceAt, topic, partitions, configs: { 'retention.ms': '86400000' } })
    for (let partition = 0; partition < partitions; partition++)
      await judge.send({ producer, topic, partition, count: recordsPerPartition })
  })
  await judge.closeProducer({ producer })
  const all = topics.flatMap(topic =>
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
  )
  const groups = Array.from({ length: of.groups }, (_, index) => index)
  await inParts(groups, async group => {
    const offsets = Array.from({ length: offsetsPerGroup }, (_, index) => ({
      ...all[(group * offsetsPerGroup + index) % all.length]!,
      offset: recordsPerPartition - 1,
    }))
    await judge.alterGroupOffsets({ ...sourceAt, group: `${name}-group-${group}`, offsets })
  })
}

async function inParts<T>(all: readonly T[], act: (each: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < all.length; from += AT_ONCE)
    await Promise.all(all.slice(from, from + AT_ONCE).map(act))
}

function stepsOf({ kind, steps }: RunReport): Partial<MoveFigures> {
  return Object.fromEntries(steps.map(({ name, ms }) => [`${kind} ${name}`, ms]))
}

/** As the step says: only the time in which nothing may be written, and none of the looks around it. */
function watchOf({ steps }: RunReport): number {
  const said = steps.find(({ name }) => name === 'fence-applications')?.what ?? ''
  const ms = /nothing was written there for (\d+) ms/.exec(said)?.[1]
  if (ms === undefined) throw new Error(`the applications were not fenced: ${said}`)
  return Number(ms) / 1_000
}

/** Everything is mirrored, and the groups stand where they stand at the source. */
async function untilInStep(of: MoveCase, config: string, daemon: Program): Promise<void> {
  const deadline = Date.now() + IN_STEP_LIMIT_MS
  for (let seen = ''; ; ) {
    daemon.check()
    const { output } = await kdr(['status', '--config', config, '--json'])
    // Before the link has run for the first time there is no status.
    const status = output.startsWith('{')
      ? (JSON.parse(output) as { links?: LinkStatus[] }).links?.[0]
      : undefined
    if (status !== undefined) {
      const { state, lagRecords, topics, groups } = status
      const mirrored = topics.filter(each => each.state === 'mirroring').length
      const synced = groups.filter(each => each.state === 'synced').length
      seen = `${state}, ${String(lagRecords)} behind, ${mirrored} topics, ${synced} groups`
      const isWhole = mirrored === of.topics && synced === of.groups
      if (state === 'mirroring' && lagRecords === 0 && isWhole) return
    }
    if (Date.now() > deadline) throw new Error(`not in step after ${IN_STEP_LIMIT_MS / 1_000} s: ${seen}`)
    await sleep(1_000)
  }
}

async function move({ kind, name, config, darkConfig }: Round, profiles: string | undefined): Promise<Moved> {
  const args = [kind, name, '--yes', '--json', '--config', kind === 'failover' ? darkConfig : config]
  const { output, problem, seconds } = await kdr(args, profiles)
  const report = output.startsWith('{') ? (JSON.parse(output) as RunReport) : undefined
  if (report?.state !== 'done') throw new Error(`${kind}: ${report?.sentence ?? problem ?? output}`)
  return { report, seconds }
}

type Ran = { readonly output: string; readonly problem: string | undefined; readonly seconds: number }

/** `profiles`: where to, if it is to be profiled. */
async function kdr(args: readonly string[], profiles?: string): Promise<Ran> {
  const startedAt = performance.now()
  const env = {
    ...process.env,
    ...(profiles !== undefined && { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles}` }),
  }
  const options = { env, timeout: MOVE_LIMIT_MS, maxBuffer: MAX_OUTPUT_BYTES }
  const seconds = (): number => (performance.now() - startedAt) / 1_000
  try {
    const { stdout } = await promisify(execFile)(KDR, args, options)
    return { output: stdout, problem: undefined, seconds: seconds() }
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string }
    return { output: stdout, problem: stderr.trim() || String(error), seconds: seconds() }
  }
}

/** What kdr keeps goes too: a link of that name, and what it has brought where, would stand in the way of the next one. */
async function clean(stage: Stage, name: string): Promise<void> {
  for (const at of [stage.sourceAt, stage.targetAt]) {
    const isOurs = (topic: string): boolean => topic.startsWith(`${name}-`) || topic.startsWith('_kdr.')
    const topics = (await stage.judge.listTopics(at)).filter(isOurs)
    if (topics.length > 0) await stage.judge.deleteTopics({ ...at, topics })
  }
}
