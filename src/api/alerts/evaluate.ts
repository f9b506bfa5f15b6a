// What the conditions of rules.ts say of the samples of this process: as Prometheus would, without it. Samples are looked at one time
// after the other; what a rule needs of the past is kept here, and no more. Absent series are absent: no rule holds of them.
import type { DurationCounts } from '../../model/durations.ts'
import type { Labels, Sample } from '../metrics/metrics.ts'
import type { MetricName, Samples } from '../metrics/table.ts'
import { type Condition, type Figure, figuresIn, GROWTH_SECONDS, type Limit, RATE_SECONDS } from './rules.ts'

/** One for which a condition holds, or a figure is there. */
export type Held = { readonly labels: Labels; readonly value: number }
/** By their labels. */
type Vector = ReadonlyMap<string, Held>

type Series = { readonly labels: Labels; readonly value: number | DurationCounts }
type Look = { readonly at: number; readonly series: ReadonlyMap<string, Series> }

/** How far back a figure is looked for, as Prometheus does it: whoever looks less often than that has seen nothing. */
const LOOKBACK_SECONDS = 300

export const keyOf = (labels: Labels): string =>
  JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)))

export class Evaluator {
  readonly #pasts: ReadonlyMap<string, { readonly figure: Figure; readonly looks: Look[] }>
  #samples: Samples = {}
  /** Seconds since 1970. */
  #at = 0

  constructor(conditions: readonly Condition[]) {
    const figures = conditions.flatMap(figuresIn).filter(({ as }) => as !== undefined && as !== 'age')
    this.#pasts = new Map(figures.map(figure => [JSON.stringify(figure), { figure, looks: [] }]))
  }

