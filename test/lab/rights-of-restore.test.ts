// A restore takes the rights that `kdr config acls` prints and no others; without any one of them it says what is left out, or stops, and
// which right that wants.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { LAB_USERS } from '../../src/lab/lab.ts'
import type { Acl } from '../support/judge.ts'
import { waitFor, withLab } from '../support/lab.ts'
import { adminOf, type KdrResult, runKdrHere } from '../support/link.ts'
import { giveExactly, LEARNS_MS, type Line, lineName, printedLines } from '../support/printed-rights.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full'
const sides = ['east', 'west']
const context = withLab(skip === false ? sides.map(name => ({ name, security: 'acl' })) : [])
const at = (name: string) => adminOf(context.cluster(name))
const all = ({ stdout, stderr }: KdrResult): string => `${stdout}\n${stderr}`

const QUOTA = { clientId: 'reports', quotas: { consumer_byte_rate: 1_000_000 } }
const APP: Acl = { type: 'TOPIC', name: 'orders', principal: 'User:app', operation: 'READ' }

/** With cluster rights: what is said without each. */
const SAID: Readonly<Record<string, RegExp>> = {
  'TOPIC CREATE': /"orders": cannot be created.*kdr needs CREATE on topic "orders"/,
  'TOPIC READ': /"orders\/\d".*TOPIC_AUTHORIZATION_FAILED.*--operation Read --operation Write --topic orders/,
  'TOPIC WRITE':
    /"orders\/\d".*TOPIC_AUTHORIZATION_FAILED.*--operation Read --operation Write --topic orders/,
  'TOPIC DELETE': /"orders\/0": the log start cannot be moved to 5 .*kdr needs DELETE on the topic/,
  'TOPIC ALTER': /"orders": cannot be given more partitions .*kdr needs ALTER on topic "orders"/,
  'TOPIC ALTER_CONFIGS': /"orders": cannot be given its configs .*kdr needs ALTER_CONFIGS on topic "orders"/,
  '_kdr.state CREATE': /"_kdr\.state" cannot be created on "west".*kdr needs CREATE on topic "_kdr\.state"/,
  '_kdr.state READ': /"_kdr\.state" cannot be read: .*kdr needs READ on it/,
  '_kdr.state WRITE': /"_kdr\.state" cannot be written: .*kdr needs WRITE on it/,
  '_kdr.state DESCRIBE_CONFIGS':
    /does not show the configs of topic "_kdr\.state": .*kdr needs DESCRIBE_CONFIGS on it/,
  'GROUP READ': /group "readers" has no offset .*kdr needs READ on the group/,
  'CLUSTER ALTER': /refuses both ways to fill gaps[^]*Give kdr ALTER on the cluster/,
  // DESCRIBE_CONFIGS goes with it, and is asked for first; quotas have a test of their own.
  'CLUSTER ALTER_CONFIGS': /refuses to show its configs: .*kdr needs DESCRIBE_CONFIGS on the cluster/,
}
/** And without them, where it is another right. */
const SAID_BARE: Readonly<Record<string, RegExp>> = {
  'CLUSTER DESCRIBE_CONFIGS': /refuses to show its configs: .*kdr needs DESCRIBE_CONFIGS on the cluster/,
  '_kdr.restore@all@ WRITE':
    /refuses both ways to fill gaps[^]*WRITE and DESCRIBE on transactional ids that begin with "_kdr\.restore@all@/,
}

