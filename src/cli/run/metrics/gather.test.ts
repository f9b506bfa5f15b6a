import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { METRICS, type MetricName } from '../../../api/metrics/table.ts'
import type { RunningLink } from '../../app.ts'
import type { PartitionProgress } from '../../../engine/replicate/replication.ts'
import {
  followedSet,
  fullWorld,
  gathered,
  NOW,
  partition,
  runningLink,
  whole,
} from '../../../../test/support/metrics-world.ts'
import { isThere, promtool } from '../../../../test/support/promtool.ts'
import { MetricsGatherer } from './gather.ts'
import { MAX_SERIES } from './levels.ts'

const textOf = (of: Parameters<typeof gathered>[0]): string => new MetricsGatherer().text(gathered(of))

/** Series alone, without what is of the process. */
const seriesOf = (text: string): string[] =>
  text.split('\n').filter(line => /^kdr_(?!build|heap|event|metrics)/.test(line))

const L = 'link="east-west",source="east",target="west"'

describe('what is served', () => {
  test('of a link and a set, in full', () => {
    const text = new MetricsGatherer().text(fullWorld())
    const lines = seriesOf(text).filter(
      line => !/_duration_seconds|partitions_stopped|groups_not|connections/.test(line),
    )
    const other = 'link="other",source="east",target="west"'
    const C = 'cluster="east"'
    const S = 'set="all",cluster="east",vault="main"'
    assert.deepEqual(lines, [
      `kdr_link_running{${L}} 1`,
      `kdr_link_running{${other}} 0`,
      `kdr_link_control{${L}} 1`,
      `kdr_slots{${L}} 64`,
      `kdr_slots_held{${L}} 32`,
      `kdr_fetched_bytes_total{${L},cluster="east"} 9000`,
      `kdr_fetched_bytes_total{${L},cluster="west"} 9000`,
      `kdr_fetched_closest_bytes_total{${L},cluster="east"} 0`,
      `kdr_fetched_closest_bytes_total{${L},cluster="west"} 0`,
      `kdr_fetch_rest_seconds_total{${L},cluster="east"} 0.25`,
      `kdr_fetch_rest_seconds_total{${L},cluster="west"} 0.25`,
      `kdr_appended_batches_total{${L},cluster="east"} 0`,
      `kdr_appended_batches_total{${L},cluster="west"} 5`,
      `kdr_request_failures_total{${L},cluster="east"} 0`,
      `kdr_request_failures_total{${L},cluster="west"} 0`,
      `kdr_partitions{${L},state="seeding"} 0`,
      `kdr_partitions{${L},state="mirroring"} 2`,
      `kdr_partitions{${L},state="paused"} 0`,
      `kdr_partitions{${L},state="promoted"} 0`,
      `kdr_partitions{${L},state="waiting"} 0`,
      `kdr_partitions{${L},state="faulted"} 1`,
      `kdr_link_generation{${L}} 3`,
      `kdr_link_workers{${L}} 2`,
      `kdr_link_lag_records{${L}} 7`,
      `kdr_link_lag_seconds{${L}} 1.5`,
      `kdr_link_rpo_seconds{${L}} 2`,
      `kdr_link_rpo_objective_seconds{${L}} 30`,
      `kdr_link_rpo_within_objective_ratio{${L}} 1`,
      `kdr_link_source_seen_timestamp_seconds{${L}} 1769860799.5`,
      `kdr_link_lost_offsets{${L}} 12`,
      `kdr_link_lost_ranges{${L}} 1`,
      `kdr_groups{${L},state="synced"} 1`,
      `kdr_groups{${L},state="clamped"} 1`,
      `kdr_groups{${L},state="skipped"} 0`,
      `kdr_group_sync_timestamp_seconds{${L}} 1769860796`,
      `kdr_lag_records{${L},topic="orders"} 7`,
      `kdr_lag_records{${L},topic="audit"} 0`,
      `kdr_lag_seconds{${L},topic="orders"} 1.5`,
      `kdr_lag_seconds{${L},topic="audit"} 0`,
      `kdr_copied_records_total{${L},topic="orders"} 100`,
      `kdr_copied_records_total{${L},topic="audit"} 90`,
      `kdr_copied_bytes_total{${L},topic="orders"} 9500`,
      `kdr_copied_bytes_total{${L},topic="audit"} 9000`,
      `kdr_retention_headroom_seconds{${L},topic="orders"} 90`,
      ...['orders', 'audit'].flatMap(topic =>
        ['records', 'markers', 'aborted', 'compacted', 'seeded', 'lost', 'uncounted'].map(kind => {
          const each = { records: 90, markers: 10 }[kind] ?? 0
          return `kdr_mirror_offsets{${L},topic="${topic}",kind="${kind}"} ${topic === 'orders' ? 2 * each : each}`
        }),
      ),
      `kdr_backup_last_commit_timestamp_seconds{${S}} 1769860740`,
      `kdr_backup_age_seconds{${S}} 60`,
      `kdr_backup_late{${S}} 0`,
      `kdr_backup_verified_timestamp_seconds{${S}} 1769857200`,
      `kdr_backup_vault_bytes{${S}} 123456`,
      `kdr_backup_bytes_total{${S}} 5000`,
      `kdr_backup_stored_bytes_total{${S}} 2000`,
      `kdr_backup_commits_total{${S}} 2`,
      `kdr_backup_failures_total{${S}} 1`,
      `kdr_backup_failing{${S}} 0`,
      `kdr_backup_verifications_total{${S}} 1`,
      `kdr_backup_damaged_objects{${S}} 0`,
      `kdr_backup_pruned_bytes_total{${S}} 700`,
      `kdr_backup_upkeep_failing{${S}} 0`,
      `kdr_cluster_up{${C}} 1`,
      `kdr_cluster_seen_timestamp_seconds{${C}} 1769860799`,
      `kdr_cluster_unseen{${C},what="disks"} 1`,
      `kdr_cluster_topics{${C}} 3`,
      `kdr_cluster_partitions{${C}} 9`,
      `kdr_cluster_partitions_offline{${C}} 1`,
      `kdr_cluster_partitions_under_replicated{${C}} 4`,
      `kdr_cluster_partitions_under_min_isr{${C}} 2`,
      `kdr_cluster_partitions_not_preferred{${C}} 5`,
      `kdr_cluster_controller_up{${C}} 1`,
      `kdr_cluster_voters_behind{${C}} 1`,
      `kdr_broker_up{${C},broker="1"} 1`,
      `kdr_broker_up{${C},broker="3"} 0`,
      `kdr_broker_disk_free_ratio{${C},broker="1"} 0.25`,
      `kdr_broker_log_dirs_offline{${C},broker="1"} 0`,
      ...['ok', 'unknown', 'lagging', 'rewound', 'stalled', 'stopped'].map(
        state => `kdr_cluster_groups{${C},state="${state}"} ${state === 'stalled' ? 1 : 0}`,
      ),
      `kdr_cluster_groups_unwatched{${C}} 0`,
      `kdr_group_state{${C},group="app",state="stalled"} 1`,
      `kdr_group_lag_records{${C},group="app"} 90`,
      `kdr_group_lag_seconds{${C},group="app"} 60`,
      'kdr_findings{id="C012",severity="warning"} 1',
      `kdr_check_timestamp_seconds ${(NOW - 30_000) / 1_000}`,
      'kdr_check_failing 0',
      'kdr_check_interval_seconds 3600',
    ])
    assert.match(text, /^kdr_partitions_stopped\{.*reason="foreign-write"\} 1$/m)
    assert.match(text, /^kdr_groups_not_synced\{.*reason="behind"\} 1$/m)
    assert.match(text, /^kdr_connections\{.*cluster="east",kind="watch"\} 1$/m)
    assert.match(text, /^kdr_fetch_duration_seconds_bucket\{.*cluster="east",le="0.025"\} 1$/m)
    assert.match(text, /^kdr_fetch_duration_seconds_count\{.*cluster="east"\} 2$/m)
    assert.match(text, /^kdr_build_info\{version="1.2.3"\} 1$/m)
  })

  test('says all that the table has, with the labels that it has, and nothing else', () => {
    // One that is coarsened, so that this is said too.
    const many = Array.from({ length: MAX_SERIES }, (_, topic) => partition(`t${topic}`, 0))
    const world = fullWorld()
    const texts = [world, { ...world, links: [runningLink('east-west', many)] }].map(each =>
      new MetricsGatherer().text(each),
    )
    const found = new Map<string, Set<string>>()
    for (const line of texts.join('').split('\n')) {
      const [, name = '', labels = ''] = /^(\w+?)(?:_bucket|_sum|_count)?(?:\{(.*)\})? \S+$/.exec(line) ?? []
      if (name === '') continue
      const known = found.get(name) ?? new Set()
      for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) if (label !== 'le') known.add(label)
      found.set(name, known)
    }
    const expected = Object.entries(METRICS).map(([name, { labels }]): [string, string[]] => {
      const isOfPartitions = (labels as readonly string[]).includes('partition')
      return [name, labels.filter(label => !isOfPartitions || label !== 'partition').toSorted()]
    })
    const served = [...found].map(([name, labels]) => [name, [...labels].toSorted()] as const)
    assert.deepEqual(Object.fromEntries(served), Object.fromEntries(expected))
  })

  test('figures of a link come from the owner of slot 0 alone', () => {
    const text = textOf({ links: [runningLink('east-west', [partition('t', 0)], { whole: undefined })] })
    const names = new Set(seriesOf(text).map(line => line.replace(/[{ ].*/, '')))
    const owned = (Object.keys(METRICS) as MetricName[]).filter(name => METRICS[name].by === 'owner')
    assert.deepEqual(
      owned.filter(name => names.has(name)),
      [],
    )
    assert.ok(names.has('kdr_lag_records'))
    assert.match(text, /^kdr_link_control\{.*\} 0$/m)
  })

  test('what is not known is left out: a source that was never seen, a vault that has not answered', () => {
    const unseen = runningLink('east-west', [], {
      whole: { ...fullWorld().links[0]!.facts().whole!, sourceSeenAt: 0, groupsAt: 0 },
    })
    const text = textOf({ links: [unseen], sets: [followedSet('all')] })
    for (const name of ['kdr_link_rpo_seconds', 'kdr_group_sync_timestamp_seconds', 'kdr_backup_vault_bytes'])
      assert.doesNotMatch(text, new RegExp(name))
  })

  test('a link of which nobody knows how far behind it is is not within its objective; one beyond it is not', () => {
    const ratio = (facts: Parameters<typeof whole>[0]): string | undefined => {
      const link = runningLink('east-west', [partition('t', 0)], { whole: whole(facts) })
      const text = textOf({ links: [link], objectives: [{ for: '*', rpoMs: 30_000 }] })
      return /^kdr_link_rpo_within_objective_ratio\S+ (\S+)$/m.exec(text)?.[1]
    }
    assert.equal(ratio({ lagMs: 0 }), '1')
    assert.equal(ratio({ lagMs: 0, isLagKnown: false }), undefined)
    assert.equal(ratio({ lagMs: 31_000, isLagKnown: false }), '0')
  })

  test('a counter goes on when a partition comes back with a copy that counts from zero', () => {
    let now: PartitionProgress[] = [partition('t', 0), partition('t', 1)]
    const started = (): RunningLink => ({ ...runningLink('east-west', []), progress: () => now })
    const link = started()
    const gatherer = new MetricsGatherer()
    const total = (of = link): string | undefined =>
      /^kdr_copied_records_total\S+ (\d+)$/m.exec(gatherer.text(gathered({ links: [of] })))?.[1]
    assert.equal(total(), '180')
    now = [partition('t', 0, { records: 95 })]
    assert.equal(total(), '185', 'the other one has gone to another worker')
    now = [partition('t', 0, { records: 95 }), partition('t', 1, { records: 3, bytes: 30 })]
    assert.equal(total(), '188', 'it is back, and has copied three')
    assert.equal(total(started()), '98', 'a link that was started anew counts anew')
  })
})

