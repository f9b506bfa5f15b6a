// Topics of a link become another link's in the simulated world, while both have workers: whoever hands them over is killed or stands still at
// each of its calls, workers stand still all the while, and each mirror ends as its source, written by one link at a time. The workers of
// the first link keep the config of before: it takes all topics. `KDR_SUITE=soak` takes every call, the others a part.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { beating } from '../../src/engine/runs/beating.ts'
import { handOver, type HandingOver } from '../../src/engine/runs/hand-over.ts'
import { Journal } from '../../src/engine/runs/journal.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { findKdrError } from '../../src/model/errors.ts'
import type { LinkSettings } from '../../src/model/link-settings.ts'
import { linkKey, readForgotten, readHold, readTopics } from '../../src/model/state-records.ts'
import type { RunReport } from '../../src/model/runs.ts'
import type { StateStore } from '../../src/ports/state.ts'
import { JOURNAL_TOPIC, openTopicStore } from '../../src/state/topic-store.ts'
import { suite } from '../support/suite.ts'
import { differences, recordsAt } from './moved.ts'
import { Mover } from './mover.ts'
import { GROUP, LINK, MovingWorld, SETTINGS } from './moving-world.ts'
import { NO_FAULTS, type NetworkFaults, SimProcess } from './network.ts'
import { Random } from './random.ts'
import { PartitionWorkload } from './workload.ts'

const PART: LinkSettings = { ...SETTINGS, name: 'part', topics: ['b'] }
const BEGINS_MS = 7_000
/** By then the taker's workers have found what they may not copy. */
const LOOKED_MS = 4_000
const LIMIT_MS = 60_000
const AFTER_MS = 20_000
/** What is written after that, by applications whose topics have moved. */
const STEPS_AFTER = 10

const NOISE: NetworkFaults = {
  ...NO_FAULTS,
  lost: 0.01,
  answerLost: 0.02,
  slow: 0.05,
  late: 0.01,
  lateWrites: 0.05,
}
/** Of whoever meets them: who is told that a cluster does not answer tries again. */
const MOST_TRIES = 12
const SEEDS = { short: 3, full: 40, soak: 1_000 }[suite]

/** Of the calls of a series one of so many is taken, in the long suites. */
const ONE_OF = { short: 1, full: 8, soak: 1 }[suite]

type Options = {
  readonly seed?: number
  /** Requests and answers are lost, late, or take effect late, until everybody is awake. */
  readonly isNoisy?: boolean
  readonly mayWriteMarkers?: boolean
  /** Workers of the taker have begun before, and found a topic that is not empty. */
  readonly isTakerThere?: boolean
  /** They begin when all is over, and whoever stood still has woken. */
  readonly isTakerLate?: boolean
  /** The first controller, at its so manieth call. */
  readonly trouble?: { readonly call: number; readonly isBefore: boolean; readonly isPause: boolean }
  /** Nobody repeats what was interrupted. */
  readonly isLeft?: boolean
  /** The worker that does the control work of the giver stands still from so many of its calls on. */
  readonly pausedWorker?: number
  readonly workers?: number
  readonly planted?: ((store: StateStore) => StateStore) | undefined
}

class Controller {
  readonly process = new SimProcess()
  /** When it began to write down that the topics are the taker's (monotonic). */
  gaveAt = Infinity
  isOver = false
  error: string | undefined
  readonly #world: MovingWorld
  readonly #name: string
  readonly #planted: (store: StateStore) => StateStore

