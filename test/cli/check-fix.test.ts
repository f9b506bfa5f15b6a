// kdr check --fix: nothing is changed before it is shown and approved; then exactly what was shown and is still so, and it is looked
// at again.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { FixOutcome, Services } from '../../src/cli/app.ts'
import { type CheckReport, judge } from '../../src/engine/check/check.ts'
import type { FixableFinding } from '../../src/model/fixes.ts'
import { makeTestApp, runForTest } from '../support/app.ts'
import { clusterOf, NOW, type TopicSpec } from '../support/sights.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-check-fix-'))
after(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'kdr.yaml')
writeFileSync(path, 'clusters: { east: { bootstrap: "east:9092" } }\n')

const reportOf = (
  topics: Readonly<Record<string, TopicSpec>>,
  accepts: readonly string[] = [],
): CheckReport =>
  judge({
    clusters: [
      {
        sight: clusterOf({ topics }),
        rpoMs: 60_000,
        rack: undefined,
        certificates: [],
        sets: [],
        isMirror: topic => topic === 'mirror',
      },
    ],
    links: [],
    drifts: [],
    sets: [],
    compared: undefined,
    notSeen: [],
    accepts: accepts.map(where => ({ finding: 'C017', where, until: undefined, why: 'on purpose' })),
    now: NOW,
    isWhole: false,
  })

const UNCLEAN: TopicSpec = { configs: { 'unclean.leader.election.enable': 'true' } }
const WEAK: TopicSpec = { configs: { 'min.insync.replicas': '1' } }
const SICK = reportOf({ orders: UNCLEAN, weak: WEAK, moved: { leaders: [2] } })
const WELL = reportOf({ orders: {}, weak: {}, moved: {} })

type World = {
  /** What one look after the other sees; the last for ever. */
  readonly looks: readonly CheckReport[]
  readonly refuses?: (finding: FixableFinding) => string | undefined
  readonly typed?: string
}

const fix = async ({ looks, refuses = () => undefined, typed }: World, ...args: string[]) => {
  let look = 0
  let now = 0
  const asked: { readonly done: string[]; readonly reason: string | undefined }[] = []
  const services: Services = {
    ...makeTestApp().services,
    check: () => Promise.resolve(looks[Math.min(look++, looks.length - 1)]!),
    fixFindings: (_config, findings, reason) => {
      asked.push({ done: findings.map(({ id }) => id), reason })
      return Promise.resolve(
        findings.map((each): FixOutcome => {
          const refusedBy = refuses(each)
          return { id: each.id, where: each.where, what: '', ...(refusedBy !== undefined && { refusedBy }) }
        }),
      )
    },
  }
  const clock = {
    now: () => NOW,
    monotonic: () => now,
    sleep: (ms: number) => {
      now += ms
      return Promise.resolve()
    },
  }
  const ask = () => Promise.resolve(typed)
  const ran = await runForTest(['check', '--fix', ...args, '--config', path], { services, clock, ask })
  return { ...ran, asked, looked: look, waitedMs: now }
}

const fixesOf = (stdout: string) =>
  (
    JSON.parse(stdout) as { readonly fixes: readonly { id: string; state: string; why?: string }[] }
  ).fixes.map(({ id, state, why }) => [id, state, ...(why === undefined ? [] : [why])])

describe('kdr check --fix', () => {
  test('shows what it would do, and does nothing without approval: exit 20', async () => {
    for (const typed of [undefined, 'west']) {
      const { exit, stdout, asked } = await fix({ looks: [SICK], ...(typed !== undefined && { typed }) })
      assert.deepEqual([exit, asked], [20, []])
      assert.equal(
        stdout,
        `to be mended:
  - C017 set unclean.leader.election.enable=false on topic "orders" of "east"
  - C013 set min.insync.replicas=2 on topic "weak" of "east"
  - C018 elect the preferred leader of moved/0 of "east"

`,
      )
    }
  })

  test('a dry run shows the same and asks nobody; its exit code is that of the check', async () => {
    const { exit, stdout, asked } = await fix({ looks: [SICK] }, '--dry-run', '--json')
    assert.deepEqual([exit, asked], [3, []])
    assert.deepEqual(fixesOf(stdout), [
      ['C017', 'planned'],
      ['C013', 'planned'],
      ['C018', 'planned'],
    ])
  })

  for (const [how, args, typed] of [
    ['with --yes', ['--yes'], undefined],
    ['with the name of the cluster', [], 'east'],
  ] as const)
    test(`${how}: does it, waits until it is seen, and tells how all stands then`, async () => {
      const world = { looks: [SICK, SICK, SICK, WELL], ...(typed !== undefined && { typed }) }
      const { exit, stdout, asked, looked } = await fix(world, ...args, '--reason', 'before the season')
      assert.deepEqual(asked, [{ done: ['C017', 'C013', 'C018'], reason: 'before the season' }])
      assert.deepEqual([exit, looked], [0, 4])
      assert.match(stdout, /\n {2}- C017 cluster:east topic:orders: mended, and seen so\n/)
      assert.match(stdout, /\nREADY: nothing found in 1 cluster\n/)
    })

  test('what has changed since it was shown is left alone', async () => {
    const less = reportOf({ orders: UNCLEAN, weak: { ...WEAK, isr: [[1, 2]] }, moved: {} })
    const { exit, stdout, asked } = await fix({ looks: [SICK, less, WELL] }, '--yes', '--json')
    assert.deepEqual(asked[0]?.done, ['C017'])
    assert.deepEqual(fixesOf(stdout), [
      ['C017', 'mended'],
      ['C013', 'gone'],
      ['C018', 'gone'],
    ])
    assert.equal(exit, 0)
  })

  test('what is refused is said, stops nothing else, and is exit 3; what is not seen in time too', async () => {
    const refuses = ({ id }: FixableFinding) => (id === 'C013' ? 'CLUSTER_AUTHORIZATION_FAILED' : undefined)
    const weak = reportOf({ orders: {}, weak: WEAK, moved: { leaders: [2] } })
    const { exit, stdout, waitedMs } = await fix({ looks: [SICK, SICK, weak], refuses }, '--yes', '--json')
    assert.deepEqual(fixesOf(stdout), [
      ['C017', 'mended'],
      ['C013', 'refused', 'CLUSTER_AUTHORIZATION_FAILED'],
      ['C018', 'not seen yet'],
    ])
    assert.deepEqual([exit, waitedMs], [3, 15_000])
  })

  test('nothing is safe to mend: nobody is asked', async () => {
    const bad = reportOf({
      tight: { configs: { 'min.insync.replicas': '3' } },
      one: { replicas: [[1]] },
      lagging: { ...WEAK, isr: [[1, 2]] },
      mirror: { configs: { ...WEAK.configs, ...UNCLEAN.configs } },
    })
    const { stdout, asked } = await fix({ looks: [bad] }, '--yes')
    assert.deepEqual(asked, [])
    assert.match(stdout, /^nothing of what was found is safe to mend without a closer look\n/)
  })

  test('what was accepted stays as it is', async () => {
    const accepted = reportOf({ orders: UNCLEAN }, ['topic:orders'])
    const { exit, asked } = await fix({ looks: [accepted] }, '--yes')
    assert.deepEqual([exit, asked], [0, []])
  })
})
