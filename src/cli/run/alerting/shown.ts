// Alerts as /api/alerts shows them: those that fire, and those that will if it lasts.
import { rendered, ruleOf } from '../../../api/alerts/notification.ts'
import type { ShownAlert } from './alerting.ts'

const iso = (ms: number): string => new Date(ms).toISOString()

export function shownAlert(alert: ShownAlert) {
  const { name, labels, value, since, firesSince, silence } = alert
  const { severity, summary, action } = ruleOf(alert)
  return {
    alert: name,
    state: firesSince === undefined ? ('pending' as const) : ('firing' as const),
    severity,
    labels,
    value,
    since: iso(since),
    ...(firesSince !== undefined && { firesSince: iso(firesSince) }),
    summary: rendered(summary, alert),
    action,
    ...(silence !== undefined && {
      silenced: { until: silence.until === undefined ? null : iso(silence.until), why: silence.why },
    }),
  }
}
