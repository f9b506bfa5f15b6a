// The demo, as the story that it tells: a cluster is mirrored by `kdr run`, dies in the middle of its writes, and a
// consumer group goes on at the other one; the dead one comes back, and applications go home. What is said at the end comes from a ledger of what the dead cluster had
// acknowledged and from Java's consumer at the living one, never from kdr.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WorkloadReport } from '../lab/judge.ts'
import { KdrError } from '../model/errors.ts'
import type { RunReport } from '../model/runs.ts'
import type { Break } from './breaks.ts'
import { type Cast, gather } from './cast.ts'
import { goHome } from './home.ts'
import type { Link } from './link.ts'
import { loseOne } from './lose-one.ts'
import { behindOf, hasGroupReached, measureStep, observeLag, readEnds, type Step } from './observe.ts'
import type { DemoOptions, DemoReport, StageName, Watcher } from './report.ts'
import { DEMO_TOPICS, SABOTAGED } from './topics.ts'
import { count, inSeconds } from './words.ts'
import { cutsOf, judge as judgeAudits, type Problem, type TopicAudits, type Verdict } from './verdict.ts'

const GROUP = 'billing'
const LIVE_RATE = DEMO_TOPICS.reduce((sum, { rate }) => sum + rate, 0)
const NAMES = DEMO_TOPICS.map(({ name }) => name)
const PATIENCE_MS = 90_000
/** How long the producers go on before east dies. */
const LIVE_MS = 3_000
const LOOK_EVERY_MS = 100

/** Throws KdrError('interrupted') when `signal` aborts, after everything has been cleaned up. */
export async function runDemo(options: DemoOptions): Promise<DemoReport> {
  const begun = performance.now()
  const stages = new Map<StageName, number>()
  let cast: Cast | undefined
  try {
    const story = new Story(options, stages)
    cast = await story.clusters()
    return await story.tell(cast, begun)
  } catch (error) {
    // The judge ends with the signal; what waited for it fails with something that says less.
    options.signal.throwIfAborted()
    throw error
  } finally {
    await cast?.leave()
  }
}

type Members = { readonly first: string; readonly second: string; readonly run: RunReport }

class Story {
  readonly #watcher: Watcher
  readonly #signal: AbortSignal
  readonly #breaking: Break | undefined
  readonly #stages: Map<StageName, number>
  readonly #workloads = new Map<string, { workload: string }>()

  constructor({ watcher, signal, breaking }: DemoOptions, stages: Map<StageName, number>) {
    this.#watcher = watcher
    this.#signal = signal
    this.#breaking = breaking
    this.#stages = stages
  }

