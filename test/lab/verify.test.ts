// kdr verify and kdr link adopt on real brokers: what was planted is found and named, and nothing else is.

import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { Reader, Side } from '../../src/engine/verify/reader.ts'
import type { PartitionVerdict, Verification } from '../../src/engine/verify/verify.ts'
import { connectCluster } from '../../src/kafka/cluster.ts'
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { b64, type Codec, type TestRecord } from '../support/judge.ts'
import { freshTopic, waitFor, withLab } from '../support/lab.ts'
import { runKdrHere } from '../support/link.ts'

/** A day ago: what is older than a week, retention would delete while a test runs. */
const START = Date.now() - 86_400_000

/** `name` makes key, value and timestamp; two of the same name are the same record. */
const record = (name: number, changes: TestRecord = {}): TestRecord => ({
  key: b64(`key-${name}`),
  value: b64(`value-${name}`),
  timestamp: START + name,
  headers: [['h', b64(`${name}`)]],
  ...changes,
})
const records = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => record(from + i))

describe('verify', () => {
  const context = withLab([{ name: 'east' }, { name: 'west' }])
  const directory = mkdtempSync(join(tmpdir(), 'kdr-verify-'))
  const at = (side: 'east' | 'west') => ({ bootstrap: context.cluster(side).bootstrap })

  before(() => writeConfig('kdr.yaml', context.cluster('west').bootstrap))

  function writeConfig(file: string, west: string): void {
    const config = {
      clusters: { east: { bootstrap: context.cluster('east').bootstrap }, west: { bootstrap: west } },
      links: { 'east-west': { source: 'east', target: 'west', topics: ['*', '!outside'] } },
    }
    writeFileSync(join(directory, file), JSON.stringify(config))
  }

  /** With `kdr.yaml`, unless another config is named. */
  async function kdr(...args: string[]): Promise<{ exit: number; stdout: string; stderr: string }> {
    const named = args.indexOf('--config')
    const config = join(directory, named < 0 ? 'kdr.yaml' : (args[named + 1] ?? ''))
    const rest = named < 0 ? args : args.toSpliced(named, 2)
    const { code, stdout, stderr } = await runKdrHere([...rest, '--config', config])
    return { exit: code ?? -1, stdout, stderr }
  }

  async function verifyTopic(topic: string, ...args: string[]): Promise<Verification & { exit: number }> {
    const { exit, stdout, stderr } = await kdr('verify', 'east-west', '--topic', topic, '--json', ...args)
    assert.ok(stdout.startsWith('{'), stdout + stderr)
    return { ...(JSON.parse(stdout) as Verification), exit }
  }

  async function verifyOne(topic: string, ...args: string[]): Promise<PartitionVerdict & { exit: number }> {
    const { partitions, exit, identical } = await verifyTopic(topic, ...args)
    assert.equal(partitions.length, 1)
    assert.equal(partitions[0]?.identical, identical)
    assert.equal(exit, identical ? 0 : 3)
    return { ...partitions[0], exit }
  }

  /** On both sides. */
  async function topicOf(partitions = 1, configs: Record<string, string> = {}): Promise<string> {
    const topic = freshTopic('verify')
    for (const side of ['east', 'west'] as const)
      await context.judge.createTopic({ ...at(side), topic, partitions, configs })
    return topic
  }

  async function put(
    side: 'east' | 'west',
    topic: string,
    list: readonly TestRecord[],
    compression: Codec = 'none',
  ) {
    await context.judge.produce({ ...at(side), topic, partition: 0, records: list, compression })
  }

  /** Takes `count` offsets that a consumer does not see. */
  async function gap(side: 'east' | 'west', topic: string, count: number): Promise<void> {
    const end = async () => (await context.judge.ends({ ...at(side), topics: [topic] }))[0]?.[2] ?? 0
    const wanted = (await end()) + count
    await context.judge.produce({
      ...at(side),
      topic,
      partition: 0,
      records: records(900, 899 + count),
      transactionalId: `${topic}-${side}-${count}`,
      end: 'abort',
    })
    // The end of a transaction is answered before its marker stands in the log.
    await waitFor(async () => (await end()) === wanted, { what: `the marker in ${topic}`, everyMs: 20 })
  }

  test('equal records are identical, however they are batched and compressed', async () => {
    const topic = await topicOf()
    await put('east', topic, records(0, 500), 'zstd')
    await put('east', topic, records(500, 600))
    await put('west', topic, records(0, 300), 'lz4')
    await put('west', topic, records(300, 600), 'gzip')

    const found = await verifyOne(topic)

    assert.deepEqual(
      { ...found, exit: 0 },
      {
        topic,
        partition: 0,
        from: 0,
        to: 600,
        records: 600,
        identical: true,
        different: 0,
        onlySource: 0,
        onlyTarget: 0,
        unexplained: 0,
        logStart: { source: 0, target: 0 },
        logEnd: { source: 600, target: 600 },
        exit: 0,
      },
    )
    assert.match((await kdr('verify', 'east-west', '--topic', topic)).stdout, /east-west is identical/)
  })

  test('what the target has not received yet is lag, and no difference', async () => {
    const topic = await topicOf()
    await put('east', topic, records(0, 10))
    await put('west', topic, records(0, 6))

    const found = await verifyOne(topic)

    assert.deepEqual([found.identical, found.to, found.records, found.onlySource], [true, 6, 6, 0])
  })

  const planted: readonly (readonly [string, (list: TestRecord[]) => void, number, RegExp, number])[] = [
    ['a changed value', list => (list[7] = record(7, { value: b64('other') })), 7, /^value differs$/, 1],
    ['an empty value for null', list => (list[9] = record(9, { value: null })), 9, /^value differs$/, 1],
    ['a changed key', list => (list[0] = record(0, { key: b64('other') })), 0, /^key differs$/, 1],
    ['a changed header', list => (list[3] = record(3, { headers: [['h', null]] })), 3, /^headers differ$/, 1],
    [
      'a changed timestamp',
      list => (list[4] = record(4, { timestamp: START })),
      4,
      new RegExp(`^timestamp ${START + 4} at the source, ${START} at the target$`),
      1,
    ],
    [
      'a swapped pair',
      list => list.splice(5, 2, record(6), record(5)),
      5,
      /^key differs, value differs, headers differ, timestamp/,
      2,
    ],
  ]
  for (const [what, change, offset, sentence, different] of planted) {
    test(`${what} is found and named`, async () => {
      const topic = await topicOf()
      const list = records(0, 20)
      await put('east', topic, list, 'lz4')
      change(list)
      await put('west', topic, list, 'lz4')

      const found = await verifyOne(topic)

      assert.equal(found.exit, 3)
      assert.equal(found.firstDifference?.offset, offset)
      assert.match(found.firstDifference.what, sentence)
      assert.deepEqual([found.records, found.different, found.unexplained], [20, different, 0])
    })
  }

  test('a record that the target lacks, and one that only it has', async () => {
    const missing = await topicOf()
    await put('east', missing, records(0, 10))
    await put('west', missing, records(0, 4))
    await gap('west', missing, 2)
    await put('west', missing, records(6, 10))
    const extra = await topicOf()
    await put('east', extra, records(0, 4))
    await gap('east', extra, 2)
    await put('east', extra, records(6, 10))
    await put('west', extra, records(0, 10))

    const lacks = await verifyOne(missing)
    const has = await verifyOne(extra)

    assert.deepEqual(lacks.firstDifference, { offset: 4, what: 'missing at the target' })
    assert.deepEqual([lacks.records, lacks.onlySource, lacks.onlyTarget, lacks.unexplained], [8, 2, 0, 2])
    assert.deepEqual(has.firstDifference, { offset: 4, what: 'only at the target' })
    assert.deepEqual([has.records, has.onlySource, has.onlyTarget, has.unexplained], [8, 0, 2, 2])
    const text = await kdr('verify', 'east-west', '--topic', extra)
    assert.equal(text.exit, 3)
    assert.ok(
      text.stdout.includes(`${extra} partition 0 offset 4: only at the target; in all 2 records`),
      text.stdout,
    )
  })

  test('a target that goes beyond the source', async () => {
    const longer = await topicOf()
    await put('east', longer, records(0, 10))
    await put('west', longer, records(0, 11))
    const onlyGap = await topicOf()
    await put('east', onlyGap, records(0, 10))
    await put('west', onlyGap, records(0, 10))
    await gap('west', onlyGap, 2)

    assert.deepEqual((await verifyOne(longer)).firstDifference, { offset: 10, what: 'only at the target' })
    assert.deepEqual((await verifyOne(onlyGap)).firstDifference, {
      offset: 10,
      what: 'the log ends at 10 at the source, at 12 at the target',
    })
  })

  test('aborted transactions are no records, wherever they stand', async () => {
    const topic = await topicOf()
    for (const side of ['east', 'west'] as const) {
      await put(side, topic, records(0, 3))
      for (const offsets of side === 'east' ? [4] : [2, 2]) await gap(side, topic, offsets)
      await put(side, topic, records(7, 9))
    }

    const found = await verifyOne(topic)

    assert.deepEqual(found.logEnd, { source: 9, target: 9 })
    assert.deepEqual([found.identical, found.records], [true, 5])
  })

  test('what a run has mirrored is identical: transactions, codecs, a moved log start', async () => {
    const topic = freshTopic('mirrored')
    await context.judge.createTopic({ ...at('east'), topic, partitions: 3 })
    for (const [index, compression] of (['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const).entries())
      await context.judge.produce({ ...at('east'), topic, count: 600, compression, seed: index })
    for (const end of ['commit', 'abort', 'commit'] as const)
      await context.judge.produce({ ...at('east'), topic, count: 90, transactionalId: `${topic}-t`, end })
    await context.judge.deleteRecords({ ...at('east'), topic, partition: 1, before: 100 })

    await mirror(topic)
    const { identical, partitions, exit } = await verifyTopic(topic)

    assert.deepEqual([identical, exit], [true, 0])
    assert.equal(partitions[1]?.from, 100)
    const judged = await context.judge.compare({ a: at('east'), b: at('west'), topics: [topic] })
    assert.equal(judged.identical, true)
    assert.equal(
      partitions.reduce((sum, each) => sum + each.records, 0),
      judged.partitions.reduce((sum, each) => sum + each.same, 0),
    )
  })

  async function mirror(topic: string): Promise<void> {
    const config = {
      clusters: { east: at('east'), west: at('west') },
      links: { [topic]: { source: 'east', target: 'west', topics: [topic] } },
    }
    writeFileSync(join(directory, `${topic}.yaml`), JSON.stringify(config))
    const { exit, stdout, stderr } = await kdr(
      'run',
      '--once',
      '--timeout',
      '60s',
      '-v',
      '--config',
      `${topic}.yaml`,
    )
    assert.equal(exit, 0, stdout + stderr)
  }

  test('retention explains what is below a log start', async () => {
    const topic = await topicOf()
    await put('east', topic, [record(77), ...records(1, 10)])
    await put('west', topic, records(0, 10))
    await context.judge.deleteRecords({ ...at('east'), topic, partition: 0, before: 5 })

    const found = await verifyOne(topic)

    assert.deepEqual([found.identical, found.from, found.records], [true, 5, 5])
    assert.deepEqual(found.logStart, { source: 5, target: 0 })
  })

  test('a log start that moves while it is read is followed', async () => {
    const topic = await topicOf()
    await put('east', topic, records(0, 10))
    await context.judge.deleteRecords({ ...at('east'), topic, partition: 0, before: 5 })
    const clock = systemClock
    const cluster = await connectCluster({ name: 'east', clientId: 'test', clock, ...at('east') })
    const reader = new Reader(await Side.open(cluster, clock))
    try {
      const { code, logStart } = await reader.fetch({ topic, partition: 0 }, 2)

      assert.deepEqual([code, logStart], [KafkaCode.OFFSET_OUT_OF_RANGE, 5])
    } finally {
      await reader.close()
      await cluster.close()
    }
  })

  test('compaction explains a record only if a later one has its key, or it was a tombstone', async () => {
    const configs = {
      'cleanup.policy': 'compact',
      'min.cleanable.dirty.ratio': '1',
      'segment.ms': '600000000',
    }
    const again = (name: number, key: number, value: string | null) =>
      record(name, { key: b64(`key-${key}`), value: value === null ? null : b64(value) })
    const list = (tombstone: boolean) => [
      ...records(0, 4),
      again(4, 4, 'old'),
      tombstone ? again(5, 5, null) : again(5, 5, 'the only one'),
      ...records(6, 9),
      again(9, 4, 'new'),
    ]
    const explained = await topicOf(1, configs)
    const lost = await topicOf(1, configs)
    for (const [topic, tombstone] of [
      [explained, true],
      [lost, false],
    ] as const) {
      const all = list(tombstone)
      await put('east', topic, all)
      await put('west', topic, all.slice(0, 4))
      await gap('west', topic, 2)
      await put('west', topic, all.slice(6))
    }

    const good = await verifyOne(explained)
    const bad = await verifyOne(lost)

    assert.deepEqual([good.identical, good.onlySource, good.unexplained], [true, 2, 0])
    assert.deepEqual([bad.identical, bad.onlySource, bad.unexplained], [false, 2, 1])
    assert.deepEqual(bad.firstDifference, { offset: 5, what: 'missing at the target' })
    assert.match((await kdr('verify', 'east-west', '--topic', explained)).stdout, /explained by compaction/)
  })

  test('topics and partitions that the target does not have', async () => {
    const topic = freshTopic('absent')
    await context.judge.createTopic({ ...at('east'), topic, partitions: 2 })
    const missing = await verifyTopic(topic)
    await context.judge.createTopic({ ...at('west'), topic, partitions: 1 })
    const fewer = await verifyTopic(topic)
    await context.judge.createPartitions({ ...at('west'), topic, count: 3 })
    const more = await verifyTopic(topic)

    const whats = ({ partitions }: Verification) => partitions.map(each => each.firstDifference?.what)
    assert.deepEqual(whats(missing), [
      'the topic is missing at the target',
      'the topic is missing at the target',
    ])
    assert.deepEqual(whats(fewer), [undefined, 'the partition is missing at the target'])
    assert.deepEqual(whats(more), [undefined, undefined, 'the partition is only at the target'])
    assert.deepEqual([missing.exit, fewer.exit, more.exit], [3, 3, 3])
  })

  test('--since and --sample look at a part', async () => {
    const topic = await topicOf()
    const old = records(0, 20_000)
    const young = old.slice(0, 100).map(one => ({ ...one, timestamp: Date.now() }))
    await put('east', topic, [...old, ...young], 'lz4')
    await put('west', topic, [record(555), ...old.slice(1), ...young], 'zstd')

    const since = await verifyOne(topic, '--since', '1h')
    const all = await verifyOne(topic)
    const sample = await verifyOne(topic, '--sample', '10')

    assert.deepEqual([since.identical, since.from, since.records], [true, 20_000, 100])
    assert.deepEqual([all.identical, all.firstDifference?.offset], [false, 0])
    assert.equal(sample.records, 2_010)
    assert.match(
      (await kdr('verify', 'east-west', '--topic', topic, '--sample', '10')).stdout,
      /a sample of 10 %/,
    )
  })

  test('exits: unknown link and topic, wrong arguments, a cluster that does not answer', async () => {
    writeConfig('offline.yaml', '127.0.0.1:1')

    assert.equal((await kdr('verify', 'nowhere')).exit, 2)
    assert.equal((await kdr('verify', 'east-west', '--topic', 'no-such-topic')).exit, 2)
    assert.equal((await kdr('verify', 'east-west', '--topic', 'outside')).exit, 2)
    assert.equal((await kdr('verify', 'east-west', '--sample', '0')).exit, 2)
    assert.equal((await kdr('verify', 'east-west', '--since', '5')).exit, 2)
    assert.equal((await kdr('verify', 'east-west', '--config', 'offline.yaml', '--json')).exit, 11)
  })

  describe('adopt', () => {
    const adopt = (topic: string, ...args: string[]) =>
      kdr('link', 'adopt', topic, '--topic', topic, '--config', `${topic}.yaml`, ...args)

    function configure(topic: string): void {
      const config = {
        clusters: { east: at('east'), west: at('west') },
        links: { [topic]: { source: 'east', target: 'west', topics: [topic] } },
      }
      writeFileSync(join(directory, `${topic}.yaml`), JSON.stringify(config))
    }

    test('a prefix is shown, approved, adopted, and replication goes on from it', async () => {
      const topic = freshTopic('adopted')
      configure(topic)
      await context.judge.createTopic({ ...at('east'), topic, partitions: 2 })
      await context.judge.createTopic({ ...at('west'), topic, partitions: 1 })
      await put('east', topic, records(0, 50), 'lz4')
      await put('west', topic, records(0, 20), 'zstd')
      const refused = await kdr('run', '--once', '--config', `${topic}.yaml`)
      assert.equal(refused.exit, 12, refused.stdout + refused.stderr)
      assert.match(refused.stdout + refused.stderr, /what it holds equals the source so far/)

      assert.equal((await adopt(topic)).exit, 20)
      assert.equal((await adopt(topic, '--dry-run')).exit, 0)
      assert.equal((await kdr('run', '--once', '--config', `${topic}.yaml`)).exit, 12)
      const adopted = await adopt(topic, '--yes', '--reason', 'was a MirrorMaker topic', '--json')
      assert.equal(adopted.exit, 0, adopted.stdout + adopted.stderr)
      assert.equal((JSON.parse(adopted.stdout) as { adopted: boolean }).adopted, true)

      const went = await kdr('run', '--once', '--timeout', '60s', '-v', '--config', `${topic}.yaml`)
      assert.equal(went.exit, 0, went.stdout + went.stderr)
      const judged = await context.judge.compare({ a: at('east'), b: at('west'), topics: [topic] })
      assert.equal(judged.identical, true, JSON.stringify(judged))
      assert.equal((await adopt(topic, '--yes')).exit, 2, 'it is mirrored already')
    })

    test('what is no prefix is refused with the first difference', async () => {
      const topic = await topicOf()
      configure(topic)
      await put('east', topic, records(0, 50))
      await put('west', topic, [...records(0, 17), record(99)])

      const refused = await adopt(topic, '--yes')
      const run = await kdr('run', '--once', '--config', `${topic}.yaml`)

      assert.equal(refused.exit, 12)
      assert.match(refused.stderr, /first difference: partition 0 offset 17, key differs/)
      assert.equal(run.exit, 12)
      assert.match(run.stdout + run.stderr, /first difference: partition 0 offset 17, key differs/)
    })
  })

  test('resume leaves a command in the memory of the link', async () => {
    const topic = freshTopic('resumed')
    await context.judge.createTopic({ ...at('east'), topic })
    await mirror(topic)
    const args = ['link', 'resume', topic, '--config', `${topic}.yaml`, '--topic', topic]

    assert.equal((await kdr(...args, '--partition', '0', '--accept-log-start')).exit, 20)
    const sent = await kdr(...args, '--partition', '0', '--accept-log-start', '--yes', '--json')

    assert.equal(sent.exit, 0, sent.stderr)
    const answer = JSON.parse(sent.stdout) as { command: string; running: boolean }
    assert.equal(answer.running, false)
    const state = await context.judge.list({ ...at('west'), topic: '_kdr.state' })
    const found = state.find(({ key }) => key === b64(`command/${topic}/${answer.command}`))
    const value = JSON.parse(Buffer.from(found?.value ?? '', 'base64').toString()) as Record<string, unknown>
    assert.deepEqual(
      { ...value, at: 0, by: '' },
      { v: 1, kind: 'command', verb: 'resume', topic, partition: 0, acceptLogStart: true, at: 0, by: '' },
    )
  })
})
