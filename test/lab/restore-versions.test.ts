// A backup of one version of Kafka restored into another, older or newer: Java's consumer reads the same from both, groups stand where
// they stood, and what the other version does not know is said.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { DEFAULT_VERSION, KNOWN_VERSIONS } from '../../src/lab/versions.ts'
import { withLab } from '../support/lab.ts'
import { adminOf, runKdrHere } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const [OLDEST] = KNOWN_VERSIONS as readonly [string, ...string[]]

type Restored = {
  readonly verified: boolean
  readonly groups: number
  readonly configsLeft: readonly string[]
}

describe('a backup restored into another version', {
  skip: suite === 'short' && 'in make test-full',
}, () => {
  const context = withLab(
    suite === 'short'
      ? []
      : [
          { name: 'old', version: OLDEST },
          { name: 'new', version: DEFAULT_VERSION },
        ],
  )
  const dir = mkdtempSync(join(tmpdir(), 'kdr-restore-versions-'))
  after(() => rmSync(dir, { recursive: true, force: true }))
  const config = join(dir, 'kdr.yaml')
  const at = (name: string) => adminOf(context.cluster(name))
  const json = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await runKdrHere([...args, '--config', config, '--json'])
    assert.equal(code, 0, `kdr ${args.join(' ')}: ${stderr}${stdout}`)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  const digest = async (name: string, topic: string): Promise<string> =>
    JSON.stringify(
      (await context.judge.digest({ ...at(name), topic, isolation: 'committed' })).map(
        ({ partition, logStart, end, count, sha256 }) => [partition, logStart, end, count, sha256],
      ),
    )

  before(async () => {
    const cluster = (name: string) => ({ bootstrap: context.cluster(name).bootstrap })
    const set = (name: string) => ({ cluster: name, vault: 'main', topics: [`${name}-*`] })
    writeFileSync(
      config,
      JSON.stringify({
        clusters: { old: cluster('old'), new: cluster('new') },
        vaults: { main: { url: pathToFileURL(join(dir, 'vault')).href } },
        sets: { 'of-old': set('old'), 'of-new': set('new') },
      }),
    )
    await json('vault', 'init', 'main')
  })

  for (const [from, to, unknown] of [
    // Gone in Kafka 4.0.
    ['old', 'new', { 'message.timestamp.difference.max.ms': '9000000000000' }],
    // New in Kafka 3.8.
    ['new', 'old', { 'compression.lz4.level': '5' }],
  ] as const)
    test(`of ${from === 'old' ? 'an old one' : 'the newest'} into ${to === 'old' ? 'an old one' : 'the newest'}`, async () => {
      const { judge } = context
      const source = at(from)
      const [plain, tx, compacted] = [`${from}-plain`, `${from}-tx`, `${from}-compacted`] as const
      await judge.createTopic({
        ...source,
        topic: plain,
        partitions: 2,
        configs: { ...unknown, 'retention.ms': '-1' },
      })
      await judge.produce({ ...source, topic: plain, count: 2_000, sizeBytes: 500, compression: 'zstd' })
      await judge.createTopic({ ...source, topic: tx, partitions: 1 })
      await judge.produce({
        ...source,
        topic: tx,
        count: 90,
        transactionalId: `tx-${from}`,
        perTransaction: 3,
      })
      await judge.createTopic({
        ...source,
        topic: compacted,
        partitions: 1,
        configs: { 'cleanup.policy': 'compact' },
      })
      await judge.produce({ ...source, topic: compacted, count: 300, compression: 'lz4' })
      const offsets = [
        { topic: plain, partition: 0, offset: 700 },
        { topic: tx, partition: 0, offset: 40 },
      ]
      await judge.alterGroupOffsets({ ...source, group: `${from}-app`, offsets })
      const held = await Promise.all([plain, tx, compacted].map(async topic => await digest(from, topic)))

      await json('backup', 'run', `of-${from}`)
      const restored = (await json('restore', `of-${from}`, '--to', to, '--yes')) as unknown as Restored

      assert.equal(restored.verified, true)
      assert.deepEqual(
        await Promise.all([plain, tx, compacted].map(async topic => await digest(to, topic))),
        held,
      )
      const stand = await judge.groupOffsets({ ...at(to), group: `${from}-app` })
      assert.deepEqual(
        stand
          .map(({ topic, partition, offset }) => ({ topic, partition, offset }))
          .sort((a, b) => (a.topic < b.topic ? -1 : 1)),
        offsets,
      )
      const [[config, value]] = Object.entries(unknown) as [[string, string]]
      assert.deepEqual(restored.configsLeft, [
        `"${plain}" had ${config}=${value}: "${to}" does not know that config, and it is left out`,
      ])
    })
})
