// 10,000 partitions and 1,000 groups: what `kdr status` and `kdr check` make of them takes less than 2 s of CPU each, asking aside, and
// little memory. CPU, and not time: other programs may have the machine meanwhile.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { Services } from '../../src/cli/app.ts'
import { type CheckedCluster, judge } from '../../src/engine/check/check.ts'
import { observeCluster } from '../../src/engine/check/observe.ts'
import type { SeenCluster } from '../../src/engine/check/observation.ts'
import { type LinkStatus, observeStatus } from '../../src/engine/status/status.ts'
import { cutGroups, groupRoundKey, groupsKey } from '../../src/model/group-records.ts'
import type { PartitionReport } from '../../src/model/link.ts'
import { linkKey, reportKey, toRecord, topicKey, workerKey } from '../../src/model/state-records.ts'
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import type { LogReader } from '../../src/ports/cluster.ts'
import { makeTestApp, runForTest } from '../support/app.ts'
import { FakeStore } from '../support/fenced-cluster.ts'
import { clusterOf, health, linkOf, NOW } from '../support/sights.ts'
import { suite } from '../support/suite.ts'

const PARTITIONS = 10_000
const GROUPS = 1_000
const CPU_MS = 2_000
/** Of the heap, garbage included. */
const MEMORY_BYTES = 400e6