describe('a restore', { skip, concurrency: 1 }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'kdr-rights-'))
  after(() => rmSync(dir, { recursive: true, force: true }))

  /** The config of one of the lab's users. */
  const configOf = (username: 'admin' | 'kdr'): string => {
    const path = join(dir, `${username}.yaml`)
    const sasl = { mechanism: 'plain', username, password: LAB_USERS[username] }
    const cluster = (name: string) => ({ bootstrap: context.cluster(name).bootstrap, sasl })
    writeFileSync(
      path,
      JSON.stringify({
        clusters: { east: cluster('east'), west: cluster('west') },
        vaults: { main: { url: pathToFileURL(join(dir, 'vault')).href } },
        sets: { all: { cluster: 'east', vault: 'main', topics: ['orders'] } },
      }),
    )
    return path
  }

  /** Of the target, without its name. */
  const linesOf = async (hasClusterRights: boolean): Promise<Map<string, Line>> => {
    const lines = await printedLines(configOf('kdr'), 'restore', hasClusterRights)
    const own = lines.filter(({ cluster }) => cluster === 'west')
    return new Map(own.map(line => [lineName(line).replace('west ', ''), line]))
  }

  const forget = async (): Promise<void> => {
    const { judge } = context
    const isThere = async (topic: string) => (await judge.listTopics(at('west'))).includes(topic)
    for (const topic of ['orders', '_kdr.state']) {
      if (!(await isThere(topic))) continue
      await judge.deleteTopic({ ...at('west'), topic })
      await waitFor(async () => !(await isThere(topic)), { what: `"${topic}" to be gone` })
    }
    await judge.setQuota({ ...at('west'), ...QUOTA, quotas: { consumer_byte_rate: null } })
    await judge.deleteGroup({ ...at('west'), group: 'readers' }).catch(() => undefined)
  }

  /** To a cluster that has nothing of it but the empty topic, with one partition too few; `isNew`: not even that. */
  const restore = async (
    lines: Iterable<Line>,
    { isNew = false }: { readonly isNew?: boolean } = {},
  ): Promise<KdrResult> => {
    await forget()
    if (!isNew) await context.judge.createTopic({ ...at('west'), topic: 'orders', partitions: 1 })
    await giveExactly(context, ['west'], [...lines])
    await sleep(LEARNS_MS)
    return await runKdrHere(['restore', 'all', '--to', 'west', '--yes', '--config', configOf('kdr')])
  }

  before(async () => {
    const { judge } = context
    const east = at('east')
    await judge.createTopic({
      ...east,
      topic: 'orders',
      partitions: 2,
      configs: { 'segment.ms': '86400000' },
    })
    await judge.produce({ ...east, topic: 'orders', count: 20 })
    await judge.produce({ ...east, topic: 'orders', transactionalId: 'tx', count: 3, end: 'abort' })
    await judge.produce({ ...east, topic: 'orders', count: 20 })
    await judge.deleteRecords({ ...east, topic: 'orders', partition: 0, before: 5 })
    const offsets = [{ topic: 'orders', partition: 0, offset: 7 }]
    await judge.alterGroupOffsets({ ...east, group: 'readers', offsets })
    await judge.createAcls({ ...east, acls: [APP] })
    await judge.setQuota({ ...east, ...QUOTA })
    await judge.setUser({ ...east, user: 'app', mechanism: 'SCRAM-SHA-512', password: 'secret-of-app' })
    for (const args of [
      ['vault', 'init', 'main'],
      ['backup', 'run', 'all'],
    ]) {
      const done = await runKdrHere([...args, '--config', configOf('admin')])
      assert.equal(done.code, 0, all(done))
    }
  })

  test('with the rights that are printed: all comes back', async () => {
    const lines = await linesOf(true)
    assert.deepEqual([...lines.keys()].toSorted(), Object.keys(SAID).toSorted())
    for (const isNew of [false, true]) {
      const done = await restore(lines.values(), { isNew })
      assert.equal(done.code, 0, all(done))
      assert.match(done.stdout, /1 topic, .*1 group, 1 ACL, 1 quota/)
      assert.match(done.stdout, /verified record by record: .*1 group/)
      const [offset] = await context.judge.groupOffsets({ ...at('west'), group: 'readers' })
      assert.equal(offset?.offset, 7)
    }
  })

  test('and without those on the cluster; what cannot be put there says which right it wants', async () => {
    const lines = await linesOf(false)
    const known = new Set([...Object.keys(SAID), ...Object.keys(SAID_BARE)])
    assert.deepEqual(
      [...lines.keys()].filter(what => !known.has(what)),
      [],
    )
    const done = await restore(lines.values())
    // Not all is there: the quota.
    assert.equal(done.code, 3, all(done))
    assert.match(all(done), /quota of client-id=reports: .*kdr needs ALTER_CONFIGS on the cluster/)
    assert.match(done.stdout, /verified record by record: .*1 group/)
    assert.match(done.stdout, /1 ACL\(s\) cannot be put at "west": .*kdr needs ALTER on the cluster/)
    assert.match(done.stdout, /whether the 1 user\(s\) are at "west" is not known.*DESCRIBE on the cluster/)
  })

  for (const [hasClusterRights, said] of [
    [true, SAID],
    [false, SAID_BARE],
  ] as const)
    for (const [what, sentence] of Object.entries(said))
      test(`without ${what}${hasClusterRights ? '' : ', and those on the cluster'}`, async () => {
        const lines = await linesOf(hasClusterRights)
        assert.ok(lines.delete(what))
        const stopped = await restore(lines.values(), { isNew: what === 'TOPIC CREATE' })
        assert.notEqual(stopped.code, 0, all(stopped))
        assert.match(all(stopped), sentence)
      })

  test('where configs of the cluster are shown, and may not be changed, quotas are left out', async () => {
    const lines = [...(await linesOf(true)).values()]
    const less = lines.map(line =>
      line.acl.operation === 'ALTER_CONFIGS' && line.acl.type === 'CLUSTER'
        ? { ...line, acl: { ...line.acl, operation: 'DESCRIBE_CONFIGS' } }
        : line,
    )
    const done = await restore(less)
    assert.equal(done.code, 3, all(done))
    assert.match(all(done), /quota of client-id=reports: .*kdr needs ALTER_CONFIGS on the cluster/)
  })
})
