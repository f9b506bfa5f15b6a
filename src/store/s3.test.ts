// What a bucket's answers mean, with a server that gives them. What a real one does is in test/lab.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { findKdrError } from '../model/errors.ts'
import type { ObjectStore } from '../ports/store.ts'
import { openS3Store } from './s3.ts'

type Answer = { readonly status: number; readonly code?: string; readonly body?: string }
type Asked = { readonly method: string; readonly query: URLSearchParams }

/** Every request is answered so. */
let answer: (asked: Asked) => Answer = () => ({ status: 200 })
const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://bucket')
  const { status, code, body } = answer({ method: request.method ?? '', query: url.searchParams })
  request.resume().on('end', () => {
    response.writeHead(status, { 'content-type': 'application/xml', etag: '"e"' })
    const error = code === undefined ? '' : `<Error><Code>${code}</Code><Message>so it is</Message></Error>`
    response.end(request.method === 'HEAD' ? undefined : (body ?? error))
  })
})

const DAY_MS = 86_400_000
const PART_BYTES = 5 * 1024 * 1024
let store: ObjectStore

before(async () => {
  process.env['AWS_ACCESS_KEY_ID'] = 'test'
  process.env['AWS_SECRET_ACCESS_KEY'] = 'test'
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  store = openS3Store({
    bucket: 'bucket',
    prefix: '',
    region: 'us-east-1',
    endpoint: `http://127.0.0.1:${port}`,
    pathStyle: true,
    lock: { mode: 'governance', days: 1 },
    now: () => 0,
    partBytes: PART_BYTES,
  })
})
after(() => {
  server.closeAllConnections()
  server.close()
})

const isCode = (code: string) => (error: unknown) => findKdrError(error)?.code === code

describe('a bucket', () => {
  test('is asked for no more of a listing than what stands behind a name', async () => {
    const asked: (string | null)[] = []
    answer = ({ query }) => {
      asked.push(query.get('start-after'))
      return { status: 200, body: '<ListBucketResult></ListBucketResult>' }
    }
    for await (const each of store.list('s/', 's/a')) assert.fail(each.name)
    assert.deepEqual(asked, ['s/a'])
  })
})

describe('a bucket that answers 404', () => {
  test('has no such object, where one is read, looked at or deleted', async () => {
    answer = () => ({ status: 404, code: 'NoSuchKey' })
    assert.equal(await store.get('a'), undefined)
    assert.equal(await store.head('a'), undefined)
    await store.delete('a')
  })

  test('has not written what it was given', async () => {
    answer = () => ({ status: 404, code: 'NoSuchKey' })
    await assert.rejects(store.put('a', [Buffer.from('x')]), isCode('store-unreachable'))
    await assert.rejects(store.create('a', [Buffer.from('x')]), isCode('store-unreachable'))
  })

  test('has not written the parts of an upload that it has forgotten', async () => {
    const large = [Buffer.alloc(PART_BYTES + 1)]
    const begun = '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>'
    answer = ({ method, query }) =>
      method === 'POST' && query.has('uploads')
        ? { status: 200, body: begun }
        : method === 'GET'
          ? { status: 200, body: '<ListMultipartUploadsResult></ListMultipartUploadsResult>' }
          : { status: 404, code: 'NoSuchUpload' }
    await assert.rejects(store.put('a', large), isCode('store-unreachable'))
    await assert.rejects(store.create('a', large), isCode('store-unreachable'))
  })

  test('has not listed what it was asked for', async () => {
    answer = () => ({ status: 404, code: 'NotFound' })
    await assert.rejects(async () => {
      for await (const each of store.list('')) assert.fail(each.name)
    }, isCode('store-unreachable'))
  })

  test('has not locked what is not there', async () => {
    answer = ({ method }) => (method === 'HEAD' ? { status: 200 } : { status: 404, code: 'NoSuchKey' })
    await assert.rejects(store.locks!.lock('a', DAY_MS), isCode('damaged'))
  })

  test('has no bucket, where it says so', async () => {
    answer = () => ({ status: 404, code: 'NoSuchBucket' })
    await assert.rejects(store.get('a'), isCode('store-lacks'))
    await assert.rejects(store.put('a', []), isCode('store-lacks'))
  })
})
