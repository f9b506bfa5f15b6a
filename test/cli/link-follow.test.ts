// kdr link follow: what is said and asked before a link copies from another cluster, and who is told of it after a failover.
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { App, Services } from '../../src/cli/app.ts'
import { reportOf } from '../../src/engine/runs/report.ts'
import type { FanOutTopic } from '../../src/engine/runs/plan-fan-out.ts'
import { makeTestApp, runForTest } from '../support/app.ts'
import { failedOverDark, makePlan } from '../support/runs.ts'

const config = join(mkdtempSync(join(tmpdir(), 'kdr-follow-')), 'kdr.yaml')
writeFileSync(
  config,
  `clusters: { a: { bootstrap: "a:1" }, b: { bootstrap: "b:1" }, c: { bootstrap: "c:1" } }
links: { ab: { source: a, target: b }, ac: { source: a, target: c } }
`,
)

const topic = (name: string, state: FanOutTopic['state'], why: string): FanOutTopic => ({
  topic: name,
  state,
  why,
  sourceTopicId: 'b',
  ends: [1],
})
const TOPICS = [
  topic('even', 'goes-on', '1 partition(s)'),
  topic('more', 'differs', 'more/0: "c" has 2 offset(s) that "b" has not, from 5 to 6'),
]

function following(topics: readonly FanOutTopic[]): { services: Services; seen: string[] } {
  const seen: string[] = []
  return {
    seen,
    services: {
      ...makeTestApp().services,
      withFollow: async (_config, { name }, cluster, act) =>
        await act({
          source: 'a',
          topics,
          execute: async () => {
            seen.push(`${name} ${cluster}`)
            return await Promise.resolve(topics)
          },
        }),
    },
  }
}

const run = (args: readonly string[], services: Services, changes: Partial<App> = {}) =>
  runForTest([...args, '--config', config], { services, ...changes })

describe('kdr link follow', () => {
  test('shows what differs first, and asks by the name of the link', async () => {
    const { services, seen } = following(TOPICS)
    const unasked = await run(['link', 'follow', 'ac', 'b'], services)
    const dry = await run(['link', 'follow', 'ac', 'b', '--dry-run'], services)
    assert.deepEqual([unasked.exit, dry.exit, seen], [20, 0, []])
    assert.match(unasked.stdout, /^link "ac" copies from "b" instead of "a"$/m)
    assert.match(unasked.stdout, /^more +differs +more\/0: "c" has 2 offset\(s\)[^]*^even +goes on/m)
    const typed = await run(['link', 'follow', 'ac', 'b'], services, { ask: () => Promise.resolve('ac') })
    assert.deepEqual([typed.exit, seen], [3, ['ac b']])
    assert.match(typed.stdout, /^1 topic of link "ac" go on from "b"/m)
    assert.match(typed.stdout, /kdr link recopy ac --topic more$/m)
  })

  test('has exit 0 where all goes on, and says it in JSON', async () => {
    const { exit, stdout } = await run(
      ['link', 'follow', 'ac', 'b', '--yes', '--json'],
      following(TOPICS.slice(0, 1)).services,
    )
    assert.equal(exit, 0)
    const { link, source, topics } = JSON.parse(stdout) as Record<string, unknown>
    assert.deepEqual([link, source, (topics as FanOutTopic[])[0]?.state], ['ac', 'b', 'goes-on'])
  })

  test('is named after a failover, for each other standby of the cluster that is lost', async () => {
    const { record, steps } = failedOverDark()
    const services: Services = {
      ...makeTestApp().services,
      withRun: async (_config, _link, { kind }, act) =>
        await act({
          plan: makePlan({ kind, active: 'a', standby: 'b' }),
          report: reportOf(record, []),
          execute: () => Promise.resolve(reportOf(record, steps)),
        }),
    }
    const { stderr } = await run(['failover', 'ab', '--yes'], services)
    assert.match(stderr, /link "ac" has copied from "a" too; .*: kdr link follow ac b$/m)
    assert.doesNotMatch((await run(['failover', 'ab', '--dry-run'], services)).stderr, /follow/)
    // By what it has led from, which may be none of its clusters in the config.
    const elsewhere: Services = {
      ...services,
      withRun: async (config, link, options, act) =>
        await services.withRun(
          config,
          link,
          options,
          async run =>
            await act({ ...run, plan: makePlan({ kind: options.kind, active: 'b', standby: 'c' }) }),
        ),
    }
    assert.doesNotMatch((await run(['failover', 'ac', '--yes'], elsewhere)).stderr, /kdr link follow/)
  })
})
