// Fault rows of the network, of names and of addresses that lead elsewhere. kdr comes by a line to each cluster
// (src/lab/line.ts); the judge comes directly.

import assert from 'node:assert/strict'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, afterEach, before, describe } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { killBroker, startBroker } from '../../../src/lab/broker.ts'
import { nodeDir } from '../../../src/lab/cluster.ts'
import { type Line, openLines } from '../../../src/lab/lab.ts'
import { findPorts } from '../../../src/lab/ports.ts'
import type { ProcessMark } from '../../../src/lab/processes.ts'
import { readState } from '../../../src/lab/state.ts'
import { faultRow } from '../../support/fault-rows.ts'
import type { At } from '../../support/judge.ts'
import { freshTopic, patience, waitFor, withLab } from '../../support/lab.ts'
import {
  adminOf,
  assertIdentical,
  type KdrProcess,
  type Link,
  type LinkSpec,
  makeLink,
} from '../../support/link.ts'
import { suite } from '../../support/suite.ts'
import { freshLink } from '../../support/ways-out.ts'

const context = withLab([
  { name: 'east', hasLines: true },
  { name: 'west', hasLines: true },
  { name: 'other' },
])
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

const lines: Record<'east' | 'west', Line[]> = { east: [], west: [] }
const lineTo = (name: 'east' | 'west'): Line => {
  const [line] = lines[name]
  assert.ok(line !== undefined)
  return line
}
/** The cluster as kdr is led to it: over the line, by name. */
const overLine = (name: 'east' | 'west') => ({
  name,
  bootstrap: `localhost:${context.cluster(name).lines[0]?.advertisedPort ?? 0}`,
})

after(async () => {
  for (const line of [...lines.east, ...lines.west]) await line.close()
})

