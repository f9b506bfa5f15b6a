// The brokers of a case, and what is done to them while a contender works.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type At, type Judge, saslOf, startJudge } from '../src/lab/judge.ts'
import { type ClusterSpec, LAB_USERS, type Lab, type LabCluster, startLab } from '../src/lab/lab.ts'
import type { StageKind } from './cases.ts'

export interface Stage {
  readonly kind: StageKind
  readonly judge: Judge
  /** Goes away with the stage; holds configs, logs and profiles too. */
  readonly dir: string
  readonly source: LabCluster
  readonly target: LabCluster
  readonly sourceAt: At
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

/** How long the slow broker stands still, and then runs. */
export const SLOW_MS = 100
const SLOW_BROKER = 3

export async function startStage(kind: StageKind, dir: string): Promise<Stage> {
  const isReplicated = kind === 'replicated' || kind === 'slow'
  const spec = (name: string, brokers: number): ClusterSpec => ({
    name,
    brokers,
    jvm: BROKER_JVM,
    properties: PROPERTIES,
  })
  const target = spec('target', isReplicated ? 3 : 1)
  const clusters = [
    spec('source', kind === 'pair' ? 2 : 1),
    kind === 'bare' ? { ...target, security: 'acl' as const } : target,
  ]
  mkdirSync(dir, { recursive: true })
  // One after the other: they would only slow each other down.
  const lab = await startLab({ dir: join(dir, 'lab'), clusters })
  try {
    const judge = await startJudge()
    const stage = stageOf(kind, { dir, lab, judge })
    if (kind === 'bare') await grantWithoutCluster(judge, stage.targetAt)
    return stage
  } catch (error) {
    await lab.down()
    throw error
  }
}

type Parts = { readonly dir: string; readonly lab: Lab; readonly judge: Judge }

function stageOf(kind: StageKind, { dir, lab, judge }: Parts): Stage {
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
    targetAt: {
      bootstrap: target.bootstrap,
      ...(isBare && { properties: saslOf('admin', LAB_USERS.admin) }),
    },
    ...(isBare && { targetSasl: { username: 'kdr', password: LAB_USERS.kdr } }),
    replicationFactor: target.brokers.length,
    during: async work => (kind === 'slow' ? await slowly(target, work) : await work()),
    close: async () => {
      await judge.close()
      await lab.down()
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
  let isStill = false
  const drag = setInterval(() => {
    isStill = !isStill
    process.kill(pid, isStill ? 'SIGSTOP' : 'SIGCONT')
  }, SLOW_MS)
  try {
    return await work()
  } finally {
    clearInterval(drag)
    process.kill(pid, 'SIGCONT')
  }
}
