// Connections for what is asked about groups, a few to each coordinator: a broker handles one request of a connection at a
// time, a commit waits there for its replicas, and on the shared connection everything else would wait behind thousands.
import type { BrokerConnection } from './connection.ts'
import type { BrokerPool } from './pool.ts'

/** To one broker. Opened when all before are busy: 10,000 commits of 5 ms each take 6 s. */
const LANES_PER_BROKER = 8

type Lane = { readonly opening: Promise<BrokerConnection>; busy: number }

export class GroupLanes {
  readonly #pool: BrokerPool
  readonly #lanes = new Map<number, Lane[]>()

  constructor(pool: BrokerPool) {
    this.#pool = pool
  }

  /** By the connection that has least to do. Throws KdrError('unreachable'). */
  async use<Answer>(broker: number, ask: (connection: BrokerConnection) => Promise<Answer>): Promise<Answer> {
    const lane = await this.#open(broker)
    lane.busy++
    try {
      return await ask(await lane.opening)
    } catch (error) {
      this.#drop(broker, lane)
      throw error
    } finally {
      lane.busy--
    }
  }

  /** A broker closes what nobody has used for some minutes: there may be as many of those as there are lanes. */
  async #open(broker: number): Promise<Lane> {
    for (let tries = 0; ; tries++) {
      const lane = this.#take(broker)
      const connection = await lane.opening.catch(() => undefined)
      // What cannot be opened fails when it is used.
      if (connection?.isClosed !== true || tries >= LANES_PER_BROKER) return lane
      this.#drop(broker, lane)
    }
  }

  #take(broker: number): Lane {
    const lanes = this.#lanes.get(broker) ?? []
    this.#lanes.set(broker, lanes)
    let least: Lane | undefined
    for (const lane of lanes) if (least === undefined || lane.busy < least.busy) least = lane
    if (least !== undefined && (least.busy === 0 || lanes.length >= LANES_PER_BROKER)) return least
    const lane = { opening: this.#pool.openOwn(broker), busy: 0 }
    lanes.push(lane)
    return lane
  }

  /** What failed, by the broker or by the line, is not used again. */
  #drop(broker: number, lane: Lane): void {
    const lanes = this.#lanes.get(broker) ?? []
    const at = lanes.indexOf(lane)
    if (at < 0) return
    lanes.splice(at, 1)
    void lane.opening.then(
      async connection => await this.#pool.closeOwn(connection),
      () => undefined,
    )
  }
}
