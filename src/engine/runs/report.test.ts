import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  drained,
  failedOverDark,
  failedOverLive,
  type History,
  makePlan,
  makeRecord,
  makeStep,
  stopped,
} from '../../../test/support/runs.ts'
import { STEPS } from '../../model/runs.ts'
import { reportOf, summaryOf } from './report.ts'

const read = ({ record, steps }: History) => reportOf(record, steps)

describe('the report of a run', () => {
  test('a switchover that has drained lost nothing', () => {
    const report = read(drained())

    // The redirect ended 11.2 s + 0.3 s after the start. The canary took longest, and kept nobody waiting.
    assert.deepEqual(report.rto, { ms: 11_500, dominatedBy: 'drain' })
    assert.deepEqual(report.rpo, {
      records: 0,
      ms: 0,
      basis: 'exact',
      partitions: [
        { topic: 'orders', partition: 0, cut: 1_000, sourceEnd: 1_000, lostRecords: 0 },
        { topic: 'orders', partition: 1, cut: 250, sourceEnd: 250, lostRecords: 0 },
      ],
    })
    assert.deepEqual(report.fence, { state: 'proven', what: 'every leader refused User:app' })
    assert.deepEqual(report.groups, [
      { group: 'billing', mayRepeat: 7 },
      { group: 'audit', mayRepeat: 0 },
    ])
    assert.equal(report.startedAt, '2026-03-01T10:00:00.000Z')
    assert.equal(report.endedAt, '2026-03-01T10:00:20.000Z')
    assert.equal(report.steps[4]?.startedAt, '2026-03-01T10:00:03.600Z')
    assert.deepEqual(report.plan, makePlan())
  })

  test('a failover while the active answers counts from the cut to its end', () => {
    const { rpo } = read(failedOverLive())

    assert.deepEqual([rpo.records, rpo.ms, rpo.basis], [100, 1_500, 'exact'])
    assert.deepEqual(rpo.partitions[0], {
      topic: 'orders',
      partition: 0,
      cut: 1_000,
      sourceEnd: 1_100,
      lostRecords: 100,
    })
  })

  test('a failover in the dark is an estimate, from what was seen last', () => {
    const report = read(failedOverDark())

    // 1040 seen, cut at 1000: the mirror had come 20 records further since the plan.
    assert.deepEqual([report.rpo.records, report.rpo.ms, report.rpo.basis], [40, 4_200, 'estimate'])
    assert.deepEqual(
      report.rpo.partitions.map(({ sourceEnd, lostRecords }) => [sourceEnd, lostRecords]),
      [
        [1_040, 40],
        [-1, 0],
        [77, 0],
      ],
    )
    assert.deepEqual(report.rto, { ms: 4_700, dominatedBy: 'redirect' })
    assert.deepEqual(report.fence, {
      state: 'none',
      what: '"east" does not answer: it is not fenced',
    })
    assert.deepEqual(report.stillWriting, ['User:app'])
    assert.equal(report.acceptedSplitBrain, true)
    // Without a final sync, as planned.
    assert.deepEqual(report.groups[0], { group: 'billing', mayRepeat: 120 })
  })

  test('a run that stopped goes as far as its last step, and lists the rest', () => {
    const report = read(stopped())

    assert.deepEqual(report.rto, { ms: 8_600, dominatedBy: 'drain' })
    assert.deepEqual(
      report.steps.map(({ name }) => name),
      STEPS,
    )
    assert.deepEqual(report.steps.at(-1), {
      name: 'canary',
      state: 'waiting',
      startedAt: null,
      endedAt: null,
      ms: 0,
      what: '',
    })
    assert.deepEqual(report.rpo, { records: 0, ms: 0, basis: 'exact', partitions: [] })
    assert.equal(summaryOf(report).rtoMs, undefined)
    assert.equal(summaryOf(read(drained())).rtoMs, 11_500)
  })

  test('counts the time in which nobody had taken it up again', () => {
    const { record, steps } = drained()
    const hour = 3_600_000
    // It had stopped at the redirect, and went on an hour later.
    const redirect = makeStep('redirect', [11_200, 300], { data: { targets: [] } })
    const late = { ...redirect, endedAt: redirect.startedAt + hour }
    const report = reportOf(record, [...steps.filter(({ name }) => name !== 'redirect'), late])

    assert.deepEqual(report.rto, { ms: 11_200 + hour, dominatedBy: 'drain' })
    const { ms, endedAt } = report.steps.find(({ name }) => name === 'redirect')!
    assert.deepEqual([ms, endedAt], [300, '2026-03-01T11:00:11.200Z'])
  })

  test('a plan alone says what it would lose', () => {
    const loss = {
      basis: 'exact',
      records: 5,
      ms: 10,
      topics: [{ topic: 't', records: 5 }],
      partitions: [{ topic: 't', partition: 3, sourceEnd: 25, mirrorEnd: 20 }],
    } as const
    const report = reportOf(makeRecord({ state: 'planned', topics: ['t'] }), [], makePlan({ loss }))

    assert.deepEqual(report.rto, { ms: 0, dominatedBy: null })
    assert.deepEqual([report.rpo.records, report.rpo.ms, report.rpo.basis], [5, 10, 'exact'])
    assert.deepEqual(report.rpo.partitions, [
      { topic: 't', partition: 3, cut: 20, sourceEnd: 25, lostRecords: 5 },
    ])
    assert.deepEqual(report.scope, { links: ['l'], topics: ['t'] })
    assert.deepEqual(report.fence, { state: 'none', what: 'not begun' })
  })

  test('a run that was given up lost nothing, and nobody has to move', () => {
    const { steps } = failedOverLive()
    const report = reportOf(
      makeRecord({ state: 'aborted' }),
      steps.filter(({ name }) => STEPS.indexOf(name) < STEPS.indexOf('fence-link')),
    )

    assert.deepEqual(report.rpo, { records: 0, ms: 0, basis: 'exact', partitions: [] })
    assert.deepEqual([report.groups, report.stillWriting], [[], []])
  })

  test('a step that was begun again counts as it went last', () => {
    const { record, steps } = stopped()
    const again = makeStep('drain', [60_000, 900], {
      data: { ends: [{ topic: 'orders', partition: 0, end: 1_000 }] },
    })

    const report = reportOf({ ...record, state: 'running' }, [...steps, again])

    // What passed in between counts too.
    assert.deepEqual(report.rto, { ms: 60_900, dominatedBy: 'fence-applications' })
    assert.equal(report.steps[4]?.state, 'done')
  })

  test('a mirror that nothing was ever written to lacks all that the source has', () => {
    const { record, steps } = drained()
    const ends = [
      { topic: 'orders', partition: 0, end: 1_000 },
      { topic: 'orders', partition: 1, end: 250 },
      { topic: 'new', partition: 0, end: 9 },
    ]
    const { rpo } = reportOf(record, [...steps, makeStep('drain', [3_600, 6_000], { data: { ends } })])

    assert.equal(rpo.records, 9)
    assert.deepEqual(rpo.partitions.at(-1), {
      topic: 'new',
      partition: 0,
      cut: 0,
      sourceEnd: 9,
      lostRecords: 9,
    })
  })

  test('a failover from a cluster that has come back since says exactly what was lost', () => {
    const { record, steps } = failedOverDark()
    const none = { from: null, to: null, older: 0, hidden: 0 }
    const at = (partition: number) => ({ topic: 'orders', partition })
    const lost = { state: 'diverged', cut: 1_000, end: 1_032, records: 30, offsets: 32 } as const
    const kept = { state: 'clean', cut: 250, end: 250, records: 0, offsets: 0 } as const
    const found = makeStep('export', [0, 0], {
      data: {
        objects: 3,
        bytes: 100,
        location: '/export/r2',
        stranded: {
          run: 'r1',
          cluster: 'east',
          records: 30,
          offsets: 32,
          from: new Date(Date.UTC(2026, 2, 1, 9, 59, 58)).toISOString(),
          to: new Date(Date.UTC(2026, 2, 1, 10, 0, 0)).toISOString(),
          partitions: [
            { ...at(0), ...none, ...lost },
            { ...at(1), ...none, ...kept },
          ],
        },
      },
    })
    assert.equal(reportOf(record, steps).rpo.basis, 'estimate')
    const { rpo, stranded, exported, steps: shown } = reportOf(record, [...steps, found])

    // The oldest was written 2 s before the plan.
    assert.deepEqual([rpo.records, rpo.ms, rpo.basis], [30, 2_000, 'exact'])
    assert.deepEqual(rpo.partitions[0], {
      topic: 'orders',
      partition: 0,
      cut: 1_000,
      sourceEnd: 1_032,
      lostRecords: 30,
    })
    assert.deepEqual(
      rpo.partitions.map(each => each.lostRecords),
      [30, 0, 0],
    )
    assert.deepEqual([stranded?.records, exported], [30, '/export/r2'])
    // It is no step of that run.
    assert.deepEqual(
      shown.map(({ name }) => name),
      STEPS,
    )
  })

  test('a failover whose tail was deleted before anybody looked lost at most that many more', () => {
    const { record, steps } = failedOverDark()
    const at = { topic: 'orders', partition: 0, cut: 1_020, end: 1_032 }
    const none = { hidden: 0, from: null, to: null, older: 0 }
    const tail = { ...at, ...none, state: 'diverged' as const, records: 12, offsets: 12, gone: 20 }
    const found = { run: 'r1', cluster: 'east', records: 12, offsets: 12, from: null, to: null }
    const data = { objects: 0, bytes: 0, stranded: { ...found, partitions: [tail] } }
    const { rpo } = reportOf(record, [...steps, makeStep('export', [0, 0], { data })])

    assert.deepEqual([rpo.records, rpo.basis, rpo.partitions[0]?.lostRecords], [32, 'estimate', 32])
    assert.equal(rpo.ms, reportOf(record, steps).rpo.ms)
  })
})
