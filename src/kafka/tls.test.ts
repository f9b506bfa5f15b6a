// Connections over TLS to a server that speaks TLS and no Kafka: who gets past the handshake is cut off, and that is all it takes
// to tell. test/lab/connections-secured.test.ts does the same to brokers.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { type AddressInfo, connect, createServer as createPlainServer } from 'node:net'
import { after, describe, test } from 'node:test'
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { type Certificate, makeAuthority, skipWithoutOpenssl } from '../../test/support/certificates.ts'
import { waitFor } from '../../test/support/lab.ts'
import { findPort } from '../lab/ports.ts'
import { KdrError } from '../model/errors.ts'
import { BrokerConnection } from './connection.ts'
import { type TlsFiles, tlsReader, type TlsSettings } from './tls.ts'

type Seen = {
  readonly name: string | false | null
  readonly protocol: string | null
  readonly client: string
}
type Server = { readonly port: number; readonly seen: Seen[] }

const closers: (() => void)[] = []
after(() => {
  for (const close of closers) close()
})

async function serve(options: TlsOptions): Promise<Server> {
  const seen: Seen[] = []
  const server = createServer(options, socket => {
    const { servername, authorized } = socket as TLSSocket & { servername: string | false }
    const client = authorized ? String(socket.getPeerCertificate().subject.CN) : ''
    seen.push({ name: servername, protocol: socket.getProtocol(), client })
    socket.on('error', () => {})
    socket.once('data', () => socket.destroy())
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closers.push(() => server.close())
  return { port: (server.address() as AddressInfo).port, seen }
}

/** Node's own server cuts a client off whose certificate it does not take, and sends no alert. */
async function serveMutually(own: Certificate, caFile: string, version: string): Promise<number> {
  const port = await findPort()
  const files = ['-cert', own.certFile, '-key', own.keyFile, '-CAfile', caFile]
  const verifying = ['-Verify', '3', '-verify_return_error', `-${version}`, '-quiet', '-naccept', '20']
  const server = spawn('openssl', ['s_server', '-accept', `127.0.0.1:${port}`, ...files, ...verifying], {
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  closers.push(() => server.kill('SIGKILL'))
  await waitFor(async () => await isOpen(port), { what: 'openssl to listen', timeoutMs: 20_000 })
  return port
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

async function open(host: string, port: number, tls: TlsSettings | undefined): Promise<KdrError> {
  const settings = {
    cluster: 'east',
    clientId: 'kdr',
    tls: tls === undefined ? undefined : tlsReader('east', tls),
    connectTimeoutMs: 5_000,
    requestTimeoutMs: 5_000,
  }
  const failed = await BrokerConnection.open(settings, { host, port }).then(
    () => undefined,
    (error: unknown) => error,
  )
  assert.ok(failed instanceof KdrError, String(failed))
  assert.doesNotMatch(failed.message, /undefined|\[object|ERR_/)
  return failed
}

const reading = (files: TlsFiles, more: Omit<TlsSettings, 'read'> = {}): TlsSettings => ({
  ...more,
  read: () => Promise.resolve(files),
})

describe('a TLS connection', { skip: skipWithoutOpenssl }, () => {
  const authority = makeAuthority('authority of the tests')
  const stranger = makeAuthority('another authority')
  const { ca } = authority
  const forHost = authority.issue('broker', { hosts: ['localhost'] })

  /** It got past the handshake. */
  const passed = (failed: KdrError): void => {
    assert.equal(failed.code, 'unreachable')
    assert.match(failed.message, /is not reachable: connection (closed|reset)/)
  }
  const refused = (failed: KdrError, code: string, sentence: RegExp, hint: RegExp): void => {
    assert.deepEqual([failed.code, failed.exit], [code, code === 'unreachable' ? 11 : 14], failed.message)
    assert.match(failed.message, /^broker "east" (localhost|127\.0\.0\.1):\d+ /)
    assert.match(failed.message, sentence)
    assert.match(failed.hint, hint)
  }

  test('asks for the host by its name (SNI), and takes a certificate for it', async () => {
    const { port, seen } = await serve(forHost)
    passed(await open('localhost', port, reading({ ca })))
    assert.deepEqual(seen, [{ name: 'localhost', protocol: 'TLSv1.3', client: '' }])
  })

  test('a certificate for another name: which names it is for, and how to go on', async () => {
    const { port, seen } = await serve(
      authority.issue('broker', { hosts: ['kafka-1.example', 'kafka.example'] }),
    )
    refused(
      await open('localhost', port, reading({ ca })),
      'unreachable',
      /is not trusted: its certificate is for DNS:kafka-1\.example, DNS:kafka\.example, not for "localhost"/,
      /`tls\.serverName`/,
    )
    passed(await open('localhost', port, reading({ ca }, { serverName: 'kafka.example' })))
    assert.equal(seen.at(-1)?.name, 'kafka.example')
  })

  test('an address: only a certificate for that address will do', async () => {
    const { port } = await serve(forHost)
    refused(
      await open('127.0.0.1', port, reading({ ca })),
      'unreachable',
      /its certificate is for DNS:localhost, not for "127\.0\.0\.1"/,
      /`tls\.serverName`/,
    )
    const addressed = await serve(authority.issue('broker', { hosts: ['127.0.0.1'] }))
    passed(await open('127.0.0.1', addressed.port, reading({ ca })))
  })

  test('a certificate of an authority that kdr does not know', async () => {
    const { port } = await serve(stranger.issue('broker', { hosts: ['localhost'] }))
    for (const files of [{ ca }, {}])
      refused(
        await open('localhost', port, reading(files)),
        'unreachable',
        /is not trusted: its certificate is signed by an authority that kdr does not know/,
        /`tls\.ca`/,
      )
  })

  test('a certificate that has expired', async () => {
    const { port } = await serve(authority.issue('broker', { hosts: ['localhost'], days: -1 }))
    refused(
      await open('localhost', port, reading({ ca })),
      'unreachable',
      /is not trusted: its certificate, or that of its authority, has expired/,
      /Renew/,
    )
  })

  test('an older TLS than the oldest that is taken', async () => {
    const { port, seen } = await serve({ ...forHost, maxVersion: 'TLSv1.2' })
    refused(
      await open('localhost', port, reading({ ca }, { minVersion: 'TLSv1.3' })),
      'unreachable',
      /speaks no version of TLS that kdr takes \(at least 1\.3\)/,
      /`tls\.minVersion`/,
    )
    passed(await open('localhost', port, reading({ ca })))
    assert.equal(seen.at(-1)?.protocol, 'TLSv1.2')
  })

  for (const version of ['tls1_2', 'tls1_3']) {
    test(`mutual TLS, ${version}: a certificate of kdr's own is wanted`, async () => {
      const port = await serveMutually(forHost, authority.caFile, version)
      const as = async (own?: Certificate): Promise<KdrError> =>
        await open('localhost', port, reading({ ca, cert: own?.cert, key: own?.key }))
      refused(
        await as(),
        'not-allowed',
        /wants a certificate of kdr \(mutual TLS\)/,
        /`tls\.cert` and `tls\.key`/,
      )
      refused(
        await as(stranger.issue('kdr')),
        'not-allowed',
        /refuses kdr's certificate \(CN=kdr\)$/,
        /truststore of the brokers/,
      )
      refused(
        await as(authority.issue('kdr', { days: -1 })),
        'not-allowed',
        /refuses kdr's certificate \(CN=kdr\): it has expired, at \d{4}-/,
        /Renew/,
      )
      const expired = authority.subordinate('between', { days: -1 })
      const chained = expired.issue('kdr')
      refused(
        await as({ ...chained, cert: `${chained.cert}${expired.ca}` }),
        'not-allowed',
        /refuses kdr's certificate \(CN=kdr\): CN=between, which has signed it, has expired, at \d{4}-/,
        /Renew/,
      )
      const between = authority.subordinate('between')
      const well = between.issue('kdr')
      for (const own of [authority.issue('kdr'), { ...well, cert: `${well.cert}${between.ca}` }]) {
        const failed = await as(own)
        assert.equal(failed.code, 'unreachable')
        assert.doesNotMatch(failed.message, /certificate|TLS/)
      }
    })
  }

  test('no TLS at that port', async () => {
    const server = createPlainServer(socket => {
      socket.on('error', () => {})
      socket.once('data', () => socket.destroy())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closers.push(() => server.close())
    refused(
      await open('localhost', (server.address() as AddressInfo).port, reading({ ca })),
      'unreachable',
      /broke the TLS handshake off: it may not speak TLS at this port/,
      /TLS listener/,
    )
  })
})

describe('certificates and keys', { skip: skipWithoutOpenssl }, () => {
  const authority = makeAuthority('authority of the tests')
  const { ca } = authority
  const [first, second] = [authority.issue('first'), authority.issue('second')]

  test('are read for each connection: the next one has the new ones', async () => {
    const { port, seen } = await serve({
      ...authority.issue('broker', { hosts: ['localhost'] }),
      ca,
      requestCert: true,
    })
    let files: TlsFiles = { ca, cert: first.cert, key: first.key }
    const tls = { read: () => Promise.resolve(files) }
    await open('localhost', port, tls)
    files = { ca, cert: second.cert, key: second.key }
    await open('localhost', port, tls)
    assert.deepEqual(
      seen.map(({ client }) => client),
      ['first', 'second'],
    )
  })

  test('what cannot be used is passed by, as long as there is something that could', async () => {
    let files: () => TlsFiles = () => ({ ca, cert: first.cert, key: first.key })
    const read = tlsReader('east', { read: () => Promise.resolve().then(files) })
    const before = await read()
    assert.equal(before.own?.subject, 'CN=first')
    assert.equal(await read(), before)

    // The certificate is there already, its key is not.
    files = () => ({ ca, cert: second.cert, key: first.key })
    const between = await read()
    assert.equal(between.context, before.context)
    assert.equal(between.problem, 'the key does not belong to the certificate')
    files = () => {
      throw new KdrError('config-invalid', 'the secret "file:kdr.key" cannot be read')
    }
    assert.equal((await read()).problem, 'the secret "file:kdr.key" cannot be read')
    files = () => ({ ca, cert: second.cert, key: second.key })
    const now = await read()
    assert.deepEqual([now.own?.subject, now.problem], ['CN=second', undefined])
  })

  test('of a bundle of authorities each must be one', async () => {
    const bundle = `${ca}${second.cert}`
    let files: TlsFiles = { ca: bundle }
    const read = tlsReader('east', { read: () => Promise.resolve(files) })
    const before = await read()
    assert.equal(before.problem, undefined)
    // Half of the file is written.
    files = { ca: bundle.slice(0, ca.length + 100) }
    const between = await read()
    assert.equal(between.context, before.context)
    assert.notEqual(between.problem, undefined)
    await assert.rejects(tlsReader('east', { read: () => Promise.resolve(files) })(), {
      code: 'config-invalid',
    })
  })

  test('at first there is nothing to go on with: it is a mistake in the config', async () => {
    for (const [files, why] of [
      [{ ca, cert: second.cert, key: first.key }, /the key does not belong to the certificate/],
      [{ ca: 'no PEM' }, /cannot be used/],
      [{ cert: 'no PEM', key: 'nor this' }, /one of them is no PEM/],
    ] as const)
      await assert.rejects(tlsReader('east', { read: () => Promise.resolve(files) })(), (error: KdrError) => {
        assert.equal(error.code, 'config-invalid')
        assert.match(error.message, /^the certificates of cluster "east" cannot be used: /)
        assert.match(error.message, why)
        return true
      })
  })
})
