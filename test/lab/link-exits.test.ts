// Every exit code that a link can reach, each with a sentence on stderr and no stack trace; with --json one object.
// 12 and 21 are in link-daemon.test.ts.

import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { describe, test } from 'node:test'
import { LAB_USERS } from '../../src/lab/lab.ts'
import { b64 } from '../support/judge.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import {
  adminOf,
  assertIdentical,
  BARE_TARGET_ACLS,
  type KdrResult,
  type Link,
  type LinkSpec,
  makeLink,
  MARKER_ACL,
  SOURCE_ACLS,
} from '../support/link.ts'

const context = withLab([
  { name: 'east', security: 'acl' },
  { name: 'west', security: 'acl' },
  { name: 'other' },
])
const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

test('given the rights that a link needs', async () => {
  const { judge } = context
  await judge.createAcls({ ...east(), acls: SOURCE_ACLS })
  await judge.createAcls({ ...west(), acls: [...BARE_TARGET_ACLS, MARKER_ACL] })
})

// Each has topics and a link of its own, and most of them wait; one for a silent address for 20 s.
describe('kdr ends with', { concurrency: 4 }, () => {
  test('0: all is copied', async () => {
    const { link, topic } = await linkWithTopic()
    const { code, object } = await link.json('run', '--once')
    assert.equal(code, 0)
    assert.equal(object['v'], 1)
    await assertIdentical(context.judge, sides(), [topic])
  })

  describe('2: usage and config', { concurrency: 1 }, () => {
    test('an unknown key, with its line and column', async () => {
      const link = linkTo({})
      writeFileSync(link.config, 'clusters:\n  east: { bootstrap: "h:1", bootstarp: "h:2" }\n')
      await fails(link, ['run'], 2, /kdr\.yaml:2:\d+.*bootstarp/s)
    })
    test('no config', async () => {
      const link = linkTo({})
      rmSync(link.config)
      await fails(link, ['run'], 2, /there is no config file/)
    })
    test('an unknown link', async () => {
      await fails(linkTo({}), ['run', '--link', 'nope'], 2, /no link "nope"/)
    })
    test('what is not there yet', async () => {
      await fails(linkTo({}), ['drill', 'link'], 2, /not available yet/)
    })
    test('--timeout without --once', async () => {
      await fails(linkTo({}), ['run', '--timeout', '3s'], 2, /`--timeout` goes with `--once`/)
    })
  })

  test('3: a partition has stopped, and the others are done', async () => {
    const { judge } = context
    const [topic, good] = [freshTopic('bad-shape'), freshTopic('bad-good')]
    await judge.createTopic({ ...west(), topic, partitions: 2 })
    for (const name of [topic, good]) {
      await judge.createTopic({ ...east(), topic: name })
      await judge.produce({ ...east(), topic: name, count: 5 })
    }
    const link = linkTo({ name: freshTopic('bad'), settings: { topics: ['bad-*'] } })
    const result = await link.run('run', '--once')
    assert.equal(result.code, 3, result.stderr)
    assert.match(result.stdout, new RegExp(`✗ "${topic}": the target's topic has 2 partitions`))
    await assertIdentical(judge, sides(), [good])
    const status = await link.run('status')
    assert.equal(status.code, 3, status.stderr)
  })

  describe('10: another cluster than the recorded one', { concurrency: 1 }, () => {
    test('the source is another', async () => {
      const { link, name, topic } = await linkWithTopic()
      assert.equal((await link.run('run', '--once')).code, 0)
      const { bootstrap } = context.cluster('other')
      const swapped = linkTo({ name, source: { name: 'east', bootstrap }, settings: { topics: [topic] } })
      await fails(swapped, ['run', '--once'], 10, /"east" is not the source that link ".*" knows/)
    })
    test('both names lead to one cluster', async () => {
      const { source } = sides()
      const bootstrap = source.bootstrap.replace('127.0.0.1', 'localhost')
      const target = { name: 'west', bootstrap, security: source.security }
      await fails(linkTo({ target }), ['run', '--once'], 10, /are the same cluster/)
    })
  })

  describe('11: out of reach', { concurrency: 1 }, () => {
    test('nobody listens', async () => {
      const target = { name: 'west', bootstrap: '127.0.0.1:9' }
      await fails(linkTo({ target }), ['run', '--once'], 11, /"west".*127\.0\.0\.1:9/)
      // A look does not fail for it: it says so of the link, and goes on with the others.
      const shown = await linkTo({ target }).run('status')
      assert.equal(shown.code, 3, shown.stderr)
      assert.match(shown.stdout, /the standby cannot be reached \(.*"west" 127\.0\.0\.1:9.*\)/)
    })
    test('a name that does not exist', async () => {
      const source = { name: 'east', bootstrap: 'no-such-host.invalid:9092' }
      await fails(linkTo({ source }), ['run', '--once'], 11, /no-such-host\.invalid/)
    })
    test('something that is not Kafka answers, or nothing does', async () => {
      for (const [port, close] of [
        await serve(socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
        await serve(() => {}),
      ]) {
        const source = { name: 'east', bootstrap: `127.0.0.1:${port}` }
        const result = await fails(
          linkTo({ source }),
          ['run', '--once'],
          11,
          new RegExp(`127\\.0\\.0\\.1:${port}`),
        )
        assert.ok(result.ms < patience(20_000), `it took ${result.ms} ms`)
        close()
      }
    })
    test('plain text to a listener that wants a login', async () => {
      const { bootstrap } = context.cluster('east')
      // Without `security` the config has no `sasl`.
      const result = await linkTo({ source: { name: 'east', bootstrap } }).run('run', '--once')
      assert.ok([11, 14].includes(result.code ?? -1), `${String(result.code)}: ${result.stderr}`)
      assertSentence(result, /"east"/)
    })
  })

  describe('13: --once wants the whole link', { concurrency: 1 }, () => {
    test('it is refused while a daemon lives, which goes on', async () => {
      const { judge } = context
      const { link, topic } = await linkWithTopic()
      const first = link.start('run', '-v')
      await first.says(/behind/)
      await fails(link, ['run', '--once'], 13, /is run by another kdr/)
      await judge.produce({ ...east(), topic, count: 5 })
      await waitFor(async () => (await judge.digest({ ...west(), topic }))[0]?.end === 15, {
        what: 'the first to go on',
      })
      first.signal('SIGTERM')
      assert.equal((await first.ended).code, 0)
      await assertIdentical(judge, sides(), [topic])
    })
  })

  describe('14: not allowed', { concurrency: 1 }, () => {
    test('a wrong password', async () => {
      const user = { username: 'kdr', password: 'wrong' }
      await fails(linkTo({ user }), ['run', '--once'], 14, /"(east|west)"/)
    })
    test('no rights at all', async () => {
      const user = { username: 'app', password: LAB_USERS.app }
      await fails(linkTo({ user }), ['run', '--once'], 14, /AUTHORIZATION_FAILED|not allowed|may not/i)
    })
    test('no right to write one topic: its partition says so, the others are done', async () => {
      const { judge } = context
      const [topic, good] = [freshTopic('deny-bad'), freshTopic('deny-good')]
      for (const name of [topic, good]) {
        await judge.createTopic({ ...east(), topic: name })
        await judge.produce({ ...east(), topic: name, count: 5 })
      }
      const deny = {
        type: 'TOPIC',
        name: topic,
        principal: 'User:kdr',
        operation: 'WRITE',
        permission: 'DENY',
      } as const
      await judge.createAcls({ ...west(), acls: [deny] })
      const link = linkTo({ name: freshTopic('deny'), settings: { topics: ['deny-*'] } })
      const result = await link.run('run', '--once')
      assert.equal(result.code, 14, result.stderr)
      assert.match(result.stdout, new RegExp(`✗ "${topic}/0".*The README lists the rights`))
      await assertIdentical(judge, sides(), [good])

      await judge.deleteAcls({ ...west(), acls: [deny] })
      const again = await link.run('run', '--once')
      assert.equal(again.code, 0, again.stderr + again.stdout)
      await assertIdentical(judge, sides(), [topic])
    })
  })

  test('18: a broker that is too old says what it lacks', async () => {
    for (const reply of [oldBroker, ancientBroker]) {
      const [port, close] = await serve(socket => socket.on('data', request => socket.write(reply(request))))
      const target = { name: 'west', bootstrap: `127.0.0.1:${port}` }
      await fails(linkTo({ target }), ['run', '--once'], 18, /"west".*/)
      close()
    }
  })

  test('20: what changes a cluster needs approval', async () => {
    const { judge } = context
    const topic = freshTopic('adopt')
    const timestamp = Date.now()
    for (const at of [east(), west()]) {
      await judge.createTopic({ ...at, topic })
      await judge.produce({ ...at, topic, records: [{ value: b64('same'), timestamp }] })
    }
    const link = linkTo({ name: freshTopic('adopt'), settings: { topics: [topic] } })
    assert.equal((await link.run('run', '--once')).code, 12)
    await fails(link, ['link', 'adopt', link.name, '--topic', topic], 20, /--yes/)
    const adopted = await link.run('link', 'adopt', link.name, '--topic', topic, '--yes')
    assert.equal(adopted.code, 0, adopted.stderr)
    await judge.produce({ ...east(), topic, count: 4 })
    const result = await link.run('run', '--once')
    assert.equal(result.code, 0, result.stderr + result.stdout)
    await assertIdentical(judge, sides(), [topic])
  })

  test('130: Ctrl-C ends --once', async () => {
    const { judge } = context
    const topic = freshTopic('long')
    await judge.createTopic({ ...east(), topic })
    await judge.produce({ ...east(), topic, count: 3000, sizeBytes: 1000, batchBytes: 20_000 })
    const settings = { topics: [topic], maxBytesPerSecond: '200KB' }
    const name = freshTopic('long')
    const running = linkTo({ name, settings }).start('run', '--once')
    await waitFor(async () => (await judge.digest({ ...west(), topic }).catch(() => []))[0]?.count, {
      what: 'some records',
    })
    running.signal('SIGINT')
    const result = await running.ended
    assert.equal(result.code, 130, result.stderr)
    assertSentence(result, /interrupted/)
    // It ended cleanly: the next one does not wait.
    const again = await linkTo({ name, settings: { topics: [topic] } }).run('run', '--once')
    assert.equal(again.code, 0, again.stderr)
    assert.doesNotMatch(again.stderr, /did not stop cleanly/)
    await assertIdentical(judge, sides(), [topic])
  })
})

function linkTo(changes: Partial<LinkSpec>): Link {
  return makeLink({ ...sides(), ...changes })
}

/** A link of its own with a topic of ten records. */
async function linkWithTopic(): Promise<{ link: Link; name: string; topic: string }> {
  const { judge } = context
  const topic = freshTopic('exit')
  await judge.createTopic({ ...east(), topic })
  await judge.produce({ ...east(), topic, count: 10 })
  const name = freshTopic('link')
  return { link: linkTo({ name, settings: { topics: [topic] } }), name, topic }
}

/** Of these a command was a process: that it ends by itself belongs to each exit code. The others save its start. */
const wereProcesses = new Set<number>()

/** With a sentence and a hint on stderr; with --json, as the one object on stdout. */
async function fails(
  link: Link,
  args: readonly string[],
  code: number,
  sentence: RegExp,
): Promise<KdrResult> {
  const isProcess = !wereProcesses.has(code)
  wereProcesses.add(code)
  const result = isProcess ? await link.start(...args).ended : await link.run(...args)
  assert.equal(result.code, code, result.stderr)
  assertSentence(result, sentence)
  // Nothing, or the plan that wants approval.
  if (code !== 20) assert.equal(result.stdout, '')

  const json = await link.json(...args)
  assert.equal(json.code, code, json.stderr)
  const error = json.object['error'] as { message: string; hint: string; exit: number }
  assert.equal(json.object['v'], 1)
  assert.equal(error.exit, code)
  assert.match(`${error.message}\n${error.hint}`, sentence)
  assert.ok(error.hint.length > 0)
  return result
}

function assertSentence({ stderr }: KdrResult, sentence: RegExp): void {
  assert.match(stderr, /^kdr: .+\nhint: .+/m)
  assert.match(stderr, sentence)
  assert.doesNotMatch(stderr, /^\s+at .+[:)]\d*/m)
  assert.doesNotMatch(stderr, /unexpected|undefined|\[object/)
}

async function serve(
  onConnection: (socket: Socket) => void,
): Promise<readonly [port: number, close: () => void]> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket.on('error', () => {}))
    onConnection(socket)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return [
    address.port,
    () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  ]
}