  async clusters(): Promise<Cast> {
    return await this.#stage('clusters', 'Two Kafka clusters start on this machine', async () => {
      const cast = await gather({
        signal: this.#signal,
        onFetch: text => this.#watcher.note(text),
        onProgress: text => this.#watcher.update(text),
      })
      return [cast, `Two Kafka ${cast.east.version} clusters run on this machine: east and west.`]
    })
  }

  async tell(cast: Cast, begun: number): Promise<DemoReport> {
    await this.#writeBacklog(cast)
    const link = await this.#mirror(cast)
    const first = await this.#consume(cast)
    await this.#awaitGroup(cast, link)
    const { killedAt, writers } = await this.#kill(cast, link)
    const run = await this.#promote(link)
    await link.stop()
    const broken = this.#breaking === 'lose-one' ? await this.#loseOne(cast) : undefined
    const { second, firstRecordMs, groupAtEndMs } = await this.#failOver(cast, killedAt)
    const verdict = await this.#compare(cast, await writers, { first, second, run })
    const [atSource, atTarget] = [
      await cast.judge.consumer({ consumer: first }),
      await cast.judge.stopConsumer({ consumer: second }),
    ]
    const members = { first, second, run }
    const home =
      broken === undefined
        ? await goHome({
            cast,
            link,
            failover: run,
            verdict,
            stage: async (name, text, work) => await this.#stage(name, text, work),
            audit: async () => await this.#audit(cast.judge, cast.east, members),
          })
        : undefined
    const seconds = {
      ...(Object.fromEntries([...this.#stages].map(([name, ms]) => [name, inSeconds(ms)])) as Partial<
        Record<StageName, number>
      >),
      firstRecord: inSeconds(firstRecordMs),
      groupAtEnd: inSeconds(groupAtEndMs),
      total: inSeconds(performance.now() - begun),
    }
    return {
      ...verdict,
      ok: verdict.ok && home?.ok === true,
      run,
      kafka: cast.east.version,
      group: { name: GROUP, atSource: atSource.received, atTarget: atTarget.received },
      seconds,
      ...(home && { home }),
      ...(broken && { broken }),
    }
  }

  async #writeBacklog({ judge, east }: Cast): Promise<void> {
    await this.#stage('backlog', 'Java producers write to east', async () => {
      const { bootstrap } = east
      for (const { name: topic, partitions, configs } of DEMO_TOPICS)
        await judge.createTopic({ bootstrap, topic, partitions, configs })
      for (const { name: topic, burst, rate, producer } of DEMO_TOPICS)
        this.#workloads.set(topic, await judge.startWorkload({ bootstrap, topic, burst, rate, ...producer }))
      const backlog = DEMO_TOPICS.reduce((sum, { burst }) => sum + burst, 0)
      for (;;) {
        const reports = await this.#eachWorkload(async workload => await judge.workload(workload))
        const written = reports.reduce((sum, { sent }) => sum + sent, 0)
        this.#watcher.update(
          `Java producers write to east: ${count(Math.min(written, backlog))} of ${count(backlog)} records`,
        )
        if (reports.every(({ sent }, index) => sent >= (DEMO_TOPICS[index]?.burst ?? 0))) break
        await this.#pause()
      }
      return [
        undefined,
        `Java producers have written ${count(backlog)} records to east, and go on. A ledger notes every acknowledgement (acks=all).`,
      ]
    })
  }

  async #mirror(cast: Cast): Promise<Link> {
    return await this.#stage('mirror', '`kdr run` mirrors east to west', async () => {
      const link = cast.link(NAMES)
      const deadline = performance.now() + PATIENCE_MS
      for (;;) {
        link.assertRuns()
        const rows = await observeLag(cast, NAMES)
        this.#watcher.lag(rows)
        // What the producers write in half a second: the rest is measured.
        if (behindOf(rows) < LIVE_RATE / 2) break
        this.#assertInTime(deadline, 'west is still behind east', link)
        await this.#pause()
      }
      const { ms, rows } = await this.#measureStep(cast, link)
      this.#watcher.lag(rows)
      return [
        link,
        `\`kdr run\` has mirrored them to west, and keeps up: what east held just now was at west ${ms} ms later.`,
      ]
    })
  }

  async #consume({ judge, east }: Cast): Promise<string> {
    return await this.#stage('group', `The consumer group "${GROUP}" reads at east`, async () => {
      const { consumer } = await judge.startConsumer({
        bootstrap: east.bootstrap,
        group: GROUP,
        topics: NAMES,
      })
      const ends = await readEnds(judge, east.bootstrap, NAMES)
      await this.#awaitEnds(judge, { consumer, bootstrap: east.bootstrap, ends })
      const { received } = await judge.stopConsumer({ consumer })
      return [
        consumer,
        `The Java consumer group "${GROUP}" has read ${count(received)} records at east, committed, and stopped.`,
      ]
    })
  }

  async #awaitGroup({ judge, east, west }: Cast, link: Link): Promise<void> {
    await this.#stage('groupCopied', 'kdr copies the committed offsets', async () => {
      const committed = await judge.groupOffsets({ bootstrap: east.bootstrap, group: GROUP })
      const deadline = performance.now() + PATIENCE_MS
      for (;;) {
        const copied = await judge.groupOffsets({ bootstrap: west.bootstrap, group: GROUP })
        const at = new Map(copied.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]))
        if (committed.every(({ topic, partition, offset }) => at.get(`${topic}/${partition}`) === offset))
          break
        link.assertRuns()
        this.#assertInTime(deadline, 'the committed offsets have not come to west', link)
        await this.#pause()
      }
      return [
        undefined,
        `kdr has copied the offsets that it committed to west: ${committed.length} partitions, the same numbers.`,
      ]
    })
  }

  async #kill(cast: Cast, link: Link): Promise<{ killedAt: number; writers: Promise<WorkloadReport[]> }> {
    return await this.#stage('kill', 'The producers go on for a while, and nobody reads', async () => {
      await sleep(LIVE_MS, undefined, { signal: this.#signal })
      await this.#measureStep(cast, link)
      const killedAt = Date.now()
      await cast.east.kill()
      const writers = this.#eachWorkload(
        async workload => await cast.judge.stopWorkload({ ...workload, timeoutMs: 1_000 }),
      )
      // Awaited later; a failure then is not a surprise now.
      writers.catch(() => {})
      return [{ killedAt, writers }, 'kill -9 ends east, in the middle of the writes.']
    })
  }

  async #promote(link: Link): Promise<RunReport> {
    return await this.#stage('failover', '`kdr failover east-west` makes west active', async () => {
      const run = await link.failOver()
      return [
        run,
        `\`kdr failover east-west\` has made west active: ${inSeconds(run.rto.ms)} s. Of what east took in its last ${inSeconds(run.rpo.ms)} s it has seen ${count(run.rpo.records)} records that west lacks; what it has not seen may be lost too.`,
      ]
    })
  }

  async #failOver({ judge, west }: Cast, killedAt: number) {
    return await this.#stage('consumersMove', `"${GROUP}" starts at west`, async () => {
      const { bootstrap } = west
      const { consumer: second } = await judge.startConsumer({ bootstrap, group: GROUP, topics: NAMES })
      const ends = await readEnds(judge, bootstrap, NAMES)
      await this.#awaitEnds(judge, { consumer: second, bootstrap, ends })
      const groupAtEndMs = Date.now() - killedAt
      const { firstAtMs, received } = await judge.stopConsumer({ consumer: second })
      const firstRecordMs = firstAtMs - killedAt
      return [
        { second, firstRecordMs, groupAtEndMs },
        `"${GROUP}" goes on at west from its committed offsets: first record ${inSeconds(firstRecordMs)} s after the kill, all ${count(received)} after ${inSeconds(groupAtEndMs)} s.`,
      ]
    })
  }

  /** In the middle of what the group has still to read. */
  async #loseOne({ judge, west }: Cast): Promise<Omit<Problem, 'what'>> {
    return await this.#stage('sabotage', "BREAK=lose-one: a record is cut out of west's disk", async () => {
      const { topic, partition } = SABOTAGED
      const { bootstrap } = west
      const committed = await judge.groupOffsets({ bootstrap, group: GROUP })
      const ends = await readEnds(judge, bootstrap, [topic])
      const from = committed.find(at => at.topic === topic && at.partition === partition)?.offset ?? 0
      const end = ends.get(`${topic}/${partition}`) ?? 0
      await west.kill()
      const offset = loseOne(join(west.logDir(1), `${topic}-${partition}`), Math.floor((from + end) / 2))
      await west.start()
      return [
        { topic, partition, offset },
        `BREAK=lose-one: ${topic}/${partition} offset ${offset} is cut out of west's disk, without a trace.`,
      ]
    })
  }

  async #compare(
    { judge, west }: Cast,
    writers: readonly WorkloadReport[],
    members: Members,
  ): Promise<Verdict> {
    return await this.#stage('compare', 'west is held against the ledger', async () => {
      const consumers = [members.first, members.second]
      const audits = await this.#audit(judge, west, members)
      let repeated = 0
      for (const { name } of DEMO_TOPICS)
        repeated += (await judge.auditConsumers({ workload: this.#workloadOf(name), consumers })).duplicates
      const lastAckMs = Math.max(...writers.map(report => report.lastAckMs))
      const verdict = judgeAudits(audits, { repeated, lastAckMs })
      return [
        verdict,
        `west is held against the ledger: ${count(verdict.acknowledged)} records that east had acknowledged.`,
      ]
    })
  }

  async #audit(judge: Cast['judge'], { bootstrap }: Cast['west'], members: Members): Promise<TopicAudits[]> {
    const consumers = [members.first, members.second]
    const audits: TopicAudits[] = []
    for (const { name: topic, kind } of DEMO_TOPICS) {
      const cuts = cutsOf(members.run, topic)
      const workload = this.#workloadOf(topic)
      audits.push({ topic, audits: await judge.auditLedger({ bootstrap, workload, kind, consumers, cuts }) })
    }
    return audits
  }

  #workloadOf(topic: string): string {
    return this.#workloads.get(topic)?.workload ?? ''
  }

  async #stage<T>(
    name: StageName,
    text: string,
    work: () => Promise<readonly [result: T, text: string]>,
  ): Promise<T> {
    this.#signal.throwIfAborted()
    const begun = performance.now()
    this.#watcher.begin(text)
    const [result, outcome] = await work()
    const ms = performance.now() - begun
    this.#stages.set(name, ms)
    this.#watcher.end(outcome, ms)
    return result
  }

  async #awaitEnds(
    judge: Cast['judge'],
    { consumer, bootstrap, ends }: { consumer: string; bootstrap: string; ends: ReadonlyMap<string, number> },
  ): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while (!(await hasGroupReached(judge, { bootstrap, group: GROUP }, ends))) {
      const { received, lastError } = await judge.consumer({ consumer })
      this.#watcher.update(`"${GROUP}" has read ${count(received)} records`)
      this.#assertInTime(
        deadline,
        `the group "${GROUP}" has not reached the end (${lastError ?? 'no error'})`,
      )
      await this.#pause()
    }
  }

  async #measureStep(cast: Cast, link: Link): Promise<Step> {
    const deadline = performance.now() + PATIENCE_MS
    return await measureStep(cast, NAMES, () => {
      link.assertRuns()
      this.#signal.throwIfAborted()
      this.#assertInTime(deadline, 'west does not reach what east has', link)
    })
  }

  async #eachWorkload<T>(ask: (workload: { workload: string }) => Promise<T>): Promise<T[]> {
    return await Promise.all([...this.#workloads.values()].map(ask))
  }

  #assertInTime(deadline: number, what: string, link?: Link): void {
    if (performance.now() < deadline) return
    const words = link === undefined ? '' : `; what kdr said last:\n${link.lastWords()}`
    throw new KdrError(
      'not-ready',
      `the demo does not get on: ${what} after ${PATIENCE_MS / 1000} s${words}`,
      {
        hint: 'Is this machine very busy? Try again; if it stays so, please report it.',
      },
    )
  }

  async #pause(): Promise<void> {
    await sleep(LOOK_EVERY_MS, undefined, { signal: this.#signal })
  }
}
