// Which alerts are not told for a while, by `silence:` of the config. Pure.
import type { ActiveAlert } from '../../../api/alerts/alert-states.ts'
import type { AlertsConfig } from '../../../config/config.ts'
import { placeFilter } from '../../../model/patterns.ts'

export type Silence = AlertsConfig['silences'][number]

/** The first that holds now. */
export function silenceOf(
  silences: readonly Silence[],
  { name, labels }: Pick<ActiveAlert, 'name' | 'labels'>,
  now: number,
): Silence | undefined {
  const place = Object.entries(labels)
    .map(([label, value]) => `${label}:${value}`)
    .join(' ')
  return silences.find(
    ({ alert, where, until }) =>
      (alert === '*' || alert === name) && (until === undefined || now < until) && placeFilter(where)(place),
  )
}
