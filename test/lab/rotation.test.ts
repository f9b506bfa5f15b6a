// Certificates, keys and passwords change under load, every ten seconds for a minute: nothing is lost, nothing is late by more than
// some seconds, and nothing is started again.

import assert from 'node:assert/strict'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLines } from '../../src/lab/lab.ts'
import { makeAuthority, skipWithoutOpenssl } from '../support/certificates.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import { makeLink, untilIdentical } from '../support/link.ts'
import { scramListener, tlsListener } from '../support/listeners.ts'
import { suite } from '../support/suite.ts'

const EVERY_MS = 10_000
const ROUNDS = 6
const LATE_MS = 5_000
/** A change is not one step: the certificate is there before its key, the broker knows a password before the file does. */
const BETWEEN_MS = 300
const REAUTHENTICATE_MS = 4_000

const skip = suite === 'short' ? 'in make test-full' : skipWithoutOpenssl
const authority = skip === false ? makeAuthority('authority') : undefined
const folder = mkdtempSync(join(tmpdir(), 'kdr-rotation-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const at = (name: string): string => join(folder, name)

const context = withLab(authority === undefined ? [] : clusters(authority))
function clusters(of: NonNullable<typeof authority>) {
  const own = of.issue('broker', { hosts: ['localhost'] })
  return [
    {
      name: 'east',
      hasLines: true,
      properties: {
        'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,LINE:SSL,PLAINTEXT:PLAINTEXT',
        ...tlsListener('line', { own, clientsOf: of }),
        // There a client's certificate can be seen on the line.
        'listener.name.line.ssl.enabled.protocols': 'TLSv1.2',
        'listener.name.line.ssl.protocol': 'TLSv1.2',
      },
    },
    {
      name: 'west',
      listeners: { scram: 'SASL_SSL' } as const,
      properties: {
        ...tlsListener('scram', { own }),
        ...scramListener('scram'),
        'connections.max.reauth.ms': String(REAUTHENTICATE_MS),
      },
    },
  ]
}

test('kdr goes on while what it signs in with changes', { skip }, async () => {
  const { judge } = context
  const [source, target] = [context.cluster('east'), context.cluster('west')]
  const [line] = await openLines(source)
  assert.ok(line !== undefined && authority !== undefined)
  const seen = new Set<string>()
  line.tap((direction, bytes) => {
    if (direction === 'up')
      for (const [name] of bytes.toString('latin1').matchAll(/kdr-number-\d/g)) seen.add(name)
    return bytes
  })

  const rotate = async (round: number): Promise<void> => {
    const { certFile, keyFile } = authority.issue(`kdr-number-${round}`)
    copyFileSync(certFile, at('kdr.pem'))
    if (round > 0) await sleep(BETWEEN_MS)
    copyFileSync(keyFile, at('kdr.key'))
    const password = `password-number-${round}`
    await judge.setUser({ bootstrap: target.bootstrap, user: 'kdr', mechanism: 'SCRAM-SHA-512', password })
    if (round > 0) await sleep(BETWEEN_MS)
    writeFileSync(at('password'), password)
    // TLS asks for a certificate when a connection begins: they begin again.
    line.reset()
  }
  await rotate(0)

  const ca = `file:${authority.caFile}`
  const link = makeLink({
    source: {
      name: 'east',
      bootstrap: `localhost:${source.lines[0]?.advertisedPort ?? 0}`,
      login: { tls: { ca, cert: `file:${at('kdr.pem')}`, key: `file:${at('kdr.key')}` } },
    },
    target: {
      name: 'west',
      bootstrap: target.listener('scram'),
      login: {
        tls: { ca },
        sasl: { mechanism: 'scram-sha-512', username: 'kdr', password: `file:${at('password')}` },
      },
    },
  })
  const topic = freshTopic('rotated')
  await judge.createTopic({ bootstrap: source.bootstrap, topic, partitions: 3 })
  const daemon = link.start('run', '-v')
  try {
    await daemon.says(/behind/)
    const { workload } = await judge.startWorkload({
      bootstrap: source.bootstrap,
      topic,
      rate: 100,
      sizeBytes: 200,
    })
    const { lag } = await judge.startLag({
      source: { bootstrap: source.bootstrap },
      target: { bootstrap: target.bootstrap },
      topic,
      workload,
    })
    await sleep(3_000)
    const { sent: from } = await judge.workload({ workload })
    for (let round = 1; round <= ROUNDS; round++) {
      await rotate(round)
      await sleep(EVERY_MS)
    }
    const { sent: to } = await judge.workload({ workload })
    await sleep(LATE_MS)
    const { missing, max } = await judge.stopLag({ lag, from, to })
    await judge.stopWorkload({ workload })
    assert.equal(missing, 0)
    assert.ok(max <= patience(LATE_MS), `a record was ${max} ms late`)
    await untilIdentical(judge, { source, target }, topic)

    await waitFor(() => seen.size === ROUNDS + 1, {
      what: () => `every certificate to be used; seen: ${[...seen].join(', ')}`,
    })
    assert.equal(daemon.hasEnded, false)
    assert.equal(daemon.stderr.match(/this is worker/g)?.length, 1, daemon.stderr)
    assert.doesNotMatch(daemon.stderr, /password-number/)
  } catch (error) {
    console.error(`the end of what kdr said:\n${daemon.stderr.slice(-6000)}`)
    throw error
  } finally {
    daemon.signal('SIGKILL')
    await line.close()
  }
})
