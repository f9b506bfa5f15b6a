// Runs as their journals tell them, for tests of what is said about runs: one of each ending.

import type { Plan, RunRecord, StepData, StepName, StepRecord, StepState } from '../../src/model/runs.ts'

export const RUN_START = Date.UTC(2026, 2, 1, 10, 0, 0)

export type History = { readonly record: RunRecord; readonly steps: readonly StepRecord[] }

export function makePlan(changes: Partial<Plan> = {}): Plan {
  return {
    kind: 'switchover',
    link: 'l',
    active: 'east',
    standby: 'west',
    at: RUN_START,
    isActiveThere: true,
    topics: 2,
    loss: { basis: 'exact', records: 0, ms: 0, topics: [], partitions: [] },
    groups: [
      { group: 'billing', state: 'behind', mayRepeat: 120, members: 3, mayBeAhead: false },
      { group: 'audit', state: 'in-step', mayRepeat: 0, members: 0, mayBeAhead: false },
    ],
    transactions: [],
    producers: [],
    heldBack: 0,
    missingUsers: [],
    leftBehind: [],
    refusals: [],
    warnings: [],
    expected: { ms: 12_000, basis: 'last-run', run: 'east-west-20260101-090000-aaaa' },
    ...changes,
  }
}

export function makeRecord(changes: Partial<RunRecord> = {}): RunRecord {
  return {
    run: 'r1',
    kind: 'switchover',
    link: 'l',
    active: 'east',
    standby: 'west',
    activeClusterId: 'EAST',
    standbyClusterId: 'WEST',
    generation: 1,
    state: 'done',
    startedAt: RUN_START,
    endedAt: RUN_START + 20_000,
    versions: { kdr: '1.2.3', node: '24.0.0' },
    acceptSplitBrain: false,
    by: 'ann@host',
    ...changes,
  }
}

/** `at`: ms after the start of the run. */
export function makeStep<Name extends StepName>(
  name: Name,
  [at, ms]: readonly [at: number, ms: number],
  {
    what = `did ${name}`,
    state = 'done',
    data,
  }: { what?: string; state?: StepState; data?: StepData[Name] } = {},
): StepRecord<Name> {
  return { name, state, startedAt: RUN_START + at, ms, what, ...(data !== undefined && { data }) }
}

const at = (topic: string, partition: number) => ({ topic, partition })

/** All drained: until the redirect 11.5 s, of which the drain took 6 s; the canary came after that. */
export function drained(): History {
  const steps = [
    makeStep('preflight', [0, 1_000], { data: makePlan() }),
    makeStep('freeze-groups', [1_000, 500], { data: { policy: 'leave', groups: [], denied: [] } }),
    makeStep('fence-applications', [1_500, 2_000], {
      what: 'every leader refused User:app',
      data: { state: 'proven', denied: [], probed: 3, left: [] },
    }),
    makeStep('end-transactions', [3_500, 100], { data: { ended: [] } }),
    makeStep('drain', [3_600, 6_000], {
      data: {
        ends: [
          { ...at('orders', 0), end: 1_000 },
          { ...at('orders', 1), end: 250 },
        ],
        lostMs: 0,
      },
    }),
    makeStep('final-sync', [9_600, 400], {
      data: {
        groups: 2,
        mayRepeat: [
          { group: 'billing', mayRepeat: 7 },
          { group: 'audit', mayRepeat: 0 },
        ],
      },
    }),
    makeStep('fence-link', [10_000, 500], {
      data: {
        cuts: [
          { ...at('orders', 0), cut: 1_000 },
          { ...at('orders', 1), cut: 250 },
        ],
      },
    }),
    makeStep('promote', [10_500, 700], {
      data: { generation: 2, topics: 1, rightsReleased: 4, reverse: 'starts' },
    }),
    makeStep('redirect', [11_200, 300], { data: { targets: [] } }),
    makeStep('canary', [11_500, 8_000], { data: { ok: true, findings: [] } }),
  ]
  return { record: makeRecord(), steps }
}

/** A failover while the active still answers: 100 records of orders/0 were not copied. */
export function failedOverLive(): History {
  const { steps } = drained()
  const drain = makeStep('drain', [3_600, 200], {
    data: {
      ends: [
        { ...at('orders', 0), end: 1_100 },
        { ...at('orders', 1), end: 250 },
      ],
      lostMs: 1_500,
    },
  })
  const loss = { basis: 'exact', records: 80, ms: 900, topics: [{ topic: 'orders', records: 80 }] } as const
  const plan = makePlan({
    kind: 'failover',
    loss: { ...loss, partitions: [{ ...at('orders', 0), sourceEnd: 1_080, mirrorEnd: 1_000 }] },
  })
  return {
    record: makeRecord({ kind: 'failover' }),
    steps: [...steps, drain, makeStep('preflight', [0, 1_000], { data: plan })],
  }
}

/** The active is gone. orders/0 was seen up to 1040; orders/1 never; orders/2 not beyond the mirror. */
export function failedOverDark(): History {
  const plan = makePlan({
    kind: 'failover',
    isActiveThere: false,
    loss: {
      basis: 'estimate',
      records: 60,
      ms: 4_200,
      topics: [{ topic: 'orders', records: 60 }],
      partitions: [
        { ...at('orders', 0), sourceEnd: 1_040, mirrorEnd: 980 },
        { ...at('orders', 1), sourceEnd: -1, mirrorEnd: 250 },
      ],
    },
  })
  const steps = [
    makeStep('preflight', [0, 1_000], { data: plan }),
    makeStep('freeze-groups', [1_000, 0], { state: 'skipped', what: '"east" does not answer' }),
    makeStep('fence-applications', [1_000, 100], {
      what: '"east" does not answer: it is not fenced',
      data: { state: 'registered', denied: [], probed: 0, left: ['User:app'] },
    }),
    makeStep('end-transactions', [1_100, 0], { state: 'skipped', what: '"east" does not answer' }),
    makeStep('drain', [1_100, 0], { state: 'skipped', what: '"east" does not answer', data: { ends: [] } }),
    makeStep('final-sync', [1_100, 0], { state: 'skipped', what: '"east" does not answer' }),
    makeStep('fence-link', [1_100, 900], {
      data: {
        cuts: [
          { ...at('orders', 0), cut: 1_000 },
          { ...at('orders', 1), cut: 250 },
          { ...at('orders', 2), cut: 77 },
        ],
      },
    }),
    makeStep('promote', [2_000, 700]),
    makeStep('redirect', [2_700, 2_000], { data: { targets: [] } }),
    makeStep('canary', [4_700, 100], { data: { ok: true, findings: [] } }),
  ]
  return { record: makeRecord({ kind: 'failover', acceptSplitBrain: true, reason: 'power cut' }), steps }
}

/** A switchover whose drain did not come to an end. */
export function stopped(): History {
  const { steps } = drained()
  const drain = makeStep('drain', [3_600, 5_000], {
    state: 'failed',
    what: '"orders/0" is 12 records behind',
  })
  return {
    record: makeRecord({
      state: 'stopped',
      sentence: 'drain did not end within 5.0 s; kdr switchover l --resume r1 goes on',
    }),
    steps: [...steps.slice(0, 4), drain],
  }
}
