// A simulated switchover is given up after every step before it promotes: the link goes on, what applications write from then on comes
// across, and both logs are the same in the end, the fence's markers included.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { StepName } from '../../src/model/runs.ts'
import { suite } from '../support/suite.ts'
import { recordsAt } from './moved.ts'
import { Mover } from './mover.ts'
import { MovingWorld } from './moving-world.ts'

const BEGINS_MS = 7_000
const LIMIT_MS = 300_000
const SILENT_MS = 16_000
const FOLLOWS_MS = 30_000
const STEPS_AFTER = 30

/** Calls of a switchover that nothing disturbs, and where each of its steps began. */
async function undisturbed(): Promise<Mover['began']> {
  const world = new MovingWorld({ seed: 1, mayWriteMarkers: true, workers: 2 })
  await world.pass(BEGINS_MS)
  const mover = new Mover(world, 'c1', { kind: 'switchover' })
  await ended(world, mover)
  return mover.began
}

async function ended(world: MovingWorld, mover: Mover): Promise<boolean> {
  let isOver = false
  void mover.ended.then(() => {
    isOver = true
  })
  return await world.until(() => isOver || mover.process.isKilled || mover.process.isPaused, LIMIT_MS)
}

/** `isPaused`: it is not killed, and wakes when the run has been given up. */
type Given = {
  readonly call: number
  readonly abortDiesAt?: number
  /** Of that call's effect; left out: of every second call. */
  readonly isBefore?: boolean
  readonly isPaused?: boolean
}

/** What is wrong after a run that was killed at its so manieth call was given up, by one who may be killed too and then by another. */
async function giveUp(given: Given): Promise<string[]> {
  return (await givenUp(given)).wrong
}

/** `calls`: of the one who gives it up. */
async function givenUp({
  call,
  abortDiesAt,
  isBefore,
  isPaused = false,
}: Given): Promise<{ readonly wrong: string[]; readonly calls: number }> {
  const world = new MovingWorld({ seed: 1, mayWriteMarkers: true, workers: 2 })
  await world.pass(BEGINS_MS)
  const first = new Mover(world, 'c1', { kind: 'switchover' })
  first.process.crashAt = { call, isBefore: call % 2 === 0 || isPaused, isPause: isPaused }
  await ended(world, first)
  await world.pass(SILENT_MS)
  const undoing = new Mover(world, 'a1', { kind: 'switchover', abort: true })
  if (abortDiesAt !== undefined)
    undoing.process.crashAt = {
      call: abortDiesAt,
      isBefore: isBefore ?? abortDiesAt % 2 === 0,
      isPause: false,
    }
  await ended(world, undoing)
  const { calls } = undoing.process
  let last = undoing
  if (undoing.process.isKilled) {
    await world.pass(SILENT_MS)
    last = new Mover(world, 'a2', { kind: 'switchover', abort: true })
    await ended(world, last)
  }
  if (last.report?.state !== 'aborted' && !last.foundDone)
    return { wrong: [`it was not given up: ${String(last.error)} ${last.report?.state ?? ''}`], calls }
  first.process.resume()
  world.resumeApplications(STEPS_AFTER)
  await world.pass(FOLLOWS_MS)
  const wrong = [...world.violations]
  for (const { topic, partition } of world.workloads) {
    const at = { topic, partition }
    const [there, here] = [world.source.partition(at)!.log, world.target.partition(at)!.log]
    if (there.end !== here.end)
      wrong.push(`${topic}/${partition} ends at ${there.end} at the source, at ${here.end} at the target`)
    const [wanted, found] = [recordsAt(world.source, at), recordsAt(world.target, at)]
    for (const [offset, id] of found)
      if (wanted.get(offset) !== id) wrong.push(`${topic}/${partition} has ${id} at ${offset}`)
    for (const [offset] of wanted)
      if (!found.has(offset) && there.logStart <= offset && isReadable(world, at, offset))
        wrong.push(`${topic}/${partition} lacks ${offset}`)
  }
  for (const process of [...world.workers, first.process, undoing.process, last.process]) process.kill()
  return { wrong, calls }
}

function isReadable(world: MovingWorld, at: { topic: string; partition: number }, offset: number): boolean {
  const workload = world.workloads.find(each => each.topic === at.topic && each.partition === at.partition)!
  return workload.of.truth.readable().some(([readable]) => readable === offset)
}

describe('a simulated switchover that is given up', () => {
  const upTo = (began: Mover['began'], step: StepName): number => began.find(each => each.step === step)!.call

  test('when it has begun any step before it promotes: both logs are the same in the end', async () => {
    const began = await undisturbed()
    const promoted = upTo(began, 'promote')
    const calls = began.map(({ call }) => call + 1).filter(call => call < promoted)
    assert.equal(calls.length, 7)
    for (const call of calls) assert.deepEqual(await giveUp({ call }), [], `call ${call}`)
  })

  test('in the middle of the fence of the link, and whoever gives it up is killed too', async () => {
    const began = await undisturbed()
    const [fence, promoted] = [upTo(began, 'fence-link'), upTo(began, 'promote')]
    const every = suite === 'short' ? 14 : 1
    for (let call = fence; call < promoted; call += every)
      for (const abortDiesAt of [undefined, 12 + 3 * (call - fence)])
        assert.deepEqual(
          await giveUp({ call, ...(abortDiesAt !== undefined && { abortDiesAt }) }),
          [],
          `call ${call}, ${abortDiesAt ?? 'undisturbed'}`,
        )
  })

  test('when the link is fenced, and whoever gives it up is killed at a call: another one brings it to the same end', async () => {
    const began = await undisturbed()
    const call = upTo(began, 'promote') - 1
    const { wrong, calls } = await givenUp({ call })
    assert.deepEqual(wrong, [])
    // While it writes down what it has found: the store takes several records with one call.
    for (let abortDiesAt = calls - 15; abortDiesAt <= calls; abortDiesAt++)
      for (const isBefore of suite === 'short' ? [false] : [false, true])
        assert.deepEqual(
          await giveUp({ call, abortDiesAt, isBefore }),
          [],
          `${isBefore ? 'before' : 'after'} call ${abortDiesAt} of ${calls}`,
        )
  })

  test('while its controller stands still, and wakes afterwards: that changes nothing', async () => {
    const began = await undisturbed()
    const [sync, promoted] = [upTo(began, 'final-sync'), upTo(began, 'promote')]
    const every = suite === 'short' ? 14 : 1
    for (let call = sync; call < promoted; call += every)
      assert.deepEqual(await giveUp({ call, isPaused: true }), [], `call ${call}`)
  })
})
