// Many moves under load, against a ledger of what was acknowledged and delivered. Switchovers there and back: everything acknowledged is at the
// new active at its offset, and each group has had it once. Failovers by `kill -9` of the whole cluster: what is lost stands at the
// end of its partition, no older than the report says.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunReport } from '../../src/model/runs.ts'
import { cutsOf, Hook, ledgerOf, PROTOCOLS } from '../support/ledger.ts'
import { faultRow } from '../support/fault-rows.ts'
import { waitFor, withLab } from '../support/lab.ts'
import { adminOf, type KdrProcess, type Link, makeLink, untilIdentical } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const MOVES = { short: 0, full: 2, soak: 20 }[suite]
const skip = MOVES === 0 && 'in make test-full'
/** A fence waits for longer than this: here it is what a broker allows at least. */
const QUICK = { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' }
const LOAD_MS = 1_500

const context = withLab(
  MOVES === 0
    ? []
    : [
        { name: 'east', properties: QUICK },
        { name: 'west', properties: QUICK },
      ],
)
const at = (name: string) => adminOf(context.cluster(name))

const { startWriters, startReaders, makeTopics, auditsOf, reached } = ledgerOf(context)

/** By topic, of its partitions. */
async function endsOf(name: string, topics: readonly string[]): Promise<Map<string, readonly number[]>> {
  const found = await context.judge.ends({ ...at(name), topics })
  return new Map(
    topics.map(topic => [
      topic,
      found
        .filter(([of]) => of === topic)
        .toSorted(([, a], [, b]) => a - b)
        .map(([, , end]) => end),
    ]),
  )
}

/** A plan refuses what no worker has told of yet; topics are a moment old here. */
async function untilToldOf(link: Link, topics: readonly string[]): Promise<void> {
  type Status = { readonly links: readonly { readonly topics: readonly { readonly name: string }[] }[] }
  await waitFor(
    async () => {
      const { stdout } = await link.start('status', '--json').ended
      const told = (JSON.parse(stdout) as Status).links.flatMap(each => each.topics.map(({ name }) => name))
      return topics.every(topic => told.includes(topic))
    },
    { what: () => `a worker to tell of ${topics.join()}`, everyMs: 500 },
  )
}

async function move(link: Link, kind: string): Promise<RunReport> {
  const { code, stdout, stderr } = await link.start(kind, link.name, '--yes', '--json').ended
  assert.equal(code, 0, `${stderr}\n${stdout}`)
  return JSON.parse(stdout) as RunReport
}

describe(`${MOVES} switchovers under load`, { skip }, () => {
  let daemon: KdrProcess | undefined
  after(() => daemon?.signal('SIGKILL'))

  faultRow('P10', 'nothing is lost, nothing is delivered twice', { suite: 'full' }, async row => {
    const { judge } = context
    row.did(
      'kdr switchover and kdr failback in turns, under load, with consumers that stop and go on at the other side',
    )
    const [stopReaders, stopWriters] = [new Hook(), new Hook()]
    const link = makeLink({
      name: 'switch',
      source: context.cluster('east'),
      target: context.cluster('west'),
      settings: {
        topics: ['switch-*'],
        sync: { groups: '1s' },
        consumers: { stop: stopReaders.command },
        fence: { command: stopWriters.command },
      },
    })
    daemon = link.start('run')
    await daemon.says(/behind/)
    let ends = new Map<string, readonly number[]>()
    for (let round = 0; round < MOVES; round++) {
      const [from, to] = round % 2 === 0 ? ['east', 'west'] : ['west', 'east']
      const topics = await makeTopics(from, `switch-${round}-`)
      const readers = await startReaders(from, topics)
      const writers = await startWriters(from, topics)
      await sleep(LOAD_MS)
      await untilToldOf(link, topics)
      const older = [...ends.keys()]
      // The way home has a name of its own; it is the same.
      const moving = move(link, round % 2 === 0 ? 'switchover' : 'failback')
      await stopReaders.serve(async () => {
        for (const { consumer } of readers) await judge.stopConsumer({ consumer })
      })
      await stopWriters.serve(async () => {
        for (const { workload } of writers) await judge.stopWorkload({ workload })
      })
      const report = await moving
      assert.equal(report.rpo.records, 0)
      assert.equal(report.fence.state, 'configured')
      assert.deepEqual(report.groups, [], 'nobody may see a record again')
      const after = await startReaders(to, topics)
      for (const reader of after) await reached(to, reader, topics)
      for (const { consumer } of after) await judge.stopConsumer({ consumer })
      for (const [index] of PROTOCOLS.entries()) {
        const consumers = [readers[index]!.consumer, after[index]!.consumer]
        for (const { topic, audit } of await auditsOf(to, report, writers, consumers))
          assert.deepEqual(
            [audit.lost, audit.problems],
            [0, 0],
            `round ${round}, ${topic}: ${JSON.stringify(audit)}`,
          )
        for (const { workload } of writers) {
          const { duplicates, missing } = await judge.auditConsumers({ workload, consumers })
          assert.deepEqual([duplicates, missing], [0, 0], `round ${round}`)
        }
      }
      for (const hook of [stopReaders, stopWriters]) hook.forget()
      await daemon.says(new RegExp(`leads from "west"|behind`))
      for (const topic of topics)
        await untilIdentical(judge, { source: context.cluster(to), target: context.cluster(from) }, topic)
      // Of what nobody writes to any more each move has made each log longer by the marker that fenced it, and by nothing else.
      const now = await endsOf(to, [...older, ...topics])
      for (const topic of older)
        assert.deepEqual(
          now.get(topic),
          ends.get(topic)!.map(end => end + 1),
          `round ${round}, ${topic}`,
        )
      ends = now
    }
    row.saw('all that was acknowledged stood at the new active at its offset, and each group had it once')
    row.saw('both logs were identical after each move, and one marker longer')
  })
})

describe(`${MOVES} failovers from a cluster that is killed`, { skip }, () => {
  test('what is lost is the end of a partition, and no older than the report says', async () => {
    const { judge } = context
    for (let round = 0; round < MOVES; round++) {
      const topics = await makeTopics('east', `fail${round}-`)
      const link = makeLink({
        name: `fail${round}`,
        source: context.cluster('east'),
        target: context.cluster('west'),
        settings: { topics: [`fail${round}-*`], sync: { groups: '1s' } },
      })
      const daemon = link.start('run')
      try {
        await daemon.says(/behind/)
        const writers = await startWriters('east', topics)
        await sleep(LOAD_MS + (round % 5) * 200)
        await context.cluster('east').kill()
        const ended = Promise.all(
          writers.map(async ({ workload }) => await judge.stopWorkload({ workload, timeoutMs: 1_000 })),
        )
        const report = await move(link, 'failover')
        const lastAckMs = Math.max(...(await ended).map(each => each.lastAckMs))
        const audits = await auditsOf('west', report, writers)
        for (const { topic, audit } of audits)
          assert.equal(audit.problems, 0, `round ${round}, ${topic}: ${JSON.stringify(audit)}`)
        const lost = audits.filter(({ audit }) => audit.lost > 0)
        const lostMs = Math.max(0, ...lost.map(({ audit }) => lastAckMs - audit.firstLostAckMs))
        assert.ok(
          report.rpo.ms >= lostMs,
          `round ${round}: lost ${lostMs} ms, and the report says ${report.rpo.ms}`,
        )
        for (const { topic, partition, sourceEnd } of report.rpo.partitions) {
          const audit = audits.find(each => each.topic === topic && each.audit.partition === partition)?.audit
          const cut = cutsOf(report, topic)[partition]!
          // What was seen of the source is never more than there was.
          assert.ok(
            sourceEnd - cut <= (audit?.lost ?? 0) ||
              writers.find(each => each.topic === topic)?.kind === 'transactional',
          )
        }
      } finally {
        daemon.signal('SIGKILL')
        await context.cluster('east').start()
      }
    }
  })
})