const dir = mkdtempSync(join(tmpdir(), 'kdr-scale-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const path = join(dir, 'kdr.yaml')
writeFileSync(
  path,
  JSON.stringify({
    clusters: { east: { bootstrap: 'east:1' }, west: { bootstrap: 'west:1' } },
    links: { ew: { source: 'east', target: 'west' } },
    objectives: [
      ...['pay-*', 'ship-*', 're:^[xyz]-', 'topic-77*'].map(topic => ({
        for: `link:ew topic:${topic}`,
        rpo: '5s',
      })),
      { for: 'link:ew', rpo: '30s' },
      { for: '*', rpo: '1m' },
    ],
  }),
)

const clock = { now: () => NOW, monotonic: () => 0, sleep: () => Promise.resolve() }

/** Ms of CPU of all threads, and bytes of the heap that came on top. */
async function measured<T>(act: () => Promise<T>): Promise<{ value: T; cpuMs: number; bytes: number }> {
  const before = process.memoryUsage().heapUsed
  const began = process.cpuUsage()
  const value = await act()
  const { user, system } = process.cpuUsage(began)
  return { value, cpuMs: (user + system) / 1_000, bytes: process.memoryUsage().heapUsed - before }
}

function assertWithin({ cpuMs, bytes }: { readonly cpuMs: number; readonly bytes: number }): void {
  assert.ok(cpuMs < CPU_MS, `${Math.round(cpuMs)} ms of CPU`)
  assert.ok(bytes < MEMORY_BYTES, `${Math.round(bytes / 1e6)} MB`)
}

const SHAPES: readonly (readonly [topics: number, partitions: number])[] = [
  [1_000, 10],
  ...(suite === 'short'
    ? []
    : ([
        [1, PARTITIONS],
        [PARTITIONS, 1],
      ] as const)),
]

async function storeOf(topics: number, partitions: number): Promise<FakeStore> {
  const store = new FakeStore()
  const put = async (key: string, kind: string, value: object) => await store.put(key, toRecord(kind, value))
  await put(linkKey('ew'), 'link', { generation: 1 })
  await put(workerKey('ew', 'w'), 'worker', { slots: [0], at: NOW, state: 'running', sourceSeenAt: NOW })
  for (let topic = 0; topic < topics; topic++) {
    const name = `topic-${topic}`
    await put(topicKey('ew', name), 'topic', { phase: 'mirroring', applied: {}, adoptedUpTo: [] })
    const reports = Array.from(
      { length: partitions },
      (_, partition): PartitionReport => ({
        partition,
        state: 'mirroring',
        cursor: 1_000,
        isAnchored: true,
        logStart: 0,
        sourceEnd: 1_000,
        lagRecords: 0,
        lagMs: 0,
        offsets: { records: 900, markers: 100, aborted: 0, compacted: 0, seeded: 0, lost: 0, uncounted: 0 },
      }),
    )
    for (let at = 0; at < partitions; at += 200)
      await put(reportKey('ew', name, 0, at / 200), 'report', {
        at: NOW,
        worker: 'w',
        generation: 1,
        targetTopicId: 'id',
        partitions: reports.slice(at, at + 200),
      })
  }
  const groups = Array.from({ length: GROUPS }, (_, index) => ({
    group: `group-${index}`,
    state: 'synced' as const,
    since: NOW,
    isOwn: true,
  }))
  for (const [piece, some] of cutGroups(groups).entries())
    await put(groupsKey('ew', 0, piece), 'groups', { groups: some })
  await put(groupRoundKey('ew'), 'groups-round', { at: NOW })
  return store
}

/** Every end is a little beyond what was copied. */
const reader = (offset: number): LogReader =>
  ({
    offsets: (all: readonly unknown[]) =>
      Promise.resolve(all.map(() => ({ code: KafkaCode.NONE, offset, leaderEpoch: 0 }))),
  }) as unknown as LogReader

const statusOf = async (store: FakeStore): Promise<LinkStatus> =>
  await observeStatus({
    settings: {
      name: 'ew',
      source: 'east',
      target: 'west',
      mode: 'exact',
      topics: ['*'],
      groups: ['*'],
    } as never,
    isHome: true,
    stale: [],
    source: reader(1_001),
    sourceProblem: undefined,
    target: reader(1_000),
    store,
    clock,
  })

describe('of 10,000 partitions and 1,000 groups', () => {
  for (const [topics, partitions] of SHAPES) {
    test(`the status, ${topics} topics`, async () => {
      const store = await storeOf(topics, partitions)
      const services: Services = {
        ...makeTestApp().services,
        readLinkStatus: async () => await statusOf(store),
      }
      for (const args of [[], ['--json']]) {
        const ran = await measured(
          async () => await runForTest(['status', ...args, '--config', path], { services, clock }),
        )
        assert.equal(ran.value.exit, 0, ran.value.stderr)
        assertWithin(ran)
      }
    })

    test(`the check, ${topics} topics, each with something to say of`, async () => {
      const sick = {
        replicas: Array.from({ length: partitions }, () => [1, 2, 3]),
        isr: Array.from({ length: partitions }, () => [1, 2]),
      }
      const seen = (name: string): SeenCluster =>
        clusterOf({
          name,
          topics: Object.fromEntries(Array.from({ length: topics }, (_, index) => [`topic-${index}`, sick])),
        })
      const checked = async (cluster: SeenCluster): Promise<CheckedCluster> => ({
        sight: await observeCluster(
          {
            name: cluster.name,
            describe: () =>
              Promise.resolve({ clusterId: 'id', brokers: cluster.brokers, topics: cluster.topics }),
            topicConfigs: () =>
              Promise.resolve(
                new Map([...cluster.topicConfigs].map(([topic, entries]) => [topic, { code: 0, entries }])),
              ),
            logDirs: () => Promise.resolve([...cluster.logDirs]),
            transactionsOf: () => Promise.resolve({ isComplete: true, transactions: [] }),
            health: {
              brokers: () => Promise.resolve([1, 2, 3].map(id => health(id))),
              quorum: () => Promise.resolve({ code: 0, ...(cluster.quorum && { quorum: cluster.quorum }) }),
              partitionBytes: () => Promise.resolve(new Map()),
            },
          },
          { at: '--bootstrap-server e:1', clock },
        ),
        rpoMs: 60_000,
        rack: undefined,
        certificates: [],
        sets: [{ name: 'all', takes: () => true }],
        isMirror: () => true,
      })
      const [east, west] = [seen('east'), seen('west')]
      const store = await storeOf(topics, partitions)
      const services: Services = {
        ...makeTestApp().services,
        check: async () =>
          judge({
            clusters: [await checked(east), await checked(west)],
            links: [linkOf(await statusOf(store))],
            drifts: [
              {
                link: 'ew',
                source: east,
                target: west,
                mirrors: [...east.topics.keys()].map(topic => ({
                  topic,
                  wanted: { 'retention.ms': '-1' },
                  applied: { 'retention.ms': '-1' },
                  replicas: undefined,
                })),
              },
            ],
            sets: [],
            compared: undefined,
            notSeen: [],
            accepts: [{ finding: 'C016', where: 'topic:topic-1*', until: undefined, why: 'w' }],
            now: NOW,
            isWhole: true,
          }),
      }
      for (const args of [[], ['--json']]) {
        const ran = await measured(
          async () => await runForTest(['check', ...args, '--config', path], { services, clock }),
        )
        assert.match(ran.value.stdout, /C016/)
        assertWithin(ran)
      }
    })
  }
})
