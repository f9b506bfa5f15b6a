// What `kdr link` does with a link's memory at the target: leaves commands for its worker, pauses, reads the journal. No
// worker need be alive.
import type { LinkMemory, Order } from '../cli/app.ts'
import type { Config, LinkConfig } from '../config/index.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import { type JournalEntry, readJournal, writeJournal } from '../model/journal.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import { covers, pauseKey, readPauses, type Scope } from '../model/pauses.ts'
import {
  type CommandRecord,
  commandKey,
  type PartitionLoss,
  readForgotten,
  readLink,
  readReports,
  readTopics,
  readWorkers,
  toRecord,
} from '../model/state-records.ts'
import type { Cluster, TopicPartition } from '../ports/cluster.ts'
import type { StateStore } from '../ports/state.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { directionOf } from './direction.ts'
import { withStore } from './open-link.ts'
import { systemClock, systemEntropy, whoAmI } from './system.ts'

/** A worker that has not beaten for this long is taken for gone. */
const WORKER_GONE_MS = 30_000
/** Of an accept-loss in one command: a record holds 64 KB. */
const LOSSES_PER_COMMAND = 100

/** Throws KdrError: unreachable, not-allowed; usage if the link has never run. */
export async function withMemory<T>(
  config: Config,
  of: LinkConfig,
  act: (memory: LinkMemory) => Promise<T>,
): Promise<T> {
  const { link } = await directionOf(config, of)
  const target = await openCluster(clusterOf(config, link.target), systemClock)
  try {
    return await withStore(target, false, async store => {
      if (readLink(store, link.name) === undefined)
        throw new KdrError('usage', `link "${link.name}" has never run: there is nothing to do this to`, {
          hint: `Start it: kdr run --link ${link.name}`,
        })
      return await act(new Memory(store, config, link))
    })
  } finally {
    await target.close()
  }
}

class Memory implements LinkMemory {
  readonly #store: StateStore
  readonly #config: Config
  readonly #link: LinkConfig

  constructor(store: StateStore, config: Config, link: LinkConfig) {
    this.#store = store
    this.#config = config
    this.#link = link
  }

