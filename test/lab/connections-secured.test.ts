// A broker with a listener for each way to sign in and for each way in which that fails: kdr gets in by its config alone, or says in
// a sentence of its own what is wrong and what to do, with exit 11 or 14. (src/kafka/tls.test.ts has the same without a broker.)

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parseConfig } from '../../src/config/index.ts'
import { KdrError } from '../../src/model/errors.ts'
import { openCluster } from '../../src/wiring/clusters.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { makeAuthority, skipWithoutOpenssl } from '../support/certificates.ts'
import { suite } from '../support/suite.ts'
import { withLab } from '../support/lab.ts'
import { oauthListener, plainListener, scramListener, tlsListener, tokenFor } from '../support/listeners.ts'

/** Without brokers: src/kafka/tls.test.ts. */
const skip = suite === 'short' ? 'in make test-full' : skipWithoutOpenssl
const folder = mkdtempSync(join(tmpdir(), 'kdr-secured-'))
after(() => rmSync(folder, { recursive: true, force: true }))

const made = skip === false ? certificates() : undefined
function certificates() {
  const authority = makeAuthority('authority')
  const stranger = makeAuthority('stranger')
  return {
    authority,
    broker: authority.issue('broker', { hosts: ['localhost'] }),
    expired: authority.issue('broker', { hosts: ['localhost'], days: -1 }),
    elsewhere: authority.issue('broker', { hosts: ['kafka.example'] }),
    strange: stranger.issue('broker', { hosts: ['localhost'] }),
    kdr: authority.issue('kdr'),
    kdrExpired: authority.issue('kdr', { days: -1 }),
    kdrStrange: stranger.issue('kdr'),
  }
}

const context = withLab(made === undefined ? [] : [clusterWith(made)])
function clusterWith({ authority, broker, expired, elsewhere, strange }: ReturnType<typeof certificates>) {
  const tls = (name: string, own = broker) => tlsListener(name, { own })
  return {
    name: 'east',
    listeners: {
      tls: 'SSL',
      mutual: 'SSL',
      old: 'SSL',
      expired: 'SSL',
      elsewhere: 'SSL',
      strange: 'SSL',
      plain: 'SASL_SSL',
      scram: 'SASL_SSL',
      oauth: 'SASL_SSL',
    } as const,
    properties: {
      ...tls('tls'),
      ...tlsListener('mutual', { own: broker, clientsOf: authority }),
      ...tls('old'),
      'listener.name.old.ssl.enabled.protocols': 'TLSv1.2',
      'listener.name.old.ssl.protocol': 'TLSv1.2',
      ...tls('expired', expired),
      ...tls('elsewhere', elsewhere),
      ...tls('strange', strange),
      ...tls('plain'),
      ...plainListener('plain', { kdr: 'of-kdr' }),
      ...tls('scram'),
      ...scramListener('scram'),
      ...tls('oauth'),
      ...oauthListener('oauth'),
      // Short enough that a token is asked for again while a test waits.
      'connections.max.reauth.ms': '3000',
    },
  }
}

const secret = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text)
  return `file:${name}`
}