/** Answers ApiVersions as a broker that knows Produce, Fetch, ListOffsets, Metadata and ApiVersions in old versions only. */
function oldBroker(request: Buffer): Buffer {
  const apis = [
    [0, 0, 2],
    [1, 0, 3],
    [2, 0, 1],
    [3, 0, 4],
    [18, 0, 3],
  ]
  const entries = apis.map(([key = 0, min = 0, max = 0]) => {
    const entry = Buffer.alloc(7)
    entry.writeInt16BE(key, 0)
    entry.writeInt16BE(min, 2)
    entry.writeInt16BE(max, 4)
    return entry
  })
  // error code, compact array, entries, throttle time, no tagged fields
  return framed(request, Buffer.concat([Buffer.from([0, 0, apis.length + 1]), ...entries, Buffer.alloc(5)]))
}

/** Does not know the version of ApiVersions that is asked: UNSUPPORTED_VERSION in the format of version 0, and no keys. */
function ancientBroker(request: Buffer): Buffer {
  return framed(request, Buffer.from([0, 35, 0, 0, 0, 0]))
}

/** With its size and the request's correlation id. */
function framed(request: Buffer, body: Buffer): Buffer {
  const head = Buffer.alloc(8)
  head.writeInt32BE(4 + body.length, 0)
  request.copy(head, 4, 8, 12)
  return Buffer.concat([head, body])
}
