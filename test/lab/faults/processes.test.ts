// Fault rows of kdr's own process: its clocks jump, its event loop stands still. What is done to it
// from the inside is in test/support/inside-kdr.ts.

import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { faultRow } from '../../support/fault-rows.ts'
import { freshTopic, patience, waitFor, withLab } from '../../support/lab.ts'
import { adminOf, assertIdentical, type KdrProcess, type Link, makeLink } from '../../support/link.ts'
import { partitionsOf } from '../../support/status.ts'
import { suite } from '../../support/suite.ts'
import { freshLink } from '../../support/ways-out.ts'

const context = withLab(suite === 'short' ? [] : [{ name: 'east' }, { name: 'west' }])
const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

const TEN_MINUTES_MS = 600_000
/** Longer than a lease, shorter than a successor waits. */
const STALL_MS = 4_500
/** Longer than a successor waits. */
const LONG_STALL_MS = 20_000

describe('kdr as a process', { concurrency: 2 }, () => {
  faultRow(
    'N09',
    "kdr's wall clock jumps ten minutes ahead, and twenty back",
    { suite: 'full' },
    async row => {
      await whileLoaded(async ({ link, daemon }) => {
        for (const offset of [TEN_MINUTES_MS, -TEN_MINUTES_MS]) {
          row.did(`moved kdr's wall clock by ${offset / 60_000} minutes under load`)
          link.tellInside({ clockOffsetMs: offset })
          await sleep(3_000)
          // A process of its own, by the same clock as the daemon's.
          const { object } = await link.json('status')
          const [shown] = object['links'] as { state: string; lagMs: number }[]
          assert.equal(shown?.state, 'mirroring', JSON.stringify(shown))
          assert.ok(shown.lagMs < patience(30_000), JSON.stringify(shown))
          assert.equal(daemon.hasEnded, false, daemon.stderr)
        }
        assert.doesNotMatch(daemon.stderr, /held up|another kdr/)
      })
      row.saw('it mirrors on: no lag of minutes, no lease that runs out; both sides are identical')
    },
  )

  faultRow('P20', "kdr's event loop stands still", { suite: 'full' }, async row => {
    await whileLoaded(async ({ topic, link, daemon }) => {
      row.did(`kept the event loop busy for ${STALL_MS} ms under load`)
      link.tellInside({ stallMs: STALL_MS })
      daemon.signal('SIGUSR2')
      await sleep(STALL_MS + 500)
      const before = (await partitionsOf(link, topic))[0]?.cursor ?? 0
      await waitFor(async () => ((await partitionsOf(link, topic))[0]?.cursor ?? 0) > before, {
        what: 'it to go on',
        everyMs: 400,
      })
    })
    row.saw('it goes on by itself: identical')

    await whileLoaded(async ({ link, daemon }) => {
      row.did(`kept it busy for ${LONG_STALL_MS / 1000} s, while another kdr was started for the same link`)
      link.tellInside({ stallMs: LONG_STALL_MS })
      daemon.signal('SIGUSR2')
      // It is busy before the other looks at its beats.
      await sleep(1_200)
      const other = link.start('run', '-v')
      await other.says(/record.* behind/, patience(60_000))
      await sleep(LONG_STALL_MS)
      assert.equal(daemon.hasEnded, false, daemon.stderr)
      return other
    })
    row.saw(
      'the other one takes its slots over; when the first wakes it asks before it writes, and shares the link: identical',
    )
  })
})

type Loaded = { readonly topic: string; readonly link: Link; readonly daemon: KdrProcess }

/** A topic under load and a daemon of its own; afterwards both sides must be identical. `act` may hand over to another. */
async function whileLoaded(act: (loaded: Loaded) => Promise<KdrProcess | void>): Promise<void> {
  const { judge } = context
  const topic = freshTopic('loaded')
  await judge.createTopic({ ...east(), topic })
  const link = makeLink({ name: freshLink(), ...sides(), inside: {}, settings: { topics: [topic] } })
  const daemon = link.start('run', '-v')
  let last = daemon
  try {
    await daemon.says(/behind/)
    const { workload } = await judge.startWorkload({ ...east(), topic, rate: 100, lingerMs: 20 })
    await waitFor(
      async () => ((await judge.ends({ ...west(), topics: [topic] }).catch(() => []))[0]?.[2] ?? 0) > 0,
      {
        what: 'some records',
      },
    )
    last = (await act({ topic, link, daemon })) ?? daemon
    const { acknowledged } = await judge.stopWorkload({ workload })
    assert.ok(acknowledged > 0)
    const end = async (at: ReturnType<typeof east>) => (await judge.ends({ ...at, topics: [topic] }))[0]?.[2]
    const wanted = await end(east())
    await waitFor(async () => (await end(west())) === wanted, { what: `${topic} to be copied`, everyMs: 200 })
    await assertIdentical(judge, sides(), [topic])
    last.signal('SIGTERM')
    const ended = await last.ended
    assert.equal(ended.code, 0, ended.stderr)
  } catch (error) {
    console.error(`the end of what kdr said:\n${last.stderr.slice(-3000)}`)
    throw error
  } finally {
    for (const each of [daemon, last]) each.signal('SIGKILL')
  }
}
