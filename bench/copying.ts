// A backlog, copied by each contender in turn. All are watched in the same way: the judge looks at the target's high
// watermarks every 20 ms; the follower, whose log is the source's byte for byte, is watched by the size of its files.

import type { ContenderName, CopyCase } from './cases.ts'
import { follow, unfollow } from './contenders/follower.ts'
import { kdr } from './contenders/kdr.ts'
import type { Mirror, MirrorJob } from './contenders/mirror.ts'
import { mirrormaker } from './contenders/mirrormaker.ts'
import { produce } from './contenders/produce.ts'
import { type Made, makeData } from './data.ts'
import { CpuWatch } from './measure.ts'
import type { Program } from './program.ts'
import type { CaseReport, CopyFigures } from './report.ts'
import { type Say, takeTurns } from './rounds.ts'
import type { Settings } from './settings.ts'
import type { Stage } from './stage.ts'

const ATTEMPT_LIMIT_MS = 15 * 60_000
/** How long the judge looks before this process has a look at the contender. */
const SLICE_MS = 5_000
/** More than this of the backlog must come after the first look, or the figure would be guessed. */
const SEEN_LATE = 0.5

export const MIRRORS = { kdr, mirrormaker, produce } as const

export async function measureCopying(
  stage: Stage,
  of: CopyCase,
  { settings, say }: { readonly settings: Settings; readonly say: Say },
): Promise<CaseReport> {
  const data = await makeData(stage, of, settings.sizeMb)
  say(`  ${data.records} records, ${(data.bytes / 1e6).toFixed(0)} MB in the source's logs`)
  const attempt = async (contender: ContenderName, round: number): Promise<CopyFigures> => {
    if (contender === 'follower') return await followOnce(stage, data.topic)
    const job = jobOf({ stage, of, data, settings, round })
    return await mirrorOnce(stage, MIRRORS[contender], { job, data, say })
  }
  await warmUp(stage, { of, data, settings, say })
  const attempts = await takeTurns(of.contenders, { rounds: settings.rounds, say }, attempt)
  await stage.judge.deleteTopic({ ...stage.sourceAt, topic: data.topic })
  return { kind: 'copy', of, data, attempts }
}

/** Stages whose brokers have had a whole backlog. */
const WARM = new WeakSet<Stage>()

/** A JVM that has just begun is slow: whoever comes first in the first case would pay for that. */
async function warmUp(
  stage: Stage,
  { of, data, settings, say }: Omit<JobSpec, 'stage' | 'round'> & { readonly say: Say },
): Promise<void> {
  if (WARM.has(stage)) return
  WARM.add(stage)
  const job = jobOf({ stage, of, data, settings, round: 0 })
  const { seconds } = await mirrorOnce(stage, kdr, { job, data, say })
  say(`  not counted, the brokers have just begun: ${seconds.toFixed(1)} s`)
}

type JobSpec = {
  readonly stage: Stage
  readonly of: CopyCase
  readonly data: Made
  readonly settings: Settings
  readonly round: number
}

function jobOf({ stage, of, data, settings, round }: JobSpec): MirrorJob {
  return {
    label: `${of.name}-${round}`,
    source: stage.linkSourceAt,
    target: stage.targetAt,
    ...(stage.targetSasl && { targetSasl: stage.targetSasl }),
    topics: data.topic,
    partitions: data.partitions,
    replicationFactor: stage.replicationFactor,
    compression: of.data.compression,
    aim: 'throughput',
    dir: stage.dir,
    workers: of.workers ?? 1,
    ...(of.connectionsPerBroker && { connectionsPerBroker: of.connectionsPerBroker }),
    isProfiled: settings.isProfiling,
  }
}

type Mirroring = { readonly job: MirrorJob; readonly data: Made; readonly say: Say }

async function mirrorOnce(stage: Stage, mirror: Mirror, { job, data, say }: Mirroring): Promise<CopyFigures> {
  await prepareTarget(stage, data)
  const brokers = watchBrokers(stage)
  try {
    return await stage.during(async () => {
      const programs = await mirror.start(job, 'copy')
      try {
        const sum = mirror.endOf(data)
        const look = { stage, programs, topic: data.topic }
        const first = await awaitTarget({ ...look, sum: 1 })
        const done = await awaitTarget({ ...look, sum })
        await Promise.all(programs.map(async program => await program.finish()))
        say(mirror.explain(job))
        return figuresOf(programs, { first, done, sum, brokers })
      } finally {
        await Promise.all(programs.map(async program => await program.stop()))
      }
    })
  } finally {
    brokers.stop()
    await cleanTarget(stage, data.topic)
  }
}

