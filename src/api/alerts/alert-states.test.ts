// Alerts over time, as kdr itself has them: when they fire, when they are over, and what a restart and a takeover leave of them.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Durations } from '../../model/durations.ts'
import { type ActiveAlert, AlertStates, type FiringAlert, isFiring } from './alert-states.ts'
import { ALERTS } from './alerts.ts'
import { Evaluator } from './evaluate.ts'
import type { Samples } from '../metrics/table.ts'
import { fingerprintOf, humanDuration, notificationsOf, toldOf } from './notification.ts'

const LINK = { link: 'ew', source: 'east', target: 'west' }
const rpo = (seconds: number | undefined): Samples => ({
  kdr_link_rpo_seconds: [{ labels: LINK, value: seconds }],
})
const START = Date.parse('2026-01-31T12:00:00Z')
const BREACHED = ALERTS.filter(({ name }) => name === 'KdrRpoBreached')

/** One look every 10 s, each with the RPO at that moment; what was told, with the second at which it was. */
function told(values: readonly (number | undefined)[], states = new AlertStates(BREACHED)): string[] {
  return values.flatMap((value, index) => {
    const { fired, resolved } = states.look(rpo(value), START + index * 10_000)
    return [...fired.map(() => `${index * 10} fires`), ...resolved.map(() => `${index * 10} is over`)]
  })
}

const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)

describe('an alert', () => {
  test('fires once, when it has held for as long as its rule wants, and is over once', () => {
    assert.deepEqual(told([1, ...times(9, 70), ...times(3, 1)]), ['70 fires', '100 is over'])
  })

  test('that held for less is never heard of', () => {
    assert.deepEqual(told([...times(6, 70), 1, 1]), [])
  })

  test('begins anew when the value was well in between: one that flaps does not fire', () => {
    assert.deepEqual(told([...times(6, 70), 1, ...times(6, 70), 1, ...times(6, 70), 1]), [])
  })

  test('fires although the clock is set back meanwhile', () => {
    const states = new AlertStates(BREACHED)
    states.look(rpo(70), START + 86_400_000)
    assert.deepEqual(told(times(7, 70), states), ['60 fires'])
  })

  test('goes on where nothing is known of it, and does not begin', () => {
    const states = new AlertStates(BREACHED)
    told(times(7, 70), states)
    assert.deepEqual(states.look(rpo(undefined), START + 70_000, () => true).resolved, [])
    assert.equal(states.look(rpo(undefined), START + 80_000, () => false).resolved.length, 1)
    states.look(rpo(70), START + 90_000)
    states.look(rpo(undefined), START + 100_000, () => true)
    assert.deepEqual(states.active, [])
  })

  test('of an absent series does not fire, and is over when the series goes', () => {
    assert.deepEqual(told(times(20, undefined)), [])
    assert.deepEqual(told([...times(7, 70), undefined]), ['60 fires', '70 is over'])
  })

  test('keeps the moment since which it fires, and shows the value of now', () => {
    const states = new AlertStates(BREACHED)
    told([...times(7, 70), 90], states)
    assert.deepEqual(states.active, [
      { name: 'KdrRpoBreached', labels: LINK, value: 90, since: START, firesSince: START + 60_000 },
    ])
  })

  test('that is firing comes before one that is only pending', () => {
    const states = new AlertStates(ALERTS.filter(({ name }) => name.startsWith('KdrRpo')).toReversed())
    told(times(7, 70), states)
    assert.deepEqual(
      states.active.map(each => [each.name, isFiring(each)]),
      [
        ['KdrRpoBreached', true],
        ['KdrRpoAtRisk', false],
      ],
    )
  })
})

describe('what fired before a restart', () => {
  const before: FiringAlert = {
    name: 'KdrRpoBreached',
    labels: LINK,
    value: 70,
    since: START - 600_000,
    firesSince: START - 540_000,
  }
  const restarted = (): AlertStates => {
    const states = new AlertStates(BREACHED)
    states.takeUp([before], START)
    return states
  }

  test('goes on without being told again, also while nothing is known at first', () => {
    const states = restarted()
    assert.deepEqual(told([...times(5, undefined), ...times(20, 70)], states), [])
    assert.equal(states.active[0]?.firesSince, before.firesSince)
  })

  test('is told to be over when it is: two minutes after the start, or at once where it was seen to hold', () => {
    assert.deepEqual(told(times(20, 1), restarted()), ['120 is over'])
    assert.deepEqual(told([70, 1, 1], restarted()), ['10 is over'])
  })

  test('has the fingerprint that it had', () => {
    const states = restarted()
    states.look(rpo(70), START)
    const fingerprint = (alert: FiringAlert): string => toldOf({ alert, status: 'firing' }, START).fingerprint
    assert.equal(fingerprint(states.active.filter(isFiring)[0]!), fingerprint(before))
  })

  test('is not taken up twice, and is no matter of ours once somebody else speaks for the link', () => {
    const states = restarted()
    states.look(rpo(70), START)
    states.takeUp([{ ...before, value: 1 }], START)
    assert.equal(states.active[0]?.value, 70)
    states.letGo(({ labels }: ActiveAlert) => labels['link'] === 'ew')
    assert.deepEqual(told([1, 1], states), [])
  })
})

