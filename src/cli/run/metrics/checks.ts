// What `kdr run` says of the whole check that it carries out by itself.
import type { Sample } from '../../../api/metrics/metrics.ts'
import type { Samples } from '../../../api/metrics/table.ts'
import type { CheckSight } from '../checks.ts'

/** Undefined: another process says it. */
export function checkSamples(sight: CheckSight | undefined): Samples {
  if (sight === undefined) return {}
  const { everyMs, last, isFailing } = sight
  const of = (value: number | undefined): Sample[] => [{ labels: {}, value }]
  const found = Map.groupBy(last?.report.findings ?? [], ({ id, severity }) => `${id} ${severity}`)
  return {
    // Ids are those of a table: there are never many series.
    kdr_findings: [...found.values()].map(all => {
      const { id = '', severity = '' } = all[0] ?? {}
      return { labels: { id, severity }, value: all.length }
    }),
    kdr_check_timestamp_seconds: of(last && last.at / 1_000),
    kdr_check_failing: of(Number(isFailing)),
    kdr_check_interval_seconds: of(everyMs / 1_000),
  }
}
