// Histories on all cores: `node test/sim/main.ts --count N` or `--for 10m`, [--from SEED] [--bug NAME] [--processes N].
// One history with its trace: `--seed SEED` [--shrink: with as little trouble as it needs to fail].
import { parseArgs } from 'node:util'
import { plant } from './planted/plant.ts'
import { runFleet } from './fleet.ts'

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: '1' },
    count: { type: 'string' },
    for: { type: 'string' },
    seed: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    bug: { type: 'string' },
    processes: { type: 'string' },
  },
})
const UNITS = { s: 1_000, m: 60_000, h: 3_600_000 } as const
const DEFAULT_COUNT = 500
const TRACE_LINES = 15

async function one(seed: number): Promise<void> {
  if (values.bug !== undefined) plant(values.bug)
  const { runHistory } = await import('./history.ts')
  const { shrink, describeShrunk } = await import('./shrink.ts')
  const given = values.shrink ? await shrink(seed) : {}
  const { trace, ...result } = await runHistory(seed, given)
  console.log(trace.join('\n'))
  console.log(JSON.stringify(result, null, 2))
  if (values.shrink) console.log(describeShrunk(given))
  process.exitCode = result.violations.length > 0 ? 1 : 0
}

async function many(): Promise<void> {
  const startedAt = performance.now()
  const ms = durationOf(values.for)
  const count =
    values.count === undefined ? (ms === undefined ? DEFAULT_COUNT : Infinity) : Number(values.count)
  const reasons = new Map<string, number>()
  let toldAt = startedAt
  const seconds = (): number => (performance.now() - startedAt) / 1_000
  const { ran, failed } = await runFleet({
    from: Number(values.from),
    count,
    ...(ms !== undefined && { until: startedAt + ms }),
    ...(values.bug !== undefined && { bug: values.bug }),
    ...(values.processes !== undefined && { processes: Number(values.processes) }),
    onResult: ({ seed, violations, faults }, done) => {
      for (const reason of new Set(faults.map(fault => fault.split(' ')[1] ?? '')))
        reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
      if (violations.length > 0) console.log(`seed ${seed}: ${violations[0]?.split('\n')[0] ?? ''}`)
      if (performance.now() - toldAt < 10_000) return
      toldAt = performance.now()
      console.error(`${done} histories, ${(done / seconds()).toFixed(0)} a second`)
    },
  })
  console.log(
    `${ran} histories in ${seconds().toFixed(0)} s (${(ran / seconds()).toFixed(0)} a second), ${failed.length} with violations`,
  )
  const stopped = [...reasons].toSorted((a, b) => b[1] - a[1])
  console.log(`stopped for: ${stopped.map(([reason, times]) => `${reason} ${times}`).join(', ')}`)
  for (const { seed, violations } of failed.slice(0, 5)) await tell(seed, violations)
  process.exitCode = failed.length > 0 ? 1 : 0
}

/** The end of what happened, and the command that shows all of it. */
async function tell(seed: number, violations: readonly string[]): Promise<void> {
  const bug = values.bug === undefined ? '' : ` --bug ${values.bug}`
  console.log(`\nseed ${seed}; replay: node test/sim/main.ts --seed ${seed}${bug} [--shrink]`)
  for (const violation of violations.slice(0, 3)) console.log(`  ${violation.split('\n')[0] ?? ''}`)
  if (values.bug !== undefined) return
  const { runHistory } = await import('./history.ts')
  const { trace } = await runHistory(seed)
  const at = trace.findIndex(line => line.includes('VIOLATION'))
  for (const line of trace.slice(Math.max(0, at - TRACE_LINES), at + 1)) console.log(`    ${line}`)
}

function durationOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const [, amount, unit] = /^(\d+)([smh])$/.exec(text) ?? []
  if (amount === undefined) throw new Error(`--for takes a time like 30s, 10m or 2h, not "${text}"`)
  return Number(amount) * UNITS[unit as keyof typeof UNITS]
}

if (values.seed === undefined) await many()
else await one(Number(values.seed))
