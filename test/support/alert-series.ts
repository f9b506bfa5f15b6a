// What the cases of alerts are written in: series in the notation of promtool, and what should come of them.

export const LINK = { link: 'ew', source: 'east', target: 'west' }
export const AT = { instance: 'a', job: 'kdr' }
export type Labels = Readonly<Record<string, string>>
export type Series = Readonly<Record<string, string>>

export const series = (name: string, values: string, more: Labels = LINK): Series => ({
  series: `${name}{${Object.entries({ ...AT, ...more })
    .map(([label, value]) => `${label}="${value}"`)
    .join(',')}}`,
  values,
})
export const stopped = (reason: string, values: string): Series =>
  series('kdr_partitions_stopped', values, { ...LINK, reason })
export const rpo = (seconds: number): Series => series('kdr_link_rpo_seconds', `${seconds}x90`)
export const objective = (seconds: number): Series =>
  series('kdr_link_rpo_objective_seconds', `${seconds}x90`)
export const set = (name: string, values: string): Series => series(name, values, { set: 'all' })
export const lag = (bytes: string): Series[] => [
  series('kdr_lag_records', '5x20', { ...LINK, topic: 't' }),
  series('kdr_lag_seconds', '200x20', { ...LINK, topic: 't' }),
  series('kdr_copied_bytes_total', bytes, { ...LINK, topic: 't' }),
]
export const late = (values: string): Series[] =>
  ['0.5', '1', '+Inf'].map(le =>
    series('kdr_event_loop_delay_seconds_bucket', le === '0.5' ? '0x90' : values, { le }),
  )

export const finding = (id: string, severity: string, values: string): Series =>
  series('kdr_findings', values, { id, severity })
/** Every hour; never carried out without `ended`. */
export const checked = ({
  failing,
  ended,
}: {
  readonly failing: string
  readonly ended?: string
}): Series[] => [
  series('kdr_check_failing', failing, {}),
  ...(ended === undefined ? [] : [series('kdr_check_timestamp_seconds', ended, {})]),
  series('kdr_check_interval_seconds', '3600x200', {}),
]

/** One value a minute, from 0 on; `at`: minutes. `labels` and `summary`: what fires; without them nothing does. */
export type Case = {
  readonly alert: string
  readonly what: string
  readonly given: readonly Series[]
  readonly at: number
  readonly fires?: Firing
}
export type Firing = { readonly labels: Labels; readonly summary: string }
export const fires = (labels: Labels, summary: string): Firing => ({ labels, summary })
export const ofLink = { link: 'ew' }
export const STALE = fires(
  { instance: 'a' },
  'kdr at a cannot carry out the whole check: nobody knows what it would find now',
)
export const ofSeries = { ...LINK, ...AT }
