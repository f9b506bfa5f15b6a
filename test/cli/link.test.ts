// kdr verify and kdr link as commands: what they print, what they ask, and their exit codes.

import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { App, LinkMemory, OpenedLink, Order, Services } from '../../src/cli/app.ts'
import type { PrefixCheck } from '../../src/engine/verify/adopt.ts'
import type { PartitionVerdict, Verification } from '../../src/engine/verify/verify.ts'
import { makeTestApp, runForTest } from '../support/app.ts'

const config = join(mkdtempSync(join(tmpdir(), 'kdr-link-')), 'kdr.yaml')
writeFileSync(
  config,
  'clusters: { a: { bootstrap: "a:1" }, b: { bootstrap: "b:1" } }\nlinks: { l: { source: a, target: b } }\n',
)

const equal = {
  topic: 't',
  partition: 0,
  from: 5,
  to: 1_200,
  records: 1_195,
  identical: true,
  different: 0,
  onlySource: 0,
  onlyTarget: 0,
  unexplained: 0,
  logStart: { source: 5, target: 5 },
  logEnd: { source: 1_200, target: 1_200 },
} satisfies PartitionVerdict

const prefix: PrefixCheck = {
  kind: 'prefix',
  sourceTopicId: 's',
  targetTopicId: 't',
  sourcePartitions: 2,
  partitions: [{ partition: 0, records: 7, logStart: { source: 0, target: 0 }, logEnd: 7, sourceEnd: 9 }],
}

function servicesOf(opened: Partial<OpenedLink>, memory?: Partial<LinkMemory>): Services {
  const link: OpenedLink = {
    verify: () => Promise.reject(new Error('not asked for')),
    isMirrored: () => Promise.resolve(false),
    checkPrefix: () => Promise.resolve(prefix),
    adopt: () => Promise.reject(new Error('nothing was to be changed')),
    ...opened,
  }
  const { services } = makeTestApp()
  return {
    ...services,
    withLink: async (_config, _link, act) => await act(link),
    withMemory: async (_config, _link, act) =>
      await act({
        isRunning: true,
        journal: () => [],
        assertKnown: () => {},
        losses: () => Promise.resolve([]),
        order: () => Promise.reject(new Error('nothing was to be ordered')),
        ...memory,
      }),
  }
}

const run = (args: readonly string[], services: Services, changes: Partial<App> = {}) =>
  runForTest([...args, '--config', config], { services, ...changes })

const verifying = (partitions: readonly PartitionVerdict[]): Services => {
  const result: Verification = {
    link: 'l',
    identical: partitions.every(each => each.identical),
    partitions,
  }
  return servicesOf({ verify: () => Promise.resolve(result) })
}

describe('kdr verify', () => {
  test('prints a table and a sentence when all is identical', async () => {
    const { exit, stdout } = await run(['verify', 'l'], verifying([equal]))

    assert.equal(exit, 0)
    assert.equal(
      stdout.replaceAll('\u202f', ' '),
      'TOPIC  PARTITIONS  RECORDS  OFFSETS  VERDICT\n' +
        't               1    1 195  5–1 200  identical\n' +
        '\nl is identical, judged by 1 195 records in 1 partition, 0 ms\n',
    )
  })

  test('names what differs, says what is explained, and exits 3', async () => {
    const differs: PartitionVerdict = {
      ...equal,
      partition: 1,
      identical: false,
      different: 2,
      onlySource: 3,
      unexplained: 1,
      firstDifference: { offset: 17, what: 'value differs' },
    }
    const { exit, stdout } = await run(['verify', 'l'], verifying([equal, differs]))

    assert.equal(exit, 3)
    assert.match(stdout, /^t .* 1 of 2 partitions differ$/m)
    assert.match(
      stdout,
      /^✗ t partition 1 offset 17: value differs; in all 2 records not equal, 1 record on one side only$/m,
    )
    assert.match(stdout, /^2 records on one side only, explained by compaction$/m)
    assert.match(stdout, /^l is not identical: 1 of 2 partitions differs, judged by/m)
  })

  test('--json is the object of the contract', async () => {
    const { exit, stdout } = await run(['verify', 'l', '--json', '--sample', '5%'], verifying([equal]))

    assert.equal(exit, 0)
    assert.deepEqual(JSON.parse(stdout), {
      v: 1,
      link: 'l',
      identical: true,
      partitions: [equal],
      samplePercent: 5,
      ms: 0,
    })
  })
})

