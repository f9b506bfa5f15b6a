// Certificates as a TLS connection shows them.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { test } from 'node:test'
import { connect, createServer } from 'node:tls'
import { findPort } from '../lab/ports.ts'
import { certificatesOf } from './health.ts'

/** Made for this test: it signs itself, and is worth nothing elsewhere. */
const cert = `-----BEGIN CERTIFICATE-----
MIIBgDCCASegAwIBAgIUPKmmjJ+ftujr3wTfTd9oN9hUIIUwCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKa2Fma2EudGVzdDAgFw0yNjExMjcyMjQwMzNaGA8yMTI2MTEw
MzIyNDAzM1owFTETMBEGA1UEAwwKa2Fma2EudGVzdDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABMSsjf8/32/jz3F9++aeTbvHmbPdfjWnsIazBgXXUD2IAXtovRCL
uEvGxLwZGcZZ57LElwAdFooQqLxgRuq05SGjUzBRMB0GA1UdDgQWBBRDlSeMIc/o
sVB7yTlEIp8qULN4mDAfBgNVHSMEGDAWgBRDlSeMIc/osVB7yTlEIp8qULN4mDAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cAMEQCIBDgns8IJMKhpc1t2y63
oaYO8DMr5iupbL/besVWIzPaAiAd6Uj2KPrmAqaLiu2b8biOcBVOr14ABSE/znn2
+axfwA==
-----END CERTIFICATE-----`
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgtueOuUdJq1jq8koy
hvgwwiOXQsZONE2HyowxyjmfFdShRANCAATErI3/P99v489xffvmnk27x5mz3X41
p7CGswYF11A9iAF7aL0Qi7hLxsS8GRnGWeeyxJcAHRaKEKi8YEbqtOUh
-----END PRIVATE KEY-----`

test('what a broker shows is read from the connection, each certificate once', async t => {
  const port = await findPort()
  const server = createServer({ cert, key }, socket => void socket.on('error', () => {})).listen(
    port,
    '127.0.0.1',
  )
  t.after(() => server.close())
  await once(server, 'listening')
  const socket = connect({ host: '127.0.0.1', port, ca: cert, servername: 'kafka.test' })
  t.after(() => socket.destroy())
  await once(socket, 'secureConnect')
  assert.deepEqual(certificatesOf(socket), [
    { subject: 'kafka.test', validUntil: Date.parse('2126-11-03T22:40:33.000Z') },
  ])
})

test('a connection without TLS shows none', () => {
  assert.deepEqual([certificatesOf(new Socket()), certificatesOf(undefined)], [[], []])
})
