// What `kdr run` answers under /api/ against the schemas that its OpenAPI document is made from, strict about fields that they do not
// name: answers with everything that there can be, and answers of the real services while all is dark.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { type ApiPart, CONTRACT, NAMED } from '../../src/api/contract/contract.ts'
import { openApi } from '../../src/api/openapi.ts'
import { OPENAPI_PATH } from '../../src/api/server.ts'
import type { App, Services } from '../../src/cli/app.ts'
import { apiOf } from '../../src/cli/run/api.ts'
import { keptCheck } from '../../src/cli/run/kept-check.ts'
import { type CheckReport, judge } from '../../src/engine/check/check.ts'
import type { LinkStatus } from '../../src/engine/status/status.ts'
import { services as realServices } from '../../src/wiring/services.ts'
import { watchedCluster } from '../support/metrics-world.ts'
import { makeTestApp } from '../support/app.ts'
import { clusterOf, linkOf, NOW, setOf } from '../support/sights.ts'
import { linkStatusOf, runSummaryOf, setStatusOf } from '../support/standing.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-contract-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const path = join(dir, 'kdr.yaml')
writeFileSync(
  path,
  JSON.stringify({
    clusters: { east: { bootstrap: '127.0.0.1:1' }, west: { bootstrap: '127.0.0.1:2' } },
    links: { ew: { source: 'east', target: 'west' } },
    plans: { region: { links: ['ew'], objectives: { rpo: '30s', rto: '5m' } } },
    vaults: { main: { url: pathToFileURL(join(dir, 'nowhere')).href } },
    sets: { all: { cluster: 'east', vault: 'main' } },
    objectives: [{ for: '*', rpo: '1s', rto: '1m' }],
  }),
)

const WATCHED = [
  watchedCluster('east'),
  watchedCluster('west', { seenAt: 0, groupsAt: 0, problem: 'no broker answers' }),
]
const ALERT = { name: 'KdrDiskLow', labels: { cluster: 'east', broker: '1' }, value: 0.05, since: 0 } as const
const ALERTS = [
  { ...ALERT, firesSince: 1, silence: undefined },
  { ...ALERT, firesSince: 1, silence: { alert: '*', where: undefined, until: undefined, why: 'w' } },
  { ...ALERT, firesSince: undefined, silence: { alert: '*', where: undefined, until: 1, why: 'w' } },
]
const apiFor = (app: App) =>
  apiOf(app, { path, clusters: () => WATCHED, alerts: () => ALERTS, check: keptCheck(app, path) })
const PARTS = Object.keys(CONTRACT) as ApiPart[]
const answersOf = (services: Services, clock = makeTestApp().clock) => {
  const api = apiFor(makeTestApp({ services, clock }))
  return async (part: string) => {
    const { status, text } = (await api.get(part)?.()) ?? assert.fail(part)
    return { status, object: JSON.parse(text) as Record<string, unknown> }
  }
}

