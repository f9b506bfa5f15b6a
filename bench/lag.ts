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
  const { workload } = await judge.startWorkload({
    ...stage.sourceAt,
    topic,
    rate: of.recordsPerSecond,
    sizeBytes: of.recordBytes,
  })
  try {
    await awaitTarget({ stage, programs, topic, sum: 1 })
    const { lag } = await judge.startLag({ source: stage.sourceAt, target: stage.targetAt, topic, workload })
    await awaitCaughtUp(stage, lag, of.recordsPerSecond)
    await sleep(of.warmUpSeconds * 1_000)
    const fromMs = Date.now()
    const { sent: from } = await judge.workload({ workload })
    await sleep(of.seconds * 1_000)
    const { sent: to } = await judge.workload({ workload })
    const toMs = Date.now()
    await awaitSeen(stage, lag, to)
    for (const program of programs) program.check()
    const report = await judge.stopLag({ lag, from, to })
    // Those that never came would be the slowest: without them the percentiles would flatter.
    if (report.missing > 0)
      throw new Error(`${report.missing} of ${to - from} records could not be read at the target in time`)
    return { ...report, ...costsOf(programs, fromMs, toMs) }
  } finally {
    await judge.stopWorkload({ workload })
  }
}

/** Of what was written while the contender started: its lag is not the one of a steady stream. */
async function awaitCaughtUp({ judge }: Stage, lag: string, recordsPerSecond: number): Promise<void> {
  await waitUntil(async () => {
    const { source, target } = await judge.lagSeen({ lag })
    return target > 0 && source - target < recordsPerSecond
  })
}

/** What is still missing then is told by the report. */
async function awaitSeen({ judge }: Stage, lag: string, count: number): Promise<void> {
  await waitUntil(async () => (await judge.lagSeen({ lag })).target >= count)
}

async function waitUntil(isReached: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + SETTLE_MS
  while (!(await isReached()) && Date.now() < deadline) await sleep(100)
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
