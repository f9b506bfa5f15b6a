// What a rule of alerts.ts is made of.
import type { AlertName } from '../../model/alerts.ts'
import type { MetricName } from '../metrics/table.ts'
import type { Condition, Figure, Limit } from './rules.ts'

/** `page`: now. `ticket`: within the day. */
export type Severity = 'page' | 'ticket'

export type Alert = {
  readonly name: AlertName
  readonly when: Condition
  /** For so many seconds it must have been so, without a break. */
  readonly forSeconds: number
  readonly severity: Severity
  /** `{{ $labels.NAME }}`, `{{ $value }}` and `{{ $value | humanizeDuration }}` stand for what they say. */
  readonly summary: string
  readonly action: string
}

export const is = (figure: Figure, compare: '>' | '<' | '==', limit: number | Limit): Condition => ({
  figure,
  is: compare,
  limit,
})
export const of = (metric: MetricName, how: Omit<Figure, 'metric'> = {}): Figure => ({ metric, ...how })