// One after the other: they share the lines.
describe('over a line', { concurrency: 1 }, () => {
  before(async () => {
    lines.east = await openLines(context.cluster('east'))
    lines.west = await openLines(context.cluster('west'))
  })
  // What a test that failed has left would hold up all that come after it.
  afterEach(() => {
    for (const line of [...lines.east, ...lines.west]) {
      line.heal()
      line.tap(undefined)
      line.shape({ pieceBytes: Infinity })
    }
  })

  faultRow(
    ['N01', 'N04'],
    'the line goes dead without a word, in one direction or both, and comes back',
    { suite: 'full' },
    async row => {
      const { judge } = context
      await whileMirroring({}, async ({ topic, daemon, link }) => {
        row.did(
          'cut the line to the source in both directions: nothing is refused, nothing is answered; wrote 5 records there',
        )
        lineTo('east').cut()
        await judge.produce({ ...east(), topic, count: 5 })
        await daemon.says(
          /warn .*"east".*(no answer in time|not reachable|does not answer)/,
          patience(60_000),
        )
        const { object, code } = await link.json('status')
        const [shown] = object['links'] as { rpoMs: number; sentence: string; state: string }[]
        assert.ok(shown !== undefined && shown.rpoMs > 1_000, JSON.stringify(shown))
        assert.ok([0, 3].includes(code ?? -1))
        row.saw(
          'it says that the source does not answer, and the time since it was last seen counts into rpoMs',
        )
        lineTo('east').heal()
        await copied(topic)
        row.saw('healed: it goes on by itself, identical')

        row.did('cut only what comes back from the target: writes arrive, and no answer does')
        lineTo('west').cut('down')
        await judge.produce({ ...east(), topic, count: 5 })
        await daemon.says(
          /warn .*"west".*(no answer in time|not reachable|does not answer)/,
          patience(60_000),
        )
        lineTo('west').heal()
        await copied(topic)
        row.saw('healed: what had arrived is not written again; identical')
      })
    },
  )

  faultRow('N04', 'one byte at a time, and connections reset in the middle of an answer', async row => {
    const { judge } = context
    await whileMirroring({}, async ({ topic }) => {
      row.did('the lines to both clusters hand over one byte at a time')
      for (const name of ['east', 'west'] as const) lineTo(name).shape({ pieceBytes: 1 })
      await judge.produce({ ...east(), topic, count: 20 })
      await copied(topic)
      for (const name of ['east', 'west'] as const) lineTo(name).shape({ pieceBytes: Infinity })
      row.saw('identical')

      row.did('reset connections of both lines in the middle of an answer, ten times each')
      for (const name of ['east', 'west'] as const) {
        let resets = 0
        lineTo(name).tap((direction, bytes) => {
          if (direction !== 'down' || bytes.length < 60 || resets >= 10) return bytes
          resets++
          return 'reset'
        })
      }
      await judge.produce({ ...east(), topic, count: 50, batchBytes: 500 })
      await copied(topic)
      for (const name of ['east', 'west'] as const) lineTo(name).tap(undefined)
      row.saw('identical')

      row.did('the line to the source changed one bit in the middle of some records')
      let flips = 0
      lineTo('east').tap((direction, bytes) => {
        if (direction !== 'down' || bytes.length < 3_000 || flips >= 1) return bytes
        flips++
        const changed = Buffer.from(bytes)
        changed[bytes.length - 500] = (changed[bytes.length - 500] ?? 0) ^ 1
        return changed
      })
      await judge.produce({ ...east(), topic, count: 20, sizeBytes: 1_000 })
      await copied(topic)
      lineTo('east').tap(undefined)
      assert.equal(flips, 1)
      row.saw('it is refused by its checksum and read again: identical')
    })
  })

  faultRow(
    'N03',
    'the bootstrap address answers, the address that the brokers advertise does not',
    { suite: 'full' },
    async row => {
      const { judge } = context
      const topic = freshTopic('advertised')
      await judge.createTopic({ ...east(), topic })
      const [listener] = context.cluster('east').lines
      assert.ok(listener !== undefined)
      row.did(
        "closed the line, and started kdr at the broker's own port: it answers, and advertises the line's",
      )
      await lineTo('east').close()
      try {
        const link = linkWith({
          source: { name: 'east', bootstrap: `127.0.0.1:${listener.port}` },
          settings: { topics: [topic] },
        })
        const { code, stderr } = await link.run('run', '--once', '--timeout', '20s')
        assert.equal(code, 11, stderr)
        const refused = `localhost:${listener.advertisedPort} is not reachable: connection refused`
        const answered = `the cluster answered at 127.0.0.1:${listener.port}`
        assert.ok(stderr.includes(`${refused} (the brokers advertise this address; ${answered})`), stderr)
        assert.match(stderr, /hint: .*advertised\.listeners/)
        row.saw(
          'exit 11: it names the advertised address that does not answer, and the bootstrap address that does',
        )
      } finally {
        lines.east = await openLines(context.cluster('east'))
      }
    },
  )

  faultRow('N06', 'a name that does not resolve for a while, or one of its addresses is dead', async row => {
    const { judge } = context
    const names = (addresses: readonly string[]) => ({ names: { localhost: addresses } })
    row.did('the name of the source has two addresses, and nobody listens at the first')
    // 127.0.0.9 is this machine too, and the line does not listen there.
    await whileMirroring({ inside: names(['127.0.0.9', '127.0.0.1']) }, async ({ topic, daemon, link }) => {
      row.saw('mirrored: every address is tried')
      row.did('the name does not exist any more, and all connections are reset')
      link.tellInside(names([]))
      lineTo('east').reset()
      await judge.produce({ ...east(), topic, count: 5 })
      await daemon.says(/"east".*localhost:\d+ is not reachable: no such host name/)
      row.saw('it says: no such host name')
      row.did('the name exists again, with another order of addresses')
      link.tellInside(names(['127.0.0.1', '127.0.0.9']))
      await copied(topic)
      row.saw('it resolves the name anew for each connection, and goes on by itself: identical')
    })
  })

  faultRow('N11', 'brokers are replaced by an older version while kdr runs', async row => {
    const { judge } = context
    await whileMirroring({}, async ({ topic }) => {
      row.did(
        'from a reset of all connections on, both brokers say that they know only Fetch up to v13 and Produce up to v9 (in ApiVersions, changed on the line)',
      )
      for (const name of ['east', 'west'] as const) {
        lineTo(name).tap(olderVersions())
        lineTo(name).reset()
      }
      await judge.produce({ ...east(), topic, count: 20 })
      await copied(topic)
      for (const name of ['east', 'west'] as const) {
        lineTo(name).tap(undefined)
        lineTo(name).reset()
      }
      await judge.produce({ ...east(), topic, count: 20 })
      await copied(topic)
      row.saw('identical, and so when they are new again: the versions are agreed on for each connection')
    })
  })

  faultRow('N10', 'an address that leads to a foreign cluster in the middle of a run', async row => {
    const { judge } = context
    const other = context.cluster('other')
    for (const name of suite === 'short' ? (['west'] as const) : (['west', 'east'] as const)) {
      const [listener] = context.cluster(name).lines
      await whileMirroring({}, async ({ topic, daemon, link }) => {
        row.did(
          `the line to the ${name === 'west' ? 'target' : 'source'} leads to another cluster from now on, where an empty topic has the same name`,
        )
        await judge.createTopic({ ...adminOf(other), topic })
        lineTo(name).lead({ host: '127.0.0.1', port: Number(other.bootstrap.split(':')[1]) })
        lineTo(name).reset()
        await judge.produce({ ...east(), topic, count: 5 })
        const end = await daemon.ended
        lineTo(name).lead({ host: '127.0.0.1', port: listener?.port ?? 0 })
        assert.equal(end.code, 10, end.stderr)
        assert.match(end.stderr, new RegExp(`"${name}".*another.*\\nhint: Check \`bootstrap\``))
        assert.equal((await judge.digest({ ...adminOf(other), topic }))[0]?.end, 0)
        row.saw(`exit 10: "${name}" is another cluster by now; nothing was written to its topic`)
        const again = await link.run('run', '--once')
        assert.equal(again.code, 0, again.stderr)
        await copied(topic)
        row.saw('when the address leads home again, a new run goes on: identical')
      })
    }
    assert.ok(!(await judge.listTopics(adminOf(other))).includes('_kdr.state'))
  })

  faultRow(
    'T17',
    'the target restored from a copy of its disks: its cluster id lives twice',
    { suite: 'full' },
    async row => {
      const { judge } = context
      const [listener] = context.cluster('west').lines
      await whileMirroring({}, async ({ topic, daemon }) => {
        row.did(
          "copied the target's disk while it ran (10 records copied), wrote 10 more records, and started the copy beside the original",
        )
        const copy = await copyOfWest()
        try {
          await judge.produce({ ...east(), topic, count: 10 })
          await copied(topic)
          await copy.start()
          row.did("the target's address leads to the copy from now on")
          lineTo('west').lead({ host: '127.0.0.1', port: copy.linePort })
          lineTo('west').reset()
          await daemon.says(
            new RegExp(`"${topic}/0": the target lost offsets 10 to 19 that it had acknowledged`),
          )
          row.saw('it says that the target lost offsets 10 to 19 that it had acknowledged')
          await judge.produce({ ...east(), topic, count: 5 })
          await copied(topic, { bootstrap: copy.bootstrap })
          row.saw('it copies them, and what came meanwhile, to the copy: identical')

          row.did('the address leads to the original again')
          lineTo('west').lead({ host: '127.0.0.1', port: listener?.port ?? 0 })
          lineTo('west').reset()
          await daemon.says(new RegExp(`"${topic}/0": the target lost offsets 20 to 24`))
          await copied(topic)
          row.saw(
            'the same, for offsets 20 to 24: identical. A kdr that is started anew cannot tell the two apart, and copies what the one at that address lacks',
          )
        } finally {
          lineTo('west').lead({ host: '127.0.0.1', port: listener?.port ?? 0 })
          await copy.kill()
        }
      })
    },
  )
})

