// A steady stream of records, and how much later each of them can be read at the target than at the source: two
// consumers of one process, by one clock.

import { setTimeout as sleep } from 'node:timers/promises'
import type { LagCase } from './cases.ts'
import { awaitTarget, cleanTarget, MIRRORS } from './copying.ts'
import type { MirrorJob } from './contenders/mirror.ts'
import type { Program } from './program.ts'
import type { CaseReport, LagFigures } from './report.ts'
import { type Say, takeTurns } from './rounds.ts'
import type { Settings } from './settings.ts'
import type { Stage } from './stage.ts'

/** For the first and the last records to come out at the target. */
const SETTLE_MS = 120_000

export async function measureLag(
  stage: Stage,
  of: LagCase,
  { settings, say }: { readonly settings: Settings; readonly say: Say },
): Promise<CaseReport> {
  const attempts = await takeTurns(
    of.contenders,
    { rounds: settings.rounds, say },
    async (contender, round) => {
      if (contender === 'follower') throw new Error('a follower is read through its leader')
      const topic = `bench-${of.name}-${contender}-${round}`
      await stage.judge.createTopic({ ...stage.sourceAt, topic, partitions: of.partitions, replicas: [[1]] })
      const job = jobOf(stage, of, { topic, isProfiled: settings.isProfiling })
      const programs = await MIRRORS[contender].start(job, 'follow')
      try {
        const figures = await streamThrough(stage, of, { topic, programs })
        await Promise.all(programs.map(async program => await program.finish()))
        say(MIRRORS[contender].explain(job))
        return figures
      } finally {
        await Promise.all(programs.map(async program => await program.stop()))
        await cleanTarget(stage, topic)
        await stage.judge.deleteTopic({ ...stage.sourceAt, topic })
      }
    },
  )
  return { kind: 'lag', of, attempts }
}

type Streaming = { readonly topic: string; readonly programs: readonly Program[] }

async function streamThrough(stage: Stage, of: LagCase, { topic, programs }: Streaming): Promise<LagFigures> {
  const { judge } = stage
  // The stream begins when the contender is at work everywhere, so that it has no backlog to begin with.
  await judge.produce({ ...stage.sourceAt, topic, count: of.partitions })
  await awaitTarget({ stage, programs, topic, sum: of.partitions })
  const { workload } = await judge.startWorkload({
    ...stage.sourceAt,
    topic,
    rate: of.recordsPerSecond,
    sizeBytes: of.recordBytes,
  })
  try {
    const { lag } = await judge.startLag({ source: stage.sourceAt, target: stage.targetAt, topic, workload })
    const span = await passSpan(stage, of, { lag, workload }).catch(async (error: unknown) => {
      await judge.stopLag({ lag, from: 0, to: 0 })
      throw error
    })
    for (const program of programs) program.check()
    const { from, to, fromMs, toMs } = span
    const report = await judge.stopLag({ lag, from, to })
    // Those that never came would be the slowest: without them the percentiles would flatter.
    if (report.missing > 0)
      throw new Error(`${report.missing} of ${to - from} records could not be read at the target in time`)
    return { ...report, ...costsOf(programs, fromMs, toMs) }
  } finally {
    await judge.stopWorkload({ workload })
  }
}

type Handles = { readonly lag: string; readonly workload: string }
type Span = { readonly from: number; readonly to: number; readonly fromMs: number; readonly toMs: number }

/** Until the records that count have been written, and seen. */
async function passSpan(stage: Stage, of: LagCase, handles: Handles): Promise<Span> {
  const sent = async (): Promise<number> => (await stage.judge.workload(handles)).sent
  await sleep(of.warmUpSeconds * 1_000)
  await awaitCaughtUp(stage, of, handles)
  const fromMs = Date.now()
  const from = await sent()
  await sleep(of.seconds * 1_000)
  const to = await sent()
  const toMs = Date.now()
  await awaitSeen(stage, handles.lag, to)
  return { from, to, fromMs, toMs }
}

/** With what came while it was cold: the lag of a backlog is not the one of a steady stream. */
async function awaitCaughtUp(
  { judge }: Stage,
  { recordsPerSecond }: LagCase,
  { lag, workload }: Handles,
): Promise<void> {
  const isSteady = await waitUntil(async () => {
    const { sent } = await judge.workload({ workload })
    return sent - (await judge.lagSeen({ lag })).target < recordsPerSecond
  })
  if (!isSteady) throw new Error(`it did not catch up with ${recordsPerSecond} records a second in time`)
}

/** What is still missing then is told by the report. */
async function awaitSeen({ judge }: Stage, lag: string, count: number): Promise<void> {
  await waitUntil(async () => (await judge.lagSeen({ lag })).target >= count)
}

/** False when it was not so in time. */
async function waitUntil(isReached: () => Promise<boolean>): Promise<boolean> {
  const deadline = Date.now() + SETTLE_MS
  while (!(await isReached())) {
    if (Date.now() > deadline) return false
    await sleep(100)
  }
  return true
}

/** In percent of one core, and the largest memory so far. */
export function costsOf(
  programs: readonly Program[],
  fromMs: number,
  toMs: number,
): { readonly cpuPercent: number; readonly peakMb: number } {
  const cpuSeconds = programs.reduce((sum, program) => sum + program.cpuSeconds(fromMs, toMs), 0)
  return {
    cpuPercent: (cpuSeconds / (toMs - fromMs)) * 1_000 * 100,
    peakMb: programs.reduce((sum, program) => sum + program.peakMb, 0),
  }
}

type Job = { readonly topic: string; readonly isProfiled: boolean }

function jobOf(stage: Stage, of: LagCase, { topic, isProfiled }: Job): MirrorJob {
  return {
    label: topic,
    source: stage.linkSourceAt,
    target: stage.targetAt,
    topics: topic,
    partitions: of.partitions,
    replicationFactor: stage.replicationFactor,
    compression: 'none',
    aim: 'lag',
    dir: stage.dir,
    workers: 1,
    isProfiled,
  }
}
