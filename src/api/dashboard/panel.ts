// What a panel of the dashboard is made of.
import type { MetricName } from '../metrics/table.ts'

export type Query = {
  readonly expr: string
  readonly legend: string
  readonly metrics: readonly MetricName[]
}
export type Panel = {
  readonly title: string
  readonly description: string
  readonly type: 'stat' | 'timeseries' | 'table'
  readonly unit: 's' | 'short' | 'Bps' | 'bytes' | 'percentunit' | 'ops'
  readonly width: 6 | 8 | 12 | 24
  /** From there on it is red. */
  readonly red?: number
  readonly queries: readonly Query[]
}

export const query = (expr: string, legend: string, ...metrics: MetricName[]): Query => ({
  expr,
  legend,
  metrics,
})
