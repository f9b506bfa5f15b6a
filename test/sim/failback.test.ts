// The way home after a failover, in the simulated world: a controller is killed at its calls, and another one comes to the same end. All that
// was readable at the active is at home at its offset; all that was stranded is in the export, once; what did not diverge was not copied
// anew.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RunContext } from '../../src/engine/runs/context.ts'
import type { Manifest } from '../../src/engine/runs/export.ts'
import { RUN_STEPS } from '../../src/engine/runs/steps.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import type { RunReport, StepData, StepName } from '../../src/model/runs.ts'
import { suite } from '../support/suite.ts'
import { differences, recordsAt } from './moved.ts'
import { Mover, type Planted } from './mover.ts'
import type { SimCluster } from './cluster.ts'
import { MovingWorld } from './moving-world.ts'
import { forgetsTheTail, KEEPS_WHAT_DIVERGED } from './planted/moves.ts'
import { START } from './world.ts'

const BEGINS_MS = 7_000
const DARK_FOR_MS = 8_000
const GOES_ON_MS = 4_000
const LIMIT_MS = 600_000
const SILENT_MS = 16_000
const STEPS_LATER = 30
const SETTLES_MS = 20_000

/** A paused one wakes when another one has come to the end. */
type Trouble = { readonly call: number; readonly isBefore: boolean; readonly isPause?: boolean }
type Made = {
  readonly violations: readonly string[]
  readonly report: RunReport | undefined
  readonly mover: Mover
  readonly world: MovingWorld
  /** What the failover was told, one after the other. */
  readonly told: readonly StepData['export'][]
}

async function ended(world: MovingWorld, mover: Mover): Promise<void> {
  let isOver = false
  void mover.ended.then(() => {
    isOver = true
  })
  if (!(await world.until(() => isOver || mover.process.isKilled || mover.process.isPaused, LIMIT_MS)))
    world.violate(`${mover.name} hangs`)
}

/** So that it may be seen who wrote it. */
function append(cluster: SimCluster, topic: string, ids: readonly string[]): void {
  const { log } = cluster.partition({ topic, partition: 0 })!
  for (const id of ids)
    log.force(
      recordCodec.encode({
        codec: 'none',
        baseOffset: 0,
        records: [
          { offset: 0, timestamp: START, key: Buffer.from('k'), value: Buffer.from(id), headers: [] },
        ],
        producer: { producerId: -1n, producerEpoch: -1 },
        baseSequence: -1,
      }),
    )
  log.advance()
}

/**
 * Topic `b` diverges only where `isAllLost`. `isNew`: topics `x` and `y` were made at the old active just before it was lost, and `x` at the
 * new one since.
 */
