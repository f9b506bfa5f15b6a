// A record is led to the other cluster at a real name server, by BIND and by Knot, which refuse what must not happen: each
// keeps to RFC 2136 and RFC 8945 in its own way.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { inspect } from 'node:util'
import { findPort } from '../../src/lab/ports.ts'
import { KdrError } from '../../src/model/errors.ts'
import type { RunFacts } from '../../src/ports/outside.ts'
import { parseGuard } from '../../src/redirect/dns-guard.ts'
import { showValue } from '../../src/redirect/dns-values.ts'
import { CLASS, type DnsRecord, OPCODE, TYPE } from '../../src/redirect/dns-wire.ts'
import { DnsRedirect, type DnsSettings } from '../../src/redirect/dns.ts'
import { NameServer } from '../../src/redirect/name-server.ts'
import { TsigKey } from '../../src/redirect/tsig.ts'
import { systemClock } from '../../src/wiring/system.ts'
import {
  isMissing,
  KEY,
  KEY_NAME,
  KEY_SECRET,
  type NameServerKind,
  TestNameServer,
  ZONE,
} from '../support/name-server.ts'

const OTHER_SECRET = Buffer.from('another key of the thirty-two by').toString('base64')

const facts = (over: Partial<RunFacts> = {}): RunFacts => ({
  run: 'run-1',
  kind: 'switchover',
  link: 'east-west',
  active: 'east',
  standby: 'west',
  bootstrap: 'west-1:9092',
  generation: 7,
  ...over,
})
/** The way back, a generation later. */
const BACK = facts({ run: 'run-2', active: 'west', standby: 'east', bootstrap: 'east-1:9092', generation: 8 })

const secret = (text: string) => ({ shown: 'env:KEY', read: async () => text })

