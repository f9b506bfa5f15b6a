// kdr check: looks at everything that the config names, and hands what was seen to the rules. Whatever cannot be looked at becomes a
// finding: nothing here fails because a cluster, a link or a vault does.
import type { ReadinessOptions } from '../cli/app.ts'
import { type ClusterConfig, type Config, type LinkConfig, type SetConfig } from '../config/index.ts'
import { type CheckedCluster, type CheckInput, type CheckReport, judge } from '../engine/check/check.ts'
import { type ClusterSight, isInternal, type SeenCluster } from '../engine/check/observation.ts'
import { observeCluster, observeRights } from '../engine/check/observe.ts'
import { observeProducers } from '../engine/check/producers.ts'
import type { CompareSight } from '../engine/check/rules/compare.ts'
import type { DriftSight } from '../engine/check/rules/drift.ts'
import type { LinkSight } from '../engine/check/rules/links.ts'
import type { SetSight } from '../engine/check/rules/sets.ts'
import type { KafkaCluster } from '../kafka/cluster.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import { objectiveFor, rpoObjectiveOf } from '../model/objectives.ts'
import { compilePatterns } from '../model/patterns.ts'
import { mirrorsOf } from './check-mirrors.ts'
import { chooseLinks } from './choose-links.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { directionOf } from './direction.ts'
import { readLinkStatus } from './links.ts'
import { ownCertificates } from './own-certificates.ts'
import { readSetStatus } from './set-status.ts'
import { systemClock } from './system.ts'
import { withSet } from './vaults.ts'

/** What a transaction may hold back where no objective says less. */
const PATIENCE_MS = 60_000

type NotSeen = CheckInput['notSeen'][number]

/** Throws KdrError('usage') for a name that the config does not have. */
export async function check(config: Config, options: ReadinessOptions): Promise<CheckReport> {
  const scope = scopeOf(config, options)
  const { isToFix = false } = options
  const eyes = new Eyes(config)
  const notSeen: NotSeen[] = []
  try {
    const [links, sets] = await Promise.all([
      all(scope.links, async link => await linkSight(config, link, notSeen)),
      all(scope.sets, async set => await setSight(config, set, options.signal, notSeen)),
      all([...scope.clusters, ...scope.compared], async name => await eyes.look(name)),
    ])
    const drifts = await all(
      scope.links,
      async link => await driftSight(link, { eyes, links, notSeen, judged: scope.clusters }),
    )
    const mirrors = await all(Object.values(config.links), async link =>
      touches(link, scope.clusters) ? await mirrorsWhere(config, link, { links, isToFix }) : undefined,
    )
    return judge({
      clusters: await all(
        scope.clusters,
        async name => await checked(config, name, { eyes, notSeen, mirrors, producers: options.producers }),
      ),
      links,
      drifts,
      sets,
      compared: await compare(scope.compared, eyes),
      notSeen,
      accepts: config.accept,
      now: systemClock.now(),
      isWhole: scope.isWhole,
    })
  } finally {
    await eyes.close()
  }
}

type Scope = {
  readonly clusters: readonly string[]
  readonly links: readonly LinkConfig[]
  readonly sets: readonly SetConfig[]
  /** Two, or none. */
  readonly compared: readonly string[]
  readonly isWhole: boolean
}

function scopeOf(config: Config, { clusters, links, compare: pair }: ReadinessOptions): Scope {
  const names = Object.keys(config.clusters)
  for (const name of [...clusters, ...(pair ?? [])])
    if (!names.includes(name))
      throw new KdrError('usage', `the config has no cluster "${name}"`, {
        hint: `It has: ${names.join(', ')}.`,
      })
  const isWhole = clusters.length + links.length === 0 && pair === undefined
  return {
    clusters: isWhole ? names : clusters,
    links: isWhole ? Object.values(config.links) : links.length === 0 ? [] : chooseLinks(config, links),
    sets: isWhole ? Object.values(config.sets) : [],
    compared: pair ?? [],
    isWhole,
  }
}

/** Each in parallel; what was not seen is left out. */
async function all<A, B>(some: readonly A[], look: (one: A) => Promise<B | undefined>): Promise<B[]> {
  return (await Promise.all(some.map(look))).filter(each => each !== undefined)
}

