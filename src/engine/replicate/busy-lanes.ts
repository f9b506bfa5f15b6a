// The busy connections to one source broker: how many there are, who is idle, and what a failure does. What they fetch is up to
// whoever hands out the jobs. One is opened when there is work for it, and closed when there has been none for a while.
import type { FetchLane } from '../../ports/cluster.ts'
import type { LinkContext } from './context.ts'
import { BACKOFF_MS, IDLE_CONNECTION_MS } from './limits.ts'
import { LineGauge } from './line-gauge.ts'
import { Wake } from './wake.ts'

export type LaneHooks<Job> = {
  /** Whether a look for work may find some. */
  readonly hasWork: () => boolean
  readonly next: () => Job | undefined
  /** `index`: of the connection, from 0. Whatever it throws ends the connection. */
  readonly run: (job: Job, connection: FetchLane, index: number) => Promise<void>
  /** It was run, or failed. */
  readonly free: (job: Job) => void
  readonly recover: (error: unknown, backoffMs: number) => Promise<void>
}

type Lane = {
  readonly index: number
  readonly wake: Wake
  connection: FetchLane | undefined
  idleSince: number | undefined
}

export class BusyLanes<Job> {
  readonly gauge: LineGauge
  readonly #context: LinkContext
  readonly #broker: number
  readonly #hooks: LaneHooks<Job>
  readonly #lanes: Lane[] = []
  readonly #loops: Promise<void>[] = []
  #watching: Promise<void> | undefined
  /** By connections that are closed. */
  #receivedBytes = 0
  #isClosed = false

  constructor(context: LinkContext, broker: number, hooks: LaneHooks<Job>) {
    this.#context = context
    this.#broker = broker
    this.#hooks = hooks
    this.gauge = new LineGauge(context.settings.connectionsPerBroker, context.line)
  }

  /** Sees to it that somebody looks for work: one that is idle, else one more. */
  employ(): void {
    if (this.#isClosed) return
    const { connections } = this.gauge
    const idle = this.#lanes.find(({ index, idleSince }) => idleSince !== undefined && index < connections)
    if (idle !== undefined) idle.wake.up()
    else if (this.#lanes.length < connections) this.#start(this.#lanes.length)
  }

  /** Closes what has been idle for long. */
  async tidy(): Promise<void> {
    const { clock } = this.#context
    for (const lane of this.#lanes)
      if (lane.idleSince !== undefined && clock.monotonic() - lane.idleSince > IDLE_CONNECTION_MS)
        await this.#disconnect(lane)
  }

  /** No more jobs are begun. */
  stop(): void {
    this.#isClosed = true
    for (const { wake } of this.#lanes) wake.up()
  }

  /** What is under way fails. */
  async close(): Promise<void> {
    this.stop()
    await Promise.all(this.#lanes.map(async lane => await this.#disconnect(lane)))
    await Promise.all([...this.#loops, this.#watching])
  }

  #start(index: number): void {
    const lane: Lane = { index, wake: new Wake(), connection: undefined, idleSince: undefined }
    this.#lanes.push(lane)
    this.#loops.push(this.#run(lane))
  }

  async #run(lane: Lane): Promise<void> {
    let backoffMs: number = BACKOFF_MS.first
    while (!this.#isClosed) {
      const job = lane.index < this.gauge.connections ? this.#hooks.next() : undefined
      if (job === undefined) {
        // One too many by now: what it was woken for is somebody else's.
        if (lane.index >= this.gauge.connections && this.#hooks.hasWork()) this.employ()
        lane.idleSince = this.#context.clock.monotonic()
        await lane.wake.wait()
        lane.idleSince = undefined
        continue
      }
      if (this.#hooks.hasWork()) this.employ()
      if (this.gauge.isLong) this.#watchLine()
      try {
        await this.#hooks.run(job, await this.#connect(lane), lane.index)
        backoffMs = BACKOFF_MS.first
      } catch (error) {
        await this.#disconnect(lane)
        if (!this.#isClosed) await this.#hooks.recover(error, backoffMs)
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MS.last)
      } finally {
        this.#hooks.free(job)
      }
    }
    await this.#disconnect(lane)
  }

  async #connect(lane: Lane): Promise<FetchLane> {
    if (lane.connection !== undefined) return lane.connection
    const connection = await this.#context.source.openFetchLane(this.#broker)
    lane.connection = connection
    this.gauge.sample(connection.firstByteMs)
    return connection
  }

  async #disconnect(lane: Lane): Promise<void> {
    const { connection } = lane
    if (connection === undefined) return
    lane.connection = undefined
    this.#receivedBytes += connection.receivedBytes
    await connection.close()
  }

  #watchLine(): void {
    this.#watching ??= this.#watch().finally(() => {
      this.#watching = undefined
    })
  }

  /** While somebody works: looks every round trip at what comes in, and employs as many as the gauge allows. */
  async #watch(): Promise<void> {
    const { clock, line, signal } = this.#context
    const { gauge } = this
    for (let isBusy = true; isBusy && !this.#isClosed && !signal.aborted; ) {
      await clock.sleep(Math.max(line.longMs, gauge.roundTripMs ?? 0), signal)
      const working = this.#lanes.filter(lane => lane.idleSince === undefined)
      const open = working.filter(({ connection }) => connection !== undefined)
      gauge.look({
        at: clock.monotonic(),
        receivedBytes: this.#lanes.reduce(
          (sum, { connection }) => sum + (connection?.receivedBytes ?? 0),
          this.#receivedBytes,
        ),
        // One is left to those that keep up.
        isBusy: open.length >= gauge.connections - 1,
      })
      if (this.#hooks.hasWork()) this.employ()
      isBusy = working.length > 0
    }
    gauge.look({ at: clock.monotonic(), receivedBytes: 0, isBusy: false })
  }
}
