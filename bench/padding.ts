// What padding at failover would save (ARCHITECTURE, "Where this differs from the first design"): a tail is lost, the standby takes over,
// the old active returns. As kdr does it, topics that diverged are copied anew. Padded, markers at the new active reach beyond the tail
// before anybody writes there: the old log keeps its tail where the new one has markers, and goes on behind. `node bench/padding.ts`;
// HISTORY and WRITTEN are read too (records of 1 KB a partition, before and after the failover).
//
// No part of kdr pads. The script writes the markers itself, and what a failback would write down that knows of them: the topic at the
// old active is a mirror with what it holds.

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseConfig } from '../src/config/index.ts'
import { recordCodec } from '../src/kafka/records.ts'
import { type Judge, startJudge } from '../src/lab/judge.ts'
import { type Lab, startLab } from '../src/lab/lab.ts'
import { topicKey, toRecord } from '../src/model/state-records.ts'
import { openTopicStore } from '../src/state/topic-store.ts'
import { openCluster } from '../src/wiring/clusters.ts'
import { systemClock, systemEntropy } from '../src/wiring/system.ts'
import { logBytes } from './contenders/follower.ts'

const KDR = fileURLToPath(new URL('../kdr', import.meta.url))
const HISTORY = Number(process.env['HISTORY'] ?? 10_000)
const WRITTEN = Number(process.env['WRITTEN'] ?? 500)
const PARTITIONS = 6
const RECORD_BYTES = 1_000
/** Lost records a partition, and in how many partitions; markers a partition: in all, as nobody knows where a tail was lost. */
const CASES = [
  { lost: 100, diverged: 1, markers: 200 },
  { lost: 1_000, diverged: 6, markers: 2_000 },
  { lost: 1_000, diverged: 6, markers: 500 },
] as const
const MARKERS_AT_ONCE = 500
/** A fence watches the ends for longer than this. */
const QUICK = { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' }

type Case = (typeof CASES)[number]
type Round = {
  readonly topic: string
  readonly config: string
  /** Of the link that leads home over a padded tail. */
  readonly on: string
  readonly of: Case
}
type Figures = {
  /** Written to the old active after it had returned. */
  readonly copiedBytes: number
  readonly homeMs: number
  readonly padMs: number
  readonly padBytes: number
  readonly differs: string
}

class Experiment {
  readonly #lab: Lab
  readonly #judge: Judge
  readonly #dir: string
  #rounds = 0

  constructor(lab: Lab, judge: Judge, dir: string) {
    this.#lab = lab
    this.#judge = judge
    this.#dir = dir
  }

  async measure(of: Case, isPadded: boolean): Promise<Figures> {
    const round = await this.#loseTail(of)
    const before = this.#bytes('b', round.topic)
    const startedAt = performance.now()
    if (isPadded) await this.#pad(round)
    const padMs = performance.now() - startedAt
    const padBytes = this.#bytes('b', round.topic) - before
    await this.#write('b', round.topic, WRITTEN)
    await this.#lab.cluster('a').start()
    const held = this.#bytes('a', round.topic)
    const backAt = performance.now()
    const copiesAnew = !isPadded || of.markers < of.lost
    await (copiesAnew ? this.#failBack(round) : this.#goOn(round))
    const homeMs = performance.now() - backAt
    const holds = this.#bytes('a', round.topic)
    return {
      copiedBytes: copiesAnew ? holds : holds - held,
      homeMs,
      padMs,
      padBytes,
      differs: await this.#differences(round),
    }
  }

  async #loseTail(of: Case): Promise<Round> {
    const topic = `padding-${this.#rounds++}`
    const config = join(this.#dir, `${topic}.yaml`)
    const bootstrap = (name: string) => ({ bootstrap: this.#lab.cluster(name).bootstrap })
    const link = { topics: [topic], fence: { acl: false, command: 'true' } }
    const on = join(this.#dir, `${topic}-on.yaml`)
    const clusters = { a: bootstrap('a'), b: bootstrap('b') }
    const thither = { [topic]: { source: 'a', target: 'b', ...link } }
    const home = { [`${topic}-on`]: { source: 'b', target: 'a', ...link } }
    writeFileSync(config, JSON.stringify({ clusters, links: thither }))
    writeFileSync(on, JSON.stringify({ clusters, links: home }))
    const round = { topic, config, on, of }
    await this.#judge.createTopic({ ...bootstrap('a'), topic, partitions: PARTITIONS })
    await this.#write('a', topic, HISTORY)
    await this.#kdr(round, 'run', '--once', '--link', topic)
    await this.#write('a', topic, of.lost, of.diverged)
    await this.#lab.cluster('a').kill()
    await this.#kdr(round, 'failover', topic, '--yes')
    return round
  }

  async #pad({ topic, config: path, of: { markers } }: Round): Promise<void> {
    const b = await this.#open(path, 'b')
    try {
      const { partitions } = (await b.describe()).topics.get(topic)!
      const producer = { producerId: systemEntropy.bits62(), producerEpoch: 0, coordinatorEpoch: 0 }
      for (let left = markers; left > 0; left -= MARKERS_AT_ONCE) {
        const count = Math.min(left, MARKERS_AT_ONCE)
        const fills = partitions.map(({ partition }) => ({ topic, partition, count }))
        const answers = await b.writeMarkers(partitions[0]!.leader, producer, fills)
        const refused = answers.find(({ code }) => code !== 0)
        if (refused !== undefined) throw new Error(`markers were refused: ${JSON.stringify(refused)}`)
      }
    } finally {
      await b.close()
    }
  }

  async #failBack(round: Round): Promise<void> {
    const { topic } = round
    const flags = ['--export', join(this.#dir, `${topic}-tail`), '--recopy', topic, '--accept-split-brain']
    await this.#kdr(round, 'failback', topic, '--yes', ...flags)
  }

  async #goOn(round: Round): Promise<void> {
    const { topic, config } = round
    const [a, b] = await Promise.all([this.#open(config, 'a'), this.#open(config, 'b')])
    const options = { create: true, writer: systemEntropy.bits62() }
    const store = await openTopicStore(a, recordCodec, systemClock, options)
    try {
      const [mirror, source] = [
        (await a.describe()).topics.get(topic)!,
        (await b.describe()).topics.get(topic)!,
      ]
      const ends = await a.offsets(
        mirror.partitions.map(({ partition }) => ({ topic, partition })),
        'logEnd',
      )
      await store.refresh()
      await store.put(
        topicKey(`${topic}-on`, topic),
        toRecord('topic', {
          phase: 'mirroring',
          sourceTopicId: source.id,
          targetTopicId: mirror.id,
          applied: {},
          adoptedUpTo: ends.map(({ offset }) => offset),
        }),
      )
    } finally {
      await store.close()
      await Promise.all([a.close(), b.close()])
    }
    await this.#kdr({ config: round.on }, 'run', '--once')
  }

  async #differences({ topic }: Round): Promise<string> {
    const at = (name: string) => ({ bootstrap: this.#lab.cluster(name).bootstrap })
    const { partitions } = await this.#judge.compare({ a: at('a'), b: at('b'), topics: [topic] })
    const sum = (of: 'onlyA' | 'onlyB' | 'different'): number =>
      partitions.reduce((all, each) => all + each[of], 0)
    return `${sum('onlyA')} / ${sum('onlyB')} / ${sum('different')}`
  }

  async #write(name: string, topic: string, count: number, partitions = PARTITIONS): Promise<void> {
    const { bootstrap } = this.#lab.cluster(name)
    for (let partition = 0; partition < partitions; partition++)
      await this.#judge.produce({ bootstrap, topic, partition, count, sizeBytes: RECORD_BYTES })
  }

  async #open(path: string, name: string): ReturnType<typeof openCluster> {
    const { bootstrap } = this.#lab.cluster(name)
    const config = parseConfig(JSON.stringify({ clusters: { [name]: { bootstrap } }, links: {} }), path)
    return await openCluster(config.clusters[name]!, systemClock)
  }

  #bytes(name: string, topic: string): number {
    const cluster = this.#lab.cluster(name)
    return logBytes(cluster, cluster.brokers[0]!.id, topic)
  }

  async #kdr({ config }: Pick<Round, 'config'>, ...args: string[]): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      execFile(KDR, [...args, '--config', config], (error, stdout, stderr) => {
        if (error === null) resolve()
        else reject(new Error(`kdr ${args.join(' ')}: ${error.message}\n${stdout}\n${stderr}`))
      })
    })
  }
}

