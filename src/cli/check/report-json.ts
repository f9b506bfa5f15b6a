// A report as --json and the API show it.
import type { CheckReport } from '../../engine/check/check.ts'
import type { Finding } from '../../model/findings.ts'
import { fixSentence } from '../../model/fixes.ts'

/** What `--fix` would do is one sentence there; the moves of replicas are asked for by `--plan`. */
export function shownReport(report: CheckReport): Record<string, unknown> {
  const { ready, findings, accepted, racks, looked } = report
  return { ready, findings: findings.map(shown), accepted: accepted.map(shown), racks, looked }
}

const shown = ({ fix, ...finding }: Finding): Record<string, unknown> => ({
  ...finding,
  ...(fix !== undefined && { fix: fixSentence(fix) }),
})