faultRow(
  ['T16', 'P17'],
  'addresses lead to other clusters than the recorded ones, or source and target change places',
  async row => {
    const { judge } = context
    const topic = freshTopic('swapped')
    const name = freshLink()
    const [source, target, other] = ['east', 'west', 'other'].map(each => context.cluster(each).bootstrap)
    const run = async (at: readonly [east: string | undefined, west: string | undefined]) =>
      await makeLink({
        name,
        source: { name: 'east', bootstrap: at[0] ?? '' },
        target: { name: 'west', bootstrap: at[1] ?? '' },
        settings: { topics: [topic] },
      }).run('run', '--once')
    await judge.createTopic({ ...east(), topic })
    await judge.produce({ ...east(), topic, count: 10 })
    assert.equal((await run([source, target])).code, 0)
    const topicsBefore = await topicsEverywhere()

    row.did('after a link has run, its source leads to a third cluster')
    const another = await run([other, target])
    assert.equal(another.code, 10, another.stderr)
    assert.match(
      another.stderr,
      /"east" is not the source that link ".*" knows: its cluster id is .*, recorded is/,
    )
    row.did('source and target have changed places')
    const swapped = await run([target, source])
    assert.equal(swapped.code, 10, swapped.stderr)
    assert.match(
      swapped.stderr,
      /"east" \(id .*\) is the target of link ".*", and "west" \(id .*\) its source: they have changed places/,
    )
    assert.deepEqual(await topicsEverywhere(), topicsBefore)
    row.saw('exit 10 both times, with names and ids; nothing is made or changed at any of the three')
    assert.equal((await run([source, target])).code, 0)
    await assertIdentical(judge, { source: context.cluster('east'), target: context.cluster('west') }, [
      topic,
    ])
  },
)

