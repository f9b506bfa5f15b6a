// Backups, verifications and prunes over a store that fails in one way, often: the set stays valid, and they come to their end.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findKdrError } from '../../src/model/errors.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { patientStore } from '../../src/store/patient.ts'
import { DAY_MS } from '../../src/vault/prune.ts'
import { Random } from '../sim/random.ts'
import { storeConformance } from '../store/conformance.ts'
import { FaultyStore, NO_STORE_FAULTS, type StoreFaults } from '../store/faulty.ts'
import { failureOf } from './history.ts'
import { type Eyes, Keeper } from './keeper.ts'
import { SimSource } from './sim-source.ts'

describe('a faulty store without faults', () => {
  storeConformance(() =>
    Promise.resolve(new FaultyStore(new MemoryStore(), new Random(1), () => Promise.resolve())),
  )
})

const FAULTS: Readonly<Record<string, Partial<StoreFaults>>> = {
  'refuses in storms (503)': { storm: 0.03, refused: 0.01 },
  'is slow': { slow: 0.5 },
  'is cut in the middle': { cut: 0.03 },
  'does what it was asked, and loses the answer': { lost: 0.1 },
  'lists without the newest': { late: 1 },
  'says that what was created was there before': { landed: 0.5 },
}
const ATTEMPTS = 200

describe('over a store that', () => {
  for (const [what, faults] of Object.entries(FAULTS))
    test(what, { timeout: 60_000 }, async () => {
      const source = new SimSource(5)
      await source.init()
      const keeper = new Keeper(source)
      const store = new FaultyStore(keeper.objects, new Random(6), async ms => await source.clock.sleep(ms))
      store.faults = { ...NO_STORE_FAULTS, ...faults }
      const eyes: Eyes = { ...keeper.whole, store }
      const insist = async (act: () => Promise<unknown>): Promise<void> => {
        for (let attempt = 1; ; attempt++) {
          const error = await failureOf(act())
          await keeper.judge(2)
          if (error === undefined) return
          const code = findKdrError(error)?.code
          assert.equal(code, 'store-unreachable', String(error))
          assert.ok(attempt < ATTEMPTS, 'it comes to its end')
        }
      }
      for (let day = 0; day < 8; day++) {
        for (const at of source.topic('t', 2)) {
          source.produce(at, 3)
          at.log.trim(Math.max(0, at.log.end - 8))
        }
        await insist(async () => await source.backUp(eyes))
        await insist(async () => await keeper.verify(eyes))
        await insist(async () => await keeper.prune(2, eyes))
        await source.pass(DAY_MS)
      }
      assert.ok(keeper.range!.first > 1, 'something was pruned')
      await keeper.readAll()
      for (const kind of Object.keys(faults)) assert.ok((store.came.get(kind) ?? 0) > 0, `${kind} came`)
    })
})

describe('a run that is patient', () => {
  test('comes to its end at the first attempt, whatever the store does', { timeout: 60_000 }, async () => {
    const source = new SimSource(8)
    await source.init()
    const keeper = new Keeper(source)
    const faulty = new FaultyStore(keeper.objects, new Random(9), async ms => await source.clock.sleep(ms))
    faulty.faults = { ...NO_STORE_FAULTS, refused: 0.03, storm: 0.005, cut: 0.02, lost: 0.2, landed: 0.2 }
    const store = patientStore(faulty, { clock: source.clock, fraction: () => 0.5 })
    // It is there: without an answer it would be given up soon.
    await source.run(async () => await failureOf(store.head('kdr.json')))
    const eyes: Eyes = { ...keeper.whole, store }
    for (let day = 0; day < 8; day++) {
      for (const at of source.topic('t', 2)) {
        source.produce(at, 3)
        at.log.trim(Math.max(0, at.log.end - 8))
      }
      await source.backUp(eyes)
      await keeper.judge()
      await keeper.verify(eyes)
      await keeper.prune(2, eyes)
      await keeper.judge(2)
      await source.pass(DAY_MS)
    }
    assert.ok(keeper.range!.last > 8 && keeper.range!.first > 1, 'backups and prunes')
    for (const kind of ['refused', 'storm', 'cut', 'lost', 'landed'])
      assert.ok((faulty.came.get(kind) ?? 0) > 0, `${kind} came`)
  })
})