  get isRunning(): boolean {
    const now = systemClock.now()
    return [...readWorkers(this.#store, this.#link.name).values()].some(
      ({ state, at }) => state === 'running' && now - at < WORKER_GONE_MS,
    )
  }

  journal(): JournalEntry[] {
    return readJournal(this.#store, this.#link.name)
  }

  assertKnown({ topic, partition }: Scope): void {
    if (topic === undefined) return
    const { name } = this.#link
    const report = readReports(this.#store, name).get(topic)
    if (report === undefined && !readTopics(this.#store, name).has(topic)) {
      const isForgotten = readForgotten(this.#store, name).has(topic)
      throw new KdrError('usage', `link "${name}" does not mirror topic "${topic}"`, {
        hint: isForgotten
          ? `It was let go (kdr link forget); to take it back: kdr link adopt ${name} --topic ${topic}`
          : `See what it mirrors: kdr status --link ${name} --all. A topic that kdr did not make is taken over by: kdr link adopt ${name} --topic ${topic}`,
      })
    }
    const count = report?.partitions.length ?? 0
    if (partition !== undefined && count > 0 && partition >= count)
      throw new KdrError('usage', `topic "${topic}" has no partition ${partition}: it has ${count}`)
  }

  /** Exact ranges; up to where the source begins as of now. */
  async losses(scope: Scope): Promise<PartitionLoss[]> {
    const found: PartitionLoss[] = []
    for (const [topic, { partitions }] of readReports(this.#store, this.#link.name))
      for (const { partition, loss } of partitions)
        if (loss !== undefined && covers(scope, { topic, partition }))
          found.push({ topic, partition, ...loss })
    const isBehind = ({ cause }: PartitionLoss): boolean => cause === 'retention'
    const starts = await this.#sourceStarts(found.filter(isBehind))
    return found.map(loss => ({
      ...loss,
      to: isBehind(loss) ? Math.max(loss.to, starts.get(`${loss.topic}/${loss.partition}`) ?? 0) : loss.to,
    }))
  }

  async order(order: Order): Promise<void> {
    if (order.verb === 'pause') await this.#pause(order)
    else if (order.verb === 'resume') await this.#resume(order)
    else for (const command of this.#commandsOf(order)) await this.#send(order, command)
  }

  async #pause(order: Order): Promise<void> {
    const { scope, reason } = order
    const pause = { at: systemClock.now(), by: whoAmI(), ...(reason !== undefined && { reason }) }
    await this.#journal(order, systemEntropy.uuid(), 'done')
    await this.#store.put(pauseKey(this.#link.name, scope), toRecord('pause', pause))
  }

  /** Lifts what was paused in this scope, and lets what has stopped try again. */
  async #resume(order: Order): Promise<void> {
    const { scope, acceptLogStart } = order
    const pauses = readPauses(this.#store, this.#link.name)
    const wider = pauses.find(pause => covers(pause.scope, scope) && !covers(scope, pause.scope))
    if (wider !== undefined) {
      const what = wider.scope.topic === undefined ? 'the whole link' : 'the whole topic'
      throw new KdrError('usage', `${what} is paused; a part of it cannot be resumed alone`, {
        hint: `Resume it, or pause its parts one by one: kdr link resume ${this.#link.name}${wider.scope.topic === undefined ? '' : ` --topic ${wider.scope.topic}`}`,
      })
    }
    for (const pause of pauses)
      if (covers(scope, pause.scope)) await this.#store.put(pauseKey(this.#link.name, pause.scope), undefined)
    await this.#send(order, { ...scope, ...(acceptLogStart === true && { acceptLogStart }) })
  }

  /** The mirror that is meant goes along, by id: another that is made in between is not met. */
  #commandsOf(order: Order): Partial<CommandRecord>[] {
    const { verb, scope, losses = [], acceptLogStart } = order
    if (verb !== 'accept-loss') return [{ ...scope, ...this.#mirrorOf(scope.topic ?? '') }]
    return [...Map.groupBy(losses, ({ topic }) => topic)].flatMap(([topic, ofTopic]) =>
      chunks(ofTopic, LOSSES_PER_COMMAND).map(some => ({
        topic,
        ...this.#mirrorOf(topic),
        losses: some,
        ...(acceptLogStart === true && { acceptLogStart }),
      })),
    )
  }

  #mirrorOf(topic: string): { readonly targetTopicId: string } {
    this.assertKnown({ topic })
    const targetTopicId = readTopics(this.#store, this.#link.name).get(topic)?.targetTopicId
    if (targetTopicId !== undefined) return { targetTopicId }
    throw new KdrError('usage', `link "${this.#link.name}" does not mirror topic "${topic}"`, {
      hint: `A topic that kdr did not make is deleted with Kafka's own tools, or taken over: kdr link adopt ${this.#link.name} --topic ${topic}`,
    })
  }

  async #send(order: Order, command: Partial<CommandRecord>): Promise<void> {
    const { verb, reason } = order
    if (verb === 'pause') return
    const id = systemEntropy.uuid()
    await this.#journal(order, id, 'recorded')
    const record = {
      verb,
      ...command,
      at: systemClock.now(),
      by: whoAmI(),
      ...(reason !== undefined && { reason }),
    } satisfies CommandRecord
    await this.#store.put(commandKey(this.#link.name, id), toRecord('command', record))
    order.onSent?.(id)
  }

  async #journal(
    { verb, scope, reason, what }: Order,
    id: string,
    state: 'recorded' | 'done',
  ): Promise<void> {
    const at = systemClock.now()
    await writeJournal(this.#store, this.#link.name, {
      id,
      at,
      by: whoAmI(),
      verb,
      ...scope,
      ...(reason !== undefined && { reason }),
      what,
      state,
      ...(state === 'done' && { doneAt: at }),
    })
  }

  /** By `topic/partition`; empty when the source does not answer. */
  async #sourceStarts(partitions: readonly TopicPartition[]): Promise<Map<string, number>> {
    if (partitions.length === 0) return new Map()
    let source: Cluster | undefined
    try {
      source = await openCluster(clusterOf(this.#config, this.#link.source), systemClock)
      const answers = await source.offsets(partitions, 'logStart')
      return new Map(
        partitions.flatMap(({ topic, partition }, index) => {
          const answer = answers[index]
          return answer?.code === KafkaCode.NONE ? [[`${topic}/${partition}`, answer.offset] as const] : []
        }),
      )
    } catch (error) {
      if (findKdrError(error)?.code !== 'unreachable') throw error
      return new Map()
    } finally {
      await source?.close()
    }
  }
}

function chunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_none, i) =>
    all.slice(i * size, (i + 1) * size),
  )
}
