// A backup into a bucket of a real S3 service, and its way back onto real brokers, as Java's consumer reads it; in a bucket that locks.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { DeleteObjectCommand, ListObjectVersionsCommand, S3Client } from '@aws-sdk/client-s3'
import { type Digest } from '../support/judge.ts'
import { freshTopic, waitFor, withLab } from '../support/lab.ts'
import { type KdrResult, runKdrHere } from '../support/link.ts'
import { S3_REGION, type S3Server, startS3Server } from '../support/s3-server.ts'
import { suite } from '../support/suite.ts'

const BUCKET = 'kdr-backup'
const DAY_MS = 86_400_000
const skip = suite === 'short' && 'in make test-full'

describe('a backup in a bucket', { skip }, () => {
  const context = withLab(skip === false ? [{ name: 'east' }, { name: 'west' }] : [])
  const dir = mkdtempSync(join(tmpdir(), 'kdr-backup-s3-'))
  after(() => rmSync(dir, { recursive: true, force: true }))
  const config = join(dir, 'kdr.yaml')
  const [plain, tx] = [freshTopic('plain'), freshTopic('tx')] as const
  let server: S3Server

  const kdr = async (...args: string[]): Promise<KdrResult> => await runKdrHere([...args, '--config', config])
  const json = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await kdr(...args, '--json')
    assert.equal(code, 0, `kdr ${args.join(' ')}: ${stderr}${stdout}`)
    return JSON.parse(stdout) as Record<string, unknown>
  }
  const digests = async (name: string): Promise<string[]> => {
    const { bootstrap } = context.cluster(name)
    const found: string[] = []
    for (const topic of [plain, tx]) {
      const [digest] = await context.judge.digest({ bootstrap, topic, partition: 0, isolation: 'committed' })
      const { count, bytes, sha256 } = digest as Digest
      found.push(`${topic}: ${count} records, ${bytes} bytes, ${sha256}`)
    }
    return found
  }

  before(async () => {
    server = await startS3Server('versitygw')
    await server.makeBucket(BUCKET, { withLocks: true })
    const { judge } = context
    const at = { bootstrap: context.cluster('east').bootstrap }
    writeFileSync(
      config,
      JSON.stringify({
        clusters: { east: at, west: { bootstrap: context.cluster('west').bootstrap } },
        vaults: {
          main: {
            url: `s3://${BUCKET}/kafka`,
            region: S3_REGION,
            endpoint: server.endpoint,
            pathStyle: true,
            lock: { mode: 'compliance', days: 1 },
          },
        },
        sets: { all: { cluster: 'east', vault: 'main', topics: [plain, tx] } },
      }),
    )
    for (const topic of [plain, tx]) await judge.createTopic({ ...at, topic, partitions: 1 })
    await judge.produce({ ...at, topic: plain, count: 60_000, sizeBytes: 1_000, compression: 'none' })
  })
  after(async () => await server?.stop())

  test('is made, locked and verified', async () => {
    const made = await json('vault', 'init', 'main')
    assert.equal(made['url'], `s3://${BUCKET}/kafka`)
    await json('backup', 'run', 'all')
    const { judge } = context
    const at = { bootstrap: context.cluster('east').bootstrap }
    const writer = await judge.startWorkload({
      ...at,
      topic: tx,
      rate: 1_000,
      transactionalId: 'app',
      perTransaction: 10,
      abortEvery: 3,
    })
    await waitFor(async () => (await judge.workload(writer)).acknowledged > 500, { what: 'transactions' })
    await judge.stopWorkload(writer)
    await judge.alterGroupOffsets({
      ...at,
      group: 'app',
      offsets: [{ topic: plain, partition: 0, offset: 777 }],
    })
    const second = await json('backup', 'run', 'all')
    assert.equal(second['commit'], 2)
    const from = Date.now()
    const { ok, lock } = (await json('backup', 'verify', 'all', '--full')) as {
      ok: boolean
      lock: { object: string; until: string }
    }
    assert.equal(ok, true)
    assert.ok(Date.parse(lock.until) > from + DAY_MS - 60_000, `${lock.object} until ${lock.until}`)
    const probed = (await json('vault', 'probe', 'main')) as { locks: { set: string; until: string }[] }
    assert.deepEqual(
      probed.locks.map(({ set, until }) => [set, until]),
      [['all', lock.until]],
    )
  })

  test('cannot be deleted, with the credentials of kdr or any other way', async () => {
    const client = new S3Client({ endpoint: server.endpoint, region: S3_REGION, forcePathStyle: true })
    const prefix = 'kafka/all/'
    const { Versions = [] } = await client.send(
      new ListObjectVersionsCommand({ Bucket: BUCKET, Prefix: prefix }),
    )
    const data = Versions.filter(({ Key = '' }) => /\/(commits|data|packs)\//.test(Key))
    assert.ok(data.length >= 4, `${data.length} objects`)
    for (const { Key, VersionId } of data)
      await assert.rejects(
        client.send(
          new DeleteObjectCommand({ Bucket: BUCKET, Key, VersionId, BypassGovernanceRetention: true }),
        ),
        Key,
      )
    client.destroy()
  })

  test('is restored when the cluster is gone', async () => {
    const before = await digests('east')
    await context.cluster('east').kill()
    const { verified, groups } = await json('restore', 'all', '--to', 'west', '--yes')
    assert.deepEqual([verified, groups], [true, 1])
    assert.deepEqual(await digests('west'), before)
    const at = { bootstrap: context.cluster('west').bootstrap }
    const offsets = await context.judge.groupOffsets({ ...at, group: 'app' })
    assert.deepEqual(
      offsets.map(({ topic, offset }) => [topic, offset]),
      [[plain, 777]],
    )
  })
})