/** As `kdr` would: from the text of a config. Undefined: it got in, and the cluster answers. */
async function signIn(listener: string, keys: object): Promise<KdrError | undefined> {
  const cluster = { bootstrap: context.cluster('east').listener(listener), ...keys }
  const text = JSON.stringify({ clusters: { east: cluster } })
  const { clusters } = parseConfig(text, join(folder, 'kdr.yaml'))
  try {
    const opened = await openCluster(clusters['east']!, systemClock)
    await opened.listGroups()
    await opened.close()
    return undefined
  } catch (error) {
    assert.ok(error instanceof KdrError, String(error))
    assert.doesNotMatch(error.message, /undefined|\[object|ERR_|of-kdr|not-this/)
    return error
  }
}

async function getsIn(listener: string, keys: object): Promise<void> {
  const failed = await signIn(listener, keys)
  assert.equal(failed, undefined, failed?.message)
}

const said = new Set<string>()

/** Each sentence is one that no other failure has. */
async function isRefused(
  listener: string,
  keys: object,
  { exit, sentence, hint }: { readonly exit: 11 | 14; readonly sentence: RegExp; readonly hint: RegExp },
): Promise<void> {
  const failed = await signIn(listener, keys)
  assert.ok(failed !== undefined, 'it got in')
  assert.equal(failed.exit, exit, failed.message)
  assert.match(failed.message, sentence)
  assert.match(failed.hint, hint)
  const what = failed.message.replaceAll(/localhost:\d+/g, '').replaceAll(/\d{4}-[\d-]+T[\d:.]+Z/g, '')
  assert.ok(!said.has(what), `said of two things: ${what}`)
  said.add(what)
}

describe('a broker that wants TLS', { skip, concurrency: 1 }, () => {
  if (made === undefined) return
  const { authority, kdr, kdrExpired, kdrStrange } = made
  const trusting = { ca: `file:${authority.caFile}` }
  const as = (own: typeof kdr) => ({
    tls: { ...trusting, cert: `file:${own.certFile}`, key: `file:${own.keyFile}` },
  })

  test('its certificate is trusted, for its name', async () => {
    await getsIn('tls', { tls: trusting })
    await getsIn('tls', { tls: { ...trusting, minVersion: 1.3 } })
    await getsIn('elsewhere', { tls: { ...trusting, serverName: 'kafka.example' } })
  })

  test('mutual TLS', async () => {
    await getsIn('mutual', as(kdr))
  })

  test('no TLS in the config', async () => {
    const failed = await signIn('tls', {})
    assert.equal(failed?.exit, 11)
    assert.match(failed.hint, /`tls`/)
  })

  test('an authority that is not known', async () => {
    await isRefused(
      'strange',
      { tls: trusting },
      {
        exit: 11,
        sentence: /signed by an authority that kdr does not know/,
        hint: /`tls\.ca`/,
      },
    )
  })

  test('an expired certificate', async () => {
    await isRefused(
      'expired',
      { tls: trusting },
      {
        exit: 11,
        sentence: /its certificate, or that of its authority, has expired/,
        hint: /Renew/,
      },
    )
  })

  test('another host', async () => {
    await isRefused(
      'elsewhere',
      { tls: trusting },
      {
        exit: 11,
        sentence: /its certificate is for DNS:kafka\.example, not for "localhost"/,
        hint: /`tls\.serverName`/,
      },
    )
  })

  test('only an older TLS', async () => {
    await getsIn('old', { tls: trusting })
    await isRefused(
      'old',
      { tls: { ...trusting, minVersion: '1.3' } },
      {
        exit: 11,
        sentence: /speaks no version of TLS that kdr takes \(at least 1\.3\)/,
        hint: /`tls\.minVersion`/,
      },
    )
  })

  test("a certificate of kdr's own: none, a strange one, an expired one", async () => {
    await isRefused(
      'mutual',
      { tls: trusting },
      {
        exit: 14,
        sentence: /wants a certificate of kdr \(mutual TLS\)/,
        hint: /`tls\.cert` and `tls\.key`/,
      },
    )
    await isRefused('mutual', as(kdrStrange), {
      exit: 14,
      sentence: /refuses kdr's certificate \(CN=kdr\)$/,
      hint: /truststore/,
    })
    await isRefused('mutual', as(kdrExpired), {
      exit: 14,
      sentence: /refuses kdr's certificate \(CN=kdr\): it has expired/,
      hint: /Renew/,
    })
  })

  test('TLS where none is spoken', async () => {
    const text = JSON.stringify({
      clusters: { east: { bootstrap: context.cluster('east').bootstrap, tls: trusting } },
    })
    const { clusters } = parseConfig(text, join(folder, 'kdr.yaml'))
    await assert.rejects(openCluster(clusters['east']!, systemClock), (error: KdrError) => {
      assert.equal(error.exit, 11)
      assert.match(error.message, /it may not speak TLS at this port/)
      return true
    })
  })
})

describe('a broker that wants a login', { skip, concurrency: 1 }, () => {
  if (made === undefined) return
  const { authority } = made
  const tls = { ca: `file:${authority.caFile}` }
  const user = (mechanism: string, password: string) => ({
    tls,
    sasl: { mechanism, username: 'kdr', password: secret(`${mechanism}-password`, password) },
  })

  before(async () => {
    const { bootstrap } = context.cluster('east')
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)
      await context.judge.setUser({ bootstrap, user: 'kdr', mechanism, password: 'of-kdr' })
  })

  for (const [listener, mechanism] of [
    ['plain', 'plain'],
    ['scram', 'scram-sha-256'],
    ['scram', 'scram-sha-512'],
  ] as const)
    test(`${mechanism}: the right password, and a wrong one`, async () => {
      await getsIn(listener, user(mechanism, 'of-kdr'))
      const failed = await signIn(listener, user(mechanism, 'not-this'))
      assert.equal(failed?.exit, 14, failed?.message)
      assert.match(failed.message, /broker "east" localhost:\d+ refused the credentials: /)
      assert.match(failed.hint, /`sasl`/)
    })

  test('a mechanism that it does not take: which it does', async () => {
    await isRefused('scram', user('plain', 'of-kdr'), {
      exit: 14,
      sentence: /does not take this mechanism at that port, but .*SCRAM-SHA-512/,
      hint: /`sasl`/,
    })
  })

  test('oauthbearer: a token from a command; one that is over', async () => {
    const exec = (token: string) => ({
      tls,
      sasl: { mechanism: 'oauthbearer', token: `exec:printf %s '${token}'` },
    })
    await getsIn('oauth', exec(tokenFor('kdr')))
    await isRefused('oauth', exec(tokenFor('kdr', -60)), {
      exit: 14,
      sentence: /refused the credentials: the token is refused: invalid_token/,
      hint: /the token/,
    })
  })

  test('the token is asked for again while the connection lives (KIP-368)', async () => {
    const count = join(folder, 'asked')
    writeFileSync(count, '')
    const token = `exec:printf x >> ${count}; printf %s '${tokenFor('kdr')}'`
    const text = JSON.stringify({
      clusters: {
        east: {
          bootstrap: context.cluster('east').listener('oauth'),
          tls,
          sasl: { mechanism: 'oauthbearer', token },
        },
      },
    })
    const { clusters } = parseConfig(text, join(folder, 'kdr.yaml'))
    const opened = await openCluster(clusters['east']!, systemClock)
    const first = statSync(count).size
    const until = performance.now() + 7_000
    while (performance.now() < until) {
      await opened.listGroups()
      await systemClock.sleep(50)
    }
    const last = statSync(count).size
    assert.ok(last > first, `asked ${first} times, then ${last}`)
    await opened.close()
  })
})