  /** `at`: ms since 1970. */
  observe(samples: Samples, at: number): void {
    this.#samples = samples
    this.#at = at / 1_000
    for (const { figure, looks } of this.#pasts.values()) {
      // A clock that was set back: what was seen lies in the future.
      if ((looks.at(-1)?.at ?? 0) >= this.#at) looks.length = 0
      looks.push({ at: this.#at, series: this.#seriesOf(figure) })
      const windowSeconds = figure.as === 'growth' ? GROWTH_SECONDS + LOOKBACK_SECONDS : RATE_SECONDS
      while (this.#at - looks[0]!.at > windowSeconds) looks.shift()
    }
  }

  /** Of what was observed last. */
  holds(condition: Condition): Held[] {
    return [...this.#evaluate(condition).values()]
  }

  #evaluate(condition: Condition): Vector {
    if ('always' in condition) return vectorOf([{ labels: {}, value: 1 }])
    if ('absent' in condition)
      return vectorOf(this.#known(condition.absent).length === 0 ? [{ labels: {}, value: 1 }] : [])
    if ('all' in condition) {
      const [first, ...others] = condition.all.map(each => this.#evaluate(each))
      return filtered(first ?? new Map(), (_held, key) => others.every(other => other.has(key)))
    }
    if ('any' in condition) {
      // What comes first wins.
      const all = condition.any.map(each => this.#evaluate(each))
      return new Map(all.toReversed().flatMap(each => [...each]))
    }
    const figure = this.#figure(condition.figure)
    if ('without' in condition) {
      const { without, on } = condition
      const there = new Set(this.#known(without).map(({ labels }) => labels[on]))
      return filtered(figure, ({ labels }) => !there.has(labels[on]))
    }
    const { is, limit } = condition
    return filtered(figure, held => compares(held.value, is, this.#limitOf(limit, held)))
  }

  #limitOf(limit: number | Limit, { labels }: Held): number {
    if (typeof limit === 'number') return limit
    const { metric, on, times, otherwise } = limit
    const values = this.#known(metric).flatMap(each =>
      each.labels[on] === labels[on] && typeof each.value === 'number' ? [each.value] : [],
    )
    return values.length === 0 ? otherwise : Math.max(...values) * times
  }

  #figure(figure: Figure): Vector {
    switch (figure.as) {
      case 'age':
        return mapped(folded(figure, this.#seriesOf(figure)), value => this.#at - value)
      case 'rate':
        return folded(figure, this.#rates(figure))
      case 'growth':
        return this.#growth(figure)
      case 'p99':
        return this.#quantiles(figure, 0.99)
      default:
        return folded(figure, this.#seriesOf(figure))
    }
  }

  /** With all labels, those that are left out by the rule included. */
  #seriesOf({ metric, where }: Figure): Map<string, Series> {
    const [label = '', ...oneOf] = where ?? []
    const known = this.#known(metric).filter(
      ({ labels }) => where === undefined || oneOf.includes(labels[label] ?? ''),
    )
    return new Map(known.map(each => [keyOf(each.labels), each]))
  }

  #known(metric: MetricName): Series[] {
    const samples: readonly Sample[] = this.#samples[metric] ?? []
    return samples.flatMap(({ labels, value }) => (value === undefined ? [] : [{ labels, value }]))
  }

  #looksAt(figure: Figure): readonly Look[] {
    return this.#pasts.get(JSON.stringify(figure))?.looks ?? []
  }

  /** A second, of each series that was seen twice; one that went down was counted anew. */
  #rates(figure: Figure): Map<string, Series> {
    const looks = this.#looksAt(figure)
    const rates = new Map<string, Series>()
    for (const [key, { labels }] of looks.at(-1)?.series ?? []) {
      const seen = looks.flatMap(({ at, series }) => {
        const value = series.get(key)?.value
        return typeof value === 'number' ? [{ at, value }] : []
      })
      const seconds = (seen.at(-1)?.at ?? 0) - (seen[0]?.at ?? 0)
      if (seconds <= 0) continue
      let increase = 0
      for (const [index, { value }] of seen.entries()) {
        const before = seen[index - 1]?.value
        if (before !== undefined) increase += value < before ? value : value - before
      }
      rates.set(key, { labels, value: increase / seconds })
    }
    return rates
  }

  #growth(figure: Figure): Vector {
    const looks = this.#looksAt(figure)
    const then = this.#at - GROWTH_SECONDS
    const before = looks.findLast(({ at }) => at <= then && at > then - LOOKBACK_SECONDS)
    if (before === undefined) return new Map()
    const past = folded(figure, before.series)
    const now = folded(figure, looks.at(-1)!.series)
    return vectorOf(
      [...now].flatMap(([key, { labels, value }]) => {
        const old = past.get(key)
        return old === undefined ? [] : [{ labels, value: value - old.value }]
      }),
    )
  }

  /** Of what has come into the histograms since the oldest look of the window. */
  #quantiles(figure: Figure, quantile: number): Vector {
    const looks = this.#looksAt(figure)
    const [first] = looks
    const last = looks.at(-1)
    if (first === undefined || last === undefined || first === last) return new Map()
    const groups = Map.groupBy(
      [...last.series].flatMap(([key, { labels, value }]) => {
        const before = first.series.get(key)?.value
        const isThere = typeof value === 'object' && typeof before === 'object'
        return isThere ? [{ labels: kept(figure, labels), counts: since(before, value) }] : []
      }),
      ({ labels }) => keyOf(labels),
    )
    return vectorOf(
      [...groups.values()].flatMap(group => {
        const value = quantileOf(
          group.map(({ counts }) => counts),
          quantile,
        )
        return value === undefined ? [] : [{ labels: group[0]!.labels, value }]
      }),
    )
  }
}

function compares(value: number, is: '>' | '<' | '==', limit: number): boolean {
  return is === '>' ? value > limit : is === '<' ? value < limit : value === limit
}

const vectorOf = (all: readonly Held[]): Vector => new Map(all.map(each => [keyOf(each.labels), each]))

const filtered = (vector: Vector, holds: (held: Held, key: string) => boolean): Vector =>
  new Map([...vector].filter(([key, held]) => holds(held, key)))

const mapped = (vector: Vector, to: (value: number) => number): Vector =>
  new Map([...vector].map(([key, { labels, value }]) => [key, { labels, value: to(value) }]))

function kept({ by }: Figure, labels: Labels): Labels {
  if (by === undefined) return labels
  const [, ...names] = by
  return Object.fromEntries(names.flatMap(name => (labels[name] === undefined ? [] : [[name, labels[name]]])))
}

function folded(figure: Figure, series: ReadonlyMap<string, Series>): Vector {
  const groups = new Map<string, Held>()
  const [fold] = figure.by ?? ['sum']
  for (const { labels: all, value } of series.values()) {
    if (typeof value !== 'number') continue
    const labels = kept(figure, all)
    const key = keyOf(labels)
    const before = groups.get(key)?.value
    groups.set(key, { labels, value: before === undefined ? value : FOLDS[fold](before, value) })
  }
  return groups
}

const FOLDS = { sum: (a: number, b: number) => a + b, max: Math.max, min: Math.min }

function since(before: DurationCounts, now: DurationCounts): DurationCounts {
  const upTo = now.upTo.map(
    ([limit, count], index) => [limit, count - (before.upTo[index]?.[1] ?? 0)] as const,
  )
  return { upTo, count: now.count - before.count, sumSeconds: now.sumSeconds - before.sumSeconds }
}

/** As `histogram_quantile` has it: evenly spread within a bucket; beyond the last limit, that limit. */
function quantileOf(all: readonly DurationCounts[], quantile: number): number | undefined {
  const total = all.reduce((sum, { count }) => sum + count, 0)
  if (total <= 0) return undefined
  const rank = quantile * total
  const limits = all[0]?.upTo.map(([limit]) => limit) ?? []
  let below = 0
  for (const [index, limit] of limits.entries()) {
    const count = all.reduce((sum, { upTo }) => sum + (upTo[index]?.[1] ?? 0), 0)
    const from = limits[index - 1] ?? 0
    if (count >= rank) return from + ((limit - from) * (rank - below)) / Math.max(1, count - below)
    below = count
  }
  return limits.at(-1)
}
