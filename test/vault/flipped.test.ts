// One changed byte in any object of a vault is found by a full verification, and the object named.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordCodec } from '../../src/kafka/records.ts'
import type { VaultVerification } from '../../src/vault/verify.ts'
import type { MemoryStore } from '../../src/store/memory.ts'
import { commitRange } from '../../src/vault/chain.ts'
import { DAY_MS, executePrune, preparePrune } from '../../src/vault/prune.ts'
import { recordVerified } from '../../src/vault/verified.ts'
import { verifyVault } from '../../src/vault/verify.ts'
import { Random } from '../sim/random.ts'
import { suite } from '../support/suite.ts'
import { commitBatches, madeBatch, madeVault, SET, unique } from './made.ts'

/** Of each object. */
const PLACES = { short: 8, full: 400, soak: 4_000 }[suite]

/** Objects of every kind: what is named is what must stand in them. */
const KINDS: Readonly<Record<string, RegExp>> = {
  'the vault': /^kdr\.json$/,
  'a commit': /\/commits\//,
  'a plain segment': /\/data\/.*\.log$/,
  'a compressed segment': /\/data\/.*\.log\.zst$/,
  'an index of a segment': /\/data\/.*\.index\.json$/,
  'a pack': /\/packs\/.*\.pack$/,
  'an index of a pack': /\/packs\/.*\.index\.json$/,
  'a verification': /\/verified\//,
}

async function given(): Promise<MemoryStore> {
  const store = (await madeVault()) as MemoryStore
  const day = (at: number) => ({ now: at * DAY_MS, draft: { endsAt: new Date(at * DAY_MS).toISOString() } })
  const large = (from: number) =>
    Array.from({ length: 5 }, (_none, i) => madeBatch({ from: from + i, values: ['x'.repeat(900_000)] }))
  await commitBatches(store, large(0), { compression: 'none', ...day(1) })
  await commitBatches(store, large(5), { compression: 'zstd', ...day(2) })
  await commitBatches(store, [madeBatch({ from: 10, values: ['x', 'y'] })], day(3))
  await commitBatches(store, [madeBatch({ from: 12, values: ['z'] })], day(4))
  const { objects, bytes } = await verify(store)
  const verified = { set: SET, number: 4, at: new Date(4 * DAY_MS).toISOString(), by: 'test', objects, bytes }
  await recordVerified(store, verified, unique)
  const options = { store, set: SET, by: 'test', unique, now: () => 4.5 * DAY_MS, days: 2 }
  const { commit } = await executePrune(options, await preparePrune(options))
  assert.equal(commit, 5)
  return store
}

async function verify(store: MemoryStore): Promise<VaultVerification> {
  const number = (await commitRange(store, SET))!.last
  const isIntact = recordCodec.isIntact.bind(recordCodec)
  return await verifyVault({ store, set: SET, number, isFull: true, isIntact })
}

const store = await given()

describe('a changed byte', () => {
  for (const [kind, pattern] of Object.entries(KINDS))
    test(`in ${kind} is found, and the object named`, async () => {
      assert.deepEqual((await verify(store)).problems, [])
      const names = [...store.objects.keys()].filter(name => pattern.test(name))
      assert.ok(names.length > 0, `there is ${kind}`)
      const random = new Random(2)
      for (const name of names) {
        const bytes = store.objects.get(name)!
        const every = Math.max(1, Math.floor(bytes.length / PLACES))
        for (let place = 0; place < bytes.length; place += every) {
          const at = Math.min(bytes.length - 1, place + random.between(0, every - 1))
          const bit = 1 << random.between(0, 7)
          bytes[at]! ^= bit
          const { problems } = await verify(store)
          assert.deepEqual(
            [...new Set(problems.map(({ object }) => object))],
            [name],
            `byte ${at} of ${name}: ${JSON.stringify(problems)}`,
          )
          bytes[at]! ^= bit
        }
      }
    })
})