describe('kdr link', () => {
  const adopt = ['link', 'adopt', 'l', '--topic', 't']

  test('adopt shows its plan and asks; without a terminal it exits 20', async () => {
    const { exit, stdout, stderr } = await run(adopt, servicesOf({}))

    assert.equal(exit, 20)
    assert.match(stdout, /all that topic "t" holds on "b" equals "a".*after adding 1 partition to it/)
    assert.match(stderr, /topic "t" on "b" becomes a mirror of "a": this needs approval/)
  })

  test('adopt goes on with the typed name, and keeps the reason', async () => {
    const adopted: unknown[] = []
    const services = servicesOf({
      adopt: (...args) => {
        adopted.push(args)
        return Promise.resolve()
      },
    })
    const ask = () => Promise.resolve('t')

    const { exit } = await run([...adopt, '--reason', 'because'], services, { ask })

    assert.equal(exit, 0)
    assert.deepEqual(adopted, [['t', prefix, 'because']])
  })

  test('adopt --dry-run changes nothing', async () => {
    const { exit, stdout } = await run([...adopt, '--dry-run', '--json'], servicesOf({}))

    assert.equal(exit, 0)
    const answer = JSON.parse(stdout) as Record<string, unknown>
    assert.deepEqual([answer['adopted'], answer['dryRun']], [false, true])
  })

  test('adopt refuses what is no prefix with exit 12, what is mirrored and what is not there with 2', async () => {
    const found = { kind: 'different', where: 'partition 0 offset 17', what: 'value differs' } as const
    const missing = { kind: 'missing', side: 'target' } as const
    const different = servicesOf({ checkPrefix: () => Promise.resolve(found) })

    const refused = await run([...adopt, '--yes'], different)

    assert.equal(refused.exit, 12)
    assert.match(refused.stderr, /first difference: partition 0 offset 17, value differs/)
    assert.equal((await run(adopt, servicesOf({ checkPrefix: () => Promise.resolve(missing) }))).exit, 2)
    assert.equal((await run(adopt, servicesOf({ isMirrored: () => Promise.resolve(true) }))).exit, 2)
  })

  const taking = (orders: Order[], more: Partial<LinkMemory> = {}) =>
    servicesOf(
      {},
      {
        order: order => {
          orders.push(order)
          order.onSent?.('id')
          return Promise.resolve()
        },
        ...more,
      },
    )

  test('resume asks nobody; what deletes at the target is asked for', async () => {
    const orders: Order[] = []
    const services = taking(orders)

    const plain = await run(['link', 'resume', 'l', '--topic', 't', '--partition', '3'], services)
    const unasked = await run(['link', 'resume', 'l', '--accept-log-start'], services)
    const dry = await run(['link', 'resume', 'l', '--accept-log-start', '--dry-run'], services)

    assert.deepEqual([plain.exit, unasked.exit, dry.exit], [0, 20, 0])
    assert.match(plain.stdout, /the running kdr takes it up/)
    assert.deepEqual(
      orders.map(({ verb, scope }) => ({ verb, scope })),
      [{ verb: 'resume', scope: { topic: 't', partition: 3 } }],
    )
    assert.equal((await run(['link', 'resume', 'l', '--partition', '3'], services)).exit, 2)
  })

  const loss = { topic: 't', partition: 0, from: 10, to: 40, cause: 'retention' } as const
  for (const [verb, args, plan] of [
    ['pause', [], /link "l" stops being copied until it is resumed/],
    ['accept-loss', ['--topic', 't'], /30 offset\(s\) of topic "t" of link "l" are given up for good/],
    ['recopy', ['--topic', 't'], /mirror topic "t" on "b" will be deleted/],
    ['forget', ['--topic', 't'], /topic "t" on "b" is no mirror of "a" any more/],
  ] as const) {
    test(`${verb} shows its plan, asks, and keeps the reason`, async () => {
      const orders: Order[] = []
      const services = taking(orders, { losses: () => Promise.resolve([loss]) })
      const command = ['link', verb, 'l', ...args]

      const unasked = await run(command, services)
      const dry = await run([...command, '--dry-run', '--json'], services)
      assert.deepEqual([unasked.exit, dry.exit, orders.length], [20, 0, 0])
      assert.match(unasked.stdout, plan)
      assert.equal((JSON.parse(dry.stdout) as { dryRun: boolean }).dryRun, true)

      const done = await run([...command, '--yes', '--reason', 'because', '--json'], services)
      assert.equal(done.exit, 0, done.stderr)
      const { link, command: id, running } = JSON.parse(done.stdout) as Record<string, unknown>
      assert.deepEqual([link, id, running], ['l', 'id', true])
      assert.deepEqual([orders[0]?.verb, orders[0]?.reason], [verb, 'because'])
    })
  }

  test('accept-loss names the exact ranges, and has nothing to do where nothing was lost', async () => {
    const orders: Order[] = []
    const accept = ['link', 'accept-loss', 'l', '--topic', 't', '--yes']
    const done = await run(accept, taking(orders, { losses: () => Promise.resolve([loss]) }))
    assert.match(done.stdout, /"t\/0": offsets 10 to 39 \(30\): the source deleted them/)
    assert.deepEqual(orders[0]?.losses, [loss])

    const nothing = await run(accept, taking([]))
    assert.equal(nothing.exit, 2)
    assert.match(nothing.stderr, /has not stopped for a loss that can be accepted/)
  })

  test('a reason has a bound', async () => {
    const long = ['link', 'pause', 'l', '--yes', '--reason', 'x'.repeat(301)]
    const { exit, stderr } = await run(long, taking([]))
    assert.equal(exit, 2)
    assert.match(stderr, /at most 300 characters/)
  })

  test('log shows who did what, when and why', async () => {
    const entry = {
      id: 'x',
      at: 0,
      by: 'ann@host',
      verb: 'pause',
      reason: 'a test',
      what: 'link "l" stops',
      state: 'done',
    } as const
    const services = servicesOf({}, { journal: () => [entry] })
    const text = await run(['link', 'log', 'l'], services)
    assert.match(text.stdout, /1970-01-01T00:00:00 +ann@host +pause +done +link "l" stops \(a test\)/)
    const json = await run(['link', 'log', 'l', '--json'], services)
    const { entries } = JSON.parse(json.stdout) as { entries: unknown[] }
    assert.deepEqual(entries, [{ ...entry, at: '1970-01-01T00:00:00.000Z' }])
  })
})
