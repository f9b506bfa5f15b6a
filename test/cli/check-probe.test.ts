// kdr check --probe: shown and approved first; a cluster that cannot be probed does not keep the others from it.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Services } from '../../src/cli/app.ts'
import { KdrError } from '../../src/model/errors.ts'
import { makeTestApp, runForTest } from '../support/app.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-check-probe-'))
after(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'kdr.yaml')
writeFileSync(path, 'clusters: { east: { bootstrap: "east:1" }, west: { bootstrap: "west:1" } }\n')

const kdr = async (args: readonly string[], typed?: string) => {
  const probed: string[] = []
  const services: Services = {
    ...makeTestApp().services,
    probeCluster: (_config, cluster) => {
      probed.push(cluster)
      if (cluster === 'west') return Promise.reject(new KdrError('unreachable', 'no broker answers'))
      const measured = { partition: 0, inSync: 3, acksOneMs: 0.5, acksAllMs: 2.25, differenceMs: 1.75 }
      return Promise.resolve({ cluster, leaders: [{ broker: 1, ...measured }] })
    },
  }
  const ran = await runForTest(['check', '--probe', ...args, '--config', path], {
    services,
    ask: () => Promise.resolve(typed),
  })
  return { ...ran, probed }
}

const PLAN =
  'a topic "_kdr.probe" with a partition for each broker is made at east, written\nto for some seconds, and deleted\n'

test('without approval nothing is made: exit 20; a dry run shows the same', async () => {
  const refused = await kdr(['--cluster', 'east'])
  assert.deepEqual([refused.exit, refused.probed, refused.stdout], [20, [], PLAN])
  const dry = await kdr(['--cluster', 'east', '--dry-run'])
  assert.deepEqual([dry.exit, dry.probed], [0, []])
  assert.equal(dry.stdout, `${PLAN}dry run: nothing was changed\n`)
})

test('tells of each leader what followers add', async () => {
  const { exit, stdout } = await kdr(['--cluster', 'east'], 'east')
  assert.equal(exit, 0)
  assert.equal(
    stdout,
    `${PLAN}
medians of east:
LEADER  IN SYNC   ACKS=1  ACKS=ALL  FOLLOWERS ADD
     1        3  0.50 ms   2.25 ms        1.75 ms
`,
  )
})

test('a cluster that cannot be probed is said, and is exit 3', async () => {
  const { exit, stdout, probed } = await kdr(['--yes', '--json'])
  assert.deepEqual([exit, probed], [3, ['east', 'west']])
  assert.partialDeepStrictEqual(JSON.parse(stdout), {
    v: 1,
    dryRun: false,
    probes: [{ cluster: 'east' }, { cluster: 'west', why: 'no broker answers' }],
  })
})