  constructor(world: MovingWorld, name: string, planted: Options['planted']) {
    this.#world = world
    this.#name = name
    this.#planted = planted ?? (store => store)
    void Promise.resolve()
      .then(async () => await this.#run())
      .catch((error: unknown) => {
        this.error = error instanceof Error ? error.message : String(error)
        if (findKdrError(error) === undefined) world.violate(`${name} broke: ${this.error}`)
      })
      .finally(() => {
        this.isOver = true
      })
  }

  #noting(store: StateStore): StateStore {
    return changed(store, key => {
      if (key.startsWith(`slot/${PART.name}/`))
        this.gaveAt = Math.min(this.gaveAt, this.#world.clock.monotonic())
      return false
    })
  }

  async #run(): Promise<void> {
    const world = this.#world
    const clock = world.clockOf(this.process)
    const { target } = world.ports(this.process)
    await target.describe()
    const open = async (topic?: string) =>
      await openTopicStore(target, recordCodec, clock, {
        create: true,
        writer: world.writer(),
        ...(topic !== undefined && { topic }),
      })
    const [state, kept] = [await open(), await open(JOURNAL_TOPIC)]
    await kept.refresh()
    const of = { store: kept, clock, controller: this.#name, by: this.#name }
    const above = new Journal({ ...of, link: LINK })
    const journal = new Journal({ ...of, link: PART.name, above })
    await above.claim(true)
    await journal.claim(true)
    const stops = [above, journal].map(each => beating(each, clock))
    try {
      const input: HandingOver = {
        from: { ...SETTINGS, topics: ['a'] },
        to: PART,
        store: this.#planted(this.#noting(journal.guarding(state))),
        clock,
        by: this.#name,
        guard: journal.guard,
        progress: what => world.say(`${this.#name}: ${what}`),
      }
      const { topics } = await handOver(input)
      world.say(`${this.#name} has handed over ${topics.join(', ')}`)
      for (const each of [journal, above]) await each.release()
    } finally {
      for (const stop of stops) await stop()
    }
  }
}

type Dropped = (key: string, isDeleted: boolean) => boolean

/** A store that does not write down what it is told to, and does not show all that it has. */
function changed(store: StateStore, isDropped: Dropped, hides = 'nothing'): StateStore {
  return {
    refresh: async () => await store.refresh(),
    get position() {
      return store.position
    },
    get: key => store.get(key),
    entries: prefix => (prefix.startsWith(hides) ? [] : store.entries(prefix)),
    put: async (key, record, mayStill) => {
      if (!isDropped(key, record === undefined)) await store.put(key, record, mayStill)
    },
  }
}

type History = { readonly violations: readonly string[]; readonly calls: number }

async function history(options: Options = {}): Promise<History> {
  const { seed = 1, isNoisy = false } = options
  const {
    mayWriteMarkers = true,
    isTakerThere = false,
    isTakerLate = false,
    isLeft = false,
    workers = 2,
    planted,
  } = options
  const world = new MovingWorld({ seed, mayWriteMarkers, workers })
  const startTaker = (): void => {
    for (const n of [3, 4]) world.startWorker(n, PART)
  }
  await world.pass(BEGINS_MS)
  if (isTakerThere) {
    startTaker()
    await world.pass(LOOKED_MS)
  }
  const faults = isNoisy ? NOISE : NO_FAULTS
  for (const network of Object.values(world.networks)) Object.assign(network.faults, faults)
  const [worker] = world.workers
  if (options.pausedWorker !== undefined)
    worker!.crashAt = { call: worker!.calls + options.pausedWorker, isBefore: false, isPause: true }
  const first = new Controller(world, 'c1', planted)
  first.process.crashAt = options.trouble
  const isInterrupted = (): boolean => first.process.isKilled || first.process.isPaused
  if (!(await world.until(() => first.isOver || isInterrupted(), LIMIT_MS))) world.violate('c1 hangs')
  let last = first
  const isOpen = (): boolean =>
    last.isOver ? last.error !== undefined && !isDone(last.error) : isInterrupted()
  // Without noise, what is refused is no trouble of the line.
  const isTried = (): boolean => !isLeft && isOpen() && (isNoisy || (last === first && isInterrupted()))
  for (let tries = 2; isTried() && tries <= MOST_TRIES; tries++) {
    await world.pass(50)
    last = new Controller(world, `c${tries}`, planted)
    if (!(await world.until(() => last.isOver, LIMIT_MS))) world.violate(`c${tries} hangs`)
  }
  if (isOpen() && !(isLeft && isInterrupted())) world.violate(`it ends with: ${last.error ?? 'nothing'}`)
  if (!isTakerThere && !isTakerLate) startTaker()
  await world.pass(AFTER_MS)
  // Whoever has not got so far stands still no more.
  worker!.crashAt = undefined
  first.process.resume()
  worker!.resume()
  for (const network of Object.values(world.networks)) Object.assign(network.faults, NO_FAULTS)
  world.resumeApplications(STEPS_AFTER)
  await world.pass(AFTER_MS)
  if (isTakerLate) startTaker()
  if (isLeft) {
    // Held, or done; what stands there is right.
    for (const wrong of wrongIn(world, false)) world.violate(wrong)
  } else {
    for (let second = 0; wrongIn(world).length > 0 && second < LIMIT_MS / 1_000; second++)
      await world.pass(1_000)
    for (const wrong of wrongIn(world)) world.violate(wrong)
    await judgeState(world)
  }
  judgeWriters(world, first.gaveAt)
  for (const process of [...world.workers, first.process]) process.kill()
  return { violations: world.violations, calls: first.process.calls }
}

/** Controls, moves or writes until it has ended. */
async function ended(world: MovingWorld, mover: Mover): Promise<RunReport | undefined> {
  let isOver = false
  void mover.ended.then(() => {
    isOver = true
  })
  await world.until(() => isOver, LIMIT_MS)
  return mover.report
}

/** The first one had come to the end. */
const isDone = (error: string): boolean => error.includes('mirrors no topic that')

/** Where mirrors differ from what their sources hold; `isWhole`: to the end. */
function wrongIn(world: MovingWorld, isWhole = true): string[] {
  return world.workloads.flatMap(({ topic, partition, of }) => {
    const name = `${topic}/${partition}`
    const log = world.target.partition({ topic, partition })?.log
    if (log === undefined) return [`${name} has no mirror`]
    const have = recordsAt(world.target, { topic, partition })
    const foreign = [...have].find(([offset, id]) => !of.truth.wasReadable(offset, id))
    const missing = [...of.truth.readable()].find(
      ([offset, id]) => (isWhole || offset < log.end) && have.get(offset) !== id,
    )
    return [
      ...(foreign === undefined ? [] : [`${name} has ${foreign[1]} at ${foreign[0]}, where it never was`]),
      ...(missing === undefined ? [] : [`${name} lacks ${missing[1]} at ${missing[0]}`]),
      ...(isWhole && log.end !== of.at.log.end
        ? [`${name} ends at ${log.end}, its source at ${of.at.log.end}`]
        : []),
    ]
  })
}

/** When the first record says that the topics are the taker's, the giver writes there no more. */
function judgeWriters(world: MovingWorld, gaveAt: number): void {
  const late = world.copied.find(({ topic, link, at }) => topic === 'b' && link === LINK && at > gaveAt)
  if (late !== undefined) world.violate(`at ${late.at} the link that has handed it over writes to it`)
}

async function judgeState(world: MovingWorld): Promise<void> {
  const process = new SimProcess()
  let store: StateStore | undefined
  void (async () => {
    const { target } = world.ports(process)
    await target.describe()
    const opened = await openTopicStore(target, recordCodec, world.clockOf(process), {
      create: false,
      writer: world.writer(),
    })
    await opened.refresh()
    store = opened
  })()
  await world.until(() => store !== undefined, LIMIT_MS)
  const found = {
    from: [...readTopics(store!, LINK).keys()].join(),
    to: [...readTopics(store!, PART.name).keys()].join(),
    forgotten: [...readForgotten(store!, LINK).keys()].join(),
    left: store!
      .entries('')
      .flatMap(([key]) => (key.startsWith(`partition/${LINK}/b`) ? [key] : []))
      .join(),
    holds: [LINK, PART.name].filter(name => readHold(store!, name) !== undefined).join(),
  }
  const wanted = { from: 'a', to: 'b', forgotten: 'b', left: '', holds: '' }
  for (const each of differences(wanted, found, 'state')) world.violate(each)
}

/** What has gone wrong, by call. In the short suite one of so many is taken. */
async function series(
  options: Options,
  { calls, oneOf, shift = 0 }: { readonly calls: number; readonly oneOf: number; readonly shift?: number },
  trouble: (call: number) => Options,
): Promise<string[]> {
  const wrong: string[] = []
  const step = suite === 'short' ? oneOf : ONE_OF
  for (let call = 1 + (shift % step); call <= calls; call += step) {
    const { violations } = await history({ ...options, ...trouble(call) })
    if (violations.length > 0) wrong.push(`call ${call}: ${violations.slice(0, 3).join('; ')}`)
  }
  return wrong
}

describe('topics that are handed over to another link, simulated', () => {
  let base: History
  before(async () => {
    base = await history()
  })

  test('are copied by it, and identical', () => assert.deepEqual(base.violations, []))

  test('also where its workers have been there before, and without cluster rights', async () => {
    for (const mayWriteMarkers of [true, false])
      for (const isTakerThere of [true, false]) {
        const { violations } = await history({ mayWriteMarkers, isTakerThere })
        assert.deepEqual(violations, [], `${mayWriteMarkers} ${isTakerThere}`)
      }
  })

  for (const [index, isBefore] of [true, false].entries())
    for (const [other, isPause] of [true, false].entries())
      test(`whoever does it ${isPause ? 'stands still' : 'is killed'} ${isBefore ? 'before' : 'after'} a call, and it is repeated`, async () => {
        const every = { calls: base.calls, oneOf: 40, shift: 10 * (2 * index + other) }
        const trouble = (call: number): Options => ({
          trouble: { call, isBefore, isPause },
          isTakerThere: call % 2 === 0,
        })
        assert.deepEqual(await series({}, every, trouble), [])
      })

  test('it is killed, and nobody repeats it: no two links write to a mirror', async () => {
    const trouble = (call: number): Options => ({ trouble: { call, isBefore: false, isPause: false } })
    const every = { calls: base.calls, oneOf: 30, shift: 7 }
    assert.deepEqual(await series({ isLeft: true, isTakerThere: true }, every, trouble), [])
  })

  test('over lines that lose and delay, with any of that trouble', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = new Random(seed)
      const isTakerThere = random.chance(0.4)
      const { violations } = await history({
        seed,
        isNoisy: true,
        isTakerThere,
        isTakerLate: !isTakerThere && random.chance(0.3),
        mayWriteMarkers: random.chance(0.6),
        workers: random.between(1, 3),
        ...(random.chance(0.5) && { pausedWorker: random.between(1, 300) }),
        ...(random.chance(0.6) && {
          trouble: {
            call: random.between(1, base.calls),
            isBefore: random.chance(0.5),
            isPause: random.chance(0.5),
          },
        }),
      })
      assert.deepEqual(violations, [], `seed ${seed}`)
    }
  })

