// Thousands of partitions that hold a record each, where nothing happens: how long a start takes, what it costs to wait,
// and how soon a new record is seen all the same.

import { setTimeout as sleep } from 'node:timers/promises'
import { b64 } from '../src/lab/judge.ts'
import type { IdleCase } from './cases.ts'
import { cleanTarget, MIRRORS } from './copying.ts'
import type { MirrorJob } from './contenders/mirror.ts'
import { costsOf } from './lag.ts'
import type { Program } from './program.ts'
import type { CaseReport, IdleFigures } from './report.ts'
import { type Say, takeTurns } from './rounds.ts'
import type { Settings } from './settings.ts'
import type { Stage } from './stage.ts'

const PREFIX = 'idle-'
const READY_LIMIT_MS = 10 * 60_000
const NEW_RECORD_LIMIT_MS = 60_000
/** Producers of the judge send this many topics' records at once. */
const AT_ONCE = 50

export async function measureIdle(
  stage: Stage,
  of: IdleCase,
  { settings, say }: { readonly settings: Settings; readonly say: Say },
): Promise<CaseReport> {
  const topics = Array.from({ length: of.topics }, (_, index) => `${PREFIX}${index}`)
  await makeTopics(stage, of, topics)
  let holds = of.topics * of.partitionsPerTopic
  say(`  ${of.topics} topics, ${holds} partitions`)
  const attempts = await takeTurns(
    of.contenders,
    { rounds: settings.rounds, say },
    async (contender, round) => {
      if (contender === 'follower') throw new Error('a follower is part of its brokers')
      const job = jobOf(stage, of, {
        label: `idle-run-${contender}-${round}`,
        isProfiled: settings.isProfiling,
      })
      const programs = await MIRRORS[contender].start(job, 'follow')
      try {
        const holding = holds
        holds++
        const figures = await waitIdly(stage, of, { programs, holding, topic: `${PREFIX}${round}` })
        await Promise.all(programs.map(async program => await program.finish()))
        say(MIRRORS[contender].explain(job))
        return figures
      } finally {
        await Promise.all(programs.map(async program => await program.stop()))
        await cleanTarget(stage, PREFIX)
      }
    },
  )
  await stage.judge.deleteTopics({ ...stage.sourceAt, topics })
  return { kind: 'idle', of, attempts }
}

async function makeTopics(
  { judge, sourceAt }: Stage,
  of: IdleCase,
  topics: readonly string[],
): Promise<void> {
  await judge.createTopics({ ...sourceAt, topics, partitions: of.partitionsPerTopic })
  const { producer } = await judge.openProducer({ ...sourceAt, lingerMs: 0 })
  const count = of.partitionsPerTopic
  for (let from = 0; from < topics.length; from += AT_ONCE) {
    const some = topics.slice(from, from + AT_ONCE)
    await Promise.all(some.map(async topic => await judge.send({ producer, topic, count })))
  }
  await judge.closeProducer({ producer })
}

type Waiting = { readonly programs: readonly Program[]; readonly holding: number; readonly topic: string }

async function waitIdly(
  stage: Stage,
  of: IdleCase,
  { programs, holding, topic }: Waiting,
): Promise<IdleFigures> {
  const startedAtMs = Math.min(...programs.map(program => program.startedAtMs))
  const readyAtMs = await awaitAll(stage, programs, holding)
  await sleep(of.settleSeconds * 1_000)
  const fromMs = Date.now()
  await sleep(of.seconds * 1_000)
  const costs = costsOf(programs, fromMs, Date.now())
  const newRecordMs = await timeOfNewRecord(stage, topic)
  for (const program of programs) program.check()
  return { readySeconds: (readyAtMs - startedAtMs) / 1_000, ...costs, newRecordMs }
}

/** Looks once a second: a look at thousands of partitions is work for the brokers. */
async function awaitAll(stage: Stage, programs: readonly Program[], sum: number): Promise<number> {
  const deadline = Date.now() + READY_LIMIT_MS
  for (;;) {
    const look = { prefix: PREFIX, sum, timeoutMs: 10_000, everyMs: 1_000 }
    const seen = await stage.judge.awaitEnds({ ...stage.targetAt, ...look })
    if (seen.sum >= sum) return seen.atMs
    for (const program of programs) program.check()
    if (Date.now() > deadline)
      throw new Error(`after ${READY_LIMIT_MS / 1000} s the target holds ${seen.sum} of ${sum} records`)
  }
}

async function timeOfNewRecord({ judge, sourceAt, targetAt }: Stage, topic: string): Promise<number> {
  const before = await judge.awaitEnds({ ...targetAt, topic, sum: 1 })
  await judge.produce({ ...sourceAt, topic, records: [{ partition: 0, value: b64('new') }] })
  const sentAtMs = Date.now()
  const sum = before.sum + 1
  const seen = await judge.awaitEnds({ ...targetAt, topic, sum, timeoutMs: NEW_RECORD_LIMIT_MS })
  if (seen.sum >= sum) return Math.max(0, seen.atMs - sentAtMs)
  throw new Error(`a new record of "${topic}" was not there after ${NEW_RECORD_LIMIT_MS / 1000} s`)
}

type Job = { readonly label: string; readonly isProfiled: boolean }

function jobOf(stage: Stage, of: IdleCase, { label, isProfiled }: Job): MirrorJob {
  return {
    label,
    source: stage.linkSourceAt,
    target: stage.targetAt,
    topics: `${PREFIX}*`,
    partitions: of.topics * of.partitionsPerTopic,
    replicationFactor: stage.replicationFactor,
    compression: 'none',
    aim: 'lag',
    dir: stage.dir,
    workers: 1,
    isProfiled,
  }
}
