// One seeded history, done on both sides in step: each operation on the real cluster, then on the simulated one, and the
// answers compared. What the simulation does not decide (where a controller puts leaders, how it counts their epochs) is
// taken over from the real cluster.
import { isDeepStrictEqual } from 'node:util'
import type { TopicPartition } from '../../../src/ports/cluster.ts'
import { Chaos } from '../chaos.ts'
import { SimClock } from '../clock.ts'
import { SimCluster } from '../cluster.ts'
import { SimNetwork, SimProcess } from '../network.ts'
import { simPort } from '../port.ts'
import { Random } from '../random.ts'
import { Drawer } from './draw.ts'
import { type KnownDifference, KNOWN_DIFFERENCES } from './known-differences.ts'
import type { Operation } from './operations.ts'
import { nothingKnown, play, type Side } from './play.ts'
import { simApplications } from './sim-applications.ts'

export const PRODUCER_EXPIRATION_MS = 86_400_000

/** A real cluster, as far as histories need more of it than its port. */
export type RealSide = Side & {
  /** Resolves when every broker knows what the operation has changed. */
  settled(operation: Operation, sim: SimCluster): Promise<void>
  /** Leader (as an index of `brokers`) and leader epoch of each partition now. */
  placement(): Promise<readonly (TopicPartition & { leader: number; epoch: number })[]>
  close(): Promise<void>
}

type Step = { readonly operation: Operation; readonly sim: unknown; readonly real: unknown }

export class AgreementHistory {
  readonly seed: number
  readonly differences = new Set<KnownDifference>()
  readonly #real: RealSide
  readonly #sim: Side
  readonly #clock: SimClock
  readonly #cluster: SimCluster
  readonly #drawer: Drawer
  readonly #steps: Step[] = []
  #failed: string | undefined

  constructor(seed: number, real: RealSide) {
    const random = new Random(seed)
    this.seed = seed
    this.#real = real
    this.#clock = new SimClock(real.beganAt)
    this.#cluster = new SimCluster({
      name: 'source',
      clusterId: 'sim',
      brokers: real.brokers.length,
      clock: this.#clock,
      random: random.stream('cluster'),
      mayWriteMarkers: true,
      producerExpirationMs: PRODUCER_EXPIRATION_MS,
    })
    const network = new SimNetwork(this.#clock, random.stream('network'), new Chaos(new Set(), () => {}))
    this.#sim = {
      port: simPort(this.#cluster, network, new SimProcess()),
      applications: simApplications(this.#cluster),
      nameOf: real.nameOf,
      brokers: real.brokers.map((_id, index) => index),
      beganAt: real.beganAt,
      known: nothingKnown(),
    }
    const { nameOf, known } = this.#sim
    this.#drawer = new Drawer(random.stream('draw'), { cluster: this.#cluster, nameOf, ids: known.ids })
  }

  /** The operations and both answers, when they were not equal. */
  get failure(): string | undefined {
    return this.#failed
  }

  get operations(): readonly Operation[] {
    return this.#steps.map(step => step.operation)
  }

  async run(operations: number): Promise<void> {
    if (this.#steps.length === 0 || this.#real.known.view === undefined) await this.#step({ do: 'describe' })
    for (let i = 0; i < operations && this.#failed === undefined; i++) {
      const operation = this.#drawer.next()
      await this.#step(operation)
      const isChange = ['create', 'delete', 'addPartitions'].includes(operation.do)
      // A client that has just changed something looks again, as a rule.
      if (isChange && i % 8 !== 0) await this.#step({ do: 'describe' })
    }
  }

  /** After every broker of the real cluster was stopped cleanly and started again. */
  async restarted(): Promise<void> {
    for (const side of [this.#real, this.#sim]) {
      side.known.view = undefined
      side.known.appendLanes.clear()
      side.known.fetchLanes.clear()
    }
    for (const { at } of this.#cluster.all()) this.#cluster.restart(at)
    this.#cluster.readAnew()
    await this.#place()
  }

  async #step(operation: Operation): Promise<void> {
    if (this.#failed !== undefined) return
    const real = await answerOf(() => play(this.#real, operation))
    const sim = await this.#inVirtualTime(() => play(this.#sim, operation))
    const step = { operation, sim, real }
    this.#steps.push(step)
    await this.#real.settled(operation, this.#cluster)
    if (operation.do === 'create' || operation.do === 'addPartitions') await this.#place()
    if (isDeepStrictEqual(plain(sim), plain(real))) return
    const known = KNOWN_DIFFERENCES.find(each => each.covers(operation, sim, real))
    if (known === undefined) this.#failed = this.#describe()
    else this.differences.add(known)
  }

  async #inVirtualTime(act: () => Promise<unknown>): Promise<unknown> {
    let isOver = false
    const answer = answerOf(act).finally(() => {
      isOver = true
    })
    await this.#clock.run(() => isOver, Number.POSITIVE_INFINITY)
    return await answer
  }

  async #place(): Promise<void> {
    for (const { leader, epoch, ...of } of await this.#real.placement()) {
      const at = this.#cluster.partition(of)
      if (at === undefined) continue
      at.leader = leader
      if (at.log.leaderEpoch !== epoch) at.log.elect(epoch)
    }
  }

  #describe(): string {
    const steps = this.#steps.map(({ operation, sim, real }, index) => {
      const isLast = index === this.#steps.length - 1
      const answers = isLast
        ? `\n     simulated ${text(sim)}\n     real      ${text(real)}`
        : ` → ${text(real)}`
      return `${String(index).padStart(4)} ${text(operation)}${answers}`
    })
    return [
      `seed ${this.seed} (alone: KDR_SEED=${this.seed} node --test test/lab/sim-agrees.test.ts)`,
      ...steps,
    ].join('\n')
  }
}

/** A thrown error is an answer too. */
async function answerOf(act: () => Promise<unknown>): Promise<unknown> {
  try {
    return await act()
  } catch (error) {
    return { thrown: error instanceof Error && 'code' in error ? error.code : String(error) }
  }
}

/** Without members that are undefined, which deep equality would count. */
function plain(answer: unknown): unknown {
  return JSON.parse(JSON.stringify(answer))
}

function text(value: unknown): string {
  return JSON.stringify(value)
}