describe('a rate', () => {
  const copied = (value: number): Samples => ({
    kdr_copied_bytes_total: [{ labels: LINK, value }],
  })
  const figure = { metric: 'kdr_copied_bytes_total', by: ['sum', 'link'], as: 'rate' } as const
  const still = { figure, is: '==', limit: 0 } as const
  const holds = (values: readonly number[]): boolean => {
    const evaluator = new Evaluator([still])
    for (const [index, value] of values.entries()) evaluator.observe(copied(value), START + index * 60_000)
    return evaluator.holds(still).length > 0
  }

  test('is not known from one look', () => assert.equal(holds([5]), false))
  test('is nothing where nothing has come for five minutes', () =>
    assert.equal(holds([1, 5, 5, 5, 5, 5, 5]), true))
  test('is something where the counter began anew', () => assert.equal(holds([5, 2, 5]), false))
  test('forgets what a clock that was set back has seen', () => {
    const evaluator = new Evaluator([still])
    evaluator.observe(copied(1), START)
    evaluator.observe(copied(5), START - 3_600_000)
    evaluator.observe(copied(5), START - 3_500_000)
    assert.equal(evaluator.holds(still).length, 1)
  })
})

test('a quantile is that of what has come since, whatever came before', () => {
  const durations = new Durations()
  const condition = {
    figure: { metric: 'kdr_event_loop_delay_seconds', by: ['sum', 'instance'], as: 'p99' },
    is: '>',
    limit: 0.5,
  } as const
  const evaluator = new Evaluator([condition])
  const look = (minute: number, ms: number): number | undefined => {
    for (let i = 0; i < 100; i++) durations.observe(ms)
    const sample = { labels: { instance: 'a' }, value: durations.counts() }
    evaluator.observe({ kdr_event_loop_delay_seconds: [sample] }, START + minute * 60_000)
    return evaluator.holds(condition)[0]?.value
  }
  assert.equal(look(0, 1), undefined)
  assert.equal(look(1, 900), 0.995)
  assert.equal(look(2, 1), 0.99)
})

describe('a notification', () => {
  const alert = (labels: Record<string, string>): FiringAlert => ({
    name: 'KdrRetentionHeadroomLow',
    labels,
    value: 600,
    since: START - 300_000,
    firesSince: START,
  })
  const a = alert({ link: 'ew', topic: 'a' })
  const b = alert({ link: 'ew', topic: 'b' })

  test('tells of all of one rule and link at once, as Alertmanager would', () => {
    const [first, ...others] = notificationsOf(
      [
        { alert: a, status: 'firing' },
        { alert: b, status: 'resolved' },
        { alert: alert({ link: 'ns', topic: 'a' }), status: 'firing' },
      ],
      START + 60_000,
    )
    assert.equal(others.length, 1)
    const { summary, description } = first!.alerts[0]!.annotations
    assert.deepEqual(first, {
      v: 1,
      version: '4',
      groupKey: 'kdr:{alertname="KdrRetentionHeadroomLow", link="ew"}',
      truncatedAlerts: 0,
      status: 'firing',
      receiver: 'kdr',
      groupLabels: { alertname: 'KdrRetentionHeadroomLow', link: 'ew' },
      commonLabels: { alertname: 'KdrRetentionHeadroomLow', severity: 'page', link: 'ew' },
      commonAnnotations: { description },
      externalURL: '',
      alerts: [
        {
          status: 'firing',
          labels: { alertname: 'KdrRetentionHeadroomLow', severity: 'page', link: 'ew', topic: 'a' },
          annotations: { summary, description },
          startsAt: '2026-01-31T12:00:00.000Z',
          endsAt: '0001-01-01T00:00:00Z',
          generatorURL: '',
          fingerprint: first!.alerts[0]!.fingerprint,
        },
        {
          ...first!.alerts[1]!,
          status: 'resolved',
          endsAt: '2026-01-31T12:01:00.000Z',
        },
      ],
    })
    assert.match(summary, /link ew topic a within 10m 0s/)
  })

  test('is over when all that it tells of are, and counts what is too much', () => {
    const many = Array.from({ length: 130 }, (_none, index) => ({
      alert: alert({ link: 'ew', topic: `t${index}` }),
      status: 'resolved' as const,
    }))
    const [one] = notificationsOf(many, START)
    assert.partialDeepStrictEqual(one, { status: 'resolved', truncatedAlerts: 30 })
    assert.equal(one?.alerts.length, 100)
  })

  test('has fingerprints as Prometheus counts them', () => {
    // As Alertmanager 0.25 has sent it.
    const deadMan = { severity: 'ticket', alertname: 'KdrDeadMan' }
    assert.equal(fingerprintOf(deadMan), '71c6e622efbf3650')
    // FNV-1a of `a` FF `1` FF `b` FF `2` FF.
    assert.equal(fingerprintOf({ a: '1', b: '2' }), '1cc37fac8a64ae01')
    assert.equal(fingerprintOf({ b: '2', a: '1' }), '1cc37fac8a64ae01')
  })

  test('spells durations as Prometheus does', () => {
    const spelled = [0, 0.995, 0.0000123, 12.34567, 70, 3_661, 90_061, -70].map(humanDuration)
    assert.deepEqual(spelled, [
      '0s',
      '995ms',
      '12.3us',
      '12.35s',
      '1m 10s',
      '1h 1m 1s',
      '1d 1h 1m 1s',
      '-1m 10s',
    ])
  })
})
