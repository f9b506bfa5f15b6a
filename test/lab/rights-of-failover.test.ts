// A failover takes, on top of its link, the rights that `kdr config acls` prints and no others; without any one of them it stops, says which,
// and goes on when it is there.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Acl } from '../support/judge.ts'
import { withLab } from '../support/lab.ts'
import { adminOf, type KdrResult, type Link, makeLink } from '../support/link.ts'
import { giveExactly, LEARNS_MS, type Line, lineName, printedLines } from '../support/printed-rights.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full'
const sides = ['east', 'west']
const context = withLab(skip === false ? sides.map(name => ({ name, security: 'acl' })) : [])
const at = (name: string) => adminOf(context.cluster(name))
const all = ({ stdout, stderr }: KdrResult): string => `${stdout}\n${stderr}`

describe('a failover', { skip, concurrency: 1 }, () => {
  /** What it is run without, in the order in which it asks for it; each time the same run goes on. */
  const ASKED: readonly (readonly (readonly [what: string, sentence: RegExp])[])[] = [
    [['west _kdr.journal CREATE', /"_kdr\.journal" cannot be created on "west": .*needs CREATE on topic/]],
    [['west _kdr.journal WRITE', /"_kdr\.journal" cannot be written: .*needs WRITE on it/]],
    [['west _kdr.journal READ', /"_kdr\.journal" cannot be read: .*needs READ on it/]],
    [['east CLUSTER ALTER', /kdr may not change the ACLs of "east": it needs ALTER on the cluster/]],
    [
      ['east TRANSACTIONAL_ID WRITE', /kdr may not end transaction "of-app" .* it needs WRITE on that/],
      ['west _kdr.canary CREATE', /"_kdr\.canary" cannot be created on "west": .*needs CREATE on topic/],
    ],
    [['west _kdr.canary WRITE', /"west" refuses a record: .*needs WRITE on "_kdr\.canary"/]],
    [['west _kdr.canary READ', /"west" does not give a record back .*needs READ on "_kdr\.canary"/]],
  ]
  const topic = 'payments'
  const APP: Acl = { type: 'TOPIC', name: topic, principal: 'User:app', operation: 'WRITE' }
  let link: Link
  /** That `kdr run` needs: whoever prints the list of a failover has that already. */
  let ofLink: readonly Line[]
  let added: readonly Line[]

  const give = async (lines: readonly Line[]): Promise<void> => {
    await giveExactly(context, sides, lines)
    await context.judge.createAcls({ ...at('east'), acls: [APP] })
    await sleep(LEARNS_MS)
  }
  const go = async (): Promise<KdrResult> => {
    const { object } = await link.json('runs', 'list')
    const [begun] = (object as { runs?: { run: string }[] }).runs ?? []
    const resumed = begun === undefined ? [] : ['--resume', begun.run]
    const isClaimed = ({ code }: KdrResult): boolean => code === 13
    let ended = await link.run('failover', link.name, '--yes', ...resumed)
    // Who could write the journal and not read it has left a claim, which counts for some seconds.
    for (let tries = 0; isClaimed(ended) && tries < 12; tries++) {
      await sleep(2_000)
      ended = await link.run('failover', link.name, '--yes', ...resumed)
    }
    return ended
  }

  before(async () => {
    const { judge } = context
    const [source, target] = [context.cluster('east'), context.cluster('west')]
    link = makeLink({ name: 'moved', source, target, settings: { topics: [topic], groups: [topic] } })
    ofLink = await printedLines(link.config, 'run')
    const had = new Set(ofLink.map(lineName))
    added = (await printedLines(link.config, 'failover')).filter(line => !had.has(lineName(line)))
    await give(ofLink)
    await judge.createTopic({ ...at('east'), topic })
    await judge.produce({ ...at('east'), topic, count: 10 })
    const ran = await link.run('run', '--once')
    assert.equal(ran.code, 0, all(ran))
    await judge.produce({ ...at('east'), topic, transactionalId: 'of-app', count: 3, end: 'open' })
  })

  test('every line that is printed for it is played', () => {
    const played = ASKED.flat().map(([what]) => what)
    assert.deepEqual(added.map(lineName).toSorted(), played.toSorted())
  })

  for (const asked of ASKED)
    test(`without ${asked.map(([what]) => what).join(', and ')}`, async () => {
      const missing = new Set(asked.map(([what]) => what))
      await give([...ofLink, ...added.filter(line => !missing.has(lineName(line)))])
      const stopped = await go()
      assert.notEqual(stopped.code, 0, all(stopped))
      for (const [, sentence] of asked) assert.match(all(stopped), sentence)
    })

  test('with what is printed it goes on, and is done', async () => {
    await give(await printedLines(link.config, 'failover'))
    const done = await go()
    assert.equal(done.code, 0, all(done))
    assert.match(done.stdout, /failover of "moved": done, "west" is active/)
  })
})
