// What `kdr status` prints of the alerts of a link that fire.
import { ruleSentence } from '../../api/alerts/notification.ts'
import type { LinkStatus } from '../../engine/status/status.ts'
import { formatDuration } from '../format.ts'
import type { Style } from '../table.ts'

export function alertLines({ alerts = [] }: LinkStatus, now: number, style: Style): string {
  const lines = alerts.map(({ alert, labels, value, firesSince, isTold }) => {
    const sentence = ruleSentence(alert, { labels, value })
    const since = formatDuration(Math.max(0, now - Date.parse(firesSince)))
    const words = `${alert} for ${since}${isTold ? '' : ' (silenced)'}${sentence === undefined ? '' : `: ${sentence}`}`
    return isTold ? `${style.red('✗')} ${words}\n` : style.dim(`· ${words}\n`)
  })
  return lines.length === 0 ? '' : `\n${lines.join('')}`
}
