// Consumer groups follow their source: what is committed where and when, judged by Java's clients. All tests share a link, in
// this process, so that the hour after which deletions follow is some seconds; each has topics and groups of its own.
import assert from 'node:assert/strict'
import { after, before, describe } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunningLink } from '../../src/cli/app.ts'
import { loadConfig } from '../../src/config/index.ts'
import type { GroupStatus } from '../../src/engine/status/groups.ts'
import { startLink } from '../../src/wiring/links.ts'
import { faultRow } from '../support/fault-rows.ts'
import type { At, GroupOffset } from '../support/judge.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import { adminOf, type Link, makeLink, untilIdentical } from '../support/link.ts'
import { linkStatus } from '../support/status.ts'

/** Instead of an hour. */
const DELETE_AFTER_MS = 6_000
/** The target keeps offsets for a minute: kdr commits them again each 15 s. */
const TARGET = { 'offsets.retention.minutes': '1', 'offsets.retention.check.interval.ms': '1000' }

let link: Link
let running: RunningLink
const said: string[] = []
// Before the brokers go: it would take leave of them for half a minute.
after(async () => await running?.stop())

const context = withLab([{ name: 'east' }, { name: 'west', properties: TARGET }])
const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

async function start(): Promise<void> {
  const config = await loadConfig(link.config)
  running = await startLink(config, config.links[link.name]!, {
    log: { event: (level, message) => void said.push(`${level} ${message}`) },
    isAlone: false,
    groupLimits: { deleteAfterMs: DELETE_AFTER_MS },
  })
  running.follow()
}

/** A topic with `count` records that is copied; a group that stands at `offset`, and has been committed at the target. */
async function given(count: number, offset: number): Promise<{ topic: string; group: string }> {
  const [topic, group] = [freshTopic('gs'), freshTopic('group')]
  await context.judge.createTopic({ ...east(), topic })
  await context.judge.produce({ ...east(), topic, count, lingerMs: 500, batchBytes: 1_000_000 })
  await untilIdentical(context.judge, sides(), topic)
  await commit(group, { topic, offset })
  await targetHas(group, [offset])
  return { topic, group }
}

async function commit(
  group: string,
  ...offsets: readonly (Partial<GroupOffset> & { topic: string })[]
): Promise<void> {
  await context.judge.alterGroupOffsets({
    ...east(),
    group,
    offsets: offsets.map(each => ({ partition: 0, ...each })),
  })
}

/** By topic and partition; empty when there is no such group. */
async function offsetsOf(at: At, group: string): Promise<readonly GroupOffset[]> {
  return await context.judge.groupOffsets({ ...at, group }).catch(() => [])
}

async function targetHas(group: string, wanted: readonly number[]): Promise<readonly GroupOffset[]> {
  let seen: readonly GroupOffset[] = []
  return await waitFor(
    async () => {
      seen = await offsetsOf(west(), group)
      return seen.map(({ offset }) => offset).join() === wanted.join() && seen
    },
    { what: () => `${group} at ${wanted.join()}: ${JSON.stringify(seen)}`, everyMs: 200 },
  )
}

async function statusOf(group: string): Promise<GroupStatus | undefined> {
  return (await linkStatus(link)).groups.find(each => each.group === group)
}

async function says(group: string, wanted: string): Promise<GroupStatus> {
  let seen: GroupStatus | undefined
  return await waitFor(
    async () => {
      seen = await statusOf(group)
      return `${seen?.state ?? 'unknown'} ${seen?.reason ?? ''}`.trim() === wanted && seen
    },
    { what: () => `${group} to be ${wanted}: ${JSON.stringify(seen)}`, everyMs: 400 },
  )
}