async function goHome({
  seed = 1,
  isAllLost = false,
  isNew = false,
  isGivenUp = false,
  mayWriteMarkers = true,
  trouble,
  planted,
}: {
  readonly seed?: number
  readonly isAllLost?: boolean
  readonly isNew?: boolean
  /** Once it has stopped; and another one begins anew, which nothing disturbs. */
  readonly isGivenUp?: boolean
  readonly mayWriteMarkers?: boolean
  readonly trouble?: Trouble
  readonly planted?: Planted | ((world: MovingWorld) => Planted)
}): Promise<Made> {
  const world = new MovingWorld({ seed, mayWriteMarkers, workers: 2 })
  await world.pass(BEGINS_MS)
  world.stopApplications()
  await world.pass(SETTLES_MS)
  for (const worker of world.workers) worker.kill()
  // Never copied.
  for (let n = 0; n < 6; n++)
    for (const { topic, of } of world.workloads) if (topic === 'a' || isAllLost) of.step()
  if (isNew)
    for (const [topic, ids] of NEW) {
      world.source.createTopic(topic, 1, {})
      append(world.source, topic, ids)
    }
  world.loseSource()
  await world.pass(DARK_FOR_MS)
  const failover = new Mover(world, 'f1', { kind: 'failover' })
  await ended(world, failover)
  const ids = new Map([...world.source.topics].map(([name, { id }]) => [name, id]))
  world.startAtTarget(STEPS_LATER)
  await world.pass(GOES_ON_MS)
  if (isNew) {
    world.target.createTopic('x', 1, {})
    append(world.target, 'x', ['since 1', 'since 2'])
  }
  world.networks.source.isDown = false
  const cuts = failover.report!.rpo.partitions
  const told: StepData['export'][] = []
  const options = {
    kind: 'failback',
    planted: typeof planted === 'function' ? planted(world) : planted,
    returning: {
      failover: failover.report!.run,
      cuts,
      get told() {
        return told.at(-1)
      },
      tellFailover: async ({ data }) => {
        if (data !== undefined) told.push(data)
        await Promise.resolve()
      },
    },
  } satisfies ConstructorParameters<typeof Mover>[2]
  const first = new Mover(world, 'c1', options)
  if (trouble !== undefined) first.process.crashAt = { ...trouble, isPause: trouble.isPause === true }
  await ended(world, first)
  let last = first
  if (first.process.isKilled || first.process.isPaused) {
    await world.pass(SILENT_MS)
    last = new Mover(world, 'c2', { ...options, resume: true })
    await ended(world, last)
  }
  if (isGivenUp) {
    await ended(world, new Mover(world, 'a1', { ...options, planted: undefined, abort: true }))
    last = new Mover(world, 'c2', { ...options, planted: undefined })
    await ended(world, last)
  }
  const { report } = last
  if (report?.state !== 'done')
    world.violate(`${last.name} did not come to the end: ${report?.sentence ?? String(last.error)}`)
  else {
    judgeLogs(world)
    if (!isGivenUp) judgeExport(world, report, { cuts, isNew })
    if (isNew) judgeNew(world, ids)
    if (!isAllLost && world.source.topics.get('b')?.id !== ids.get('b')) world.violate('b was copied anew')
    const counts = told.map(({ stranded }) => stranded.records)
    if (!isGivenUp && counts.at(-1) !== report.stranded?.records)
      world.violate(`the failover was told ${counts.join()}`)
  }
  if (first.process.isPaused) {
    const before = standing(world)
    first.process.resume()
    await world.pass(SETTLES_MS)
    for (const each of differences(before, standing(world))) world.violate(`who wakes has changed ${each}`)
  }
  if (world.switchboard.leadsTo !== 'source') world.violate('applications were not led home')
  for (const mover of [failover, first, last]) mover.process.kill()
  return { violations: world.violations, report, mover: first, world, told }
}

/** Topics at home: which they are, and how far they go. */
function standing({ source }: MovingWorld): unknown {
  const topics = [...source.topics.values()].filter(({ name }) => !name.startsWith('_kdr.'))
  return Object.fromEntries(
    topics.map(({ name, id, partitions }) => [
      name,
      { id, logs: partitions.map(({ log }) => `${log.logStart} to ${log.end}`).join() },
    ]),
  )
}

/** Both hold what a reader saw at the active; home has one marker more, which fenced the link. */
function judgeLogs(world: MovingWorld): void {
  for (const { topic, partition } of world.later) {
    const at = { topic, partition }
    const [home, away] = [world.source.partition(at)?.log, world.target.partition(at)!.log]
    const name = `${topic}/${partition}`
    if (home?.end !== away.end + 1)
      world.violate(`${name} ends at ${home?.end ?? -1} at home, at ${away.end} where it was`)
    const found = recordsAt(world.source, at)
    const before = world.workloads.find(each => each.topic === topic && each.partition === partition)!
    const later = world.later.find(each => each.topic === topic && each.partition === partition)!
    const wanted = new Map<number, string>()
    // There the fence stands.
    const cut = later.of.firstOffset - 1
    for (const [offset, id] of before.of.truth.readable()) if (offset < cut) wanted.set(offset, id)
    for (const [offset, id] of later.of.truth.readable()) wanted.set(offset, id)
    for (const [offset, id] of wanted)
      if (found.get(offset) !== id) world.violate(`${name} lacks ${id} at ${offset}`)
    // What was aborted stands in a log that was not copied anew.
    for (const [offset, id] of found)
      if (wanted.get(offset) !== id && !(offset < cut && before.of.truth.wasWritten(offset, id)))
        world.violate(`${name} has ${id} at ${offset}`)
  }
}