  test('a worker of the link that gives them stands still all the while, and wakes', async () => {
    for (const mayWriteMarkers of [true, false]) {
      const every = { calls: 400, oneOf: 130, shift: mayWriteMarkers ? 0 : 60 }
      const wrong = await series({ mayWriteMarkers }, every, call => ({
        pausedWorker: call,
        isTakerLate: call % 2 === 0,
        workers: 1 + (call % 3),
      }))
      assert.deepEqual(wrong, [], String(mayWriteMarkers))
    }
  })
})

describe('a link that has handed topics over, simulated', () => {
  test('moves by itself, while these are mirrored on; a group that reads both stands in the way', async () => {
    const world = new MovingWorld({ seed: 1, mayWriteMarkers: true, workers: 2 })
    await world.pass(BEGINS_MS)
    const controller = new Controller(world, 'c1', undefined)
    await world.until(() => controller.isOver, LIMIT_MS)
    for (const n of [3, 4]) world.startWorker(n, PART)
    await world.pass(AFTER_MS)
    const refused = await ended(world, new Mover(world, 'm1', { kind: 'switchover' }))
    assert.match(
      refused?.sentence ?? '',
      /group "g" reads topics of link "sim", and "b" of link "part", which stays/,
    )
    world.stopConsumers()
    const group = world.source.groups.get(GROUP)!
    for (const name of group.keys()) if (name.startsWith('b/')) group.delete(name)
    const mover = new Mover(world, 'm2', { kind: 'switchover', resume: true, takeOver: true })
    const report = await ended(world, mover)
    assert.equal(report?.state, 'done', report?.sentence)
    assert.deepEqual([...new Set(report?.rpo.partitions.map(({ topic }) => topic))], ['a'])
    world.resumeApplications(STEPS_AFTER)
    await world.pass(AFTER_MS)
    assert.deepEqual(
      wrongIn(world).filter(wrong => wrong.startsWith('b')),
      [],
    )
    assert.deepEqual(world.violations, [])
    for (const process of [...world.workers, mover.process]) process.kill()
  })
})

