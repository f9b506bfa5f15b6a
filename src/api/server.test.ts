import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, describe, test } from 'node:test'
import { findPort } from '../lab/ports.ts'
import { systemClock } from '../wiring/system.ts'
import { formatMetrics } from './metrics/metrics.ts'
import { type Served, serve, type Serving } from './server.ts'

const open: Serving[] = []
after(async () => void (await Promise.all(open.map(async each => await each.close()))))

const read = async (token: string | Error): Promise<string> =>
  token instanceof Error ? await Promise.reject(token) : token

const started = async (served: Partial<Served> = {}, token?: string | Error) => {
  const listen = `127.0.0.1:${await findPort()}`
  const said: string[] = []
  let isUp = (): void => undefined
  const up = new Promise<void>(resolve => (isUp = resolve))
  const serving = serve({
    listen,
    token: token === undefined ? undefined : { kind: 'exec', read: async () => await read(token) },
    served: { api: new Map(), metrics: () => Promise.resolve('m 1\n'), notReady: () => undefined, ...served },
    clock: { ...systemClock, sleep: async (_ms, signal) => await systemClock.sleep(20, signal) },
    log: {
      event: (_level, message) => {
        said.push(message)
        if (message.startsWith('metrics at')) isUp()
      },
    },
  })
  open.push(serving)
  const get = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`http://${listen}${path}`, init)
    return { status: response.status, text: await response.text() }
  }
  return { listen, said, up, get, serving }
}

describe('what kdr run serves', () => {
  test('metrics, health, and nothing else', async () => {
    const { up, get } = await started()
    await up
    assert.deepEqual(await get('/metrics'), { status: 200, text: 'm 1\n' })
    assert.deepEqual(await get('/healthz'), { status: 200, text: 'ok\n' })
    assert.deepEqual(await get('/readyz?verbose'), { status: 200, text: 'ok\n' })
    assert.equal((await get('/')).status, 404)
    assert.equal((await get('/metrics', { method: 'POST' })).status, 405)
  })

  test('says why it is not ready', async () => {
    const { up, get } = await started({ notReady: () => 'starting' })
    await up
    assert.deepEqual(await get('/readyz'), { status: 503, text: 'starting\n' })
    assert.equal((await get('/healthz')).status, 200)
  })

  test('metrics need the token where there is one', async () => {
    const { up, get } = await started({}, 'geheim')
    await up
    for (const authorization of ['', 'geheim', 'Bearer geheim2', 'Bearer gehei'])
      assert.equal((await get('/metrics', { headers: { authorization } })).status, 401, authorization)
    assert.equal((await get('/metrics', { headers: { authorization: 'Bearer geheim' } })).status, 200)
    assert.equal((await get('/healthz')).status, 200)
  })

  test('a token that cannot be read lets nobody in, and tells nobody by what it is read', async () => {
    const api = new Map([['status', () => Promise.resolve({ status: 200, text: '{}' })]])
    const failing = new Error('the secret "exec:curl -H X-Vault-Token:hvs.S3 vault" cannot be read')
    const { up, get, said } = await started({ api }, failing)
    await up
    for (const path of ['/metrics', '/api/status'])
      for (const authorization of ['', 'Bearer undefined'])
        assert.deepEqual(await get(path, { headers: { authorization } }), {
          status: 503,
          text: 'the token cannot be read\n',
        })
    assert.equal((await get('/healthz')).status, 200)
    assert.equal(said.at(-1), 'the token of the server (exec) cannot be read: nobody is let in')
    assert.ok(!said.join().includes('S3'))
  })

  test('objects under /api/, for whoever has the token', async () => {
    const api = new Map([['status', () => Promise.resolve({ status: 503, text: '{"v":1}\n' })]])
    const { up, get, listen } = await started({ api }, 'geheim')
    await up
    const headers = { authorization: 'Bearer geheim' }
    assert.deepEqual(await get('/api/status', { headers }), { status: 503, text: '{"v":1}\n' })
    const response = await fetch(`http://${listen}/api/status`, { headers })
    assert.equal(response.headers.get('content-type'), 'application/json')
    assert.equal((await get('/api/status')).status, 401)
    for (const path of ['/api/', '/api/none', '/api', '/status'])
      assert.deepEqual(await get(path, { headers }), {
        status: 404,
        text: 'there are /metrics, /api/status, /healthz and /readyz\n',
      })
  })

  test('a failure while they are gathered is an answer', async () => {
    const { up, get } = await started({ metrics: () => Promise.reject(new Error('no vault')) })
    await up
    assert.deepEqual(await get('/metrics'), { status: 500, text: 'no vault\n' })
  })

  test('a port that somebody else has is said once, and tried until it is free', async () => {
    const listen = `127.0.0.1:${await findPort()}`
    const other = createServer()
    await new Promise<void>(resolve => other.listen(Number(listen.split(':')[1]), '127.0.0.1', resolve))
    const said: string[] = []
    const up = Promise.withResolvers<void>()
    const serving = serve({
      listen,
      token: undefined,
      served: { api: new Map(), metrics: () => Promise.resolve(''), notReady: () => undefined },
      clock: { ...systemClock, sleep: async (_ms, signal) => await systemClock.sleep(10, signal) },
      log: {
        event: (_level, message) => {
          said.push(message)
          if (message.startsWith('metrics at')) up.resolve()
        },
      },
    })
    open.push(serving)
    await systemClock.sleep(60)
    await new Promise(resolve => other.close(resolve))
    await up.promise
    assert.equal(said.length, 2)
    assert.match(said[0] ?? '', /nothing is served at .*EADDRINUSE/)
  })
})

test('metrics are written as Prometheus reads them; what is not known is left out', () => {
  const text = formatMetrics([
    {
      name: 'kdr_a',
      type: 'gauge',
      help: 'Of a\nset.',
      samples: [
        { labels: { set: 'a"b\\c' }, value: 1.5 },
        { labels: { set: 'none' }, value: undefined },
      ],
    },
    { name: 'kdr_b', type: 'counter', help: 'B.', samples: [{ labels: {}, value: undefined }] },
  ])
  assert.equal(text, '# HELP kdr_a Of a\\nset.\n# TYPE kdr_a gauge\nkdr_a{set="a\\"b\\\\c"} 1.5\n')
})
