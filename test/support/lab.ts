// Real clusters and the judge for a test file, taken down when its tests are over.

import { randomBytes } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { after, afterEach, before } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { deflateRawSync } from 'node:zlib'
import { type ClusterSpec, type Lab, type LabCluster, startLab } from '../../src/lab/lab.ts'
import { type Judge, startJudge } from './judge.ts'

/** The judge of a test lives for a minute: what the better compiler costs never comes back. */
const SHORT_LIVED_JVM = ['-XX:TieredStopAtLevel=1']

/** To be used inside tests and hooks only; before the lab is up its members throw. */
export interface TestLab {
  readonly lab: Lab
  readonly judge: Judge
  cluster(name: string): LabCluster
}

/**
 * Call it at the top of a test file (or of a `describe`): starts before the tests and takes all down after them. Without
 * clusters (all tests are skipped in this suite) nothing is started.
 */
export function withLab(clusters: readonly ClusterSpec[]): TestLab {
  let lab: Lab | undefined
  let judge: Judge | undefined
  before(async () => {
    if (clusters.length === 0) return
    endWithoutCleaning()
    // The judge waits for no broker, so it starts at the same time.
    const judging = startJudge({ jvm: SHORT_LIVED_JVM })
    const starting = startLab({ dir: freshDir(), clusters })
    const results = await Promise.allSettled([judging, starting])
    if (results[0].status === 'fulfilled') judge = results[0].value
    if (results[1].status === 'fulfilled') lab = results[1].value
    for (const result of results) if (result.status === 'rejected') throw result.reason
  })
  afterEach(context => {
    if ('passed' in context && !context.passed && lab !== undefined) tellComplaints(lab.dir)
  })
  after(async () => {
    await judge?.close()
    await lab?.down()
  })
  return {
    get lab() {
      return started(lab)
    },
    get judge() {
      return started(judge)
    },
    cluster: name => started(lab).cluster(name),
  }
}

const COMPLAINTS_SHOWN = 20

/** Why a broker refused what a test wanted stands in its log alone, and that goes away with the lab. */
function tellComplaints(dir: string): void {
  for (const log of globSync(join(dir, '*/*/broker.log'))) {
    const complaints = readFileSync(log, 'utf8')
      .split('\n')
      .filter(line => /\] (WARN|ERROR) /.test(line))
    if (complaints.length === 0) continue
    const last = complaints.slice(-COMPLAINTS_SHOWN)
    process.stderr.write(`the last complaints of ${relative(dir, log)}:\n${last.join('\n')}\n`)
  }
}

let endsWithoutCleaning = false

/**
 * Node 24 may spin for ever when it frees what was left of connections that had been cut, at the natural end of a process
 * (`Environment::CleanupHandles`). Nothing counts then any more; and kdr itself ends by `process.exit`, which does not free.
 */
function endWithoutCleaning(): void {
  if (endsWithoutCleaning) return
  endsWithoutCleaning = true
  process.on('exit', code => process.exit(code))
}

/** The name of a folder that does not exist yet; the lab makes it, and removes it with `down`. */
export function freshDir(): string {
  return join(tmpdir(), `kdr-lab-${randomBytes(6).toString('hex')}`)
}

let topics = 0

/** A name that no other test of this process has used. */
export function freshTopic(prefix = 'topic'): string {
  topics++
  return `${prefix}-${process.pid}-${topics}`
}

/** What the work of `measureSlowness` takes on the machine that the bounds were written for. */
const REFERENCE_MS = 20
const SLOWEST = 10
/** What is long anyway has room enough: it gets no more than this. */
const STRETCHED_BY_MS = 60_000
const MEASURED_FOR_MS = 5_000

let slowness = { factor: 1, at: -Infinity }

/**
 * A bound of a requirement, stretched on a machine that is slow at this moment (shared, throttled): by how much longer a
 * fixed piece of work takes than it should, at most tenfold and by a minute. On an ordinary machine it is the bound itself.
 */
export function patience(ms: number): number {
  if (performance.now() - slowness.at > MEASURED_FOR_MS) slowness = measureSlowness()
  return Math.min(ms * slowness.factor, ms + STRETCHED_BY_MS)
}

/** Digits are compressed by native code: it needs no warming up, as a loop does (by a compiler that waits for a free core). */
function measureSlowness(): typeof slowness {
  const digits = randomBytes(200_000).toString('hex')
  const begun = performance.now()
  deflateRawSync(digits)
  const at = performance.now()
  const factor = Math.min(SLOWEST, Math.max(1, (at - begun) / REFERENCE_MS))
  if (factor > 1)
    process.stderr.write(`this machine is slow now: bounds are stretched ${factor.toFixed(1)} times\n`)
  return { factor, at }
}

export type WaitOptions = {
  readonly timeoutMs?: number
  readonly everyMs?: number
  readonly what: string | (() => string)
}

/** A look that takes longer counts as this long: what stands still (a machine, for minutes) is not what is tested. */
const LOOK_MS = 2_000

/** Polls until `condition` returns something other than false, null and undefined, and returns that. */
export async function waitFor<T>(
  condition: () => Promise<T> | T,
  { timeoutMs = 60_000, everyMs = 50, what }: WaitOptions,
): Promise<NonNullable<Exclude<T, false>>> {
  for (let waitedMs = 0; ; ) {
    const from = performance.now()
    const found = await condition()
    if (found !== false && found !== undefined && found !== null)
      return found as NonNullable<Exclude<T, false>>
    if (waitedMs > timeoutMs)
      throw new Error(
        `waited ${Math.round(waitedMs)} ms in vain for ${typeof what === 'string' ? what : what()}`,
      )
    await sleep(everyMs)
    waitedMs += Math.min(performance.now() - from, LOOK_MS)
  }
}

function started<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the lab is not up: use it inside a test')
  return value
}
