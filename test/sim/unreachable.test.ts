// A cluster that nobody can reach for an hour, in virtual time: nothing changes but the lag. No partition stops, the
// worker lives on, all is copied soon after, and the log has not repeated itself at every turn. (An hour of real time
// with real brokers: test/lab/link-unreachable.test.ts, in `make soak`.)
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { suite } from '../support/suite.ts'
import { Oracle } from './oracle.ts'
import { drawTrouble } from './trouble.ts'
import { unreachable } from './network.ts'
import { Random } from './random.ts'
import { Workers } from './workers.ts'
import { World } from './world.ts'

const HOUR_MS = 3_600_000
const AFTER_MS = 60_000
/** A trouble is told in other words once a minute at most. */
const LINES_PER_HOUR = 80

/** Whatever may go wrong does not, but what the test does itself. */
const CALM = Object.fromEntries(
  Object.entries(drawTrouble(new Random(1))).map(([key, value]) => [
    key,
    typeof value === 'boolean' ? false : 0,
  ]),
)
const TROUBLE = {
  ...CALM,
  brokers: 2,
  partitions: 3,
  producers: 2,
  seconds: 1,
  expiryMs: 86_400_000,
  namesTopicsById: true,
}

describe('an hour without', () => {
  for (const side of ['source', 'target'] as const) {
    for (const mayWriteMarkers of suite === 'short' ? [true] : [true, false]) {
      const how = mayWriteMarkers ? 'markers' : 'empty transactions'
      test(`the ${side} (gaps are filled by ${how})`, async () => {
        const world = new World(7, { trouble: { ...TROUBLE, mayWriteMarkers } })
        let isOver = false
        const script = anHourWithout(world, side).finally(() => {
          isOver = true
        })
        script.catch(() => undefined)
        assert.equal(await world.clock.run(() => isOver, 3 * HOUR_MS), 'done')
        await script
        assert.deepEqual(world.violations, [])
      })
    }
  }
})

test('leaders of the source that give nothing while their cluster answers are told of, with how long nobody has read them', async () => {
  const world = new World(7, { trouble: { ...TROUBLE, mayWriteMarkers: true } })
  let isOver = false
  const script = withoutLeaders(world).finally(() => {
    isOver = true
  })
  script.catch(() => undefined)
  assert.equal(await world.clock.run(() => isOver, 3 * HOUR_MS), 'done')
  await script
  assert.deepEqual(world.violations, [])
})

async function withoutLeaders(world: World): Promise<void> {
  const { clock, networks } = world
  world.createSource(TROUBLE.partitions)
  const oracle = new Oracle(world)
  const workers = new Workers(world, oracle.observer)
  oracle.watch(workers)
  void workers.operate(Number.POSITIVE_INFINITY)
  await writeFor(world, 30_000)
  for (const workload of world.workloads) workload.finish()
  await clock.sleep(AFTER_MS)
  const reports = () => workers.copies().map(copy => copy.report(clock.monotonic()))
  assert.deepEqual(
    new Set(reports().map(({ state, lagMs }) => `${state} ${lagMs}`)),
    new Set(['mirroring 0']),
  )

  const before = logOf(world).length
  const call = networks.source.call.bind(networks.source)
  networks.source.call = async (process, what, effect, isWrite) => {
    if (!/connect|fetch/i.test(what)) return await call(process, what, effect, isWrite)
    await clock.sleep(200)
    throw unreachable(what, 'no answer in time')
  }
  await writeFor(world, HOUR_MS / 6)
  for (const { state, reason, sentence = '', lagMs } of reports()) {
    assert.deepEqual([state, reason], ['waiting', 'unreachable'])
    assert.match(sentence, /^broker \d of "source" gives nothing: /)
    assert.ok(lagMs > HOUR_MS / 6 - AFTER_MS && lagMs < HOUR_MS / 4, `${lagMs} ms`)
  }
  assert.ok(logOf(world).length - before <= TROUBLE.brokers, lastLines(world))

  networks.source.call = call
  for (const workload of world.workloads) workload.finish()
  await clock.sleep(AFTER_MS)
  assert.deepEqual(
    new Set(reports().map(({ state, lagMs }) => `${state} ${lagMs}`)),
    new Set(['mirroring 0']),
  )
  oracle.judge(workers.copies())
  workers.kill()
}

async function anHourWithout(world: World, side: 'source' | 'target'): Promise<void> {
  const { clock, networks } = world
  world.createSource(TROUBLE.partitions)
  const oracle = new Oracle(world)
  const workers = new Workers(world, oracle.observer)
  oracle.watch(workers)
  void workers.operate(Number.POSITIVE_INFINITY)
  await writeFor(world, 30_000)
  const [worker] = workers.atWork()
  assert.ok(worker)
  const before = linesOf(world)

  networks[side].isDown = true
  await writeFor(world, HOUR_MS)
  const written = sum(world.workloads.map(({ at }) => at.log.end))
  const mirrored = sum(world.mirrors().map(({ at }) => at.log.end))
  assert.ok(mirrored < written, 'the lag grows')
  assert.ok(linesOf(world) - before <= LINES_PER_HOUR, lastLines(world))
  networks[side].isDown = false

  for (const workload of world.workloads) workload.finish()
  await clock.sleep(AFTER_MS)
  assert.deepEqual(workers.atWork(), [worker], 'the worker has ended')
  for (const copy of workers.copies()) {
    assert.equal(copy.state, 'mirroring', `${copy.name}: ${copy.fault?.sentence ?? copy.note ?? ''}`)
    assert.equal(copy.appended, world.workloads[copy.partition]?.at.log.end, copy.inspect())
  }
  oracle.judge(workers.copies())
  workers.kill()
}

async function writeFor(world: World, ms: number): Promise<void> {
  const until = world.clock.monotonic() + ms
  while (world.clock.monotonic() < until) {
    await world.clock.sleep(Math.max(500, ms / 600))
    for (const workload of world.workloads) workload.step()
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

/** What people read of a log. */
function logOf(world: World): string[] {
  return world.trace.filter(line => / kdr \d+ (?:info|warn|error) /.test(line))
}

function linesOf(world: World): number {
  return logOf(world).length
}

function lastLines(world: World): string {
  return logOf(world).slice(-100).join('\n')
}