const time = '2026-03-01T10:00:00.000Z'
const acl = {
  type: 'TOPIC',
  pattern: 'LITERAL',
  name: 'a',
  principal: 'User:a',
  host: '*',
  operation: 'READ',
  permission: 'ALLOW',
}
/** Whatever a link may have: what is forgotten here is forgotten there. */
const FULL: Required<LinkStatus> = {
  ...linkStatusOf('ew'),
  topics: [
    {
      name: 'orders',
      state: 'faulted',
      partitions: [
        {
          partition: 0,
          state: 'faulted',
          reason: 'lost-to-retention',
          sentence: 's',
          loss: { from: 1, to: 2, cause: 'retention' },
          cursor: 1,
          sourceEnd: 2,
          lagRecords: 1,
          lagMs: 5,
          headroom: { ms: null, basis: 'age', isAtMost: true },
          transaction: {
            kind: 'open',
            producerId: '1',
            producerEpoch: 0,
            startOffset: 1,
            transactionalId: 't',
            timeoutMs: 1,
            ageMs: 1,
          },
          offsets: {
            records: 1,
            markers: 0,
            aborted: 0,
            compacted: 0,
            seeded: 0,
            lost: 0,
            uncounted: 0,
          },
          ledger: [{ from: 0, to: 1, cause: 'corrupt', by: 'me', at: time, why: 'w', acceptLogStart: true }],
          lostRanges: 1,
        },
      ],
    },
  ],
  unreported: ['late'],
  forgotten: [{ topic: 'f', at: time, by: 'me' }],
  groups: [{ group: 'g', state: 'clamped', reason: 'behind', sentence: 's', ageMs: 1 }],
  acls: {
    state: 'refused',
    problem: 'p',
    note: 'n',
    synced: 1,
    heldBack: [{ ...acl, why: 'stops-kdr' }],
  },
  quotas: {
    state: 'followed',
    synced: 1,
    different: [{ entity: 'user=a', key: 'k', source: 1, target: null }],
  },
  guard: { state: 'followed', topics: 1 },
  users: {
    state: 'followed',
    present: 1,
    missing: ['u'],
    missingCount: 1,
    configured: [
      { user: 'u', mechanism: 'SCRAM-SHA-512', isMadeByKdr: true, login: 'proven', sentence: 's' },
    ],
  },
  stranded: {
    run: 'r',
    cluster: 'east',
    records: 1,
    offsets: 1,
    from: time,
    to: null,
    partitions: [
      {
        topic: 'orders',
        partition: 0,
        state: 'diverged',
        cut: 1,
        end: 2,
        records: 1,
        hidden: 0,
        offsets: 1,
        from: time,
        to: time,
        older: 0,
        gone: 1,
        lacks: 1,
        why: 'w',
      },
    ],
    atMost: true,
  },
  alerts: [{ alert: 'KdrRpoBreached', labels: { link: 'ew' }, value: 70, firesSince: time, isTold: true }],
  history: {
    worstRpoHourMs: 12_000,
    worstRpoDayMs: 65_000,
    withinRatio: 0.75,
    days: [
      { day: '2026-02-28', worstRpoMs: 65_000, withinRatio: 0.5, knownMs: 1_000, withinMs: 500 },
      { day: '2026-03-01', worstRpoMs: 12_000, withinRatio: 1, knownMs: 1_000, withinMs: 1_000 },
    ],
  },
  warnings: [{ kind: 'open-transaction', topic: 'orders', partition: 0, sentence: 's' }],
}

const AGES = {
  worstRpoHourMs: 900_000,
  worstRpoDayMs: 1_200_000,
  withinRatio: 0.5,
  days: [{ day: '2026-03-01', worstRpoMs: 900_000, withinRatio: 0.5, knownMs: 1_000, withinMs: 500 }],
}

const REPORT: CheckReport = judge({
  clusters: [
    {
      sight: clusterOf({
        topics: {
          a: { configs: { 'unclean.leader.election.enable': 'true' } },
          b: { replicas: [[1]] },
          c: { configs: { 'min.insync.replicas': '1' } },
        },
      }),
      rpoMs: 1,
      rack: undefined,
      certificates: [],
      sets: [],
      isMirror: () => false,
    },
  ],
  links: [linkOf()],
  drifts: [],
  sets: [setOf()],
  compared: undefined,
  notSeen: [],
  accepts: ['C013', 'C012'].map((finding, index) => ({
    finding,
    where: undefined,
    until: index === 0 ? NOW + 1 : undefined,
    why: 'w',
  })),
  now: NOW,
  isWhole: true,
})

const withAll: Services = {
  ...makeTestApp().services,
  readLinkStatus: () => Promise.resolve(FULL),
  readSetStatus: () => Promise.resolve(setStatusOf('all', { history: AGES })),
  listRuns: () =>
    Promise.resolve([
      runSummaryOf('r1', { link: 'ew', rtoMs: 5_000 }),
      runSummaryOf('r2', { link: 'ew', plan: 'region', rtoMs: 600_000 }),
    ]),
  check: () => Promise.resolve(REPORT),
}

describe('the answers of the API', () => {
  for (const [what, services] of [
    ['with everything that there can be', withAll],
    ['while all is dark', realServices],
  ] as const)
    for (const part of PARTS)
      test(`${part}, ${what}, is what the schema says and nothing else`, async () => {
        const { status, object } = await answersOf(services)(part)
        // Which runs there were only the clusters know.
        if (status === 503)
          assert.ok(what !== 'with everything that there can be' && NAMED.Error.parse(object))
        else CONTRACT[part].parse(object)
      })

  test('a field that nobody has named is noticed', () => {
    assert.throws(() => CONTRACT.runs.parse({ v: 1, runs: [], more: 1 }), /more/)
  })
})

