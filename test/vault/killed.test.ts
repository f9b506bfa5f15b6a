// A backup, a prune or a verification that is killed at any of its calls through a port, before that call's effect or after it: the set
// stays valid, and the next one goes on.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { DAY_MS } from '../../src/vault/prune.ts'
import { type Eyes, Keeper } from './keeper.ts'
import { Killed, Life } from './life.ts'
import { commitRange } from '../../src/vault/chain.ts'
import { SET } from './made.ts'
import { SimSource } from './sim-source.ts'

/** Ten days of backups, verified, of a log that begins later every day. */
async function given(): Promise<Keeper> {
  const source = new SimSource(7)
  await source.init()
  const keeper = new Keeper(source)
  for (let day = 0; day < 10; day++) {
    for (const at of source.topic('t', 2)) {
      source.produce(at, 3)
      const producer = source.newProducer()
      source.produce(at, 2, producer)
      source.end(at, producer, day % 2 === 0)
      at.log.trim(Math.max(0, at.log.end - 15))
    }
    await source.backUp()
    await keeper.judge()
    await source.pass(DAY_MS)
  }
  return keeper
}

const DAYS = 4

type Act = {
  readonly name: string
  /** Once, before it. */
  readonly prepare: (keeper: Keeper) => Promise<void>
  readonly act: (keeper: Keeper, eyes: Eyes) => Promise<unknown>
  /** After it was done again, whole. */
  readonly done: (keeper: Keeper) => Promise<void>
  readonly leastCalls: number
}

const news = (keeper: Keeper): Promise<void> => {
  for (const at of keeper.source.topic('t')) keeper.source.produce(at, 4)
  return Promise.resolve()
}

const ACTS: readonly Act[] = [
  {
    name: 'a backup',
    prepare: news,
    act: async ({ source }, eyes) => await source.backUp(eyes),
    done: async ({ objects }) => assert.ok((await commitRange(objects, SET))!.last >= 11),
    leastCalls: 25,
  },
  {
    name: 'a verification',
    prepare: news,
    act: async (keeper, eyes) => await keeper.verify(eyes),
    done: ({ objects }) =>
      Promise.resolve(assert.ok([...objects.objects.keys()].some(name => name.includes('/verified/')))),
    leastCalls: 60,
  },
  {
    name: 'a prune that drops',
    prepare: async keeper => void (await keeper.verify()),
    act: async (keeper, eyes) => await keeper.prune(DAYS, eyes),
    done: ({ range }) => Promise.resolve(assert.equal(range?.first, 7)),
    leastCalls: 60,
  },
  {
    name: 'a prune that deletes',
    prepare: async keeper => {
      await keeper.verify()
      await keeper.prune(DAYS)
      await keeper.judge(DAYS)
      await keeper.source.pass(1.5 * DAY_MS)
    },
    act: async (keeper, eyes) => await keeper.prune(DAYS, eyes),
    done: async keeper => {
      const { due } = await keeper.prune(DAYS)
      assert.equal(due.length, 0)
    },
    leastCalls: 70,
  },
]

describe('killed at any call through a port', () => {
  for (const { name, prepare, act, done, leastCalls } of ACTS)
    for (const isBefore of [true, false])
      test(`${name}, ${isBefore ? 'before' : 'after'} its effect`, { timeout: 120_000 }, async () => {
        const keeper = await given()
        await prepare(keeper)
        const snapshot = new Map(keeper.objects.objects)
        const known = { range: keeper.range, held: new Map(keeper.held) }
        for (let call = 1; ; call++) {
          keeper.objects.objects.clear()
          for (const [object, bytes] of snapshot) keeper.objects.objects.set(object, bytes)
          keeper.range = known.range
          keeper.held.clear()
          for (const [number, held] of known.held) keeper.held.set(number, held)
          const life = new Life().endAt(call, isBefore)
          const died = await act(keeper, keeper.eyes(life)).then(
            () => false,
            (error: unknown) => {
              assert.ok(error instanceof Killed, String(error))
              return true
            },
          )
          await keeper.judge(DAYS)
          await act(keeper, keeper.whole)
          await keeper.judge(DAYS)
          await done(keeper)
          await keeper.judge(DAYS)
          if (died) continue
          assert.ok(call > leastCalls, `${call} calls`)
          return
        }
      })
})