describe('two links that by their configs both take a topic, simulated', () => {
  test('do not both copy to its empty mirror, whoever makes that', async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const world = new MovingWorld({ seed, mayWriteMarkers: true, workers: 1 })
      await world.pass(LOOKED_MS)
      world.startWorker(3, { ...PART, topics: ['new'] })
      await world.pass(LOOKED_MS)
      const at = world.source.createTopic('new', 1, {}).partitions[0]!
      await world.pass(BEGINS_MS)
      const random = world.random.stream('new')
      const how = { clock: world.clock, random, ageMs: 0, producers: 1, firstProducer: 900, prefix: 'new' }
      const of = new PartitionWorkload(at, how)
      for (let step = 0; step < STEPS_AFTER; step++) of.step()
      of.finish()
      await world.pass(BEGINS_MS)
      const links = new Set(world.copied.filter(({ topic }) => topic === 'new').map(({ link }) => link))
      assert.equal(links.size, 1, `seed ${seed}`)
      assert.equal(world.target.partition({ topic: 'new', partition: 0 })?.log.end, at.log.end)
      for (const process of world.workers) process.kill()
    }
  })
})

const dropping =
  (isDropped: Dropped, hides?: string): Options['planted'] =>
  store =>
    changed(store, isDropped, hides)

describe('the oracles of topics that are handed over find', () => {
  const found = async (options: Options): Promise<string> => (await history(options)).violations.join('; ')

  test('workers that go on meanwhile', async () => {
    const planted = dropping(key => key.startsWith('hold/'), 'worker/')
    assert.match(await found({ planted }), /the link that has handed it over writes to it/)
  })

  test('a link that still has what it has handed over', async () => {
    const isKept = (key: string): boolean => key === `topic/${LINK}/b` || key.startsWith(`forgotten/${LINK}`)
    assert.match(await found({ planted: dropping(isKept) }), /writes to it|state\.from/)
  })

  // Where the taker has written by then, it is refused by the slot's generation, or finds another one's batch.
  test('a worker that wakes, where the link keeps its generation', async () => {
    const planted = dropping(key => key === linkKey(LINK))
    assert.match(await found({ planted, isTakerLate: true, workers: 1, pausedWorker: 1 }), /writes to it/)
  })

  test('a taker that does not know who has written before', async () => {
    const planted = dropping(key => key.startsWith(`slot/${PART.name}/`))
    assert.match(await found({ planted }), /b\/0 (lacks|ends at)/)
  })
})
