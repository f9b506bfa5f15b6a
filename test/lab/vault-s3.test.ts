// A vault in a bucket, on real S3 services.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import {
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import { findKdrError } from '../../src/model/errors.ts'
import type { ObjectStore } from '../../src/ports/store.ts'
import { openS3Store, type S3Options } from '../../src/store/s3.ts'
import { initVault, openVault, probeStore } from '../../src/vault/vault.ts'
import { lockConformance, storeConformance } from '../store/conformance.ts'
import { S3_KEYS, S3_KINDS, S3_REGION, type S3Server, startS3Server } from '../support/s3-server.ts'
import { suite } from '../support/suite.ts'

const BUCKET = 'kdr-vault'
const LOCKED = 'kdr-locked'
const MIB = 1024 * 1024
const PART = 5 * MIB

// The services are built from source when they are needed first, which takes minutes.
for (const kind of S3_KINDS)
  describe(`a store in a bucket of ${kind}`, { skip: suite === 'short' && 'in make test-full' }, () => {
    let server: S3Server
    let client: S3Client
    before(async () => {
      server = await startS3Server(kind)
      await server.makeBucket(BUCKET)
      await server.makeBucket(LOCKED, { withLocks: true })
      client = new S3Client({ endpoint: server.endpoint, region: S3_REGION, forcePathStyle: true })
    })
    after(async () => {
      client?.destroy()
      await server?.stop()
    })

    const freshPrefix = (): string => `v/${randomUUID()}`
    const open = (options: Partial<S3Options> = {}): ObjectStore =>
      openS3Store({
        bucket: BUCKET,
        prefix: freshPrefix(),
        region: S3_REGION,
        endpoint: server.endpoint,
        pathStyle: true,
        ...options,
      })
    const uploads = async (prefix: string): Promise<number> => {
      const command = new ListMultipartUploadsCommand({ Bucket: BUCKET, Prefix: `${prefix}/` })
      return (await client.send(command)).Uploads?.length ?? 0
    }

    storeConformance(() => Promise.resolve(open()))

    // It cannot be undone within the test: governance, in a bucket that goes away.
    const lock = { mode: 'governance', days: 1 } as const
    describe('that locks', () => {
      // Of versitygw, what hides a deleted object counts as an object where versions are kept: the name stays taken.
      if (kind !== 'versitygw') storeConformance(() => Promise.resolve(open({ bucket: LOCKED })))
      lockConformance(
        () => Promise.resolve(open({ bucket: LOCKED, lock })),
        () => Date.now(),
      )

      test('nobody deletes what is locked, by whatever request', async () => {
        const prefix = freshPrefix()
        await open({ bucket: LOCKED, prefix, lock }).create('a', [Buffer.from('x')])
        const at = { Bucket: LOCKED, Key: `${prefix}/a` }
        const { VersionId, ObjectLockMode } = await client.send(new HeadObjectCommand(at))
        assert.equal(ObjectLockMode, 'GOVERNANCE')
        await assert.rejects(client.send(new DeleteObjectCommand({ ...at, VersionId })))
      })

      test('when the lock has run out, a delete leaves nothing', async () => {
        const prefix = freshPrefix()
        const { keepMs = 0, slackMs = 0 } = open({ bucket: LOCKED, lock }).locks ?? {}
        // As the store sees it, so long ago that four seconds are left.
        const then = (): number => Date.now() - keepMs - slackMs + 4_000
        const short = open({ bucket: LOCKED, prefix, lock, now: then })
        await short.create('a', [Buffer.from('x')])
        const later = open({ bucket: LOCKED, prefix, lock })
        await assert.rejects(later.delete('a'), /is locked until/)
        await new Promise(resolve => setTimeout(resolve, 5_000))
        await later.delete('a')
        assert.equal(await later.head('a'), undefined)
      })

      test('a bucket that was not made for it is said', async () => {
        const error = await open({ lock })
          .create('a', [Buffer.from('x')])
          .catch(findKdrError)
        assert.equal((error as { code?: string } | undefined)?.code, 'store-lacks')
      })
    })

    test('large objects go up in parts, once, and are read back', async () => {
      const prefix = freshPrefix()
      const store = open({ prefix, partBytes: PART })
      const body = [Buffer.alloc(3 * MIB, 'a'), Buffer.alloc(6 * MIB, 'b'), Buffer.alloc(MIB + 17, 'c')]
      assert.equal(await store.create('large', body), 'created')
      const whole = Buffer.concat(body)
      assert.ok((await store.get('large'))?.equals(whole))
      const range = { from: 3 * MIB - 2, to: 3 * MIB + 2 }
      assert.equal(String(await store.get('large', range)), 'aabb')
      assert.equal(await store.create('large', [Buffer.alloc(PART + 1)]), 'exists')
      assert.ok((await store.get('large'))?.equals(whole), 'what was there stays')
      assert.equal(await uploads(prefix), 0, 'nothing is left of the one that lost')
    })

    test('of many that create a large object at once one succeeds', async () => {
      const store = open({ partBytes: PART })
      const bodies = Array.from({ length: 4 }, (_none, i) => [Buffer.alloc(PART + 1 + i, String(i))])
      const answers = await Promise.all(bodies.map(async body => await store.create('large', body)))
      assert.equal(answers.filter(answer => answer === 'created').length, 1)
      const { bytes } = (await store.head('large')) ?? { bytes: 0 }
      assert.equal(bytes, PART + 1 + answers.indexOf('created'))
    })

    // minio lists uploads by whole names alone, and cancels old ones itself.
    const skip = kind === 'minio' && 'minio lists no uploads'
    test('an upload that somebody has left behind is cancelled after a day', { skip }, async () => {
      const prefix = freshPrefix()
      const left = { Bucket: BUCKET, Key: `${prefix}/left` }
      await client.send(new CreateMultipartUploadCommand(left))
      const large = [Buffer.alloc(PART + 1)]
      await open({ prefix, partBytes: PART }).create('one', large)
      assert.equal(await uploads(prefix), 1, 'it may be under way')
      const tomorrow = (): number => Date.now() + 90_000_000
      await open({ prefix, partBytes: PART, now: tomorrow }).create('two', large)
      assert.equal(await uploads(prefix), 0)
    })

    test('a listing of more than one page is whole, and in order', async () => {
      const store = open()
      const names = Array.from({ length: 1_100 }, (_none, i) => `s/${String(i).padStart(4, '0')}`)
      for (let at = 0; at < names.length; at += 50)
        await Promise.all(names.slice(at, at + 50).map(async name => await store.put(name, [])))
      const found: string[] = []
      for await (const { name } of store.list('s/')) found.push(name)
      assert.deepEqual(found, names)
    })

    test('it has what a vault needs, and a vault is made there', async () => {
      const prefix = freshPrefix()
      const store = open({ prefix })
      const abilities = [...(await probeStore(store, 'one')), ...((await store.probe?.('probe/one')) ?? [])]
      assert.deepEqual(
        abilities.map(({ ability, has }) => [ability, has]),
        [
          ...[
            'create once',
            'one winner',
            'ranged reads',
            'listing',
            'deletion',
            'create once, in parts',
          ].map(ability => [ability, true]),
          ['object lock', false],
        ],
      )
      const made = { vault: randomUUID(), createdAt: '2026-01-01T00:00:00.000Z', by: 'test' }
      await initVault(store, made)
      assert.equal((await openVault(store)).vault, made.vault)
    })

    test('a bucket that locks is told from one that does not', async () => {
      const store = open({ bucket: LOCKED, lock })
      const abilities = (await store.probe?.('probe/two')) ?? []
      const found = abilities.find(({ ability }) => ability === 'object lock')
      assert.deepEqual([found?.has, found?.isOptional], [true, undefined])
    })

    test('encryption by the service is tried out', async () => {
      const abilities = (await open({ encryption: 'AES256' }).probe?.('probe/three')) ?? []
      const found = abilities.find(({ ability }) => ability === 'encryption by AES256')
      // versitygw keeps files as they are.
      assert.equal(found?.has, kind === 'minio')
      if (kind !== 'minio') return
      const prefix = freshPrefix()
      await open({ prefix, encryption: 'aws:kms', kmsKey: 'test' }).create('a', [Buffer.from('x')])
      const command = new HeadObjectCommand({ Bucket: BUCKET, Key: `${prefix}/a` })
      assert.equal((await client.send(command)).ServerSideEncryption, 'aws:kms')
    })

    test('what is wrong is said by what helps: no bucket, no right, nobody there', async () => {
      const codeOf = async (store: ObjectStore): Promise<string | undefined> =>
        await store.put('a', [Buffer.from('x')]).then(
          () => 'written',
          (error: unknown) => findKdrError(error)?.code,
        )
      assert.equal(await codeOf(open({ bucket: 'kdr-no-such-bucket' })), 'store-lacks')
      assert.equal(await codeOf(open({ endpoint: 'http://127.0.0.1:9' })), 'store-unreachable')
      process.env['AWS_SECRET_ACCESS_KEY'] = 'wrong'
      try {
        const refused = open()
        await assert.rejects(refused.put('a', [Buffer.from('x')]), (error: unknown) => {
          const known = findKdrError(error)
          assert.equal(known?.code, 'not-allowed')
          assert.doesNotMatch(known.message, /wrong/)
          return true
        })
      } finally {
        process.env['AWS_SECRET_ACCESS_KEY'] = S3_KEYS.secret
      }
    })
  })
