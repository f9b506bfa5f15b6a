// The connections of one cluster: one for control to each broker (opened at first use, opened again when it broke) and
// the lanes' own. Addresses come from the metadata; the bootstrap addresses serve when none of those answers.
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClusterView } from '../ports/cluster.ts'
import { KdrError } from '../model/errors.ts'
import { type Address, addressText, BrokerConnection, type ConnectionSettings } from './connection.ts'
import { readTopicsById } from './metadata.ts'

const ATTEMPTS = 6
const AGAIN_MS = 400
/** So that nobody who is locked out for good asks more often than others do. */
const RECENTLY_MS = 30_000

export class BrokerPool {
  readonly #settings: ConnectionSettings
  readonly #bootstrap: readonly Address[]
  readonly #addresses = new Map<number, Address>()
  readonly #controls = new Shared()
  /** For markers: they must not wait behind what else is asked. */
  readonly #marking = new Shared()
  readonly #own = new Set<BrokerConnection>()
  #bootstrapped: BrokerConnection | undefined
  #clusterId = ''
  /** Of the last answer to `askAny`. */
  #answeredAt: Address | undefined
  readonly #reached = new Set<string>()
  #signedInAt = -Infinity
  #isClosed = false

  constructor(settings: ConnectionSettings, bootstrap: readonly Address[]) {
    this.#settings = settings
    this.#bootstrap = bootstrap
  }

