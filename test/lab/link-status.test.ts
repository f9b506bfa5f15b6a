// What `kdr status` says before it is too late, and what becomes of a mirror whose source is gone.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { freshTopic, waitFor, withLab } from '../support/lab.ts'
import {
  adminOf,
  assertIdentical,
  type Link,
  makeLink,
  SOURCE_ACLS,
  type StatusPartition,
  statusOf,
} from '../support/link.ts'

const context = withLab([{ name: 'east', security: 'acl' }, { name: 'west' }])

const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

test('given the rights that a source needs', async () => {
  await context.judge.createAcls({ ...east(), acls: SOURCE_ACLS })
})

describe('a topic that the source does not show any more', { concurrency: 3 }, () => {
  test('is deleted after the time of the policy, counted on over a restart', async () => {
    const { link, topic } = await mirrored({ onSourceDelete: { deleteAfter: '8s' } })
    const first = link.start('run')
    await first.says(/behind/)
    await context.judge.deleteTopic({ ...east(), topic })
    const before = await waitForReason(link, topic, 'source-deleted')
    first.signal('SIGTERM')
    await first.ended
    assert.ok((await context.judge.listTopics(west())).includes(topic), 'deleted at once')

    const second = link.start('run')
    await second.says(/behind/)
    const due = /will be deleted at (\S+) \(onSourceDelete\). To keep it: kdr link forget/
    const [, at] = due.exec(before.sentence ?? '') ?? []
    assert.ok(at !== undefined, before.sentence)
    await second.says(/deleted mirror topic ".*": its source was seen to be deleted at/)
    assert.ok(Date.now() >= Date.parse(at), `deleted before ${at}`)
    await waitFor(async () => !(await context.judge.listTopics(west())).includes(topic), {
      what: 'the mirror to go',
    })
    await waitFor(async () => (await statusOf(link)).length === 0, { what: 'the state to go' })
    second.signal('SIGTERM')
    assert.equal((await second.ended).code, 0, second.stderr)
  })

  test('because a right is gone is not taken for deleted, and goes on when it is back', async () => {
    const { judge } = context
    const { link, topic } = await mirrored({ onSourceDelete: { deleteAfter: '1s' } })
    const running = link.start('run')
    await running.says(/behind/)
    const deny = {
      type: 'TOPIC',
      name: topic,
      principal: 'User:kdr',
      operation: 'ALL',
      permission: 'DENY',
    } as const
    await judge.createAcls({ ...east(), acls: [deny] })
    const hidden = await waitForReason(link, topic, 'no-rights')
    assert.match(hidden.sentence ?? '', new RegExp(topic))
    await judge.produce({ ...east(), topic, count: 5 })
    // Several looks at the topics, and far more than the policy's time.
    await sleep(6_000)
    assert.ok((await judge.listTopics(west())).includes(topic))
    await judge.deleteAcls({ ...east(), acls: [deny] })
    await waitFor(async () => (await judge.digest({ ...west(), topic }))[0]?.end === 15, {
      what: 'the copy to go on',
    })
    await assertIdentical(judge, sides(), [topic])
    running.signal('SIGTERM')
    await running.ended
    assert.doesNotMatch(running.stderr, /deleted mirror topic/)
  })

  test('and stands there again under another id is recreated: its mirror is nobody to delete', async () => {
    const { judge } = context
    const { link, topic } = await mirrored({ onSourceDelete: { deleteAfter: '4s' } })
    const running = link.start('run')
    await running.says(/behind/)
    await judge.deleteTopic({ ...east(), topic })
    await waitForReason(link, topic, 'source-deleted')
    await judge.createTopic({ ...east(), topic })
    await judge.produce({ ...east(), topic, count: 20 })
    await waitForReason(link, topic, 'recreated')
    await sleep(5_000)
    assert.equal((await judge.digest({ ...west(), topic }))[0]?.count, 10)
    running.signal('SIGTERM')
    await running.ended
  })
})

/** A topic of ten records, and a link of its own that has copied it. */
async function mirrored(
  settings: Readonly<Record<string, unknown>>,
): Promise<{ readonly link: Link; readonly topic: string }> {
  const { judge } = context
  const topic = freshTopic('status')
  await judge.createTopic({ ...east(), topic })
  await judge.produce({ ...east(), topic, count: 10 })
  const link = makeLink({
    name: freshTopic('status'),
    ...sides(),
    settings: { topics: [topic], ...settings },
  })
  const { code, stderr } = await link.run('run', '--once')
  assert.equal(code, 0, stderr)
  return { link, topic }
}

async function waitForReason(link: Link, topic: string, reason: string): Promise<StatusPartition> {
  return await waitFor(
    async () => (await statusOf(link)).find(each => each.topic === topic && each.reason === reason),
    { what: `${topic} to be ${reason}`, everyMs: 300 },
  )
}
