// What a rule may ask of the metrics, as data: a few forms, from which come both what Prometheus is told (here) and what `kdr run` looks
// at by itself (evaluate.ts). What neither can be said of is no form.
import type { MetricName } from '../metrics/table.ts'

/** A metric as a rule reads it. */
export type Figure = {
  readonly metric: MetricName
  /** Only series whose label is one of these. */
  readonly where?: readonly [label: string, ...oneOf: string[]]
  /** How series are put together, and which labels are left. Without it each series is looked at by itself. */
  readonly by?: readonly [fold: 'sum' | 'max' | 'min', ...labels: string[]]
  /**
   * What is made of it; as it is if absent. `age`: of a time, how many seconds ago. `rate`: of a counter, a second, over RATE_SECONDS.
   * `growth`: by how much it is more than GROWTH_SECONDS ago. `p99`: of a histogram (with `by`), over RATE_SECONDS.
   */
  readonly as?: 'age' | 'rate' | 'growth' | 'p99'
}

/** Another metric, of the series with the same `on`: its largest, times so much. Where there is none: `otherwise`. */
export type Limit = {
  readonly metric: MetricName
  readonly on: string
  readonly times: number
  readonly otherwise: number
}

export type Comparison = '>' | '<' | '=='

export type Condition =
  | { readonly figure: Figure; readonly is: Comparison; readonly limit: number | Limit }
  /** All have the same labels; the value is that of the first. */
  | { readonly all: readonly Condition[] }
  /** The first that holds for some labels. */
  | { readonly any: readonly Condition[] }
  /** There is the one, and not the other. */
  | { readonly figure: Figure; readonly without: MetricName; readonly on: string }
  | { readonly absent: MetricName }
  | { readonly always: true }

export const RATE_SECONDS = 300
export const GROWTH_SECONDS = 3600

export function promqlOf(condition: Condition): string {
  if ('always' in condition) return 'vector(1)'
  if ('absent' in condition) return `absent(${condition.absent})`
  if ('all' in condition) return condition.all.map(each => grouped(each)).join(' and ')
  if ('any' in condition) return condition.any.map(each => grouped(each)).join(' or ')
  const { figure } = condition
  if ('without' in condition) return `${figureText(figure)} unless on (${condition.on}) ${condition.without}`
  const { is, limit } = condition
  if (typeof limit === 'number') return `${figureText(figure)} ${is} ${limit}`
  const { metric, on, times, otherwise } = limit
  const most = `max by (${on}) (${metric})`
  const scaled = times === 1 ? most : `(${most} * ${times})`
  const text = figureText(figure)
  return (
    `${text} ${is} on (${on}) group_left () ${scaled} ` +
    `or (${text} ${is} ${otherwise} unless on (${on}) ${metric})`
  )
}

/** A comparison with a number binds more tightly than what joins conditions. */
function grouped(condition: Condition): string {
  const text = promqlOf(condition)
  const isPlain = 'is' in condition && typeof condition.limit === 'number'
  return isPlain ? text : `(${text})`
}

function figureText({ metric, where, by, as }: Figure): string {
  const [label, ...oneOf] = where ?? []
  const selected =
    label === undefined
      ? ''
      : oneOf.length === 1
        ? `{${label}="${oneOf.join()}"}`
        : `{${label}=~"${oneOf.join('|')}"}`
  const folded = (series: string, more: readonly string[] = []): string => {
    const [fold, ...labels] = by ?? []
    return fold === undefined ? series : `${fold} by (${[...more, ...labels].join(', ')}) (${series})`
  }
  const series = `${metric}${selected}`
  switch (as) {
    case 'age':
      return `time() - ${folded(series)}`
    case 'rate':
      return folded(`rate(${series}[${RATE_SECONDS / 60}m])`)
    case 'growth':
      return `${folded(series)} - ${folded(`${series} offset ${GROWTH_SECONDS / 3600}h`)}`
    case 'p99':
      return `histogram_quantile(0.99, ${folded(`rate(${metric}_bucket${selected}[${RATE_SECONDS / 60}m])`, ['le'])})`
    default:
      return folded(series)
  }
}

/** Each once. */
export function metricsIn(condition: Condition): MetricName[] {
  if ('always' in condition) return []
  if ('absent' in condition) return [condition.absent]
  if ('all' in condition) return [...new Set(condition.all.flatMap(metricsIn))]
  if ('any' in condition) return [...new Set(condition.any.flatMap(metricsIn))]
  const { metric } = condition.figure
  if ('without' in condition) return [metric, condition.without]
  return typeof condition.limit === 'number' ? [metric] : [metric, condition.limit.metric]
}

/** Every figure that is read in it. */
export function figuresIn(condition: Condition): Figure[] {
  if ('always' in condition || 'absent' in condition) return []
  if ('all' in condition) return condition.all.flatMap(figuresIn)
  if ('any' in condition) return condition.any.flatMap(figuresIn)
  return [condition.figure]
}
