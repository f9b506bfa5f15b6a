// The brokers of a case, and what is done to them while a contender works.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type At, type Judge, saslOf, startJudge } from '../src/lab/judge.ts'
import {
  type ClusterSpec,
  LAB_USERS,
  type Lab,
  type LabCluster,
  openLines,
  startLab,
} from '../src/lab/lab.ts'
import { markProcess, signalProcess } from '../src/lab/processes.ts'
import type { StageKind } from './cases.ts'

export interface Stage {
  readonly kind: StageKind
  readonly judge: Judge
  /** Goes away with the stage; holds configs, logs and profiles too. */
  readonly dir: string
  readonly source: LabCluster
  readonly target: LabCluster
  /** For the judge. */
  readonly sourceAt: At
  /** For contenders: the same, or over the line. */
  readonly linkSourceAt: At
  readonly targetAt: At
  readonly targetSasl?: Readonly<Record<string, string>>
  readonly replicationFactor: number
  /** Runs `work` under the hardship of the stage. */
  during<T>(work: () => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** As `kafka-server-start.sh` would run a broker: the lab's own options are for quick starts. */
export const BROKER_JVM: readonly string[] = [
  '-Xms512m',
  '-Xmx1g',
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
]

/** One thread for each partition of the bulk cases, as the others have one task for each. */
export const FOLLOWER_THREADS = 6

const PROPERTIES: Readonly<Record<string, string>> = {
  // What a round has deleted must not lie in the page cache of the next.
  'log.segment.delete.delay.ms': '1000',
  'num.replica.fetchers': String(FOLLOWER_THREADS),
}

/** A round trip of 50 ms, and what a broker sends before it waits for an acknowledgement: Kafka's default. */
export const LINE = { delayMs: 25, windowBytes: 100 * 1024 } as const

/** How long the slow broker stands still, and then runs. */
export const SLOW_MS = 100
const SLOW_BROKER = 3

export async function startStage(kind: StageKind): Promise<Stage> {
  const isReplicated = kind === 'replicated' || kind === 'slow'
  const spec = (name: string, brokers: number): ClusterSpec => ({
    name,
    brokers,
    jvm: BROKER_JVM,
    properties: PROPERTIES,
  })
  const target = spec('target', isReplicated ? 3 : 1)
  const clusters = [
    { ...spec('source', kind === 'pair' ? 2 : 1), hasLines: kind === 'line' },
    kind === 'bare' ? { ...target, security: 'acl' as const } : target,
  ]
  const dir = mkdtempSync(join(tmpdir(), 'kdr-bench-'))
  // One after the other: they would only slow each other down.
  const lab = await startLab({ dir: join(dir, 'lab'), clusters })
  const clean = (): void => rmSync(dir, { recursive: true, force: true })
  // After the lab's own farewell, which looks into the folder for whom to end.
  process.on('exit', clean)
  try {
    const judge = await startJudge()
    const stage = stageOf(kind, { dir, lab, judge, clean })
    if (kind === 'bare') await grantWithoutCluster(judge, stage.targetAt)
    return stage
  } catch (error) {
    await lab.down()
    throw error
  }
}

type Parts = { readonly dir: string; readonly lab: Lab; readonly judge: Judge; readonly clean: () => void }

function stageOf(kind: StageKind, { dir, lab, judge, clean }: Parts): Stage {
  const source = lab.cluster('source')
  const target = lab.cluster('target')
  const isBare = kind === 'bare'
  return {
    kind,
    judge,
    dir,
    source,
    target,
    sourceAt: { bootstrap: source.bootstrap },
    linkSourceAt: {
      bootstrap:
        kind === 'line'
          ? source.lines.map(({ advertisedPort }) => `localhost:${advertisedPort}`).join(',')
          : source.bootstrap,
    },
    targetAt: {
      bootstrap: target.bootstrap,
      ...(isBare && { properties: saslOf('admin', LAB_USERS.admin) }),
    },
    ...(isBare && { targetSasl: { username: 'kdr', password: LAB_USERS.kdr } }),
    replicationFactor: target.brokers.length,
    during: async work => {
      if (kind === 'slow') return await slowly(target, work)
      return kind === 'line' ? await overLine(source, work) : await work()
    },
    close: async () => {
      await judge.close()
      await lab.down()
      clean()
      process.off('exit', clean)
    },
  }
}

/** Everything but what would let kdr write markers. */
async function grantWithoutCluster(judge: Judge, at: At): Promise<void> {
  const principal = 'User:kdr'
  const all = (type: 'TOPIC' | 'GROUP' | 'TRANSACTIONAL_ID') => ({
    type,
    name: '*',
    principal,
    operation: 'ALL',
  })
  await judge.createAcls({
    ...at,
    acls: [
      all('TOPIC'),
      all('GROUP'),
      all('TRANSACTIONAL_ID'),
      { type: 'CLUSTER', principal, operation: 'DESCRIBE_CONFIGS' },
    ],
  })
}

/** Its process stands still half of the time: the leaders wait for it with every acknowledgement. */
async function slowly<T>(cluster: LabCluster, work: () => Promise<T>): Promise<T> {
  const pid = cluster.brokers.find(broker => broker.id === SLOW_BROKER)?.pid
  if (pid === undefined) throw new Error(`the target has no broker ${SLOW_BROKER}`)
  const mark = markProcess(pid)
  let isStill = false
  const drag = setInterval(() => {
    isStill = !isStill
    signalProcess(mark, isStill ? 'SIGSTOP' : 'SIGCONT')
  }, SLOW_MS)
  try {
    return await work()
  } finally {
    clearInterval(drag)
    signalProcess(mark, 'SIGCONT')
  }
}

async function overLine<T>(cluster: LabCluster, work: () => Promise<T>): Promise<T> {
  const lines = await openLines(cluster)
  try {
    for (const line of lines) line.shape(LINE)
    return await work()
  } finally {
    await Promise.all(lines.map(async line => await line.close()))
  }
}
