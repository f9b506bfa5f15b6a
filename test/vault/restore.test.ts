// A restore into a simulated cluster, killed at a call through a port, one after the other, before its effect and after it; what is run
// again goes on, and in the end the cluster holds what the commit holds.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RestorePlan, RestoreReport } from '../../src/cli/app-vault.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { KdrError } from '../../src/model/errors.ts'
import { readUpTo } from '../../src/vault/by-timestamp.ts'
import { choose } from '../../src/vault/choose.ts'
import { readPoint, type SetPoint } from '../../src/vault/point.ts'
import { vaultCluster } from '../../src/vault/source.ts'
import { restore } from '../../src/wiring/restore-run.ts'
import { wayOf } from '../../src/wiring/restore-way.ts'
import { Chaos } from '../sim/chaos.ts'
import { SimCluster } from '../sim/cluster.ts'
import { SimNetwork, SimProcess } from '../sim/network.ts'
import { simPort } from '../sim/port.ts'
import { faultRow } from '../support/fault-rows.ts'
import { suite } from '../support/suite.ts'
import { SET } from './made.ts'
import { seenAtSource, SimSource } from './sim-source.ts'

const TOPICS = ['t', 'other']

/** Plain records and transactions, aborted ones too, a log start above zero, configs, and a group. */
async function backedUp(seed: number): Promise<SimSource> {
  const source = new SimSource(seed)
  await source.init()
  source.cluster.createTopic('t', 2, { 'retention.ms': '3600000' })
  source.cluster.createTopic('other', 1, { 'retention.bytes': '70000' })
  for (const name of TOPICS)
    for (const at of source.topic(name)) {
      source.produce(at, 7)
      for (const isCommit of [true, false]) {
        const producer = source.newProducer()
        source.produce(at, 3, producer)
        source.end(at, producer, isCommit)
      }
      source.produce(at, 5)
    }
  source.topic('t')[1]!.log.trim(6)
  source.cluster.groups.set(
    'app',
    new Map([
      ['t/0', 9],
      ['other/0', 4],
    ]),
  )
  await source.backUp()
  return source
}

class Target {
  readonly source: SimSource
  readonly cluster: SimCluster
  readonly #network: SimNetwork
  #process = new SimProcess()

  constructor(source: SimSource) {
    this.source = source
    const { clock, random } = source
    this.cluster = new SimCluster({
      name: 'target',
      clusterId: 'target-id',
      brokers: 3,
      clock,
      random: random.stream('target'),
      mayWriteMarkers: true,
      producerExpirationMs: 3_600_000,
      topicDefaults: {
        'retention.ms': '604800000',
        'retention.bytes': '-1',
        'cleanup.policy': 'delete',
        'max.message.bytes': '1048588',
        'compression.type': 'producer',
      },
    })
    this.#network = new SimNetwork(
      clock,
      random.stream('target network'),
      new Chaos(new Set(), () => undefined),
    )
  }

  get calls(): number {
    return this.#process.calls
  }

  /** Undefined: it was killed. */
  async restore(
    crashAt?: SimProcess['crashAt'],
    of?: SetPoint,
    topics: readonly string[] = [],
  ): Promise<RestoreReport | undefined> {
    const { source } = this
    const { clock, random } = source
    const process = new SimProcess()
    process.crashAt = crashAt
    this.#process = process
    const target = simPort(this.cluster, this.#network, process)
    const choice = { topics, partitions: [], renames: [], untilOffsets: [], withGroups: true }
    const whole = of ?? (await readPoint(source.store, SET, { kind: 'latest' }, recordCodec))
    const point = choose(whole, choice, SET)
    const at = `1${wayOf({ choice, cut: 'as-of' })}`
    const { state } = point
    const opened = {
      options: {
        to: 'target',
        keepsRetention: false,
        signal: new AbortController().signal,
        log: { event: () => undefined },
        onProgress: () => undefined,
        onStep: () => undefined,
      },
      link: `restore@all@${at}`,
      source: vaultCluster({
        name: 'set all',
        clusterId: `vault:v/all@${at}`,
        store: source.store,
        set: SET,
        point,
        codec: recordCodec,
        clock,
      }),
      target,
      bootstrap: ['west:9092'],
      topics: [...state.topics.values()],
      state,
      rights: undefined,
      clock,
      entropy: {
        bits62: () => BigInt(random.between(0, 2 ** 31)) * 2n ** 30n,
        uuid: () => `worker-${random.between(0, 1_000_000_000)}`,
        fraction: () => random.fraction(),
      },
    }
    const plan = { conflicts: [], groupsOccupied: [], retention: [] } as unknown as RestorePlan
    return await source.run(
      async () => await Promise.race([restore(opened, plan), process.death.then(() => undefined)]),
    )
  }

  assertHolds(): void {
    for (const name of TOPICS) {
      const own = this.cluster.topics.get(name)
      assert.ok(own !== undefined, name)
      for (const [i, at] of own.partitions.entries()) {
        const from = this.source.topic(name)[i]!
        assert.deepEqual(seenAtSource(at), seenAtSource(from), `${name} ${i}`)
        assert.deepEqual([at.log.logStart, at.log.end], [from.log.logStart, from.log.end], `${name} ${i}`)
      }
    }
    assert.deepEqual(
      Object.fromEntries(
        [...this.cluster.topics].map(([name, { configs }]) => [name, Object.fromEntries(configs)]),
      ),
      { t: { 'retention.ms': '3600000' }, other: { 'retention.bytes': '70000' } },
      'configs as they were, and nothing of kdr',
    )
    assert.deepEqual(
      [...this.cluster.groups.get('app')!].toSorted(([a], [b]) => (a < b ? -1 : 1)),
      [
        ['other/0', 4],
        ['t/0', 9],
      ],
    )
  }
}