describe('while a link runs', { concurrency: 6 }, () => {
  before(async () => {
    link = makeLink({
      name: 'groups',
      ...sides(),
      settings: { topics: ['gs-*'], sync: { groups: '1s' } },
    })
    await start()
  })

  faultRow('G05', 'classic and consumer groups are copied as they are, without leader epochs', async row => {
    const { judge } = context
    for (const protocol of ['classic', 'consumer'] as const) {
      const [topic, group] = [freshTopic('gs'), freshTopic('group')]
      await judge.createTopic({ ...east(), topic, partitions: 2 })
      for (const partition of [0, 1]) await judge.produce({ ...east(), topic, partition, count: 20 })
      row.did(`a member of a ${protocol} group read 40 records of two partitions at the source and committed`)
      await consumed(east(), { group, topic, protocol }, 40)
      const committed = await offsetsOf(east(), group)
      assert.ok(
        committed.every(({ leaderEpoch }) => leaderEpoch >= 0),
        JSON.stringify(committed),
      )
      const copied = await targetHas(group, [20, 20])
      assert.deepEqual(
        copied.map(({ leaderEpoch }) => leaderEpoch),
        [-1, -1],
      )
      await says(group, 'synced')
      for (const partition of [0, 1]) await judge.produce({ ...east(), topic, partition, count: 5 })
      await untilIdentical(judge, sides(), topic)
      const report = await consumed(west(), { group, topic, protocol }, 10)
      assert.equal(report.received, 10)
      row.saw(
        `the target had the same offsets, with leader epoch -1; a member there got exactly the 10 records that came later`,
      )
    }
  })

  faultRow('G07', 'a group that is set back follows at once', async row => {
    const { topic, group } = await given(50, 50)
    row.did('set a group back from offset 50 to 7 at the source')
    await commit(group, { topic, offset: 7, metadata: 'back' })
    const [at] = await targetHas(group, [7])
    assert.equal(at?.metadata, 'back')
    row.saw('the group stood at 7 at the target, with its metadata')
  })

  faultRow('G03', 'a group beyond its mirror is committed where that ends, and moved up', async row => {
    const { judge } = context
    const { topic, group } = await given(50, 40)
    row.did('paused a topic after 50 records, wrote 20 more, and committed a group at 70')
    const paused = await link.run('link', 'pause', link.name, '--topic', topic, '--yes')
    assert.equal(paused.code, 0, paused.stderr)
    await waitFor(async () => running.progress().find(each => each.topic === topic)?.state === 'paused', {
      what: 'the pause',
    })
    await judge.produce({ ...east(), topic, count: 20 })
    await commit(group, { topic, offset: 70 })
    await targetHas(group, [50])
    const { sentence } = await says(group, 'clamped beyond-mirror')
    assert.match(sentence ?? '', /beyond what the target holds of gs.*: committed where that ends/)
    row.saw('the group stood at 50 at the target, where the mirror ended, and `kdr status` said so')
    const resumed = await link.run('link', 'resume', link.name, '--topic', topic, '--yes')
    assert.equal(resumed.code, 0, resumed.stderr)
    await targetHas(group, [70])
    await says(group, 'synced')
    row.saw('after `kdr link resume` it stood at 70')
  })

  faultRow('G04', 'a group below the log start is committed there', async row => {
    const { topic, group } = await given(50, 5)
    row.did('deleted the records before offset 11 at the source; a group stood at 5')
    await context.judge.deleteRecords({ ...east(), topic, partition: 0, before: 11 })
    await targetHas(group, [11])
    const { sentence } = await says(group, 'clamped below-log-start')
    assert.match(sentence ?? '', /is below the log start of gs/)
    row.saw('the group stood at 11 at the target, and `kdr status` said why')
  })

  faultRow('G01', 'a group with members at the target is left alone', async row => {
    const { judge } = context
    const { topic, group } = await given(50, 10)
    row.did('started a member of the group at the target, then committed offset 20 at the source')
    const member = await judge.startConsumer({ ...west(), group, topics: [topic], commitEveryMs: 100 })
    await targetHas(group, [50])
    await commit(group, { topic, offset: 20 })
    const { sentence } = await says(group, 'skipped members-at-target')
    assert.match(sentence ?? '', /has members at the target: its offsets are left alone/)
    await sleep(3_000)
    assert.equal((await offsetsOf(west(), group))[0]?.offset, 50)
    const { stdout } = await link.run('status')
    assert.match(stdout, /\d+ groups: \d+ in step/)
    assert.match(stdout, /skipped, members-at-target: .*has members at the target/)
    row.saw('what the member had committed stayed; `kdr status` named the group and the reason')
    await judge.stopConsumer(member)
    await targetHas(group, [20])
    await says(group, 'synced')
    row.saw('when the member had left, the group stood where the source has it')
  })

  faultRow('G02', 'offsets in a topic that is not copied yet come as soon as it is', async row => {
    const { judge } = context
    const { topic: first, group } = await given(20, 10)
    const second = freshTopic('gs')
    row.did('created a topic of three partitions at the source and committed a group there at once')
    await judge.createTopic({ ...east(), topic: second, partitions: 3 })
    await judge.produce({ ...east(), topic: second, partition: 2, count: 10 })
    await commit(group, { topic: first, offset: 11 }, { topic: second, partition: 2, offset: 9 })
    const [, at] = await targetHas(group, [11, 9])
    assert.equal(at?.partition, 2)
    row.saw('the group stood at the target in both topics as soon as the new one was copied')
  })

  faultRow('G07', 'what is deleted at the source is deleted later, and nothing else', async row => {
    const { judge } = context
    const { group } = await given(20, 10)
    const partly = await given(20, 10)
    const other = freshTopic('gs')
    await judge.createTopic({ ...east(), topic: other })
    await judge.produce({ ...east(), topic: other, count: 5 })
    await commit(partly.group, { topic: other, offset: 5 })
    await targetHas(partly.group, [10, 5])
    const foreign = freshTopic('group')
    const offsets = [{ topic: other, partition: 0, offset: 3 }]
    await judge.alterGroupOffsets({ ...west(), group: foreign, offsets })

    row.did(
      'deleted a group, and one offset of another, at the source; a third group stood at the target only',
    )
    await judge.deleteGroup({ ...east(), group })
    await judge.deleteGroupOffsets({ ...east(), group: partly.group, topic: other, partition: 0 })
    const at = performance.now()
    await says(group, 'skipped deleted-at-source')
    assert.equal((await offsetsOf(west(), group)).length, 1)
    row.saw('both stayed at the target until the time was over (an hour; here some seconds)')
    const isThere = async () => (await judge.listGroups(west())).some(each => each.group === group)
    await waitFor(async () => !(await isThere()), { what: 'the group to be deleted', everyMs: 300 })
    assert.ok(performance.now() - at >= DELETE_AFTER_MS - 1_500, 'not before')
    await targetHas(partly.group, [10])
    assert.equal((await offsetsOf(west(), foreign)).length, 1)
    assert.equal(await statusOf(group), undefined)
    row.saw('then the group and the offset were gone; the group that kdr had never committed was still there')
  })

  faultRow('G08', 'a share group is not carried, and that is said', async row => {
    const { judge } = context
    const [topic, group] = [freshTopic('gs'), freshTopic('share')]
    await judge.createTopic({ ...east(), topic })
    row.did('a share consumer joined and left its group at the source')
    await judge.makeShareGroup({ ...east(), group, topics: [topic] })
    const { sentence } = await says(group, 'skipped share-group')
    assert.match(
      sentence ?? '',
      /is a share group: it acknowledges record by record, which kdr does not carry/,
    )
    row.saw('`kdr status` named it, with the reason')
  })

  faultRow('G09', 'a pending commit of a transaction is awaited; other groups go on', async row => {
    const { judge } = context
    const { topic, group } = await given(50, 10)
    const other = await given(20, 5)
    row.did('a transaction committed offset 30 of a group and stayed open; another group was committed')
    const producer = await judge.openProducer({ ...east(), transactionalId: freshTopic('tx') })
    await judge.begin(producer)
    await judge.sendOffsets({ ...producer, group, offsets: [{ topic, partition: 0, offset: 30 }] })
    await commit(other.group, { topic: other.topic, offset: 6 })
    await targetHas(other.group, [6])
    await says(group, 'skipped pending-transaction')
    assert.equal((await offsetsOf(west(), group))[0]?.offset, 10)
    row.saw(
      'the other group followed; the one with the transaction stayed where it was, and `kdr status` said why',
    )
    await judge.commit(producer)
    await targetHas(group, [30])
    await judge.closeProducer(producer)
    row.saw('after the transaction was committed, the group stood at 30')
  })

  faultRow(
    'G06',
    'offsets are committed again before the target forgets them',
    { suite: 'full' },
    async row => {
      const { topic, group } = await given(20, 10)
      const control = freshTopic('group')
      const offsets = [{ topic, partition: 0, offset: 3 }]
      row.did('the target keeps offsets for a minute; nothing was committed at the source any more')
      await context.judge.alterGroupOffsets({ ...west(), group: control, offsets })
      await waitFor(async () => (await offsetsOf(west(), control)).length === 0, {
        what: 'the target to forget a group',
        everyMs: 1_000,
        timeoutMs: patience(120_000),
      })
      await sleep(15_000)
      assert.equal((await offsetsOf(west(), group))[0]?.offset, 10)
      row.saw('a group that an operator had committed there was gone; the one of kdr was still there')
    },
  )
})