/** Every cluster is opened and looked at once, whoever asks for it. */
class Eyes {
  readonly #config: Config
  readonly #open: KafkaCluster[] = []
  readonly #sights = new Map<string, Promise<{ sight: ClusterSight; cluster: KafkaCluster | undefined }>>()

  constructor(config: Config) {
    this.#config = config
  }

  async look(name: string): Promise<ClusterSight> {
    return (await this.#of(name)).sight
  }

  /** Undefined: it is dark. */
  async seen(
    name: string,
  ): Promise<{ readonly sight: SeenCluster; readonly cluster: KafkaCluster } | undefined> {
    const { sight, cluster } = await this.#of(name)
    return sight.dark === undefined && cluster !== undefined ? { sight, cluster } : undefined
  }

  #of(name: string): Promise<{ sight: ClusterSight; cluster: KafkaCluster | undefined }> {
    const looking = this.#sights.get(name) ?? this.#look(name)
    this.#sights.set(name, looking)
    return looking
  }

  async #look(name: string): Promise<{ sight: ClusterSight; cluster: KafkaCluster | undefined }> {
    const of = clusterOf(this.#config, name)
    try {
      const cluster = await openCluster(of, systemClock)
      this.#open.push(cluster)
      return { sight: await observeCluster(cluster, { at: toolsAt(of), clock: systemClock }), cluster }
    } catch (error) {
      return { sight: { name, dark: sentenceOf(error) }, cluster: undefined }
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#open.map(async cluster => await cluster.close()))
  }
}

/** Throws what is a bug. */
function sentenceOf(error: unknown): string {
  const known = findKdrError(error)
  if (known === undefined) throw error
  return known.message
}

/** For Kafka's own tools. */
function toolsAt({ bootstrap, tls, sasl }: ClusterConfig): string {
  const login = tls === undefined && sasl === undefined ? '' : ' --command-config admin.properties'
  return `--bootstrap-server ${bootstrap.join(',')}${login}`
}

/** `at`: where its mirrors may be. */
type Mirrors = { readonly at: readonly string[]; readonly takes: (topic: string) => boolean }

const touches = ({ source, target }: LinkConfig, clusters: readonly string[]): boolean =>
  clusters.includes(source) || clusters.includes(target)

/** Of a link of which nothing is known they may be on either side. */
async function mirrorsWhere(
  config: Config,
  link: LinkConfig,
  { links, isToFix }: { readonly links: readonly LinkSight[]; readonly isToFix: boolean },
): Promise<Mirrors> {
  const filter = compilePatterns(link.topics, 'topics')
  const takes = (topic: string): boolean => filter.matches(topic)
  const status = links.find(each => each.status.name === link.name)?.status
  if (status !== undefined) return { at: status.state === 'promoted' ? [] : [status.target], takes }
  const anywhere = { at: [link.source, link.target], takes }
  // Whoever only looks at one cluster need not wait for another.
  if (!isToFix) return anywhere
  try {
    return { at: [(await directionOf(config, link)).link.target], takes }
  } catch (error) {
    sentenceOf(error)
    return anywhere
  }
}

async function checked(
  config: Config,
  name: string,
  {
    eyes,
    notSeen,
    mirrors,
    producers,
  }: {
    readonly eyes: Eyes
    readonly notSeen: NotSeen[]
    readonly mirrors: readonly Mirrors[]
    readonly producers: boolean
  },
): Promise<CheckedCluster> {
  const seen = producers ? await eyes.seen(name) : undefined
  const objectives = Object.values(config.links)
    .filter(({ source, target }) => source === name || target === name)
    .flatMap(link => rpoObjectiveOf(config, link.name) ?? [])
  const least = objectiveFor(config.objectives, `cluster:${name}`)?.rpoMs ?? PATIENCE_MS
  const own = await ownCertificates(clusterOf(config, name))
  notSeen.push(...own.notSeen)
  return {
    sight: await eyes.look(name),
    rpoMs: Math.min(least, ...objectives),
    rack: clusterOf(config, name).rack,
    certificates: own.certificates,
    producers:
      seen &&
      (await observeProducers(
        seen.cluster,
        [...seen.sight.topics.values()].filter(topic => !isInternal(topic)),
      )),
    sets: Object.values(config.sets)
      .filter(({ cluster }) => cluster === name)
      .map(set => {
        const filter = compilePatterns(set.topics, 'topics')
        return { name: set.name, takes: (topic: string) => filter.matches(topic) }
      }),
    isMirror: topic => mirrors.some(({ at, takes }) => at.includes(name) && takes(topic)),
  }
}

async function linkSight(
  config: Config,
  link: LinkConfig,
  notSeen: NotSeen[],
): Promise<(LinkSight & { readonly link: LinkConfig }) | undefined> {
  try {
    const status = await readLinkStatus(config, link)
    const { stale, unread } = await directionOf(config, link)
    for (const { cluster, why } of unread)
      notSeen.push({
        where: `link:${link.name}`,
        what: `what "${cluster}" remembers of link "${link.name}"`,
        why,
      })
    return {
      link,
      status,
      stale,
      rpoObjectiveMs: rpoObjectiveOf(config, link.name),
      groupsMs: link.sync.groupsMs,
      sourceAt: toolsAt(clusterOf(config, status.source)),
    }
  } catch (error) {
    // Nothing at all is known of it: it is not ready as far as anybody can tell.
    const seen = { where: `link:${link.name}`, what: `link "${link.name}"` }
    notSeen.push({ ...seen, why: sentenceOf(error), severity: 'error' })
    return undefined
  }
}

type Drifting = {
  readonly eyes: Eyes
  readonly links: readonly LinkSight[]
  readonly notSeen: NotSeen[]
  /** Clusters that are findings of their own when they are dark. */
  readonly judged: readonly string[]
}

/** Undefined where one side is dark, or where nothing is copied. */
async function driftSight(
  link: LinkConfig,
  { eyes, links, notSeen, judged }: Drifting,
): Promise<DriftSight | undefined> {
  const status = links.find(each => each.status.name === link.name)?.status
  if (status === undefined || status.state === 'promoted') return undefined
  const [source, target] = await Promise.all([eyes.seen(status.source), eyes.seen(status.target)])
  if (source === undefined || target === undefined) {
    const dark = [...(source ? [] : [status.source]), ...(target ? [] : [status.target])]
    for (const name of dark.filter(each => !judged.includes(each)))
      notSeen.push({
        where: `link:${link.name}`,
        what: `what link "${link.name}" has at "${name}"`,
        why: `cluster "${name}" cannot be reached`,
      })
    return undefined
  }
  try {
    const mirrors = await mirrorsOf(link, { source: source.sight, target })
    return { link: link.name, source: source.sight, target: target.sight, mirrors }
  } catch (error) {
    notSeen.push({
      where: `link:${link.name}`,
      what: `what kdr remembers of link "${link.name}"`,
      why: sentenceOf(error),
    })
    return undefined
  }
}

async function setSight(
  config: Config,
  set: SetConfig,
  signal: AbortSignal,
  notSeen: NotSeen[],
): Promise<SetSight> {
  const status = await readSetStatus(config, set)
  const now = systemClock.now()
  if (status.lastCommit === null) return { status, now, problems: undefined, lock: undefined }
  try {
    const found = await withSet(
      config,
      set.name,
      async opened =>
        await opened.verify(
          { kind: 'latest' },
          { isFull: false, sample: undefined, signal, onProgress: () => {} },
        ),
    )
    const wantedDays = config.vaults[set.vault]?.lock?.days
    const lock =
      found.lock === undefined || wantedDays === undefined ? undefined : { ...found.lock, wantedDays }
    return { status, now, problems: found.problems, lock }
  } catch (error) {
    notSeen.push({ where: `set:${set.name}`, what: `what set "${set.name}" holds`, why: sentenceOf(error) })
    return { status, now, problems: undefined, lock: undefined }
  }
}

async function compare(
  [first, second]: readonly string[],
  eyes: Eyes,
): Promise<readonly [CompareSight, CompareSight] | undefined> {
  if (first === undefined || second === undefined) return undefined
  const [a, b] = await Promise.all([eyes.seen(first), eyes.seen(second)])
  if (a === undefined || b === undefined) {
    const dark = a === undefined ? first : second
    throw new KdrError(
      'unreachable',
      `cluster "${dark}" cannot be reached, so that there is nothing to compare`,
    )
  }
  const sides = await Promise.all(
    [a, b].map(async ({ sight, cluster }) => ({ cluster: sight, rights: await observeRights(cluster) })),
  )
  return [sides[0]!, sides[1]!]
}