/** The one that both had is what it is at the active; the other one was left as it was. */
function judgeNew(world: MovingWorld, ids: ReadonlyMap<string, string>): void {
  const valuesOf = (cluster: SimCluster, topic: string): string[] =>
    (cluster.partition({ topic, partition: 0 })?.log.entries ?? [])
      .filter(({ header, bytes }) => !header.isControl && bytes.length > 0)
      .flatMap(({ header, bytes }) => recordCodec.decode({ header, bytes }))
      .map(({ value }) => String(value))
  if (valuesOf(world.source, 'x').join() !== 'since 1,since 2')
    world.violate(`x holds ${valuesOf(world.source, 'x').join()}`)
  if (world.source.topics.get('y')?.id !== ids.get('y') || valuesOf(world.source, 'y').length !== 3)
    world.violate('y was touched')
}

const NEW = [
  ['x', ['1', '2', '3', '4', '5', '6', '7']],
  ['y', ['1', '2', '3']],
] as const

/** Every readable record beyond its cut is in the export, once, and nothing else is. */
function judgeExport(
  world: MovingWorld,
  { run }: RunReport,
  { cuts, isNew }: { readonly cuts: RunReport['rpo']['partitions']; readonly isNew: boolean },
): void {
  const text = world.exports.get(`${run}/manifest.json`)
  const lines: string[] = []
  const manifest = text === undefined ? undefined : (JSON.parse(text.toString()) as Manifest)
  for (const { objects } of manifest?.partitions ?? [])
    for (const { name } of objects.filter(each => each.name.endsWith('.jsonl')))
      for (const line of (world.exports.get(`${run}/${name}`)?.toString() ?? '').trim().split('\n')) {
        const record = JSON.parse(line) as {
          topic: string
          partition: number
          offset: number
          transaction?: string
        }
        if (record.transaction === undefined || record.transaction === 'committed')
          lines.push(`${record.topic}/${record.partition} ${record.offset}`)
      }
  const cutAt = new Map(cuts.map(each => [`${each.topic}/${each.partition}`, each.cut]))
  const wanted = world.workloads.flatMap(({ topic, partition, of }) =>
    [...of.truth.readable()]
      .filter(([offset]) => offset >= (cutAt.get(`${topic}/${partition}`) ?? 0))
      .map(([offset]) => `${topic}/${partition} ${offset}`),
  )
  if (isNew) for (const [topic, ids] of NEW) wanted.push(...ids.map((_id, offset) => `${topic}/0 ${offset}`))
  if (wanted.length === 0) world.violate('nothing was stranded: this shows nothing')
  if (lines.toSorted().join() !== wanted.toSorted().join())
    world.violate(`exported is ${lines.length}, stranded were ${wanted.length}`)
  if ((manifest?.records ?? 0) !== wanted.length)
    world.violate(`the manifest says ${manifest?.records ?? 0} of ${wanted.length}`)
}

