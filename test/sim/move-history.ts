// One history of a move: the world, a controller that is killed, paused or passed over at one of its calls, another one that
// resumes, everybody who stood still wakes, and then nothing may change at the new active any more.
import type { RunKind, RunReport } from '../../src/model/runs.ts'
import { differences, judgeCuts, judgeGroups, lostOf, type Snapshot, snapshot, timeless } from './moved.ts'
import { Mover, type Planted } from './mover.ts'
import { MovingWorld } from './moving-world.ts'
import type { SimProcess } from './network.ts'

export type Trouble = {
  /** At its so manieth call through a port (the first is 1), the first controller: */
  readonly call: number
  readonly isBefore: boolean
  /** `taken over`: nothing happens to it, and it goes on while the second one begins. */
  readonly what: 'killed' | 'paused' | 'taken over'
}

export type MoveOptions = {
  readonly kind: RunKind
  readonly seed?: number
  readonly mayWriteMarkers?: boolean
  readonly workers?: number
  /** They are gone when the run begins; where the source is too, they have seen all that it had. */
  readonly areWorkersDead?: boolean
  readonly trouble?: Trouble
  /** The worker that does the control work stands still from so many of its calls after the run has begun, until the end. */
  readonly pausedWorker?: { readonly call: number }
  readonly planted?: Planted
}

export type Move = {
  readonly violations: readonly string[]
  readonly report: RunReport | undefined
  /** Offsets of the source that the mirrors lacked when it had ended. */
  readonly lost: number
  readonly snapshot: Snapshot
  /** Of the first controller. */
  readonly mover: Mover
  readonly world: MovingWorld
}

const BEGINS_MS = 7_000
const DARK_FOR_MS = 8_000
/** From then on a silent controller needs no --take-over. */
const SILENT_MS = 16_000
const LIMIT_MS = 300_000
const AFTER_MS = 60_000
/** What applications that nobody stops write at the old active meanwhile. */
const STEPS_AFTER = 30

export async function move(options: MoveOptions): Promise<Move> {
  const { kind, seed = 1, mayWriteMarkers = true, workers = 2, areWorkersDead = false } = options
  const { trouble, planted } = options
  const world = new MovingWorld({ seed, mayWriteMarkers, workers })
  await world.pass(BEGINS_MS)
  if (kind === 'failover') {
    if (areWorkersDead) await world.loseSourceAndWorkers()
    else world.loseSource()
    await world.pass(DARK_FOR_MS)
  } else if (areWorkersDead) for (const worker of world.workers) worker.kill()
  const paused = pauseWorker(world, options.pausedWorker)
  const first = new Mover(world, 'c1', { kind, planted })
  if (trouble !== undefined && trouble.what !== 'taken over')
    first.process.crashAt = { ...trouble, isPause: trouble.what === 'paused' }
  let last = first
  if (!(await runs(world, first, trouble))) {
    const isPatient = trouble!.what !== 'taken over' && trouble!.call % 2 === 1
    await world.pass(isPatient ? SILENT_MS : 50)
    last = new Mover(world, 'c2', { kind, resume: true, takeOver: !isPatient, planted })
    await runs(world, last, undefined)
  }
  const { report } = last
  const lost = report === undefined ? 0 : lostOf(world, report)
  if (report?.state !== 'done')
    world.violate(`${last.name} did not come to the end: ${report?.sentence ?? String(last.error)}`)
  else {
    for (const wrong of judgeCuts(world, report)) world.violate(wrong)
    if (kind === 'switchover') for (const wrong of judgeGroups(world)) world.violate(wrong)
  }
  if (world.switchboard.leadsTo !== 'target') world.violate('applications were not redirected')
  const before = snapshot(world)
  await aftermath(world, { first, last, paused, trouble })
  for (const each of differences(before, snapshot(world))) world.violate(`after the run ${each}`)
  for (const process of [...world.workers, first.process, last.process]) process.kill()
  return { violations: world.violations, report, lost, snapshot: before, mover: first, world }
}

/** Until it has ended; false when something has come in between. */
async function runs(world: MovingWorld, mover: Mover, trouble: Trouble | undefined): Promise<boolean> {
  let isOver = false
  void mover.ended.then(() => {
    isOver = true
  })
  const { process } = mover
  const isInterrupted = (): boolean =>
    process.isKilled || process.isPaused || (trouble?.what === 'taken over' && process.calls >= trouble.call)
  if (!(await world.until(() => isOver || isInterrupted(), LIMIT_MS))) world.violate(`${mover.name} hangs`)
  return isOver
}

/** Whoever stood still wakes, and the old active is written to and can be reached. */
async function aftermath(
  world: MovingWorld,
  {
    first,
    last,
    paused,
    trouble,
  }: {
    readonly first: Mover
    readonly last: Mover
    readonly paused: SimProcess | undefined
    readonly trouble: Trouble | undefined
  },
): Promise<void> {
  world.say('-- everybody wakes')
  world.networks.source.isDown = false
  world.resumeApplications(STEPS_AFTER)
  first.process.resume()
  paused?.resume()
  await world.pass(AFTER_MS)
  const mustStop = first !== last && trouble?.what !== 'killed' && !last.foundDone
  if (mustStop && !hasGivenWay(first))
    world.violate(
      `the first controller was passed over, and ended with ${first.code ?? first.report?.state ?? 'nothing'}`,
    )
  const begun = world.acts.findIndex(({ mover }) => mover === 'c2')
  const late = begun < 0 ? [] : world.acts.slice(begun).filter(({ mover }) => mover === 'c1')
  for (const { what, at } of late) world.violate(`at ${at} two controllers act: c1 ${what}`)
}

/** It says that it was passed over; or that was before it had said that it would move the link, or after it had done so. */
function hasGivenWay({ code = '', claimed, report }: Mover): boolean {
  if (code === 'other-controller' || report?.state === 'done') return true
  return code === 'moved' || (!claimed && code === 'unreachable')
}

function pauseWorker(world: MovingWorld, at: MoveOptions['pausedWorker']): SimProcess | undefined {
  if (at === undefined) return undefined
  const [worker] = world.workers
  worker!.crashAt = { call: worker!.calls + at.call, isBefore: false, isPause: true }
  return worker
}

/** How two moves differ in what they have left, beside times. */
export function differ(one: Move, other: Move): string[] {
  if (one.report === undefined || other.report === undefined) return []
  return [
    ...differences(timeless(one.report), timeless(other.report), 'report'),
    ...differences(lasting(one.snapshot), lasting(other.snapshot), 'left'),
  ]
}

/** Where the group stood depends on when it was stopped, and who had which slot on how often workers came and went. */
function lasting({ topics, state }: Snapshot): unknown {
  const kept = Object.entries(state).filter(([key]) => !key.startsWith('target slot/'))
  return { topics, state: Object.fromEntries(kept) }
}
