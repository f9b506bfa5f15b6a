// The simulated cluster answers as real brokers do: seeded histories of port operations, each done on both sides in step,
// every answer compared, error codes included; in the middle all brokers are stopped and started again. KDR_SEED=N plays
// that history alone.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type Lab, startLab } from '../../src/lab/lab.ts'
import { AgreementHistory } from '../sim/agreement/history.ts'
import { KNOWN_DIFFERENCES } from '../sim/agreement/known-differences.ts'
import { type HistorySide, RealCluster } from '../support/agreement-real.ts'
import { freshDir } from '../support/lab.ts'
import { suite } from '../support/suite.ts'

const alone = process.env['KDR_SEED']
const HISTORIES = { short: 10, full: 200, soak: 1_000 }[suite]
const OPERATIONS_A_HALF = { short: 20, full: 40, soak: 40 }[suite]
const AT_ONCE = 8

type Played = { readonly history: AgreementHistory; readonly side: HistorySide }

let lab: Lab
let real: RealCluster

/** How often a coordinator looks for groups without offsets to let go of: by itself every 10 minutes, which no run lasts. */
const LETS_GO_OF_GROUPS = { 'offsets.retention.check.interval.ms': '100' }

before(async () => {
  const east = { name: 'east', brokers: 2, properties: LETS_GO_OF_GROUPS }
  lab = await startLab({ dir: freshDir(), clusters: [east] })
  real = new RealCluster(lab.cluster('east'), randomBytes(3).toString('hex'))
  await real.open()
})
after(async () => {
  await real?.close()
  await lab?.down()
})

test(`${HISTORIES} histories have the same answers on simulated and on real brokers`, async t => {
  const seeds = alone === undefined ? Array.from({ length: HISTORIES }, (_none, i) => i + 1) : [Number(alone)]
  const played = seeds.map((seed): Played => {
    const side = real.side(seed)
    return { side, history: new AgreementHistory(seed, side) }
  })
  const startedAt = performance.now()
  await inParallel(played, playHalf)
  await real.restart()
  await inParallel(played, async each => {
    await each.history.restarted()
    await playHalf(each)
  })
  const operations = played.reduce((sum, { history }) => sum + history.operations.length, 0)
  t.diagnostic(
    `${operations} operations in ${((performance.now() - startedAt) / 1_000).toFixed(1)} s, ${seeds.length} histories`,
  )
  const failures = played.flatMap(({ history }) => history.failure ?? [])
  assert.equal(
    failures.length,
    0,
    `${failures.length} of ${played.length} histories differ:\n${failures.slice(0, 5).join('\n')}`,
  )
  for (const difference of KNOWN_DIFFERENCES) {
    const showing = played.filter(({ history }) => history.differences.has(difference)).length
    t.diagnostic(`${showing} histories show: ${difference.what}`)
    if (alone === undefined && suite !== 'short')
      assert.ok(showing > 0, `no history shows the known difference "${difference.what}" any more`)
  }
})

async function playHalf({ history, side }: Played): Promise<void> {
  await side.open()
  try {
    await history.run(OPERATIONS_A_HALF)
  } finally {
    await side.close()
  }
}

async function inParallel<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items]
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await act(next)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
}
