// Rows of the fault table about the vault, in the simulated world.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { recordCodec } from '../../src/kafka/records.ts'
import { findKdrError } from '../../src/model/errors.ts'
import type { MemoryStore } from '../../src/store/memory.ts'
import { patientStore } from '../../src/store/patient.ts'
import { commitRange, readLatest } from '../../src/vault/chain.ts'
import { readRecords } from '../../src/vault/records.ts'
import { DAY_MS } from '../../src/vault/prune.ts'
import { verifyVault } from '../../src/vault/verify.ts'
import { Random } from '../sim/random.ts'
import { FaultyStore, NO_STORE_FAULTS, type StoreFaults } from '../store/faulty.ts'
import { faultRow } from '../support/fault-rows.ts'
import { failureOf } from './history.ts'
import { Keeper } from './keeper.ts'
import { Killed, Life } from './life.ts'
import { SET } from './made.ts'
import { SimSource } from './sim-source.ts'

const SIMULATED = { where: 'simulated' } as const

async function given(days = 3): Promise<Keeper> {
  const source = new SimSource(11)
  await source.init()
  const keeper = new Keeper(source)
  for (let day = 0; day < days; day++) {
    for (const at of source.topic('t', 2)) source.produce(at, 4)
    await source.backUp()
    await keeper.judge()
    await source.pass(DAY_MS)
  }
  return keeper
}

function faulty({ source, objects }: Keeper, faults: Partial<StoreFaults>): FaultyStore {
  const store = new FaultyStore(objects, new Random(12), async ms => await source.clock.sleep(ms))
  store.faults = { ...NO_STORE_FAULTS, ...faults }
  return store
}

const verify = async (store: MemoryStore, isFull: boolean) => {
  const number = (await commitRange(store, SET))!.last
  const isIntact = recordCodec.isIntact.bind(recordCodec)
  return await verifyVault({ store, set: SET, number, isFull, isIntact })
}

/** A day of records in each partition, and a backup of it. */
async function nextDay(
  { source }: Keeper,
  store?: FaultyStore | ReturnType<typeof patientStore>,
): Promise<void> {
  for (const at of source.topic('t')) source.produce(at, 4)
  await source.backUp(store === undefined ? {} : { store })
}