describe('a simulated failback after a failover', () => {
  test('comes to its end, and says what is so', async () => {
    for (const seed of [1, 2, 3])
      for (const isAllLost of [false, true]) {
        const { violations } = await goHome({ seed, isAllLost })
        assert.deepEqual(violations, [], `seed ${seed}, ${isAllLost ? 'all lost' : 'b is clean'}`)
      }
  })

  test('what was never copied is found too: one that both have is copied anew, one that it has alone stays', async () => {
    const { violations, report } = await goHome({ isNew: true })
    assert.deepEqual(violations, [])
    const states = new Map(report?.stranded?.partitions.map(({ topic, state }) => [topic, state]))
    assert.deepEqual([states.get('x'), states.get('y')], ['diverged', 'alone'])
  })

  test('deletes nothing of which the export is not whole', async () => {
    const { violations, world, report } = await goHome({
      planted: ({ exports }) => ({
        steps: {
          ...RUN_STEPS,
          reverse: async context => {
            const some = [...exports.keys()].filter(name => name.endsWith('.jsonl'))
            exports.set(some.at(-1)!, Buffer.from('{}'))
            return await RUN_STEPS.reverse(context)
          },
        },
      }),
    })
    assert.match(violations.join(), /"a" is not deleted: what was exported of it is not whole at "memory"/)
    assert.deepEqual([report?.stoppedBy, world.source.topics.has('a')], ['damaged', true])
  })

  test('deletes nothing that was written to while another one was deleted', async () => {
    const { violations, world, report } = await goHome({
      isAllLost: true,
      planted: ({ source }) => ({
        context: (context: RunContext) => ({
          ...context,
          target: {
            ...context.target,
            deleteTopic: async (topic, id) => {
              const ended = await context.target.deleteTopic(topic, id)
              if (topic === 'a') append(source, 'b', ['late'])
              return ended
            },
          },
        }),
      }),
    })
    assert.match(violations.join(), /was written to since it was looked at: b\/0/)
    assert.deepEqual([report?.stoppedBy, world.source.topics.has('b')], ['not-fenced', true])
  })

  test('a failover is told what one that was given up has exported and deleted, too', async () => {
    let isLate = false
    const { violations, report, told } = await goHome({
      isAllLost: true,
      isGivenUp: true,
      planted: ({ source }) => ({
        context: context => ({
          ...context,
          target: {
            ...context.target,
            deleteTopic: async (topic, id) => {
              const outcome = await context.target.deleteTopic(topic, id)
              if (!isLate) append(source, 'b', ['late'])
              isLate = true
              return outcome
            },
          },
        }),
      }),
    })
    assert.deepEqual(violations, [])
    const [first, last] = [told[0]!, told.at(-1)!]
    assert.equal(last.stranded.records, first.stranded.records + 1)
    assert.ok(report!.stranded!.records < first.stranded.records)
    assert.equal(last.location, 'memory/run-of-c1, memory/run-of-c2')
  })

  test('after one that was fenced by empty transactions', async () => {
    assert.deepEqual((await goHome({ mayWriteMarkers: false })).violations, [])
  })

  test('whose controller is killed at a call: another one comes to the same end', async () => {
    const calls = (await goHome({})).mover.process.calls
    const every = { short: Math.ceil(calls / 16), full: 7, soak: 1 }[suite]
    for (let call = 1; call <= calls; call += every) {
      const trouble = { call, isBefore: call % 2 === 0 }
      assert.deepEqual((await goHome({ trouble })).violations, [], `call ${call} of ${calls}`)
    }
  })

  test('whose controller is paused at a call, and wakes when all is over: it changes nothing', async () => {
    const base = await goHome({})
    const beginOf = (step: StepName): number => base.mover.began.find(each => each.step === step)!.call
    const [from, to] = [beginOf('reverse'), beginOf('catch-up')] as const
    const every = { short: 4, full: 1, soak: 1 }[suite]
    for (let call = from; call <= to; call += every) {
      const trouble = { call, isBefore: true, isPause: true }
      assert.deepEqual((await goHome({ trouble })).violations, [], `call ${call} of ${from} to ${to}`)
    }
  })
})

describe('the oracles of a simulated failback find', () => {
  test('a tail that is not exported', async () => {
    const { violations } = await goHome({ planted: forgetsTheTail() })
    assert.match(violations.join('; '), /exported is 0, stranded were/)
  })

  test('a topic that diverged and is taken for clean', async () => {
    const { violations } = await goHome({ planted: KEEPS_WHAT_DIVERGED })
    assert.match(violations.join('; '), /did not come to the end|lacks|has /)
  })
})
