// A check takes the rights that `kdr config acls` prints and no others; without any one of them it says what it could not look at, and
// which right that wants.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Finding } from '../../src/model/findings.ts'
import { withLab } from '../support/lab.ts'
import { adminOf, type Link, makeLink } from '../support/link.ts'
import { giveExactly, LEARNS_MS, type Line, lineName, printedLines } from '../support/printed-rights.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full'
const sides = ['east', 'west']
const context = withLab(skip === false ? sides.map(name => ({ name, security: 'acl' })) : [])
const at = (name: string) => adminOf(context.cluster(name))

/** Of each cluster; what is asked for, and what is said without it. */
const SAID: Readonly<Record<string, readonly (readonly [args: readonly string[], sentence: RegExp])[]>> = {
  'TOPIC DESCRIBE': [[[], /topic .*orders.* could not be looked at: .*kdr needs DESCRIBE on it/]],
  'TOPIC DESCRIBE_CONFIGS': [
    [[], /configs of topic .*orders.* could not be looked at: .*kdr needs DESCRIBE_CONFIGS on the topic/],
  ],
  'TRANSACTIONAL_ID DESCRIBE': [
    [[], /some transactions could not be looked at: .*kdr needs DESCRIBE on all transactional ids/],
  ],
  'CLUSTER DESCRIBE': [
    [[], /the controllers could not be looked at: .*kdr needs DESCRIBE on the cluster/],
    [[], /disks of broker 1 could not be looked at: .*kdr needs DESCRIBE on the cluster/],
    [['--compare', 'east,west'], /ACLs could not be looked at: .*kdr needs DESCRIBE on the cluster/],
    [['--compare', 'east,west'], /users could not be looked at: .*kdr needs DESCRIBE on the cluster/],
  ],
  'CLUSTER DESCRIBE_CONFIGS': [
    [[], /configs of broker 1 could not be looked at: .*kdr needs DESCRIBE_CONFIGS on the cluster/],
    [
      ['--compare', 'east,west'],
      /quotas could not be looked at: .*kdr needs DESCRIBE_CONFIGS on the cluster/,
    ],
  ],
  '_kdr.state READ': [
    [[], /link "looked" could not be looked at: .*"_kdr\.state" cannot be read.*kdr needs READ on it/],
  ],
}

describe('a check', { skip, concurrency: 1 }, () => {
  const topic = 'orders'
  let link: Link

  before(async () => {
    const { judge } = context
    const [source, target] = [context.cluster('east'), context.cluster('west')]
    link = makeLink({ name: 'looked', source, target, settings: { topics: [topic] } })
    await judge.createTopic({ ...at('east'), topic })
    await judge.produce({ ...at('east'), topic, count: 10 })
    await give(await printedLines(link.config, 'run'))
    const ran = await link.run('run', '--once')
    assert.equal(ran.code, 0, ran.stdout + ran.stderr)
    // Each cluster has a transaction that is open.
    await judge.createTopic({ ...at('west'), topic: 'own' })
    for (const [name, on] of [
      ['east', topic],
      ['west', 'own'],
    ] as const)
      await judge.produce({ ...at(name), topic: on, transactionalId: 'of-app', count: 3, end: 'open' })
  })

  const give = async (lines: readonly Line[]): Promise<void> => {
    await giveExactly(context, sides, lines)
    await sleep(LEARNS_MS)
  }
  /** What could not be looked at, a line each. */
  const unseen = async (...args: readonly string[]): Promise<string> => {
    const { object, stderr } = await link.json('check', ...args)
    const { findings } = object as { readonly findings?: readonly Finding[] }
    assert.ok(findings !== undefined, stderr)
    return findings
      .filter(({ id }) => id === 'C002')
      .map(({ where, message, evidence }) => `${where}: ${message}: ${evidence.join('; ')}`)
      .join('\n')
  }

  test('with the rights that are printed: everything is looked at', async () => {
    const lines = await printedLines(link.config, 'check')
    const played = sides.flatMap(side => Object.keys(SAID).map(what => `${side} ${what}`))
    assert.deepEqual(lines.map(lineName).toSorted(), played.toSorted())
    await give(lines)
    assert.equal(await unseen(), '')
    assert.equal(await unseen('--compare', 'east,west'), '')
  })

  for (const [side, what] of sides.flatMap(name => Object.keys(SAID).map(each => [name, each] as const)))
    test(`without ${side} ${what}`, async () => {
      const lines = await printedLines(link.config, 'check')
      await give(lines.filter(line => lineName(line) !== `${side} ${what}`))
      for (const [args, sentence] of SAID[what]!) assert.match(await unseen(...args), sentence)
    })

  test('records, for `--producers`, take what is printed for that', async () => {
    const lines = await printedLines(link.config, 'check')
    await give(lines)
    assert.match(await unseen('--producers'), /producers of "orders" could not.*kdr needs READ on the topic/)
    await give(await printedLines(link.config, 'check-producers'))
    assert.equal(await unseen('--producers'), '')
  })
})
