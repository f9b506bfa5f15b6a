// What is told when an alert begins or is over. The JSON is that of Alertmanager's webhook (its version 4), so that whatever receives
// from Alertmanager receives from kdr too; `v` is ours. Pure.
import { VERSION } from '../../model/versioned.ts'
import type { FiringAlert } from './alert-states.ts'
import { ALERTS } from './alerts.ts'
import type { Labels } from '../metrics/metrics.ts'

/** As Alertmanager has it. */
export type ToldAlert = {
  readonly status: 'firing' | 'resolved'
  readonly labels: Labels
  readonly annotations: { readonly summary: string; readonly description: string }
  readonly startsAt: string
  /** Of one that goes on: the year 1. */
  readonly endsAt: string
  readonly generatorURL: string
  /** The same for the same alert, whoever tells of it, and after a restart too. */
  readonly fingerprint: string
}

export type Notification = {
  readonly v: number
  readonly version: '4'
  readonly groupKey: string
  readonly truncatedAlerts: number
  readonly status: 'firing' | 'resolved'
  readonly receiver: 'kdr'
  readonly groupLabels: Labels
  readonly commonLabels: Labels
  readonly commonAnnotations: Readonly<Record<string, string>>
  readonly externalURL: string
  readonly alerts: readonly ToldAlert[]
}

/** What one notification is about: one rule, at one link, set, cluster or process. */
const GROUPED_BY = ['link', 'set', 'cluster', 'instance'] as const
/** More of one group are counted. */
const MAX_ALERTS = 100
const NO_END = '0001-01-01T00:00:00Z'

type Change = { readonly alert: FiringAlert; readonly status: 'firing' | 'resolved' }

/** Alerts that begin or are over at the same look, by what they are about. `now`: ms since 1970. */
export function notificationsOf(changes: readonly Change[], now: number): Notification[] {
  const told = changes.map(change => toldOf(change, now))
  const groups = Map.groupBy(told, ({ labels }) => JSON.stringify(groupOf(labels)))
  return [...groups.values()].map(alerts => {
    const groupLabels = groupOf(alerts[0]!.labels)
    return {
      v: VERSION,
      version: '4',
      groupKey: `kdr:{${Object.entries(groupLabels)
        .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
        .join(', ')}}`,
      truncatedAlerts: Math.max(0, alerts.length - MAX_ALERTS),
      status: alerts.some(({ status }) => status === 'firing') ? 'firing' : 'resolved',
      receiver: 'kdr',
      groupLabels,
      commonLabels: common(alerts.map(({ labels }) => labels)),
      commonAnnotations: common(alerts.map(({ annotations }) => annotations)),
      externalURL: '',
      alerts: alerts.slice(0, MAX_ALERTS),
    }
  })
}

export function toldOf({ alert, status }: Change, now: number): ToldAlert {
  const { summary, action } = ruleOf(alert)
  const labels = labelsOf(alert)
  return {
    status,
    labels,
    annotations: { summary: rendered(summary, alert), description: action },
    startsAt: new Date(alert.firesSince).toISOString(),
    endsAt: status === 'firing' ? NO_END : new Date(now).toISOString(),
    generatorURL: '',
    fingerprint: fingerprintOf(labels),
  }
}

/** With those that say which rule it is. */
export const labelsOf = (alert: Pick<FiringAlert, 'name' | 'labels'>): Labels => ({
  alertname: alert.name,
  severity: ruleOf(alert).severity,
  ...alert.labels,
})

export function ruleOf({ name }: Pick<FiringAlert, 'name'>) {
  const rule = ALERTS.find(each => each.name === name)
  // Names are those of the rules (AlertName).
  if (rule === undefined) throw new Error(`there is no rule "${name}"`)
  return rule
}

/** Undefined: a rule of a later kdr. */
export function ruleSentence(name: string, of: Pick<FiringAlert, 'labels' | 'value'>): string | undefined {
  const rule = ALERTS.find(each => each.name === name)
  return rule && rendered(rule.summary, of)
}

function groupOf({ alertname = '', ...labels }: Labels): Labels {
  const places = GROUPED_BY.flatMap(name => {
    const value = labels[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return { alertname, ...Object.fromEntries(places) }
}

function common(all: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  const [first = {}] = all
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => all.every(each => each[name] === value)),
  )
}

const FNV_OFFSET = 0xcbf29ce484222325n
const FNV_PRIME = 0x100000001b3n

/** As Prometheus and Alertmanager count it: FNV-1a of 64 bits over the labels in their order. */
export function fingerprintOf(labels: Labels): string {
  let hash = FNV_OFFSET
  const names = Object.keys(labels).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  for (const name of names)
    for (const text of [name, labels[name] ?? ''])
      for (const byte of [...Buffer.from(text), 0xff])
        hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME)
  return hash.toString(16).padStart(16, '0')
}

/** The templates of Prometheus that the rules use, and no more. */
export function rendered(template: string, { labels, value }: Pick<FiringAlert, 'labels' | 'value'>): string {
  return template.replaceAll(/\{\{ (.*?) \}\}/g, (_all, what: string) => {
    if (what === '$value') return String(value)
    if (what === '$value | humanizeDuration') return humanDuration(value)
    return labels[what.replace('$labels.', '')] ?? ''
  })
}

/** As `humanizeDuration` of Prometheus spells seconds. */
export function humanDuration(seconds: number): string {
  const sign = seconds < 0 ? '-' : ''
  const size = Math.abs(seconds)
  if (size === 0 || !Number.isFinite(size)) return `${sign}${size}s`
  if (size < 1) {
    const [factor, unit] = size >= 1e-3 ? [1e3, 'ms'] : size >= 1e-6 ? [1e6, 'us'] : [1e9, 'ns']
    return `${sign}${Number((size * factor).toPrecision(4))}${unit}`
  }
  if (size < 60) return `${sign}${Number(size.toPrecision(4))}s`
  const whole = Math.floor(size)
  const parts = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3_600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'm'],
    [whole % 60, 's'],
  ] as const
  const from = parts.findIndex(([count]) => count > 0)
  return `${sign}${parts
    .slice(from)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ')}`
}
