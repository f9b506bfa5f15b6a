// Alerts as /api/alerts shows them: those that fire, and those that will if it lasts.
import { rendered, ruleOf } from '../../../api/notification.ts'
import type { ApiAnswer } from '../../../api/server.ts'
import { jsonText } from '../../app.ts'
import type { Alerting, ShownAlert } from './alerting.ts'

const iso = (ms: number): string => new Date(ms).toISOString()

/** As this process knows them: it asks nobody. */
export const alertsAnswer = (alerting: Pick<Alerting, 'active'>) => (): Promise<ApiAnswer> =>
  Promise.resolve({ status: 200, text: jsonText({ alerts: alerting.active.map(shownAlert) }) })

function shownAlert(alert: ShownAlert) {
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