describe('a restore', () => {
  test('gives a cluster what the commit holds, and leaves nothing of its own', async () => {
    const target = new Target(await backedUp(1))
    const report = await target.restore()
    assert.deepEqual([report?.verified, report?.groups, report?.problems], [true, 1, []])
    target.assertHolds()
  })

  test('says which configs the target does not know, and goes on without them', async () => {
    const source = new SimSource(1)
    await source.init()
    source.cluster.createTopic('t', 1, { 'retention.ms': '3600000', 'of.another.version': '5' })
    source.produce(source.topic('t')[0]!, 7)
    await source.backUp()
    const report = await new Target(source).restore()
    assert.equal(report?.verified, true)
    assert.deepEqual(report.configsLeft, [
      '"t" had of.another.version=5: "target" does not know that config, and it is left out',
    ])
  })

  test('goes on where it was killed, also when other topics of the same point were restored since', async () => {
    const target = new Target(await backedUp(1))
    const isBegun = () => target.cluster.topics.get('t')?.partitions.some(({ log }) => log.end > 0) === true
    for (let call = 20; !isBegun(); call += 10) {
      assert.ok(call < 300, 'nothing was ever written')
      assert.equal(await target.restore({ call, isBefore: false }, undefined, ['t']), undefined)
    }
    assert.equal((await target.restore(undefined, undefined, ['other']))?.verified, true)
    assert.equal((await target.restore(undefined, undefined, ['t']))?.verified, true)
    target.assertHolds()
  })

  test('by timestamp has the records up to it, at their offsets, whatever stands between them', async () => {
    let leftOut = 0
    for (let seed = 1; seed <= 4; seed++) {
      const source = new SimSource(seed)
      await source.init()
      for (const name of TOPICS) source.cluster.createTopic(name, 1, {})
      await source.backUp()
      const { random, clock } = source
      const begun = clock.now()
      for (let step = 0; step < 40; step++) {
        await source.run(async () => await clock.sleep(random.between(1, 20)))
        const [at] = source.topic(TOPICS[step % 2]!)
        const producer = random.chance(0.3) ? source.newProducer() : undefined
        source.produce(
          at!,
          random.between(1, 5),
          producer,
          random.chance(0.4) ? random.between(-300, 300) : 0,
        )
        if (producer !== undefined) source.end(at!, producer, random.chance(0.6))
      }
      await source.backUp()
      const moment = random.between(begun, clock.now())
      const target = new Target(source)
      const report = await target.restore(undefined, await readUpTo(source.store, SET, moment, recordCodec))
      assert.deepEqual([report?.verified, report?.problems], [true, []])
      for (const name of TOPICS) {
        const [from] = source.topic(name)
        const times = new Map(
          from!.log.entries.flatMap(({ header, bytes }) =>
            recordCodec
              .decode({ header, bytes })
              .map(({ offset, timestamp }) => [offset, timestamp] as const),
          ),
        )
        const all = seenAtSource(from!)
        const wanted = all.filter(line => times.get(Number(line.split(' ')[0]))! <= moment)
        assert.deepEqual(
          seenAtSource(target.cluster.topics.get(name)!.partitions[0]!),
          wanted,
          `seed ${seed}`,
        )
        const last = Number(wanted.at(-1)?.split(' ')[0] ?? -1)
        leftOut += all.filter(line => Number(line.split(' ')[0]) < last).length - wanted.length + 1
      }
    }
    assert.ok(leftOut > 10, `${leftOut} left out between others`)
  })

  faultRow('B10', 'a restore that is killed at any call', { where: 'simulated' }, async row => {
    row.did(
      'a restore was killed at a call through a port, before its effect or after it; each time it was run again',
    )
    const whole = new Target(await backedUp(1))
    await whole.restore()
    const { calls } = whole
    assert.ok(calls > 50, `${calls} calls`)
    const step = suite === 'short' ? Math.ceil(calls / 16) : 1
    let kills = 0
    for (let call = 1; call <= calls; call += step)
      for (const isBefore of [true, false]) {
        const target = new Target(await backedUp(1))
        if ((await target.restore({ call, isBefore })) === undefined) kills++
        // Where all was done but the last answer was lost, what is there is not touched again: `kdr restore` plans that away.
        const isOver = !target.cluster.topics.has('_kdr.state') && target.cluster.topics.has('t')
        if (!isOver) {
          const report = await target.restore().catch((error: unknown) => {
            throw new KdrError('unfinished', `killed ${isBefore ? 'before' : 'after'} call ${call}`, {
              cause: error,
            })
          })
          assert.equal(report?.verified, true, `killed ${isBefore ? 'before' : 'after'} call ${call}`)
        }
        target.assertHolds()
      }
    assert.ok(kills >= (calls / step) * 1.5, `${kills} kills`)
    row.saw(
      'records, offsets, log starts, configs and groups were those of the commit, and nothing of kdr was left',
    )
  })
})
