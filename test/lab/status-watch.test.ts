// kdr status --watch and objectives over real clusters, while the source goes away and comes back.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import type { LinkStanding } from '../../src/cli/status/standing.ts'
import { freshTopic, waitFor, withLab } from '../support/lab.ts'
import { adminOf, makeLink, whileRunning } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full'
const context = withLab(skip === false ? [{ name: 'east' }, { name: 'west' }] : [])

type Round = { readonly links: readonly LinkStanding[]; readonly runs: readonly unknown[] }

describe('a page that is left open', { skip }, () => {
  test('shows a source that goes away, the objective that is missed, and that it is back', async () => {
    const { judge } = context
    const east = context.cluster('east')
    const topic = freshTopic('watch')
    await judge.createTopic({ ...adminOf(east), topic })
    await judge.produce({ ...adminOf(east), topic, count: 10 })
    const link = makeLink({ source: east, target: context.cluster('west'), settings: { topics: [topic] } })
    const config = JSON.parse(readFileSync(link.config, 'utf8')) as object
    writeFileSync(link.config, JSON.stringify({ ...config, objectives: [{ for: 'link:*', rpo: '8s' }] }))

    await whileRunning(link, async daemon => {
      await daemon.says(/behind/)
      const page = link.start('status', '--watch', '--json-lines')
      const shows = async (what: string, matches: (link: LinkStanding) => boolean): Promise<LinkStanding> =>
        await waitFor(
          () => {
            const lines = page.stdout.split('\n').slice(0, -1)
            const last = lines.length === 0 ? undefined : (JSON.parse(lines.at(-1) ?? '') as Round)
            const [found] = last?.links ?? []
            return found !== undefined && matches(found) ? found : undefined
          },
          { what: () => `${what}; it showed ${page.stdout.slice(-3_000)}`, timeoutMs: 90_000 },
        )

      const before = await shows(
        'a link in step',
        ({ state, lagRecords, rpoObjectiveState }) =>
          state === 'mirroring' && lagRecords === 0 && rpoObjectiveState === 'met',
      )
      assert.equal(before.rpoObjectiveMs, 8_000)
      assert.equal((await link.run('status')).code, 0)

      await east.kill()
      const missed = await shows(
        'the objective to be missed',
        ({ rpoObjectiveState }) => rpoObjectiveState === 'missed',
      )
      assert.match(missed.sentence, /the source does not answer/)
      assert.deepEqual(
        missed.beyondObjective?.map(each => each.topic),
        [topic],
      )
      const { code, stdout } = await link.run('status')
      assert.equal(code, 3)
      assert.match(stdout, /beyond its objective: topic "watch-/)

      await east.start()
      await shows('it to be back', ({ rpoObjectiveState }) => rpoObjectiveState === 'met')
      page.signal('SIGTERM')
      assert.equal((await page.ended).code, 0)
    })

    const report = await link.run('report', '--format', 'markdown')
    assert.equal(report.code, 0, report.stderr)
    assert.match(report.stdout, /^\| link link \| 8\.0 s \| \d+ ms \| met \| - \| never measured \|/m)
  })
})
