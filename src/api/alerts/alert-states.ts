// Which alerts are pending, firing or over: rules that are looked at again and again. An alert is a rule and the labels for which it
// holds; it fires when it has held at every look for as long as the rule wants. Pure, but for what it remembers.
import type { AlertName } from '../../model/alerts.ts'
import type { Alert } from './alert.ts'
import { ALERTS } from './alerts.ts'
import { Evaluator, type Held, keyOf } from './evaluate.ts'
import type { Labels } from '../metrics/metrics.ts'
import type { Samples } from '../metrics/table.ts'

export type ActiveAlert = {
  readonly name: AlertName
  /** Of the series; what Prometheus would add is not there. */
  readonly labels: Labels
  readonly value: number
  /** It holds since, and, where it fires, it fires since; ms since 1970. */
  readonly since: number
  readonly firesSince: number | undefined
}

export type FiringAlert = ActiveAlert & { readonly firesSince: number }
export type Step = { readonly fired: readonly FiringAlert[]; readonly resolved: readonly FiringAlert[] }

/** After a start not everything is known at once: what fired before is not over because nothing is said of it yet. */
const GRACE_MS = 120_000

export const isFiring = (alert: ActiveAlert): alert is FiringAlert => alert.firesSince !== undefined

export class AlertStates {
  readonly #rules: readonly Alert[]
  readonly #evaluator: Evaluator
  readonly #active = new Map<string, ActiveAlert>()
  /** Of what was taken up and not seen again yet, when it counts as over. */
  readonly #graces = new Map<string, number>()

  constructor(rules: readonly Alert[] = ALERTS) {
    this.#rules = rules
    this.#evaluator = new Evaluator(rules.map(({ when }) => when))
  }

  /** Those that fire first, the longest of them first. */
  get active(): ActiveAlert[] {
    return [...this.#active.values()].toSorted(
      (a, b) => (a.firesSince ?? Infinity) - (b.firesSince ?? Infinity) || a.since - b.since,
    )
  }

  /** What fired before this process was started, or while another one spoke for it: it goes on, or is over at the next look. */
  takeUp(alerts: readonly FiringAlert[], now: number): void {
    for (const each of alerts) {
      const id = idOf(each)
      if (this.#active.get(id)?.firesSince !== undefined) continue
      this.#active.set(id, each)
      this.#graces.set(id, now + GRACE_MS)
    }
  }

  /** Somebody else says from now on whether they are over. */
  letGo(isOf: (alert: ActiveAlert) => boolean): void {
    for (const [id, each] of this.#active) if (isOf(each)) this.#forget(id)
  }

  /** `now`: ms since 1970. `isUnknown`: of what fires, whether the samples say nothing: then it goes on. */
  look(samples: Samples, now: number, isUnknown: (alert: ActiveAlert) => boolean = () => false): Step {
    this.#evaluator.observe(samples, now)
    const fired: FiringAlert[] = []
    const holding = new Set<string>()
    for (const rule of this.#rules) {
      for (const held of this.#evaluator.holds(rule.when)) {
        const alert = this.#continued(rule, held, now)
        const id = idOf(alert)
        if (isFiring(alert) && this.#active.get(id)?.firesSince === undefined) fired.push(alert)
        this.#active.set(id, alert)
        holding.add(id)
      }
    }
    for (const id of holding) this.#graces.delete(id)
    const over = [...this.#active].filter(
      ([id, alert]) =>
        !holding.has(id) && !((this.#graces.get(id) ?? 0) > now) && !(isFiring(alert) && isUnknown(alert)),
    )
    for (const [id] of over) this.#forget(id)
    return { fired, resolved: over.map(([, alert]) => alert).filter(isFiring) }
  }

  #forget(id: string): void {
    this.#active.delete(id)
    this.#graces.delete(id)
  }

  #continued({ name, forSeconds }: Alert, { labels, value }: Held, now: number): ActiveAlert {
    const before = this.#active.get(idOf({ name, labels }))
    // A clock that was set back: it would take as long again to fire.
    const since = Math.min(before?.since ?? now, now)
    const isLongEnough = now - since >= forSeconds * 1_000
    return { name, labels, value, since, firesSince: before?.firesSince ?? (isLongEnough ? now : undefined) }
  }
}

export const idOf = ({ name, labels }: Pick<ActiveAlert, 'name' | 'labels'>): string =>
  `${name} ${keyOf(labels)}`
