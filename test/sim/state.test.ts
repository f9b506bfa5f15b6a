// Two stores of `_kdr.state` that write the same key: whatever becomes of a put, and whenever its answer comes, a store shows
// what the log has last.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordCodec } from '../../src/kafka/records.ts'
import { KdrError } from '../../src/model/errors.ts'
import type { AppendLane, Cluster } from '../../src/ports/cluster.ts'
import type { StateRecord } from '../../src/ports/state.ts'
import { openTopicStore } from '../../src/state/topic-store.ts'
import { SimProcess } from './network.ts'
import { simPort } from './port.ts'
import { World } from './world.ts'

const KEY = 'k'
const by = (who: string): StateRecord => ({ v: 1, kind: 'test', by: who })
const SOON_MS = 1_000
const TROUBLE = { lost: 0, answerLost: 0, slow: 0, late: 0, lateWrites: 0, hung: 0, brokers: 1 }

/** What happens to each write of one store. */
type Line = { before: () => Promise<void>; after: () => Promise<void> }

describe('a put to a key that another store writes too', () => {
  test('is given up: what the other wrote meanwhile is shown', async () => {
    await inWorld(async ({ mine, other, line, clock }) => {
      const gate = Promise.withResolvers<void>()
      let may = true
      line.before = async () => {
        await gate.promise
        throw new KdrError('unreachable', 'no answer in time')
      }
      const put = mine.put(KEY, by('mine'), () => may)
      put.catch(() => undefined)
      await other.put(KEY, by('other'))
      await mine.refresh()
      assert.deepEqual(mine.get(KEY), by('mine'), 'what is under way is shown')
      may = false
      gate.resolve()
      await assert.rejects(put)
      assert.deepEqual(mine.get(KEY), by('other'))
      await clock.sleep(SOON_MS)
      await mine.refresh()
      assert.deepEqual(mine.get(KEY), by('other'))
    })
  })

  test('is given up while a later one of its own waits: that is shown', async () => {
    await inWorld(async ({ mine, line, clock }) => {
      const gate = Promise.withResolvers<void>()
      let may = true
      await mine.put(KEY, by('first'))
      line.before = async () => {
        await gate.promise
        throw new KdrError('unreachable', 'no answer in time')
      }
      const put = mine.put(KEY, by('second'), () => may)
      put.catch(() => undefined)
      await clock.sleep(SOON_MS)
      const later = mine.put(KEY, by('third'))
      may = false
      line.before = () => Promise.resolve()
      gate.resolve()
      await assert.rejects(put)
      assert.deepEqual(mine.get(KEY), by('third'))
      await later
      assert.deepEqual(mine.get(KEY), by('third'))
    })
  })

  test('is answered after the other has written: the other is shown', async () => {
    await inWorld(async ({ mine, other, line, clock }) => {
      const gate = Promise.withResolvers<void>()
      line.after = async () => await gate.promise
      const put = mine.put(KEY, by('mine'))
      await clock.sleep(SOON_MS)
      await other.put(KEY, by('other'))
      await mine.refresh()
      gate.resolve()
      await put
      assert.deepEqual(mine.get(KEY), by('other'))
    })
  })

  test('lands after what was read meanwhile: it is shown', async () => {
    await inWorld(async ({ mine, other, line }) => {
      const gate = Promise.withResolvers<void>()
      line.before = async () => await gate.promise
      const put = mine.put(KEY, by('mine'))
      await other.put(KEY, by('other'))
      await mine.refresh()
      gate.resolve()
      await put
      assert.deepEqual(mine.get(KEY), by('mine'))
      await mine.refresh()
      assert.deepEqual(mine.get(KEY), by('mine'))
    })
  })
})

async function inWorld(script: (of: Awaited<ReturnType<typeof twoStores>>) => Promise<void>): Promise<void> {
  const world = new World(7, { trouble: TROUBLE })
  let isOver = false
  const done = twoStores(world)
    .then(script)
    .finally(() => {
      isOver = true
    })
  done.catch(() => undefined)
  assert.equal(await world.clock.run(() => isOver, 60_000), 'done')
  await done
}

async function twoStores(world: World) {
  const { clock } = world
  const nothing = (): Promise<void> => Promise.resolve()
  const line: Line = { before: nothing, after: nothing }
  const port = (): Cluster => simPort(world.target, world.networks.target, new SimProcess())
  const mine = await openTopicStore(through(port(), line), recordCodec, clock, { create: true, writer: 1n })
  const other = await openTopicStore(port(), recordCodec, clock, { create: true, writer: 2n })
  return { mine, other, line, clock }
}

function through(cluster: Cluster, line: Line): Cluster {
  return {
    ...cluster,
    openAppendLane: async broker => {
      const lane = await cluster.openAppendLane(broker)
      const append: AppendLane['append'] = async (entries, timeoutMs) => {
        await line.before()
        const answers = await lane.append(entries, timeoutMs)
        await line.after()
        return answers
      }
      return {
        broker,
        append,
        get isClosed() {
          return lane.isClosed
        },
        close: async () => await lane.close(),
      }
    },
  }
}
