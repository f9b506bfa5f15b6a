// What makes a backup of a real cluster to be trusted: verified in full, held against its source, pruned and still whole.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { freshTopic, withLab } from '../support/lab.ts'
import { runKdrHere } from '../support/link.ts'

describe('a backup of a cluster', () => {
  const context = withLab([{ name: 'east' }])
  const dir = mkdtempSync(join(tmpdir(), 'kdr-trust-lab-'))
  after(() => rmSync(dir, { recursive: true, force: true }))
  const config = join(dir, 'kdr.yaml')
  const topic = freshTopic('trusted')
  const kdr = async (exit: number, ...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await runKdrHere([...args, '--config', config, '--json'])
    assert.equal(code, exit, `kdr ${args.join(' ')}: ${stderr}${stdout}`)
    return JSON.parse(stdout) as Record<string, unknown>
  }

  test('equals its source, is pruned, and is whole afterwards', async () => {
    const { judge } = context
    const at = { bootstrap: context.cluster('east').bootstrap, topic }
    writeFileSync(
      config,
      JSON.stringify({
        clusters: { east: { bootstrap: at.bootstrap } },
        vaults: { main: { url: pathToFileURL(join(dir, 'vault')).href } },
        sets: { all: { cluster: 'east', vault: 'main', topics: [topic] } },
      }),
    )
    await kdr(0, 'vault', 'init', 'main')
    await judge.createTopic({ ...at, partitions: 2 })
    for (const compression of ['none', 'zstd', 'lz4'] as const) {
      await judge.produce({ ...at, count: 3_000, sizeBytes: 100, compression })
      await kdr(0, 'backup', 'run', 'all')
    }
    await judge.deleteRecords({ ...at, partition: 0, before: 500 })
    const sampled = await kdr(0, 'backup', 'verify', 'all', '--sample', '50', '--against', 'source')
    const source = sampled['source'] as {
      identical: boolean
      partitions: { from: number; records: number }[]
    }
    assert.equal(source.identical, true)
    const { partitions } = source
    assert.equal(partitions[0]!.from, 500)
    assert.equal(
      partitions.reduce((sum, { records }) => sum + records, 0),
      8_500,
    )
    await kdr(0, 'backup', 'verify', 'all', '--full')
    const { commit, first } = await kdr(0, 'backup', 'prune', 'all', '--days', '0.000001', '--yes')
    assert.deepEqual([commit, first], [4, 3])
    await judge.produce({ ...at, count: 100, sizeBytes: 100 })
    await kdr(0, 'backup', 'run', 'all')
    await kdr(0, 'backup', 'verify', 'all', '--full', '--against', 'source')
    await kdr(2, 'backup', 'show', 'all@2')
  })

  test('a topic that was made anew at the source is said, and is no damage', async () => {
    const at = { bootstrap: context.cluster('east').bootstrap }
    await context.judge.deleteTopics({ ...at, topics: [topic] })
    const { source } = await kdr(0, 'backup', 'verify', 'all', '--against', 'source')
    assert.equal((source as { skipped: unknown[] }).skipped.length, 1)
  })
})