describe('faults of a vault', () => {
  faultRow('B01', 'a store that refuses', SIMULATED, async row => {
    const keeper = await given()
    const { source } = keeper
    const down = faulty(keeper, { refused: 1 })
    const error = await failureOf(nextDay(keeper, down))
    assert.equal(findKdrError(error)?.code, 'store-unreachable')
    await keeper.judge()
    assert.equal(keeper.range?.last, 3)
    row.did(
      'A backup met a store that refused every request; later one met storms of refusals and cut connections.',
    )
    row.saw('The first gave up (exit 11), and every commit before it reads as before.')
    const stormy = faulty(keeper, {})
    const patient = patientStore(stormy, { clock: source.clock, fraction: () => 0.5 })
    await source.run(async () => await patient.head('kdr.json'))
    stormy.faults = { ...NO_STORE_FAULTS, storm: 0.1, refused: 0.1, cut: 0.1 }
    await nextDay(keeper, patient)
    await keeper.judge()
    assert.equal(keeper.range.last, 4)
    assert.ok((stormy.came.get('refused') ?? 0) > 3)
    row.saw('The second asked again each time, and made its commit.')
  })

  faultRow('B02', 'an answer that is lost', SIMULATED, async row => {
    const keeper = await given()
    const lossy = faulty(keeper, { lost: 1 })
    // The packs of the first attempt are lost too, so that it fails; of one that only looks again the commit is found.
    assert.equal(findKdrError(await failureOf(nextDay(keeper, lossy)))?.code, 'store-unreachable')
    await keeper.judge()
    const patient = patientStore(faulty(keeper, { landed: 1 }), {
      clock: keeper.source.clock,
      fraction: () => 0.5,
    })
    await nextDay(keeper, patient)
    await keeper.judge()
    assert.equal(keeper.range?.last, 4)
    assert.deepEqual((await verify(keeper.objects, true)).problems, [])
    row.did(
      'A backup whose every write landed and was never answered; then one whose every creation was answered with "exists", as after an attempt that had landed.',
    )
    row.saw(
      'The first ended (exit 11) and left the set as it was. The second knew its own objects and its own commit, and made one commit.',
    )
  })

  faultRow('B03', 'a byte that changes', SIMULATED, async row => {
    const keeper = await given()
    const { objects } = keeper
    const [name, bytes] = [...objects.objects].findLast(([each]) => each.endsWith('.pack'))!
    bytes[80]! ^= 4
    const { problems } = await verify(objects, true)
    assert.deepEqual(
      problems.map(({ object }) => object),
      [name],
    )
    const [lost, ...others] = problems[0]!.lost
    assert.deepEqual([lost?.topic, lost?.from, lost?.to, lost?.records, others.length], ['t', 8, 12, 4, 0])
    assert.match(problems[0]!.what, /could not be restored at offsets 8 to 11 \(4 records\)$/)
    row.did('One bit of a pack was changed.')
    row.saw(
      '`verify --full` named the object, and the offsets and records of the one partition that could not be restored.',
    )
    const state = (await readLatest(objects, SET))!
    const of = { store: objects, set: SET, state }
    const range = { topic: 't', partition: lost!.partition, from: undefined, codec: recordCodec }
    const seen: number[] = []
    const whole = { ...range, to: { offset: 8 } }
    await readRecords(of, whole, ({ offset }) => seen.push(offset))
    assert.equal(seen.length, 8)
    bytes.writeInt32BE(7, 8)
    const error = await failureOf(readRecords(of, { ...range, to: undefined }, () => undefined))
    assert.equal(findKdrError(error)?.code, 'damaged')
    row.saw('What stands before it is read; a batch whose length is wrong is refused (exit 3).')
  })

  faultRow('B05', 'a listing that misses the newest', SIMULATED, async row => {
    const keeper = await given()
    const late = faulty(keeper, { late: 1 })
    for (let day = 0; day < 3; day++) {
      await nextDay(keeper, late)
      await keeper.judge()
    }
    assert.equal(keeper.range?.last, 6)
    assert.ok((late.came.get('late') ?? 0) >= 3)
    await keeper.verify({ ...keeper.whole, store: late })
    // A verification that the listing misses is none yet.
    assert.equal(
      findKdrError(await failureOf(keeper.prune(1, { ...keeper.whole, store: late })))?.code,
      'not-ready',
    )
    await nextDay(keeper, late)
    await keeper.judge()
    await keeper.prune(1, { ...keeper.whole, store: late })
    await keeper.judge(1)
    assert.equal(keeper.range.first, 3)
    row.did('Backups, a verification and a prune over a store whose listings never had the newest objects.')
    row.saw('Each commit followed on the one before it; every commit that counts is whole.')
  })

  faultRow('B07', 'an object that is deleted', SIMULATED, async row => {
    const keeper = await given(6)
    const { objects } = keeper
    await keeper.verify()
    await keeper.source.pass(8 * DAY_MS)
    const name = [...objects.objects.keys()].findLast(each => each.endsWith('.pack'))!
    await objects.delete(name)
    const { problems } = await verify(objects, false)
    assert.deepEqual(
      problems.map(({ object, lost }) => [object, lost.length]),
      [[name, 2]],
    )
    row.did('A pack that the newest commit needs was deleted.')
    row.saw('`verify`, which only looks at names and sizes, named it with the records that it costs.')
    const error = await failureOf(keeper.prune(1))
    assert.equal(findKdrError(error)?.code, 'not-ready')
    row.saw('No full verification can pass any more, and `prune` refuses without a fresh one (exit 17).')
  })

  faultRow('B08', 'a backup that is killed', SIMULATED, async row => {
    const keeper = await given(6)
    const { source, objects } = keeper
    const before = objects.objects.size
    for (let call = 1; objects.objects.size === before; call++) {
      const life = new Life().endAt(call, false)
      const error = await failureOf(source.backUp(keeper.eyes(life)))
      assert.ok(error instanceof Killed || error === undefined, String(error))
      if (call % 5 === 0) for (const at of source.topic('t')) source.produce(at, 1)
    }
    const left = [...objects.objects.keys()].slice(before)
    assert.ok(left.every(name => name.includes('/packs/')))
    await keeper.judge()
    assert.equal(keeper.range?.last, 6)
    row.did('A backup was killed right after it had written a pack.')
    row.saw('The set is as it was; every commit reads as before.')
    await nextDay(keeper)
    await keeper.verify()
    await keeper.prune(1)
    await keeper.judge(1)
    await source.pass(2 * DAY_MS)
    await keeper.verify()
    await keeper.prune(1)
    await keeper.judge(1)
    assert.ok(left.every(name => !objects.objects.has(name)))
    row.saw(
      'The next backup went on; what was left behind was named by the next prune, and deleted by the one after its grace period.',
    )
  })

  faultRow('B09', 'two backups at once', SIMULATED, async row => {
    const keeper = await given()
    const { source } = keeper
    for (const at of source.topic('t')) source.produce(at, 4)
    const slow = faulty(keeper, { slow: 1 })
    const errors = await source.run(
      async () =>
        await Promise.all([
          failureOf(source.startBackUp({ store: slow })),
          failureOf(source.startBackUp({ store: slow })),
        ]),
    )
    assert.deepEqual(errors.map(error => findKdrError(error)?.code ?? 'made its commit').sort(), [
      'made its commit',
      'other-writer',
    ])
    await keeper.judge()
    assert.equal(keeper.range?.last, 4)
    await keeper.readAll()
    row.did('Two backups of one set were started at once.')
    row.saw(
      'One made the next commit; the other ended with exit 13, and what it had written counts for nothing.',
    )
  })
})