faultRow('P11', 'links in a circle', async row => {
  const { judge } = context
  const topic = freshTopic('circle')
  const clusters = ['east', 'west', 'other'].map(each => context.cluster(each))
  const [a, b, c] = clusters as [(typeof clusters)[0], (typeof clusters)[0], (typeof clusters)[0]]
  const run = async (from: { name: string; bootstrap: string }, to: { name: string; bootstrap: string }) =>
    await makeLink({ name: freshLink(), source: from, target: to, settings: { topics: [topic] } }).run(
      'run',
      '--once',
    )
  await judge.createTopic({ ...adminOf(a), topic })
  await judge.produce({ ...adminOf(a), topic, count: 10 })
  row.did('a chain: a → b, and b → c of the same topic')
  for (const [from, to] of [
    [a, b],
    [b, c],
  ] as const) {
    const result = await run(from, to)
    assert.equal(result.code, 0, result.stderr + result.stdout)
    await assertIdentical(judge, { source: a, target: to }, [topic])
  }
  row.saw('identical from end to end')

  // What the chain's own link keeps there.
  const kept = async () => (await judge.list({ ...adminOf(a), topic: '_kdr.state' })).length
  const before = await kept()
  row.did('b → a and c → a of that topic, in configs of their own, under other names')
  for (const from of [b, c]) {
    const result = await run({ ...from, name: 'x' }, { ...a, name: 'y' })
    assert.equal(result.code, 2, result.stderr)
    assert.match(
      result.stderr,
      /would bring topic "circle-.*" back to where it came from: "x" mirrors it, by link ".*", from "y" \(cluster id .*\)/,
    )
  }
  assert.equal((await judge.digest({ ...adminOf(a), topic }))[0]?.end, 10)
  assert.equal(await kept(), before)
  row.saw(
    'exit 2: it names the topic, the link that brought it, and the cluster; nothing is made there. In one config, `kdr config check` refuses the circle by its patterns',
  )
})