describe('of 10,000 partitions', () => {
  for (const topics of [1, 100, 10_000])
    for (const level of ['topic', 'partition'] as const)
      test(`in ${topics} topic(s), by ${level}: at most ${MAX_SERIES} series, within 2 s`, () => {
        const all = Array.from({ length: 10_000 }, (_, i) =>
          partition(`topic-${i % topics}`, Math.floor(i / topics), { lagRecords: 1, lagMs: 1 }),
        )
        const links = [runningLink('east-west', all.slice(0, 5_000)), runningLink('b', all.slice(5_000))]
        const gatherer = new MetricsGatherer()
        const from = performance.now()
        const text = gatherer.text(gathered({ links, level }))
        assert.ok(performance.now() - from < 2_000)
        const series = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
        assert.ok(series.length <= MAX_SERIES, String(series.length))
        assert.match(text, new RegExp(`^kdr_metrics_series ${series.length}$`, 'm'))
        // Nothing is lost by summing up, and the worthiest is as fine as can be.
        const lags = series.filter(line => line.startsWith('kdr_lag_records'))
        assert.equal(
          lags.reduce((sum, line) => sum + Number(line.split(' ')[1]), 0),
          10_000,
        )
        const places = all.map(({ topic }, i) => `${i < 5_000 ? 'a' : 'b'}/${topic}`)
        assert.equal(lags.length, level === 'partition' ? 10_000 : new Set(places).size)
        const isCoarsened = /^kdr_metrics_coarsened\{metric="kdr_mirror_offsets",level="\w+"\} 1$/m.test(text)
        assert.equal(isCoarsened, level === 'partition' || topics === 10_000)
      })
})

test('promtool has nothing to say against any of it', {
  skip: !isThere && 'promtool is not installed',
}, () => {
  const { code, output } = promtool(['check', 'metrics'], new MetricsGatherer().text(fullWorld()))
  assert.equal(output, '')
  assert.equal(code, 0)
})