faultRow('G10', "the target's coordinator dies and comes back", { suite: 'full' }, async row => {
  const { topic, group } = await given(30, 10)
  row.did("killed the target's only broker, committed at the source, and started the broker again after 5 s")
  const cluster = context.cluster('west')
  await cluster.kill()
  await commit(group, { topic, offset: 25 })
  await sleep(5_000)
  await cluster.start()
  await targetHas(group, [25])
  await says(group, 'synced')
  row.saw('the group followed as soon as the coordinator answered')

  row.did("the same with the source's broker")
  await context.cluster('east').kill()
  await sleep(5_000)
  await context.cluster('east').start()
  await commit(group, { topic, offset: 26 })
  await targetHas(group, [26])
  const isTakenForDeleted = (await linkStatus(link)).groups.some(
    each => each.group === group && each.reason === 'deleted-at-source',
  )
  assert.equal(isTakenForDeleted, false)
  row.saw('nothing was taken for deleted, and the group followed again')
})

async function consumed(
  at: At,
  { group, topic, protocol }: { group: string; topic: string; protocol: 'classic' | 'consumer' },
  count: number,
) {
  const member = await context.judge.startConsumer({ ...at, group, topics: [topic], protocol })
  await waitFor(async () => (await context.judge.consumer(member)).received >= count, {
    what: `${count} records for ${group}`,
    everyMs: 100,
  })
  return await context.judge.stopConsumer(member)
}
