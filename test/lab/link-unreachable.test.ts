// A cluster that cannot be reached for long: first it hangs (connections stay open and nobody answers), then it is gone.
// Of two links, one loses its target and the other its source. Nothing changes but the lag: no partition stops, both
// sides are identical afterwards, memory and log stay small. `make soak` takes the hour that it is about.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { findPort } from '../../src/lab/ports.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import { adminOf, assertIdentical, type KdrProcess, type Link, makeLink } from '../support/link.ts'
import { statusOf } from '../support/status.ts'
import { suite } from '../support/suite.ts'

/** All in all; half of it hanging, half of it gone. */
const AWAY_MS = { short: 0, full: 40_000, soak: 3_600_000 }[suite]
/** In lines: what a link says when it starts, loses a cluster, and has it again; and what it may repeat per hour. */
const LOG_LINES = { once: 60, perHour: 240 }
const PEAK_MB = 400

const context = withLab(suite === 'short' ? [] : [{ name: 'east' }, { name: 'west' }, { name: 'far' }])

test(`a cluster away for ${AWAY_MS / 1000} s changes nothing but the lag`, {
  skip: suite === 'short' && 'in make test-full',
}, async t => {
  const { judge } = context
  const far = context.cluster('far')
  // Given a link that writes to `far`, and one that reads from it.
  const outward = { source: context.cluster('east'), target: far }
  const inward = { source: far, target: context.cluster('west') }
  const names = { outward: freshTopic('outward'), inward: freshTopic('inward') }
  await judge.createTopic({ ...adminOf(outward.source), topic: names.outward, partitions: 3 })
  await judge.createTopic({ ...adminOf(inward.source), topic: names.inward, partitions: 3 })
  const links = {
    outward: makeLink({ name: 'outward', ...outward, settings: { topics: [names.outward] } }),
    inward: makeLink({ name: 'inward', ...inward, settings: { topics: [names.inward] } }),
  }
  const write = async (side: 'outward' | 'inward', count: number) => {
    const { source } = { outward, inward }[side]
    await judge.produce({ ...adminOf(source), topic: names[side], count, lingerMs: 5 })
  }
  const daemons = [links.outward.start('run'), links.inward.start('run')]
  t.after(() => daemons.forEach(daemon => daemon.signal('SIGKILL')))
  await write('inward', 500)
  for (const daemon of daemons) await daemon.says(/behind/)
  await caughtUp(links.inward)

  // When `far` hangs, and is killed then; applications go on at the other side.
  const startedAt = performance.now()
  const sample = sampler(t, daemons, startedAt)
  await far.pause()
  await livesFor(AWAY_MS / 2, async () => {
    await write('outward', 20)
    sample('hangs')
  })
  await far.kill()
  // A worker that is started meanwhile, and has more to do than this link, begins it when the cluster is back.
  const server = { listen: `127.0.0.1:${await findPort()}` }
  const late = makeLink({ name: 'inward', ...inward, settings: { topics: [names.inward] }, server }).start(
    'run',
  )
  t.after(() => late.signal('SIGKILL'))
  await late.says(/cannot be started: .*; trying again/, patience(60_000))
  await livesFor(AWAY_MS / 2, async () => {
    await write('outward', 20)
    sample('gone')
  })
  for (const daemon of daemons) assert.equal(daemon.hasEnded, false, daemon.stderr)
  const during = { lines: daemons.map(linesOf), hours: (performance.now() - startedAt) / 3_600_000 }

  // Then all is copied soon after it is back, and nothing was said too often.
  await far.start()
  t.diagnostic(`away for ${Math.round((performance.now() - startedAt) / 1000)} s`)
  await write('inward', 300)
  await caughtUp(links.outward)
  await caughtUp(links.inward)
  await assertIdentical(judge, outward, [names.outward])
  await assertIdentical(judge, inward, [names.inward])
  sample('back')
  await late.says(/behind/, patience(60_000))
  late.signal('SIGTERM')
  assert.equal((await late.ended).code, 0, late.stderr)
  for (const [index, daemon] of daemons.entries()) {
    const most = LOG_LINES.once + LOG_LINES.perHour * during.hours
    const lines = during.lines[index] ?? Number.NaN
    assert.ok(lines <= most, `${lines} lines, not ${most}:\n${daemon.stderr}`)
    assert.ok(peakMb(daemon) <= PEAK_MB, `peak memory ${peakMb(daemon)} MB`)
    daemon.signal('SIGTERM')
    const { code, stderr } = await daemon.ended
    assert.equal(code, 0, stderr)
  }
})

async function livesFor(ms: number, act: () => Promise<void>): Promise<void> {
  const until = performance.now() + ms
  const everyMs = Math.min(30_000, ms / 5)
  while (performance.now() < until) {
    await act()
    await sleep(Math.min(everyMs, Math.max(0, until - performance.now())))
  }
}

async function caughtUp(link: Link): Promise<void> {
  await waitFor(
    async () => {
      const partitions = await statusOf(link)
      const stopped = partitions.find(each => each.state === 'faulted')
      assert.equal(stopped, undefined, stopped?.sentence)
      return partitions.length === 3 && partitions.every(each => each.lagRecords === 0 && each.cursor > 0)
    },
    { what: `link "${link.name}" to catch up`, everyMs: 500 },
  )
}

function sampler(t: { diagnostic(text: string): void }, daemons: readonly KdrProcess[], startedAt: number) {
  return (phase: string): void => {
    const each = daemons.map(daemon => `${peakMb(daemon)} MB peak, ${linesOf(daemon)} lines`)
    t.diagnostic(`${Math.round((performance.now() - startedAt) / 1000)} s ${phase}: ${each.join('; ')}`)
  }
}

function linesOf({ stderr }: KdrProcess): number {
  return stderr.split('\n').length - 1
}

function peakMb({ pid }: KdrProcess): number {
  const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Math.round(Number(found?.[1] ?? Number.NaN) / 1024)
}