for (const kind of ['named', 'knotd'] as const satisfies readonly NameServerKind[]) {
  describe(`redirect by DNS at ${kind}`, { skip: isMissing(kind) }, () => {
    let server: TestNameServer | undefined
    let names = 0
    const address = () => server?.address ?? ''

    before(async () => {
      server = await TestNameServer.start(kind, [])
    })
    after(async () => await server?.stop())

    const say = async <T>(act: (at: NameServer) => Promise<T>): Promise<T> => {
      const key = TsigKey.parse(KEY, 'env:KEY')
      const at = await NameServer.open({ server: address(), zone: `${ZONE}.`, key, clock: systemClock })
      try {
        return await act(at)
      } finally {
        at.close()
      }
    }

    /** A record of its own for each test. */
    async function setUp(values: DnsSettings['values'], over: Partial<DnsSettings> = {}) {
      const record = `bootstrap-${names++}`
      const full = `${record}.${ZONE}.`
      const settings = { server: address(), zone: ZONE, record, tsig: secret(KEY), values, ...over }
      const redirect = new DnsRedirect(settings, systemClock)
      const put = async (...all: readonly (readonly [type: number, ttl: number, data: Buffer])[]) => {
        const changes: DnsRecord[] = [
          ...[TYPE.A, TYPE.AAAA, TYPE.CNAME].map(type => ({
            name: full,
            type,
            class: CLASS.ANY,
            ttl: 0,
            data: Buffer.alloc(0),
          })),
          ...all.map(([type, ttl, data]) => ({ name: full, type, class: CLASS.IN, ttl, data })),
        ]
        assert.equal(await say(at => at.update([], changes)), 'done')
      }
      const stands = async () => {
        const found: string[] = []
        for (const type of [TYPE.A, TYPE.AAAA, TYPE.CNAME]) {
          const records = await say(at => at.records(full, type))
          found.push(...records.map(each => `${showValue(each)} ${each.ttl}`))
        }
        return found.sort()
      }
      const guard = async () => {
        const [txt] = await say(at => at.records(`_kdr.${full}`, TYPE.TXT))
        return txt === undefined ? undefined : parseGuard(txt.data, full)
      }
      return { redirect, settings, full, put, stands, guard }
    }

    const VALUES = { east: ['10.0.0.1', '10.0.0.2', 'fd00::1'], west: ['10.1.0.1'] }
    const A = (...bytes: number[]) => [TYPE.A, 30, Buffer.from(bytes)] as const
    const EAST = [
      A(10, 0, 0, 1),
      A(10, 0, 0, 2),
      [TYPE.AAAA, 30, Buffer.from(`fd00${'00'.repeat(13)}01`, 'hex')],
    ] as const

    test('there, once more, and back', async () => {
      const { redirect, put, stands, guard } = await setUp(VALUES)
      await put(...EAST)
      assert.equal(await redirect.isApplied(facts()), false)
      await assert.rejects(redirect.verify(facts()), {
        code: 'not-ready',
        message: /does not lead to "west"/,
      })

      await redirect.apply(facts())
      await redirect.verify(facts())
      assert.equal(await redirect.isApplied(facts()), true)
      assert.deepEqual(await stands(), ['10.1.0.1 30'])
      const mine = { generation: 7, run: 'run-1', link: 'east-west', isUndone: false }
      assert.deepEqual(await guard(), mine)

      await redirect.apply(facts())
      assert.deepEqual(await guard(), mine)

      await redirect.apply(BACK)
      await redirect.verify(BACK)
      assert.deepEqual(await stands(), ['10.0.0.1 30', '10.0.0.2 30', 'fd00::1 30'])
    })

    test('an alias, and from addresses to an alias', async () => {
      const { redirect, put, stands } = await setUp({ east: ['10.0.0.1'], west: ['West.Brokers.example'] })
      await put(A(10, 0, 0, 1))

      await redirect.apply(facts())
      await redirect.verify(facts())
      assert.deepEqual(await stands(), ['west.brokers.example. 30'])

      await redirect.apply(BACK)
      await redirect.verify(BACK)
      assert.deepEqual(await stands(), ['10.0.0.1 30'])
    })

    test('no alias where other records stand: the server would pass by it without a word', async () => {
      const { redirect, full, put, stands } = await setUp({ east: ['10.0.0.1'], west: ['west.example'] })
      await put(A(10, 0, 0, 1), [TYPE.TXT, 30, Buffer.from('\x01x')])

      await assert.rejects(redirect.apply(facts()), {
        code: 'not-ready',
        message: `"${full}" cannot become an alias: TXT records stand there too`,
      })
      assert.deepEqual(await stands(), ['10.0.0.1 30'])
    })

    test('undo leads back, and another run of the same generation may follow', async () => {
      const { redirect, put, stands, guard } = await setUp(VALUES)
      await put(...EAST)
      await redirect.undo(facts())
      assert.equal(await guard(), undefined, 'what this run has not moved is left alone')

      await redirect.apply(facts())
      await redirect.undo(facts())
      await redirect.undo(facts())
      assert.deepEqual(await stands(), ['10.0.0.1 30', '10.0.0.2 30', 'fd00::1 30'])
      assert.equal((await guard())?.isUndone, true)
      assert.equal(await redirect.isApplied(facts()), false)

      await redirect.apply(facts({ run: 'run-9' }))
      assert.deepEqual(await stands(), ['10.1.0.1 30'])
    })

    test('a stale controller is refused, and told which generation stands there', async () => {
      const { redirect, full, put, stands } = await setUp(VALUES)
      await put(...EAST)
      await redirect.apply(facts())
      await redirect.apply(BACK)

      await assert.rejects(redirect.apply(facts()), {
        code: 'other-controller',
        message: `"${full}" was moved by run "run-2", of generation 8: run "run-1", of generation 7, must not move it`,
      })
      await assert.rejects(redirect.undo(facts()), { code: 'other-controller' })
      await assert.rejects(redirect.apply(facts({ run: 'rival', generation: 8 })), {
        code: 'other-controller',
        message: /"run-2", of generation 8: run "rival", of generation 8/,
      })
      await assert.rejects(redirect.apply(facts({ link: 'other', generation: 99 })), {
        code: 'other-controller',
        message: /is moved by the link "east-west"/,
      })
      assert.deepEqual(await stands(), ['10.0.0.1 30', '10.0.0.2 30', 'fd00::1 30'])
    })

    test('a controller that has looked before a newer run moved it is refused by the server itself', async () => {
      const { settings, put, stands, guard } = await setUp(VALUES)
      await put(...EAST)
      const newer = new DnsRedirect(settings, systemClock)
      const run = facts({ run: 'run-3', generation: 9 })
      // The older one has looked and stands still; the newer run moves the record, and moves it back.
      const line = await lineTo(address(), {
        beforeUpdate: async () => {
          await newer.apply(run)
          await newer.undo(run)
        },
      })
      try {
        const older = new DnsRedirect({ ...settings, server: line.address }, systemClock)
        await assert.rejects(older.apply(facts()), {
          code: 'other-controller',
          message: /"run-3", of generation 9/,
        })
      } finally {
        line.close()
      }
      assert.deepEqual(await stands(), ['10.0.0.1 30', '10.0.0.2 30', 'fd00::1 30'])
      assert.equal((await guard())?.generation, 9)
    })

    test('what somebody has changed by hand is left, and named', async () => {
      const { redirect, full, put, stands } = await setUp(VALUES)
      await put(A(10, 0, 0, 1), A(10, 9, 9, 9))

      await assert.rejects(redirect.apply(facts()), {
        code: 'not-ready',
        message: `"${full}" says 10.0.0.1, 10.9.9.9, and 10.0.0.1, 10.0.0.2, fd00::1 (east) or 10.1.0.1 (west) was expected`,
      })
      await put()
      await assert.rejects(redirect.apply(facts()), { code: 'not-ready', message: /says nothing, and/ })

      // By hand to the standby: then it is right, and the guard is all that is missing.
      await put(A(10, 1, 0, 1))
      assert.equal(await redirect.isApplied(facts()), false)
      await redirect.apply(facts())
      assert.equal(await redirect.isApplied(facts()), true)
      assert.deepEqual(await stands(), ['10.1.0.1 30'])
    })

    test('an update whose answer is lost is found done', async () => {
      const { settings, put, stands } = await setUp(VALUES)
      await put(...EAST)
      const line = await lineTo(address(), { losesAnswers: true })
      try {
        const redirect = new DnsRedirect({ ...settings, server: line.address }, systemClock)
        await assert.rejects(redirect.apply(facts()), { code: 'unreachable', message: /connection closed/ })
        assert.deepEqual(await stands(), ['10.1.0.1 30'])

        await redirect.apply(facts())
        await redirect.verify(facts())
      } finally {
        line.close()
      }
    })

    test('a key that is not the one of the server is named, never shown', async () => {
      const wrong = [
        [
          `hmac-sha256:${KEY_NAME}:${OTHER_SECRET}`,
          /"kdr-key\." \(hmac-sha256\): the secret is not the server's/,
        ],
        [
          `hmac-sha256:nobody:${KEY_SECRET}`,
          /"nobody\." \(hmac-sha256\): the server knows no key of this name/,
        ],
      ] as const
      for (const [text, message] of wrong) {
        const { redirect, put } = await setUp(VALUES, { tsig: secret(text) })
        await put(...EAST)
        await assert.rejects(redirect.apply(facts()), (error: unknown) => {
          assert.ok(error instanceof KdrError)
          assert.equal(error.code, 'not-allowed')
          assert.match(error.message, message)
          const all = inspect([error, redirect], { depth: 9, showHidden: true }) + JSON.stringify(error)
          assert.ok(!all.includes(OTHER_SECRET) && !all.includes(KEY_SECRET))
          return true
        })
      }
      const { redirect, put, stands } = await setUp(VALUES, { tsig: undefined })
      await put(...EAST)
      await assert.rejects(redirect.apply(facts()), { code: 'not-allowed' })
      assert.deepEqual(await stands(), ['10.0.0.1 30', '10.0.0.2 30', 'fd00::1 30'])
    })

    test('clocks that differ are named', async () => {
      const { settings, put } = await setUp(VALUES)
      await put(...EAST)
      const late = { ...systemClock, now: () => Date.now() - 3_600_000 }
      await assert.rejects(new DnsRedirect(settings, late).apply(facts()), {
        code: 'not-allowed',
        message: /the clocks differ/,
        hint: /Set the clocks/,
      })
    })

    test('a zone that the server does not have', async () => {
      const { redirect } = await setUp(VALUES, { zone: 'other.example' })
      await assert.rejects(redirect.apply(facts()), (error: unknown) => {
        assert.ok(error instanceof KdrError)
        assert.match(error.message, /other\.example\./)
        return error.code === 'not-allowed' || error.code === 'not-ready'
      })
    })

    test('a key that may change the record and not the guard, or neither', async () => {
      const guard = `the TXT record "_kdr.bootstrap.${ZONE}."`
      for (const [rights, what] of [
        ['no-guard', guard],
        ['nothing', `the record "bootstrap.${ZONE}." and ${guard}`],
      ] as const) {
        const limited = await TestNameServer.start(kind, ['bootstrap 30 IN A 10.0.0.1'], rights)
        try {
          const values = { east: ['10.0.0.1'], west: ['10.1.0.1'] }
          const settings = {
            server: limited.address,
            zone: ZONE,
            record: 'bootstrap',
            tsig: secret(KEY),
            values,
          }
          const redirect = new DnsRedirect(settings, systemClock)
          await assert.rejects(redirect.apply(facts()), (error: unknown) => {
            assert.ok(error instanceof KdrError)
            assert.equal(error.code, 'not-allowed')
            assert.equal(
              error.message,
              `the name server "${limited.address}" does not let kdr change ${what}`,
            )
            assert.match(error.hint, /grant KEY name _kdr\.bootstrap\.kafka\.example\. TXT;/)
            return true
          })
          await assert.rejects(redirect.verify(facts()), { code: 'not-ready' })
        } finally {
          await limited.stop()
        }
      }
    })

    test('a server that is down', async () => {
      const gone = await TestNameServer.start(kind, ['bootstrap 30 IN A 10.0.0.1'])
      await gone.stop()
      const redirect = new DnsRedirect(
        { server: gone.address, zone: ZONE, record: 'bootstrap', tsig: secret(KEY), values: VALUES },
        systemClock,
      )
      await assert.rejects(redirect.apply(facts()), {
        code: 'unreachable',
        message: `the name server "${gone.address}" is not reachable: connection refused`,
      })
    })
  })
}

/** Carries requests and answers, but for updates: something happens before one, or the connection is cut instead of its answer. */
async function lineTo(server: string, fault: { beforeUpdate?: () => Promise<void>; losesAnswers?: boolean }) {
  const line = createServer(near => {
    const far = connect({ host: '127.0.0.1', port: Number(server.split(':')[1]) })
    let isUpdate = false
    const carry = async (bytes: Buffer) => {
      // Two bytes of length, two of the id, then the opcode.
      isUpdate = ((bytes[4] ?? 0) >> 3) % 16 === OPCODE.update
      if (isUpdate) await fault.beforeUpdate?.()
      far.write(bytes)
    }
    near.on('data', (bytes: Buffer) => void carry(bytes))
    far.on('data', (bytes: Buffer) =>
      isUpdate && fault.losesAnswers === true ? near.destroy() : near.write(bytes),
    )
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => one.destroy())
      one.on('close', () => other.destroy())
    }
  })
  const port = await findPort()
  line.listen(port, '127.0.0.1')
  await once(line, 'listening')
  return { address: `127.0.0.1:${port}`, close: () => line.close() }
}
