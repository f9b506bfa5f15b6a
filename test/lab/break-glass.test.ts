// The worst day: the active cluster is lost, and the standby has too few replicas of kdr's own topics in sync to write anything down.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RunReport } from '../../src/model/runs.ts'
import { freshTopic, waitFor, withLab } from '../support/lab.ts'
import { adminOf, makeLink } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full: three brokers, and one of them lost'
const context = withLab(skip === false ? [{ name: 'east' }, { name: 'west', brokers: 3 }] : [])
const STATE = '_kdr.state'
const SETTING = 'min.insync.replicas'

describe('a failover to a standby that has lost replicas', { skip, concurrency: 1 }, () => {
  test('is refused; --break-glass goes on, and says what it has lowered', async () => {
    const { judge } = context
    const [east, west] = [context.cluster('east'), context.cluster('west')]
    const topic = freshTopic('worst-day')
    await judge.createTopic({ ...adminOf(east), topic, partitions: 2 })
    await judge.produce({ ...adminOf(east), topic, count: 100 })
    const link = makeLink({
      source: east,
      target: west,
      settings: { topics: [topic], overrides: [{ topics: '*', replicationFactor: 3 }] },
    })
    const once = await link.run('run', '--once')
    assert.equal(once.code, 0, once.stderr)
    await judge.alterConfigs({ ...adminOf(west), topic: STATE, configs: { [SETTING]: '3' } })
    // What its leader wrote last one follower has taken, and no follower has heard that it counts: then the next leader does not say
    // either up to where its log may be read.
    const { partitions } = await judge.describeTopic({ ...adminOf(west), topic: STATE })
    const { leader, replicas } = partitions[0]!
    const held = replicas.find(id => id !== leader)!
    await west.pause(held)
    try {
      const port = west.brokers.find(({ id }) => id === leader)?.port ?? 0
      const nothing = { key: Buffer.from('nothing').toString('base64'), value: null }
      const plainly = { acks: '1', idempotent: false } as const
      await judge.produce({
        bootstrap: `127.0.0.1:${port}`,
        topic: STATE,
        partition: 0,
        records: [nothing],
        ...plainly,
      })
      await sleep(1_000)
      await west.kill(leader)
    } finally {
      await west.resume(held)
    }
    await east.kill()

    const failover = async (...args: string[]) =>
      await link.run('failover', link.name, '--accept-split-brain', '--yes', '--json', ...args)
    // Until its cluster has noticed, the lost broker counts.
    const replicasInSync = async () =>
      (await judge.describeTopic({ ...adminOf(west), topic: STATE })).partitions[0]!.isr.length
    await waitFor(async () => (await replicasInSync()) === 2, { what: 'the loss to be noticed' })
    await assert.rejects(judge.ends({ ...adminOf(west), topics: [STATE] }), /offset/i)
    const refused = await failover()
    assert.equal(refused.code, 17, refused.stdout)
    assert.match(
      refused.stdout,
      /too few replicas are in sync \(_kdr\.state has 2 of 3\)[^]*kdr failover link --break-glass/,
    )

    const broken = await failover('--break-glass')
    assert.equal(broken.code, 0, `${broken.stderr}\n${broken.stdout}`)
    assert.match(broken.stderr, /_kdr\.state of "west" takes writes with 2 replica\(s\) for this run; .*=3/)
    const { run, state, lowered } = JSON.parse(broken.stdout) as RunReport
    assert.deepEqual([state, lowered], ['done', [{ topic: '_kdr.state', was: 3 }]])
    const shown = await link.run('runs', 'show', run)
    assert.match(shown.stdout, /--alter --topic _kdr\.state --add-config min\.insync\.replicas=3/)
    const kept = await judge.digest({ ...adminOf(west), topic })
    assert.equal(
      kept.reduce((sum, { count }) => sum + count, 0),
      100,
    )
  })
})
