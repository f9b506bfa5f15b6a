// Watches one cluster: round after round it asks, changes nothing there, and keeps what was seen last. Whatever cannot be seen is a part
// of that; a cluster that is away is looked for again, and nothing here fails because of it.
import { findKdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import { votersBehind } from '../../model/quorum.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Cluster, ClusterView, LogDirView } from '../../ports/cluster.ts'
import type { HealthReader } from '../../ports/health.ts'
import { type GroupSource, GroupWatch } from './groups.ts'
import type { MonitorLimits } from './limits.ts'
import { type PartitionHealth, partitionHealth } from './partition-health.ts'
import type { BrokerSight, ControllerSight, WatchedCluster } from './sight.ts'

export type Watchable = GroupSource &
  Pick<Cluster, 'describe' | 'topicConfigs' | 'logDirs' | 'close'> & {
    readonly health: Pick<HealthReader, 'quorum'>
  }

export type MonitorOptions = {
  readonly name: string
  /** Throws KdrError. */
  readonly open: () => Promise<Watchable>
  readonly clock: Clock
  readonly limits: MonitorLimits
  readonly isWanted: (group: string) => boolean
  /** Whether it is this process that watches: otherwise nothing is asked, and nothing known. */
  readonly isMine: () => boolean
  /** After each round. */
  readonly onRound: (seen: WatchedCluster) => void
}

const MIN_IN_SYNC = 'min.insync.replicas'

export class ClusterMonitor {
  readonly #options: MonitorOptions
  #cluster: Watchable | undefined
  #groups: GroupWatch
  #sight: WatchedCluster
  #slowAt = Number.NEGATIVE_INFINITY
  #configsAt = Number.NEGATIVE_INFINITY
  #leasts = new Map<string, number>()
  #logDirs: readonly LogDirView[] = []
  #controllers: ControllerSight | undefined
  #health: { readonly view: ClusterView; readonly found: PartitionHealth } | undefined
  /** By what was asked for. */
  readonly #notSeen = new Map<string, string>()

  constructor(options: MonitorOptions) {
    this.#options = options
    this.#groups = new GroupWatch(options.limits, options.isWanted)
    this.#sight = {
      name: options.name,
      seenAt: 0,
      brokers: [],
      groupsAt: 0,
      groups: [],
      groupsUnwatched: 0,
      notSeen: [],
    }
  }

  /** Undefined: another process watches it. */
  get sight(): WatchedCluster | undefined {
    return this.#options.isMine() ? this.#sight : undefined
  }

  /** Until `signal` aborts. Rejects only with what is a bug. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, limits, isMine, onRound } = this.#options
    try {
      while (!signal.aborted) {
        if (isMine()) {
          await this.round()
          if (isMine()) onRound(this.#sight)
        } else await this.#close()
        await clock.sleep(limits.everyMs, signal)
      }
    } finally {
      await this.#close()
    }
  }

  async round(): Promise<void> {
    const { clock, open } = this.#options
    try {
      this.#cluster ??= await open()
      const view = await this.#cluster.describe()
      await this.#look(this.#cluster, view)
    } catch (error) {
      const known = findKdrError(error)
      if (known === undefined) throw error
      this.#sight = { ...this.#sight, problem: known.message }
      return
    }
    const { problem: _problem, ...sight } = this.#sight
    this.#sight = { ...sight, seenAt: clock.now() }
  }

  async #look(cluster: Watchable, view: ClusterView): Promise<void> {
    const { clock, limits } = this.#options
    const now = clock.monotonic()
    if (now - this.#slowAt >= limits.slowMs) {
      this.#slowAt = now
      await this.#lookSlowly(cluster)
    }
    await this.#readLeasts(cluster, view, now)
    const groups = await this.#see(
      'groups',
      async () => await this.#groups.look(cluster, view, () => clock.monotonic()),
    )
    this.#sight = {
      ...this.#sight,
      partitions: this.#healthOf(view),
      brokers: this.#brokersOf(view),
      ...(this.#controllers !== undefined && { controllers: this.#controllers }),
      ...(groups !== undefined && {
        groups: groups.groups,
        groupsUnwatched: groups.unwatched,
        groupsAt: clock.now(),
      }),
      notSeen: [...this.#notSeen].map(([what, why]) => ({ what, why })),
    }
  }

  async #lookSlowly(cluster: Watchable): Promise<void> {
    const [dirs, quorum] = await Promise.all([
      this.#see('disks', async () => await cluster.logDirs()),
      this.#see('controllers', async () => await cluster.health.quorum()),
    ])
    this.#logDirs = dirs ?? []
    const refused = this.#logDirs.find(
      ({ code }) => code !== KafkaCode.NONE && code !== KafkaCode.KAFKA_STORAGE_ERROR,
    )
    if (refused !== undefined) this.#notSeen.set('disks', rightFor(refused.code))
    if (quorum !== undefined && quorum.quorum === undefined)
      this.#notSeen.set('controllers', rightFor(quorum.code))
    const found = quorum?.quorum
    this.#controllers = found && {
      leader: found.leader,
      voters: found.voters.length,
      votersBehind: votersBehind(found).map(({ id }) => id),
    }
  }

  /** Of all topics now and then, of new ones at once. */
  async #readLeasts(cluster: Watchable, view: ClusterView, now: number): Promise<void> {
    const { configsMs } = this.#options.limits
    const isDue = now - this.#configsAt >= configsMs
    const names = [...view.topics.keys()].filter(name => isDue || !this.#leasts.has(name))
    // A topic whose configs kdr may not see is asked about no more often than the others.
    if (names.length === 0 || (!isDue && this.#notSeen.has('topic configs'))) return
    if (isDue) this.#configsAt = now
    const answers = await this.#see(
      'topic configs',
      async () => await cluster.topicConfigs(names, [MIN_IN_SYNC]),
    )
    if (answers === undefined) return
    if (isDue) this.#leasts = new Map()
    this.#health = undefined
    for (const [name, { code, entries }] of answers) {
      const least = Number(entries.get(MIN_IN_SYNC)?.value ?? Number.NaN)
      if (code === KafkaCode.NONE && !Number.isNaN(least)) this.#leasts.set(name, least)
      else if (code !== KafkaCode.UNKNOWN_TOPIC_OR_PARTITION)
        this.#notSeen.set('topic configs', `${codeName(code)} for "${name}" (DESCRIBE_CONFIGS on topics)`)
    }
  }

  /** Nothing of it is counted again while nothing has changed. */
  #healthOf(view: ClusterView): PartitionHealth {
    if (this.#health?.view === view) return this.#health.found
    const found = partitionHealth(view, topic => this.#leasts.get(topic))
    this.#health = { view, found }
    return found
  }

  #brokersOf(view: ClusterView): BrokerSight[] {
    const missing = this.#healthOf(view).brokersMissing.map(broker => ({ broker, isThere: false }))
    const dirs = Map.groupBy(this.#logDirs, ({ broker }) => broker)
    const there = view.brokers.map(({ id }) => ({
      broker: id,
      isThere: true,
      ...disksOf(dirs.get(id) ?? []),
    }))
    return [...there, ...missing].toSorted((a, b) => a.broker - b.broker)
  }

  /** Undefined: it could not be seen. What is a bug is thrown. */
  async #see<T>(what: string, look: () => Promise<T>): Promise<T | undefined> {
    try {
      const seen = await look()
      this.#notSeen.delete(what)
      return seen
    } catch (error) {
      const known = findKdrError(error)
      if (known === undefined) throw error
      this.#notSeen.set(what, known.message)
      return undefined
    }
  }

  /** What was seen until then says nothing about later. */
  async #close(): Promise<void> {
    const cluster = this.#cluster
    if (cluster === undefined) return
    const { name, limits, isWanted } = this.#options
    this.#cluster = undefined
    this.#groups = new GroupWatch(limits, isWanted)
    this.#sight = { name, seenAt: 0, brokers: [], groupsAt: 0, groups: [], groupsUnwatched: 0, notSeen: [] }
    this.#slowAt = Number.NEGATIVE_INFINITY
    await cluster.close()
  }
}

const rightFor = (code: number): string => `${codeName(code)} (DESCRIBE on the cluster)`

function disksOf(dirs: readonly LogDirView[]): Pick<BrokerSight, 'freeShare' | 'logDirsOffline'> {
  const answered = dirs.filter(
    ({ code }) => code === KafkaCode.NONE || code === KafkaCode.KAFKA_STORAGE_ERROR,
  )
  if (answered.length === 0) return {}
  const shares = answered.flatMap(({ code, totalBytes, usableBytes }) =>
    code === KafkaCode.NONE && totalBytes > 0 && usableBytes >= 0 ? [usableBytes / totalBytes] : [],
  )
  return {
    logDirsOffline: answered.filter(({ code }) => code === KafkaCode.KAFKA_STORAGE_ERROR).length,
    ...(shares.length > 0 && { freeShare: Math.min(...shares) }),
  }
}
