// What a lost cluster had not sent is exported into a vault, beside the backups of a set, and replayed from there.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { Manifest } from '../../src/engine/runs/export.ts'
import type { RunReport } from '../../src/model/runs.ts'
import { freshTopic, withLab } from '../support/lab.ts'
import { adminOf, runKdrHere } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const long = { skip: suite === 'short' && 'in make test-full' }
const QUICK = { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' }
const context = withLab(
  suite === 'short'
    ? []
    : [
        { name: 'east', properties: QUICK },
        { name: 'west', properties: QUICK },
      ],
)
const at = (name: string) => adminOf(context.cluster(name))
const dir = mkdtempSync(join(tmpdir(), 'kdr-failback-vault-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const config = join(dir, 'kdr.yaml')
const topic = freshTopic('vaulted')
const STRANDED = 40

async function kdr(...args: string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await runKdrHere([...args, '--json', '--config', config])
  assert.equal(code, 0, `kdr ${args.join(' ')}: ${stderr}\n${stdout}`)
  return JSON.parse(stdout) as Record<string, unknown>
}

describe('a stranded tail that is exported into a vault', long, () => {
  test('stands there whole, harms no set, and is replayed from there', async () => {
    const { judge } = context
    writeFileSync(
      config,
      JSON.stringify({
        clusters: Object.fromEntries(
          ['east', 'west'].map(name => [name, { bootstrap: context.cluster(name).bootstrap }]),
        ),
        links: {
          home: {
            source: 'east',
            target: 'west',
            topics: ['vaulted-*', '!*.stranded'],
            fence: { acl: false, command: 'true' },
          },
        },
        vaults: { main: { url: `file://${join(dir, 'vault')}` } },
        sets: { all: { cluster: 'west', vault: 'main', topics: ['vaulted-*'] } },
      }),
    )
    await judge.createTopic({ ...at('east'), topic, partitions: 2 })
    await judge.produce({ ...at('east'), topic, count: 30 })
    await kdr('run', '--once')
    await kdr('vault', 'init', 'main')
    await kdr('backup', 'run', 'all')
    await judge.produce({ ...at('east'), topic, count: STRANDED, seed: 7 })
    await context.cluster('east').kill()
    const failover = (await kdr('failover', 'home', '--yes', '--accept-split-brain')) as unknown as RunReport
    await context.cluster('east').start()

    const flags = ['--export', 'vault:main', '--recopy', topic, '--yes'] as const
    const report = (await kdr('failback', 'home', ...flags)) as unknown as RunReport
    assert.deepEqual([report.state, report.stranded?.records], ['done', STRANDED])
    const exported = join(dir, 'vault', 'stranded', report.run)
    const manifest = JSON.parse(readFileSync(join(exported, 'manifest.json'), 'utf8')) as Manifest
    assert.deepEqual([manifest.records, manifest.failover], [STRANDED, failover.run])
    for (const { objects } of manifest.partitions)
      for (const { name, sha256 } of objects)
        assert.equal(
          createHash('sha256')
            .update(readFileSync(join(exported, name)))
            .digest('hex'),
          sha256,
        )

    assert.equal((await kdr('backup', 'verify', 'all', '--full'))['ok'], true)
    await kdr('runs', 'replay', failover.run, '--into', 'stranded', '--yes')
    const replayed = await judge.list({ ...at('east'), topic: `${topic}.stranded` })
    assert.equal(replayed.length, STRANDED)
  })
})
