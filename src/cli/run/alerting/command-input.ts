// What the operator's command gets to know of alerts. Pure.
import type { Notification } from '../../../api/alerts/notification.ts'
import type { CommandInput } from '../../app-watch.ts'

/** KDR_* in the environment, for a short script; all of it as JSON on stdin. */
export function commandInput(notification: Notification): CommandInput {
  const { status, groupLabels, alerts } = notification
  const [first] = alerts
  const { alertname = '', ...places } = groupLabels
  const more = alerts.length + notification.truncatedAlerts - 1
  const env = {
    KDR_ALERT: alertname,
    KDR_STATUS: status,
    KDR_SEVERITY: first?.labels['severity'] ?? '',
    KDR_SUMMARY: `${first?.annotations.summary ?? ''}${more > 0 ? ` (and ${more} more)` : ''}`,
    KDR_DESCRIPTION: first?.annotations.description ?? '',
    KDR_FINGERPRINT: first?.fingerprint ?? '',
    ...Object.fromEntries(
      Object.entries(places).map(([name, value]) => [`KDR_${name.toUpperCase()}`, value]),
    ),
  }
  return {
    // A group may be called anything; with a NUL no process can be started.
    env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, value.replaceAll('\0', '')])),
    stdin: JSON.stringify(notification),
  }
}