const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`
const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`

const dir = mkdtempSync(join(tmpdir(), 'kdr-padding-'))
const clusters = ['a', 'b'].map(name => ({ name, properties: QUICK }))
const [lab, judge] = await Promise.all([startLab({ dir: join(dir, 'lab'), clusters }), startJudge()])
try {
  const experiment = new Experiment(lab, judge, dir)
  console.log(
    `${PARTITIONS} partitions, ${HISTORY} records of 1 KB in each, and ${WRITTEN} after the failover`,
  )
  console.log(
    'lost x partitions | markers each | copied | until home | markers took | bytes | only a / only b / other',
  )
  for (const of of CASES)
    for (const isPadded of [false, true]) {
      const { copiedBytes, homeMs, padMs, padBytes, differs } = await experiment.measure(of, isPadded)
      const markers = isPadded ? [of.markers, `${padMs.toFixed(0)} ms`, mb(padBytes)] : ['-', '-', '-']
      console.log(
        [
          `${of.lost} x ${of.diverged}`,
          markers[0],
          mb(copiedBytes),
          seconds(homeMs),
          ...markers.slice(1),
          differs,
        ].join(' | '),
      )
    }
} finally {
  await judge.close()
  await lab.down()
  rmSync(dir, { recursive: true, force: true })
}
