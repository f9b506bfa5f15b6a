// Alerts on their way out, to a real server and a real shell: what arrives, and that no error shows an address.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Config } from '../config/index.ts'
import { SecretRef } from '../config/secrets.ts'
import { KdrError } from '../model/errors.ts'
import { alertChannels } from './alert-channels.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-channels-'))
const seen: { method: string; url: string; body: string; authorization: string | undefined }[] = []
let server: Server
let status = 200
let port: number

before(async () => {
  server = createServer((request, response) => {
    let body = ''
    request.on('data', chunk => (body += String(chunk)))
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      seen.push({ method, url, body, authorization: headers.authorization })
      response.writeHead(status).end('thanks')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
after(() => {
  server.close()
  server.closeAllConnections()
  rmSync(dir, { recursive: true, force: true })
})

const url = SecretRef.parse('file:url', dir)
const write = (text: string): void => writeFileSync(join(dir, 'url'), text)
const failure = async (act: Promise<void>): Promise<string> => {
  const error = await act.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof KdrError)
  return error.message
}

describe('an address', () => {
  test('may have a percent sign that escapes nothing', async () => {
    write(`http://me:100%@127.0.0.1:${port}/percent`)
    await alertChannels.request(url)
    assert.equal(seen.pop()?.authorization, `Basic ${Buffer.from('me:100%').toString('base64')}`)
  })

  test('gets the JSON, or is only called; and is read anew each time', async () => {
    write(`http://127.0.0.1:${port}/one?token=GEHEIM\n`)
    await alertChannels.request(url, '{"v":1}')
    write(`http://me:p%40ss@127.0.0.1:${port}/two`)
    await alertChannels.request(url)
    assert.deepEqual(seen, [
      { method: 'POST', url: '/one?token=GEHEIM', body: '{"v":1}', authorization: undefined },
      {
        method: 'GET',
        url: '/two',
        body: '',
        authorization: `Basic ${Buffer.from('me:p@ss').toString('base64')}`,
      },
    ])
  })

  test('is in no error, whatever goes wrong', async () => {
    write(`http://127.0.0.1:${port}/GEHEIM`)
    status = 503
    assert.equal(await failure(alertChannels.request(url, '{}')), 'it answers with 503')
    write('http://127.0.0.1:9/GEHEIM')
    assert.match(await failure(alertChannels.request(url)), /^it cannot be reached: [A-Za-z ]+$/)
    write('http://GEHEIM:GEHEIM')
    assert.equal(await failure(alertChannels.request(url)), 'its address (file) cannot be read, or is no URL')
    write('ftp://127.0.0.1/GEHEIM')
    assert.equal(await failure(alertChannels.request(url)), 'its address (file) is not one of http or https')
    const missing = SecretRef.parse('exec:cat GEHEIM', dir)
    assert.equal(
      await failure(alertChannels.request(missing)),
      'its address (exec) cannot be read, or is no URL',
    )
  })
})

describe('a command', () => {
  const config = { path: join(dir, 'kdr.yaml') } as Config
  const given = { env: { KDR_ALERT: 'KdrDiverged' }, stdin: '{"v":1}' }

  test('runs beside the config, with what it is given', async () => {
    await alertChannels.run(config, 'echo "$KDR_ALERT" > out; cat >> out', given)
    assert.equal(readFileSync(join(dir, 'out'), 'utf8'), 'KdrDiverged\n{"v":1}')
  })

  test('that does not read its input is no failure; one that ends with another code is', async () => {
    await alertChannels.run(config, 'exec true', { ...given, stdin: 'x'.repeat(1_000_000) })
    assert.equal(
      await failure(alertChannels.run(config, 'echo no room; exit 3', given)),
      'it ended with 3: no room',
    )
  })
})
