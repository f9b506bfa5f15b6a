// Both clusters of a link, opened once for a run. A cluster that is lost often keeps silent: each of its addresses is tried until its
// time is up, and nobody waits for all of that in a failover, as long as the other cluster is there.
import type { Config, LinkConfig } from '../config/index.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import type { Cluster } from '../ports/cluster.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { systemClock } from './system.ts'

/** What has not answered by then is taken for lost. */
const SILENT_MS = 3_000

type Side = { readonly opening: Promise<Cluster>; readonly found: Cluster | KdrError }

export class BothClusters {
  readonly #sides = new Map<string, Side>()
  readonly #isUrgent: boolean

  private constructor(isUrgent: boolean) {
    this.#isUrgent = isUrgent
  }

  /** `isUrgent`: one that keeps silent is not waited for when the other one is there. */
  static async open(
    config: Config,
    link: LinkConfig,
    { isUrgent }: { readonly isUrgent: boolean },
  ): Promise<BothClusters> {
    const both = new BothClusters(isUrgent)
    await both.add(config, link)
    return both
  }

  /** The clusters of the link as it leads now: one that has followed a third cluster leads from or to that. */
  async add(config: Config, { source, target }: LinkConfig): Promise<void> {
    const names = [source, target]
    const openings = names.map(
      name => this.#sides.get(name)?.opening ?? openCluster(clusterOf(config, name), systemClock),
    )
    await Promise.all(
      names.map(async (name, index) => {
        if (this.has(name)) return
        const opening = openings[index]!
        const isUrgent = this.#isUrgent
        const found = isUrgent ? await soon(name, opening, openings[1 - index]!) : await foundBy(opening)
        this.#sides.set(name, { opening, found })
      }),
    )
  }

  has(name: string): boolean {
    return this.#sides.has(name)
  }

  /** Undefined: it does not answer. Throws what else kept it from being opened. */
  ifThere(name: string): Cluster | undefined {
    const { found } = this.#sides.get(name)!
    if (!(found instanceof KdrError)) return found
    // On the worst day a refused password is no better than silence.
    if (found.code === 'unreachable' || this.#isUrgent) return undefined
    throw found
  }

  /** However long that takes. Throws KdrError when it cannot be opened. */
  async insist(name: string): Promise<Cluster> {
    const { opening } = this.#sides.get(name)!
    const found = await opening
    this.#sides.set(name, { opening, found })
    return found
  }

  async close(): Promise<void> {
    const closing = [...this.#sides.values()].map(async ({ opening, found }) => {
      if (!(found instanceof KdrError)) return await found.close()
      // One that still keeps silent is closed when it is open, if ever.
      opening.then(async cluster => await cluster.close()).catch(() => undefined)
    })
    await Promise.all(closing)
  }
}

async function foundBy(opening: Promise<Cluster>): Promise<Cluster | KdrError> {
  try {
    return await opening
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined) throw error
    return known
  }
}

async function soon(
  name: string,
  opening: Promise<Cluster>,
  other: Promise<Cluster>,
): Promise<Cluster | KdrError> {
  const isOver = new AbortController()
  const silence = async (): Promise<Cluster | KdrError> => {
    const [there] = await Promise.all([foundBy(other), systemClock.sleep(SILENT_MS, isOver.signal)])
    if (there instanceof KdrError) return await foundBy(opening)
    return new KdrError('unreachable', `cluster "${name}" has not answered for ${SILENT_MS} ms`)
  }
  try {
    return await Promise.race([foundBy(opening), silence()])
  } finally {
    isOver.abort()
  }
}