/** A broker of its own on a copy of the disk of `west`, with the same cluster and node id, and the same advertised line. */
async function copyOfWest() {
  const { dir } = context.lab
  const record = readState(dir).clusters.find(({ name }) => name === 'west')
  const node = record?.brokers[0]
  assert.ok(record !== undefined && node !== undefined)
  const home = join(dir, 'west', 'copy')
  cpSync(nodeDir(dir, 'west', node.id), home, { recursive: true, filter: path => !path.endsWith('.lock') })
  const ports = await findPorts(3)
  const [port = 0, controllerPort = 0, linePort = 0] = ports
  const moved = new Map([
    [node.port, port],
    [node.controllerPort, controllerPort],
    [node.line?.port ?? 0, linePort],
  ])
  const file = join(home, 'server.properties')
  const text = readFileSync(file, 'utf8')
    .replaceAll(
      /(127\.0\.0\.1):(\d+)/g,
      (whole, host: string, old: string) => `${host}:${moved.get(Number(old)) ?? old}`,
    )
    .replace(/^log\.dirs=.*$/m, `log.dirs=${join(home, 'data')}`)
  writeFileSync(file, text)
  let mark: ProcessMark | undefined
  return {
    bootstrap: `127.0.0.1:${port}`,
    linePort,
    start: async () => {
      mark = await startBroker({ name: 'west/copy', dir: home, distribution: record })
    },
    kill: async () => {
      if (mark !== undefined) await killBroker(mark)
    },
  }
}

type Mirroring = { readonly topic: string; readonly link: Link; readonly daemon: KdrProcess }

function linkWith(changes: Partial<LinkSpec>): Link {
  return makeLink({ name: freshLink(), source: overLine('east'), target: overLine('west'), ...changes })
}

/** A topic of 10 records, copied over both lines by a daemon of its own, which is killed afterwards. */
async function whileMirroring(
  changes: Partial<LinkSpec>,
  act: (mirroring: Mirroring) => Promise<void>,
): Promise<void> {
  const { judge } = context
  const topic = freshTopic('net')
  await judge.createTopic({ ...east(), topic })
  await judge.produce({ ...east(), topic, count: 10 })
  const link = linkWith({ settings: { topics: [topic] }, ...changes })
  const daemon = link.start('run', '-v')
  try {
    await copied(topic)
    await act({ topic, link, daemon })
  } catch (error) {
    console.error(`the end of what kdr said:\n${daemon.stderr.slice(-4000)}`)
    throw error
  } finally {
    daemon.signal('SIGKILL')
  }
}

async function copied(topic: string, target: At = west()): Promise<void> {
  const { judge } = context
  const end = async (at: ReturnType<typeof east>) =>
    (await judge.ends({ ...at, topics: [topic] }).catch(() => []))[0]?.[2]
  const wanted = await end(east())
  await waitFor(async () => (await end(target)) === wanted, {
    what: `${topic} to be copied`,
    everyMs: 200,
    timeoutMs: patience(90_000),
  })
  // Nothing is on its way any more that could land behind.
  await sleep(300)
  const comparison = await judge.compare({ a: east(), b: target, topics: [topic] })
  assert.ok(comparison.identical, JSON.stringify(comparison))
}

async function topicsEverywhere(): Promise<string[][]> {
  return await Promise.all(
    ['east', 'west', 'other'].map(
      async name => await context.judge.listTopics(adminOf(context.cluster(name))),
    ),
  )
}

const [API_PRODUCE, API_FETCH] = [0, 1]
const OLDER = new Map([
  [API_PRODUCE, 9],
  [API_FETCH, 13],
])

/** Lowers the newest versions in the first answer of each connection, which is that of ApiVersions v3. */
function olderVersions() {
  const seen = new Set<number>()
  return (direction: string, bytes: Buffer, connection: number): Buffer => {
    if (direction !== 'down' || seen.has(connection)) return bytes
    seen.add(connection)
    const changed = Buffer.from(bytes)
    // size, correlation id, error code, then a compact array of: key, oldest, newest, tagged fields
    const count = changed.readUInt8(10) - 1
    for (let at = 11; at < 11 + count * 7 && at + 7 <= changed.length; at += 7) {
      const newest = OLDER.get(changed.readInt16BE(at))
      if (newest !== undefined) changed.writeInt16BE(newest, at + 4)
    }
    return changed
  }
}