describe('/api/check', () => {
  let now = Date.parse(time)
  let looks = 0
  const clock = { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() }
  const check = (): Promise<CheckReport> => {
    looks++
    if (looks === 3) return Promise.reject(new TypeError('x'))
    return Promise.resolve(REPORT)
  }
  const ask = answersOf({ ...withAll, check }, clock)
  const seen = async () => {
    const { status, object } = await ask('check')
    return [looks, status, object['ageMs']]
  }

  test('is the same for a minute, with its age; a failure is not kept', async () => {
    assert.deepEqual(await Promise.all([seen(), seen()]), [
      [1, 200, 0],
      [1, 200, 0],
    ])
    now += 59_999
    assert.deepEqual(await seen(), [1, 200, 59_999])
    now += 1
    assert.deepEqual(await seen(), [2, 200, 0])
    now += 60_000
    assert.deepEqual(await seen(), [3, 500, undefined])
    assert.deepEqual(await seen(), [4, 200, 0])
  })
})

test('/api/objectives holds each against what is asked of it', async () => {
  const clock = { ...makeTestApp().clock, now: () => Date.parse('2026-03-01T10:00:00Z') }
  const { object } = await answersOf(withAll, clock)('objectives')
  const last = (run: string, rtoMs: number, rtoObjectiveState: string) => ({ run, rtoMs, rtoObjectiveState })
  assert.partialDeepStrictEqual(object, {
    links: [
      {
        name: 'ew',
        rpoObjectiveMs: 1_000,
        rpoObjectiveState: 'unknown',
        worstRpoHourMs: 12_000,
        worstRpoDayMs: 65_000,
        withinTodayRatio: 1,
        withinRatio: 0.75,
        rtoObjectiveMs: 60_000,
        lastRun: last('r1', 5_000, 'met'),
      },
    ],
    plans: [
      { name: 'region', links: ['ew'], rpoObjectiveMs: 30_000, lastRun: last('r2', 600_000, 'missed') },
    ],
    sets: [
      {
        name: 'all',
        state: 'current',
        ageMs: 600_000,
        objectiveMs: 1_800_000,
        worstRpoHourMs: 900_000,
        worstRpoDayMs: 1_200_000,
        withinTodayRatio: 0.5,
        withinRatio: 0.5,
      },
    ],
  })
})

test('/api/objectives says null of a link of which nothing is kept, or not of this day', async () => {
  const linkIn = async (history: LinkStatus['history']) => {
    const { history: _kept, ...without } = FULL
    const status = { ...without, ...(history !== undefined && { history }) }
    const clock = { ...makeTestApp().clock, now: () => Date.parse('2026-03-02T00:00:30Z') }
    const changed = { ...withAll, readLinkStatus: () => Promise.resolve(status) }
    const { object } = await answersOf(changed, clock)('objectives')
    return (object as { links: Record<string, unknown>[] }).links[0]
  }
  assert.partialDeepStrictEqual(await linkIn(undefined), {
    worstRpoHourMs: null,
    worstRpoDayMs: null,
    withinTodayRatio: null,
    withinRatio: null,
  })
  assert.partialDeepStrictEqual(await linkIn(FULL.history), {
    worstRpoDayMs: 65_000,
    withinTodayRatio: null,
    withinRatio: 0.75,
  })
})

test('/api/runs names the clusters that keep silent', async () => {
  const { status, object } = await answersOf(realServices)('runs')
  assert.deepEqual([status, object['runs'], object['silent']], [200, [], ['east', 'west']])
})

describe('the OpenAPI document', () => {
  const text = JSON.stringify(openApi('1.2.3'))

  test('is served as it is kept', async () => {
    const api = apiFor(makeTestApp({ services: withAll }))
    const answer = await api.get(OPENAPI_PATH)?.()
    assert.deepEqual([answer?.status, JSON.parse(answer?.text ?? '')], [200, JSON.parse(text)])
  })

  test('has a path for whatever is served, and every reference leads somewhere', () => {
    const { paths, components } = JSON.parse(text) as {
      readonly paths: Record<string, unknown>
      readonly components: { readonly schemas: Record<string, unknown> }
    }
    const api = apiFor(makeTestApp())
    assert.deepEqual(
      Object.keys(paths).toSorted(),
      [...[...api.keys()].map(name => `/api/${name}`), '/metrics', '/healthz', '/readyz'].toSorted(),
    )
    const refs = [...text.matchAll(/"\$ref":"([^"]*)"/g)].map(([, ref = '']) => ref)
    assert.ok(refs.length > 10)
    for (const ref of refs) assert.ok(ref.replace('#/components/schemas/', '') in components.schemas, ref)
  })

  test('lets pass what a later kdr may add', () => {
    assert.doesNotMatch(text, /"additionalProperties":false/)
  })
})
