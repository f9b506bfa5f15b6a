// Several workers share a link: each holds a part of its slots. One that joins or leaves holds the others up for a moment only,
// what one that is killed held goes on elsewhere, and one that stood still does no harm when it wakes.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { CONTROL_SLOT, slotOf, SLOTS } from '../../src/model/slots.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import { adminOf, assertIdentical, type KdrProcess, type Link, makeLink } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const PARTITIONS = 300
/** Records a second, over all partitions. */
const RATE = 300
const HELD_UP_MS = 2_000
const REPLACED_MS = 15_000
/** Longer than the session of the workers' group (6 s), and than a worker's silence is waited out (5 s). */
const PAUSE_MS = 12_000

// In the short suite the simulated world has them: two and three workers, that die and wake.
const skip = suite === 'short' && 'in make test-full'
const context = withLab(skip === false ? [{ name: 'east' }, { name: 'west' }] : [])
const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

type Worker = { readonly id: string; readonly slots: readonly number[] }

async function workersOf(link: Link): Promise<readonly Worker[]> {
  const { object } = await link.json('status')
  return (object as { links: { workers: readonly Worker[] }[] }).links[0]?.workers ?? []
}

/** Until so many workers hold all slots, evenly. */
async function shared(link: Link, count: number, timeoutMs: number): Promise<readonly Worker[]> {
  let workers: readonly Worker[] = []
  return await waitFor(
    async () => {
      workers = await workersOf(link)
      const sizes = workers.map(({ slots }) => slots.length)
      const isWhole = sizes.reduce((sum, size) => sum + size, 0) === SLOTS
      return isWhole && workers.length === count && Math.max(...sizes) - Math.min(...sizes) <= 1 && workers
    },
    // A look at 300 partitions takes CPU from those that are looked at.
    { timeoutMs, everyMs: 700, what: () => `${count} workers to share: ${JSON.stringify(workers)}` },
  )
}

describe('workers share a link', { concurrency: 1, skip }, () => {
  const running = new Set<KdrProcess>()
  let topic = ''
  let link: Link
  let workload = ''

  const start = async (): Promise<KdrProcess> => {
    const worker = link.start('run', '-v')
    running.add(worker)
    await worker.says(/behind/)
    return worker
  }

  after(() => running.forEach(each => each.signal('SIGKILL')))

  /** The lag of the records that are written while `act` runs, as a Java consumer sees it. */
  const lagWhile = async (act: () => Promise<void>): Promise<number> => {
    const { judge } = context
    const { lag } = await judge.startLag({ source: east(), target: west(), topic, workload })
    await sleep(2_000)
    const from = (await judge.workload({ workload })).acknowledged
    await act()
    const to = (await judge.workload({ workload })).acknowledged
    await sleep(patience(HELD_UP_MS))
    const report = await judge.stopLag({ lag, from, to })
    assert.equal(report.missing, 0, JSON.stringify(report))
    return report.max
  }

  test('four of them hold 75 ± 25 of 300 partitions each; joins and leaves hold nobody up for 2 s', async t => {
    const { judge } = context
    topic = freshTopic('shared')
    await judge.createTopic({ ...east(), topic, partitions: PARTITIONS })
    link = makeLink({ ...sides(), settings: { topics: ['shared-*'] } })
    await start()
    ;({ workload } = await judge.startWorkload({ ...east(), topic, rate: RATE, lingerMs: 5 }))
    let last: KdrProcess | undefined
    const joined = await lagWhile(async () => {
      await Promise.all([start(), start()])
      last = await start()
      await shared(link, 4, patience(60_000))
    })
    const workers = await workersOf(link)
    const held = workers.map(
      ({ slots }) =>
        Array.from({ length: PARTITIONS }, (_, partition) => slotOf({ topic, partition }, SLOTS)).filter(
          slot => slots.includes(slot),
        ).length,
    )
    for (const partitions of held) assert.ok(Math.abs(partitions - 75) <= 25, held.join())
    const left = await lagWhile(async () => {
      last?.signal('SIGTERM')
      assert.equal((await last?.ended)?.code, 0, last?.stderr)
      await shared(link, 3, patience(30_000))
    })
    t.diagnostic(`partitions ${held.join(', ')}; longest lag ${joined} ms at joins, ${left} ms at a leave`)
    assert.ok(joined < patience(HELD_UP_MS), `held up for ${joined} ms while workers joined`)
    assert.ok(left < patience(HELD_UP_MS), `held up for ${left} ms while a worker left`)
  })

  test('what a killed one held goes on within 15 s, the control work included', async t => {
    const before = await shared(link, 3, patience(30_000))
    const control = before.find(({ slots }) => slots.includes(CONTROL_SLOT))
    const victim = [...running].find(each => each.stderr.includes(control?.id ?? 'nobody'))
    assert.ok(victim !== undefined, 'no worker has said that it does the control work')
    const begun = performance.now()
    victim.signal('SIGKILL')
    await shared(link, 2, patience(REPLACED_MS))
    t.diagnostic(`replaced after ${((performance.now() - begun) / 1_000).toFixed(1)} s`)
    const created = freshTopic('shared')
    await context.judge.createTopic({ ...east(), topic: created })
    await waitFor(async () => (await context.judge.listTopics(west())).includes(created), {
      what: 'the new control worker to mirror a new topic',
      timeoutMs: patience(10_000),
    })
  })

  test('one that stands still for longer than its session does no harm when it wakes', async () => {
    const { judge } = context
    const [paused, other] = [...running].filter(each => !each.hasEnded)
    paused?.signal('SIGSTOP')
    await sleep(PAUSE_MS)
    await shared(link, 1, patience(20_000))
    paused?.signal('SIGCONT')
    await shared(link, 2, patience(30_000))
    const { acknowledged } = await judge.stopWorkload({ workload })
    assert.ok(acknowledged > 0)
    const total = async (at: ReturnType<typeof east>): Promise<number> =>
      (await judge.ends({ ...at, topics: [topic] })).reduce((sum, [, , end]) => sum + end, 0)
    const wanted = await total(east())
    await waitFor(async () => (await total(west())) === wanted, {
      what: 'both sides to end alike',
      everyMs: 200,
    })
    await assertIdentical(judge, sides(), [topic])
    for (const each of [paused, other]) {
      each?.signal('SIGTERM')
      const end = await each?.ended
      assert.equal(end?.code, 0, end?.stderr)
    }
  })
})