function watchBrokers({ source, target }: Stage): CpuWatch {
  return new CpuWatch([source, target].flatMap(({ brokers }) => brokers.map(({ pid }) => pid)))
}

/** The slow broker must lead nothing: it is the follower that is slow. Otherwise the contenders make the topic. */
async function prepareTarget(stage: Stage, { topic, partitions }: Made): Promise<void> {
  if (stage.kind !== 'slow') return
  const replicas = [
    [1, 2, 3],
    [2, 1, 3],
  ]
  await stage.judge.createTopic({ ...stage.targetAt, topic, partitions, replicas })
}

/** The mirror, and what MirrorMaker 2 keeps on both sides. */
export async function cleanTarget(stage: Stage, prefix: string): Promise<void> {
  for (const at of [stage.targetAt, stage.sourceAt]) {
    const isOurs = (name: string): boolean =>
      name.startsWith('mm2-') || name === 'heartbeats' || (at === stage.targetAt && name.startsWith(prefix))
    const topics = (await stage.judge.listTopics(at)).filter(isOurs)
    if (topics.length > 0) await stage.judge.deleteTopics({ ...at, topics })
  }
}

type Look = {
  readonly stage: Stage
  readonly programs: readonly Program[]
  readonly topic: string
  readonly sum: number
}
type Seen = { readonly sum: number; readonly atMs: number }

/** Throws as soon as one of the programs has failed. */
export async function awaitTarget({ stage, programs, topic, sum }: Look): Promise<Seen> {
  const deadline = Date.now() + ATTEMPT_LIMIT_MS
  for (;;) {
    const seen = await stage.judge.awaitEnds({ ...stage.targetAt, topic, sum, timeoutMs: SLICE_MS })
    if (seen.sum > sum && sum > 1)
      throw new Error(`the target holds ${seen.sum} offsets instead of ${sum}: more than there should be`)
    if (seen.sum >= sum) return seen
    for (const program of programs) program.check()
    if (Date.now() > deadline)
      throw new Error(`after ${ATTEMPT_LIMIT_MS / 1000} s the target holds ${seen.sum} of ${sum} offsets`)
  }
}

type Course = {
  readonly first: Seen
  readonly done: Seen
  readonly sum: number
  readonly brokers: CpuWatch
}

function figuresOf(programs: readonly Program[], { first, done, sum, brokers }: Course): CopyFigures {
  const startedAtMs = Math.min(...programs.map(program => program.startedAtMs))
  const share = shareAfter(first.sum, sum)
  const total = (count: (program: Program) => number): number =>
    programs.reduce((all, program) => all + count(program), 0)
  return {
    seconds: (done.atMs - first.atMs) / 1_000 / share,
    wholeSeconds: (done.atMs - startedAtMs) / 1_000,
    cpuSeconds: total(program => program.cpuSeconds(first.atMs, done.atMs)) / share,
    wholeCpuSeconds: total(program => program.cpuSeconds(startedAtMs, done.atMs)),
    peakMb: total(program => program.peakMb),
    brokerCpuSeconds: brokers.seconds(first.atMs, done.atMs) / share,
  }
}

/** Of the backlog, what came after the first look: the figures of that part stand for the whole. */
function shareAfter(firstSum: number, sum: number): number {
  const share = (sum - firstSum) / sum
  if (share >= SEEN_LATE) return share
  throw new Error(`${((1 - share) * 100).toFixed(0)} % was there at the first look: raise SIZE_MB`)
}

async function followOnce(stage: Stage, topic: string): Promise<CopyFigures> {
  const job = { judge: stage.judge, cluster: stage.source, topic }
  const brokers = watchBrokers(stage)
  try {
    const { startedAtMs, first, doneAtMs, sum, inSyncAtMs } = await follow(job)
    const share = shareAfter(first.sum, sum)
    return {
      seconds: (doneAtMs - first.atMs) / 1_000 / share,
      brokerCpuSeconds: brokers.seconds(first.atMs, doneAtMs) / share,
      wholeSeconds: (doneAtMs - startedAtMs) / 1_000,
      inSyncSeconds: (inSyncAtMs - startedAtMs) / 1_000,
    }
  } finally {
    brokers.stop()
    await unfollow(job)
  }
}
