// A vault in a bucket, on a real S3 service.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { findKdrError } from '../../src/model/errors.ts'
import type { ObjectStore } from '../../src/ports/store.ts'
import { openS3Store, type S3Options } from '../../src/store/s3.ts'
import { initVault, openVault, probeStore } from '../../src/vault/vault.ts'
import { storeConformance } from '../store/conformance.ts'
import { S3_KEYS, type S3Server, startS3Server } from '../support/s3-server.ts'
import { suite } from '../support/suite.ts'

const BUCKET = 'kdr-vault'
const REGION = 'us-east-1'

// The service is built from source when it is needed first, which takes minutes.
describe('a store in a bucket', { skip: suite === 'short' && 'in make test-full' }, () => {
  let server: S3Server
  before(async () => {
    server = await startS3Server()
    process.env['AWS_ACCESS_KEY_ID'] = S3_KEYS.access
    process.env['AWS_SECRET_ACCESS_KEY'] = S3_KEYS.secret
    const client = new S3Client({ endpoint: server.endpoint, region: REGION, forcePathStyle: true })
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }))
    client.destroy()
  })
  after(async () => await server?.stop())

  const open = (options: Partial<S3Options> = {}): ObjectStore =>
    openS3Store({
      bucket: BUCKET,
      prefix: `v/${randomUUID()}`,
      region: REGION,
      endpoint: server.endpoint,
      pathStyle: true,
      ...options,
    })

  storeConformance(() => Promise.resolve(open()))

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
    const store = open()
    const abilities = await probeStore(store, 'one')
    assert.deepEqual(
      abilities.map(({ ability, has }) => [ability, has]),
      ['create once', 'ranged reads', 'listing', 'deletion'].map(ability => [ability, true]),
    )
    const made = { vault: randomUUID(), createdAt: '2026-01-01T00:00:00.000Z', by: 'test' }
    await initVault(store, made)
    assert.equal((await openVault(store)).vault, made.vault)
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
