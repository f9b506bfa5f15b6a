// The text that Prometheus reads (exposition format 0.0.4). Pure.
import type { DurationCounts } from '../../model/durations.ts'

export type Labels = Readonly<Record<string, string>>

export type Sample = {
  readonly labels: Labels
  /** Left out when it is not known: an absent sample is honest, a zero is not. */
  readonly value: number | DurationCounts | undefined
}

export type Metric = {
  readonly name: string
  readonly type: 'gauge' | 'counter' | 'histogram'
  readonly help: string
  readonly samples: readonly Sample[]
}

export function formatMetrics(metrics: readonly Metric[]): string {
  return metrics
    .flatMap(({ name, type, help, samples }) => {
      const known = samples.filter(({ value }) => value !== undefined)
      if (known.length === 0) return []
      const head = [
        `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
        `# TYPE ${name} ${type}`,
      ]
      return [...head, ...known.flatMap(sample => linesOf(name, sample))]
    })
    .map(line => `${line}\n`)
    .join('')
}

function linesOf(name: string, { labels, value }: Sample): string[] {
  if (value === undefined) return []
  if (typeof value === 'number') return [`${name}${textOf(labels)} ${numberText(value)}`]
  const buckets = [...value.upTo, [Number.POSITIVE_INFINITY, value.count] as const]
  return [
    ...buckets.map(([limit, count]) => {
      const le = numberText(limit)
      return `${name}_bucket${textOf({ ...labels, le })} ${count}`
    }),
    `${name}_sum${textOf(labels)} ${numberText(value.sumSeconds)}`,
    `${name}_count${textOf(labels)} ${value.count}`,
  ]
}

/** Infinity is spelled otherwise in JavaScript. */
const numberText = (value: number): string =>
  value === Number.POSITIVE_INFINITY ? '+Inf' : value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)

function textOf(labels: Labels): string {
  const all = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`)
  return all.length === 0 ? '' : `{${all.join(',')}}`
}

function escape(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