  /** Replaces what is known about brokers; connections to addresses that changed are not used again. */
  learn({ brokers, clusterId }: Pick<ClusterView, 'brokers' | 'clusterId'>): void {
    this.#clusterId = clusterId
    this.#addresses.clear()
    for (const { id, host, port } of brokers) this.#addresses.set(id, { host, port })
    for (const shared of [this.#controls, this.#marking]) shared.keepOnly(this.#addresses)
    this.#adoptBootstrap()
  }

  /** A coordinator may be on a broker that the metadata did not show yet. */
  learnOne(id: number, address: Address): void {
    if (!this.#addresses.has(id)) this.#addresses.set(id, address)
  }

  knows(broker: number): boolean {
    return this.#addresses.has(broker)
  }

  /** The shared connection for control requests, or the one for markers. */
  async control(broker: number, purpose: 'control' | 'markers' = 'control'): Promise<BrokerConnection> {
    const shared = purpose === 'control' ? this.#controls : this.#marking
    return shared.get(broker, () => this.#open(this.#addressOf(broker)))
  }

  /** A connection of one's own, closed with the pool at the latest. */
  async openOwn(broker: number): Promise<BrokerConnection> {
    const connection = await this.#open(this.#addressOf(broker))
    this.#own.add(connection)
    return connection
  }

  async closeOwn(connection: BrokerConnection): Promise<void> {
    this.#own.delete(connection)
    await connection.close()
  }

  /**
   * Asks one broker after the other until one answers: those already connected, then the others that are known, then
   * the bootstrap addresses. Throws with what was tried when none does.
   */
  async askAny<Answer>(ask: (connection: BrokerConnection) => Promise<Answer>): Promise<Answer> {
    const tried = new Map<string, KdrError>()
    for (const open of this.#candidates()) {
      try {
        const connection = await open()
        const answer = await ask(connection)
        this.#answeredAt = connection.address
        return answer
      } catch (error) {
        if (!(error instanceof KdrError) || (error.code !== 'unreachable' && error.code !== 'not-allowed'))
          throw error
        tried.set(error.message, error)
      }
    }
    const failures = [...tried.values()]
    const refused = failures.find(failure => failure.code === 'not-allowed')
    if (refused !== undefined) throw refused
    if (failures.length === 1 && failures[0] !== undefined) throw failures[0]
    const texts = failures.map(failure => failure.message)
    throw new KdrError('unreachable', `cluster "${this.#settings.cluster}": ${texts.join('; ')}`, {
      facts: { tried: texts },
      ...(failures[0] === undefined ? {} : { hint: failures[0].hint, cause: failures[0] }),
    })
  }

  *#candidates(): Generator<() => Promise<BrokerConnection>> {
    const connected = this.#controls.brokers().filter(id => this.#addresses.has(id))
    const others = [...this.#addresses.keys()].filter(id => !connected.includes(id))
    for (const id of [...connected, ...others]) yield () => this.control(id)
    for (const address of this.#bootstrap) yield () => this.#openBootstrap(address)
  }

  async #openBootstrap(address: Address): Promise<BrokerConnection> {
    const connection = await this.#open(address)
    await this.#bootstrapped?.close()
    this.#bootstrapped = connection
    return connection
  }

  /** Keeps the bootstrap connection as a control connection if its address is that of a broker, else closes it. */
  #adoptBootstrap(): void {
    const connection = this.#bootstrapped
    if (connection === undefined) return
    this.#bootstrapped = undefined
    for (const [id, address] of this.#addresses) {
      if (!sameAddress(address, connection.address) || this.#controls.has(id)) continue
      this.#controls.put(id, connection)
      return
    }
    void connection.close()
  }

  #addressOf(broker: number): Address {
    const address = this.#addresses.get(broker)
    if (address !== undefined) return address
    throw new KdrError('unreachable', `broker ${broker} of cluster "${this.#settings.cluster}" is not alive`)
  }

  /** Who has just signed in and is refused may be in the middle of a change: the broker knows the new password, the file does not yet. */
  async #open(address: Address): Promise<BrokerConnection> {
    for (let attempt = 1; ; attempt++) {
      try {
        const connection = await this.#openOnce(address)
        this.#signedInAt = performance.now()
        return connection
      } catch (error) {
        const isRefused = error instanceof KdrError && error.code === 'not-allowed'
        const isRecent = performance.now() - this.#signedInAt < RECENTLY_MS
        if (!isRefused || !isRecent || attempt === ATTEMPTS) throw error
      }
      await sleep(AGAIN_MS)
    }
  }

  async #openOnce(address: Address): Promise<BrokerConnection> {
    this.#refuseWhenClosed(address)
    const connection = await BrokerConnection.open(this.#settings, address).catch((error: unknown) => {
      throw this.#namingAdvertised(error, address)
    })
    this.#reached.add(addressText(address))
    try {
      this.#refuseWhenClosed(address)
      await this.#refuseAnother(connection)
      return connection
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  /** An address that nobody has ever reached may be advertised by mistake, while the cluster answers elsewhere. */
  #namingAdvertised(error: unknown, address: Address): unknown {
    const at = this.#answeredAt
    if (!(error instanceof KdrError) || error.code !== 'unreachable' || at === undefined) return error
    // Its own hint says what to do.
    if (error.facts['tls'] !== undefined) return error
    if (this.#reached.has(addressText(address)) || sameAddress(at, address)) return error
    return new KdrError(
      'unreachable',
      `${error.message} (the brokers advertise this address; the cluster answered at ${addressText(at)})`,
      {
        cause: error,
        hint: 'Check `advertised.listeners` of the brokers: kdr must be able to reach what they name.',
      },
    )
  }

  /**
   * Each connection is asked for its cluster: an address may lead elsewhere by now (a load balancer, a name that moved),
   * and brokers before 4.1 take a batch by the name of its topic alone.
   */
  async #refuseAnother(connection: BrokerConnection): Promise<void> {
    if (this.#clusterId === '') return
    const { clusterId } = await readTopicsById(connection, [])
    if (clusterId === this.#clusterId) return
    throw new KdrError(
      'wrong-cluster',
      `${connection.what} belongs to another cluster by now: "${clusterId}" instead of "${this.#clusterId}"`,
    )
  }

  #refuseWhenClosed(address: Address): void {
    if (!this.#isClosed) return
    throw new KdrError(
      'unreachable',
      `cluster "${this.#settings.cluster}" was closed, so ${addressText(address)} is not opened`,
    )
  }

  async close(): Promise<void> {
    this.#isClosed = true
    const bootstrapped = this.#bootstrapped === undefined ? [] : [this.#bootstrapped]
    await Promise.all([
      this.#controls.close(),
      this.#marking.close(),
      ...[...bootstrapped, ...this.#own].map(connection => connection.close()),
    ])
    this.#own.clear()
  }
}

/** One connection to each broker, opened at first use and again when it broke. */
class Shared {
  readonly #connections = new Map<number, Promise<BrokerConnection>>()

  async get(broker: number, open: () => Promise<BrokerConnection>): Promise<BrokerConnection> {
    const current = this.#connections.get(broker)
    if (current !== undefined) {
      const connection = await current.catch(() => undefined)
      if (connection !== undefined && !connection.isClosed) return connection
      if (this.#connections.get(broker) === current) this.#connections.delete(broker)
      else return this.get(broker, open)
    }
    const opening = open()
    this.#connections.set(broker, opening)
    return opening
  }

  put(broker: number, connection: BrokerConnection): void {
    this.#connections.set(broker, Promise.resolve(connection))
  }

  has(broker: number): boolean {
    return this.#connections.has(broker)
  }

  brokers(): number[] {
    return [...this.#connections.keys()]
  }

  /** Lets go of connections to addresses that a broker no longer has. */
  keepOnly(addresses: ReadonlyMap<number, Address>): void {
    for (const [id, opening] of this.#connections) {
      const address = addresses.get(id)
      void opening.then(
        connection => {
          if (address !== undefined && sameAddress(connection.address, address)) return undefined
          if (this.#connections.get(id) === opening) this.#connections.delete(id)
          return connection.close()
        },
        () => undefined,
      )
    }
  }

  async close(): Promise<void> {
    const settled = await Promise.allSettled(this.#connections.values())
    this.#connections.clear()
    await Promise.all(settled.map(async one => (one.status === 'fulfilled' ? one.value.close() : undefined)))
  }
}

function sameAddress(a: Address, b: Address): boolean {
  return a.host === b.host && a.port === b.port
}
