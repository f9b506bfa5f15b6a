// A switchover is given up after each of its steps before it promotes: the link goes on, what applications write from then on comes
// across, and both sides are identical to kdr (`kdr verify`) and to Java's consumer, ends included. The same killed at each call, and
// with whoever gives it up killed too, is simulated (test/sim/aborted.test.ts).
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { loadConfig } from '../../src/config/index.ts'
import { type StepName, STEPS } from '../../src/model/runs.ts'
import { services } from '../../src/wiring/services.ts'
import { freshTopic, withLab } from '../support/lab.ts'
import { adminOf, type Link, makeLink, untilIdentical } from '../support/link.ts'
import { linkStatus } from '../support/status.ts'
import { suite } from '../support/suite.ts'
import { freshLink } from '../support/ways-out.ts'

const BEFORE_PROMOTE = STEPS.slice(0, STEPS.indexOf('promote'))
/** A fence watches the ends for longer than this. */
const QUICK = { 'broker.session.timeout.ms': '2000', 'broker.heartbeat.interval.ms': '400' }
const skip = suite === 'short' && 'in make test-full'
const context = withLab(
  skip === false
    ? [
        { name: 'east', properties: QUICK },
        { name: 'west', properties: QUICK },
      ]
    : [],
)
const at = (name: string) => adminOf(context.cluster(name))

class Gone extends Error {}

/** Its controller is gone when that step is done, and journaled. Resolves with the id of the run. */
async function diesAfter(link: Link, step: StepName): Promise<string> {
  const config = await loadConfig(link.config)
  const options = {
    kind: 'switchover',
    topics: [],
    acceptSplitBrain: true,
    takeOver: false,
    signal: new AbortController().signal,
  } as const
  return await services.withRun(config, config.links[link.name]!, options, async run => {
    await assert.rejects(
      run.execute(({ name, state }) => {
        if (name === step && (state === 'done' || state === 'skipped')) throw new Gone()
      }),
      Gone,
    )
    return run.report.run
  })
}

describe('a switchover that is given up', { concurrency: 1, skip }, () => {
  for (const step of BEFORE_PROMOTE)
    test(`after ${step}: the link goes on, and both sides are identical`, async () => {
      const { judge } = context
      const topic = freshTopic('given-up')
      const write = async (count: number) => {
        await judge.produce({ ...at('east'), topic, count })
        for (const end of ['commit', 'abort'] as const)
          await judge.produce({ ...at('east'), topic, count: 5, transactionalId: freshTopic('tx'), end })
      }
      await judge.createTopic({ ...at('east'), topic, partitions: 2 })
      await write(30)
      const link = makeLink({
        name: freshLink(),
        source: context.cluster('east'),
        target: context.cluster('west'),
        settings: { topics: [topic], fence: { acl: false, command: 'true' } },
      })
      const copied = await link.run('run', '--once')
      assert.equal(copied.code, 0, copied.stderr)

      const run = await diesAfter(link, step)
      const given = await link.run('runs', 'abort', run, '--yes')
      assert.equal(given.code, 0, given.stderr)

      await write(20)
      const resumed = await link.run('run', '--once')
      assert.equal(resumed.code, 0, resumed.stderr)
      const { code, object, stderr } = await link.json('verify', link.name)
      assert.deepEqual([code, object['identical']], [0, true], stderr)
      const sides = { source: context.cluster('east'), target: context.cluster('west') }
      await untilIdentical(judge, sides, topic)
      const { home, source } = await linkStatus(link)
      assert.deepEqual([home, source], [true, 'east'])
    })
})
