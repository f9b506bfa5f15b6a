// Many histories: `node test/sim/main.ts [--from SEED] [--count N] [--seconds S]`, or one, with its trace: `--seed SEED`.
import { parseArgs } from 'node:util'
import { runHistory } from './history.ts'

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: '1' },
    count: { type: 'string', default: '200' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
  },
})

if (values.seed !== undefined) {
  const { trace, ...result } = await runHistory(Number(values.seed))
  console.log(trace.join('\n'))
  console.log(JSON.stringify(result, null, 2))
  process.exitCode = result.violations.length > 0 ? 1 : 0
} else {
  const startedAt = performance.now()
  const from = Number(values.from)
  let failed = 0
  let records = 0
  let ran = 0
  const faults = new Map<string, number>()
  for (let seed = from; seed < from + Number(values.count); seed++) {
    if (values.seconds !== undefined && performance.now() - startedAt > Number(values.seconds) * 1_000) break
    const result = await runHistory(seed)
    ran++
    records += result.records
    for (const fault of result.faults) {
      const reason = fault.split(' ')[1] ?? ''
      faults.set(reason, (faults.get(reason) ?? 0) + 1)
    }
    if (result.violations.length === 0) continue
    failed++
    console.log(`seed ${seed}: ${result.violations[0]?.split('\n')[0] ?? ''}`)
  }
  const seconds = (performance.now() - startedAt) / 1_000
  console.log(
    `${ran} histories in ${seconds.toFixed(1)} s, ${failed} with violations; faults ${JSON.stringify([...faults])}`,
  )
  process.exitCode = failed > 0 ? 1 : 0
}
