// Ten thousand consumer groups: how long it takes to carry them all over, and what it costs to keep them in step.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { faultRow } from '../support/fault-rows.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import { adminOf, makeLink, untilIdentical } from '../support/link.ts'
import { linkStatus } from '../support/status.ts'
import { suite } from '../support/suite.ts'

const GROUPS = 10_000
const PARTITIONS = 10
const RECORDS = 2_000
const ALL_WITHIN_MS = 30_000
const CORE_SHARE = 0.1
const WATCHED_MS = 40_000
/** Of a kernel that says nothing else (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100

const isFull = suite !== 'short'
const context = withLab(isFull ? [{ name: 'east' }, { name: 'west' }] : [])
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

faultRow(
  'G11',
  `${GROUPS} groups with ${PARTITIONS} partitions each are carried over in time, and cost little`,
  { suite: 'full' },
  async (row, t) => {
    const { judge } = context
    const sides = { source: context.cluster('east'), target: context.cluster('west') }
    const topic = freshTopic('many')
    await judge.createTopic({ ...east(), topic, partitions: PARTITIONS })
    await judge.produce({ ...east(), topic, count: RECORDS * PARTITIONS })
    const ends = await judge.ends({ ...east(), topics: [topic] })
    const offset = Math.min(...ends.map(([, , end]) => end))
    const all = { ...east(), topic, partitions: PARTITIONS, prefix: 'many' }
    for (let from = 0; from < GROUPS; from += 1_000)
      await judge.alterManyGroups({ ...all, from, to: from + 1_000, offset: offset - 10 })
    row.did(`committed ${GROUPS} groups at all ${PARTITIONS} partitions of a topic, then started the link`)

    const link = makeLink({ name: 'many', ...sides, settings: { topics: [topic] } })
    const kdr = link.start('run', '-v')
    try {
      await kdr.says(/behind/)
      await untilIdentical(judge, sides, topic)
      const begunAt = performance.now()
      await synced(link)
      const tookMs = performance.now() - begunAt
      const cpu = cpuSeconds(kdr.pid)
      t.diagnostic(`all in step after ${(tookMs / 1000).toFixed(1)} s, ${cpu.toFixed(1)} s of CPU so far`)
      assert.ok(tookMs < patience(ALL_WITHIN_MS), `it took ${tookMs} ms`)
      row.saw('all groups were in step within 30 s')

      await sleep(10_000)
      const before = cpuSeconds(kdr.pid)
      const watchedAt = performance.now()
      await sleep(WATCHED_MS)
      const watchedMs = performance.now() - watchedAt
      const share = ((cpuSeconds(kdr.pid) - before) / watchedMs) * 1000
      t.diagnostic(`${(share * 100).toFixed(1)} % of a core while nothing changes`)
      assert.ok(share < CORE_SHARE, `${share} of a core`)
      row.saw('while nothing changed, kdr took less than a tenth of a core')

      await judge.alterManyGroups({ ...all, from: 0, to: 200, offset: offset - 5 })
      await waitFor(
        async () => (await judge.groupOffsets({ ...west(), group: 'many-199' }))[0]?.offset === offset - 5,
        { what: 'a group that moved', everyMs: 500 },
      )
      row.saw('groups that moved on followed')
    } finally {
      kdr.signal('SIGKILL')
      await kdr.ended
    }
  },
)

async function synced(link: ReturnType<typeof makeLink>): Promise<void> {
  let count = 0
  await waitFor(
    async () => {
      const { groups } = await linkStatus(link)
      count = groups.filter(({ state }) => state === 'synced').length
      return count === GROUPS
    },
    {
      what: () => `${GROUPS} groups to be in step; ${count} are`,
      everyMs: 1_000,
      timeoutMs: patience(120_000),
    },
  )
}

/** User and system time of the process. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}
