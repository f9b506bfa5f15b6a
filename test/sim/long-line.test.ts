// What a long line yields, in virtual time: the real fetchers and copies over a line on which each connection carries one
// window per round trip. The target takes everything at once, so that only fetching is measured, and the machine is not.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { LinkContext, SlotIdentity } from '../../src/engine/replicate/context.ts'
import { Fetchers } from '../../src/engine/replicate/fetchers.ts'
import { BASE_CONNECTIONS, LINE_LIMITS, LINK_BUFFER_BYTES } from '../../src/engine/replicate/limits.ts'
import { PartitionCopy } from '../../src/engine/replicate/partition.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import type {
  FetchedPartition,
  FetchLane,
  FetchPartition,
  FetchRequest,
  FetchSession,
} from '../../src/ports/cluster.ts'
import { SimClock } from './clock.ts'

const WINDOW_BYTES = 100 * 1024
const BATCH_RECORDS = 100

type LineSpec = { readonly roundTripMs: number; readonly limitBytesPerMs?: number }
type Setting = {
  readonly line: LineSpec
  readonly partitions: number
  /** Of each partition. */
  readonly bytes: number
  readonly batchBytes: number
  readonly connections: number
}

class Copying {
  readonly clock = new SimClock(0)
  readonly #setting: Setting
  readonly #end: number
  readonly #stop = new AbortController()
  readonly copies: PartitionCopy[] = []
  readonly #fetchers: Fetchers
  /** Connections that fetch, open and at most. */
  open = 0
  most = 0
  receivedBytes = 0
  #bufferedBytes = 0
  mostBufferedBytes = 0

  constructor(setting: Setting) {
    this.#setting = setting
    this.#end = Math.ceil(setting.bytes / setting.batchBytes) * BATCH_RECORDS
    this.#fetchers = new Fetchers(this.#context())
  }

  /** Virtual ms until everything is copied. */
  async run(): Promise<number> {
    for (let partition = 0; partition < this.#setting.partitions; partition++) this.#add(partition)
    const isDone = (): boolean => this.copies.every(copy => copy.appended === this.#end)
    assert.equal(await this.clock.run(isDone, 600_000), 'done')
    return this.clock.monotonic()
  }

  #add(partition: number): void {
    const hooks = {
      codec: recordCodec,
      onSendable: (copy: PartitionCopy): void => {
        while (copy.canSend()) {
          const batch = copy.take()
          void this.clock.sleep(1).then(() => copy.onAnswer(batch, { code: 0, baseOffset: batch.base }))
        }
      },
      onGap: () => assert.fail('there is no gap'),
      onRoom: (copy: PartitionCopy) => this.#fetchers.onRoom(copy),
      saveLineage: () => Promise.resolve(),
      onBuffered: (bytes: number) => {
        this.#bufferedBytes += bytes
        this.mostBufferedBytes = Math.max(this.mostBufferedBytes, this.#bufferedBytes)
        this.#fetchers.onBuffered(bytes)
      },
    }
    const identity: SlotIdentity = {
      slot: 0,
      mode: 'markers',
      generation: 1,
      transactionalId: undefined,
      producerId: 1n,
      producerEpoch: 0,
    }
    const copy = new PartitionCopy({ link: 'l', topic: 't', partition, identity }, hooks)
    this.copies.push(copy)
    void copy.open({
      offset: 0,
      planFrom: 0,
      fetchFrom: 0,
      sourceEpoch: 1,
      sequence: 0,
      freshSince: () => -1,
    })
    this.#fetchers.attach(copy)
  }

  #context(): LinkContext {
    const view = { partition: 0, leader: 1, leaderEpoch: 1, replicas: [1], isr: [1] }
    const { connections } = this.#setting
    return {
      settings: { maxBytesPerSecond: undefined, connectionsPerBroker: connections },
      clock: this.clock,
      codec: recordCodec,
      line: LINE_LIMITS,
      signal: this.#stop.signal,
      log: { event: () => undefined },
      fail: (error: unknown) => assert.fail(String(error)),
      sourceWatch: { partition: () => view, seen: () => undefined, refresh: () => Promise.resolve() },
      source: {
        openFetchLane: async () => await this.#openLane(),
        openFetchSession: async () => await this.#openSession(),
      },
    } as unknown as LinkContext
  }

  /** It has something to say about those with data only. */
  async #openSession(): Promise<FetchSession> {
    const lane = await this.#openLane(false)
    const asked = new Map<number, FetchPartition>()
    return {
      broker: 1,
      ask: of => void asked.set(of.partition, of),
      forget: ({ partition }) => void asked.delete(partition),
      next: async request => {
        const partitions = [...asked.values()].filter(({ offset }) => offset < this.#end)
        if (partitions.length === 0) await this.clock.sleep(request.maxWaitMs)
        const answers = partitions.length === 0 ? [] : await lane.fetch({ ...request, partitions })
        return answers.filter(({ records }) => records.length > 0)
      },
      close: () => lane.close(),
    }
  }

  /** Three round trips: the connection, what versions it speaks, which cluster it is. */
  async #openLane(isCounted = true): Promise<FetchLane> {
    const { roundTripMs } = this.#setting.line
    await this.clock.sleep(3 * roundTripMs)
    if (isCounted) this.most = Math.max(this.most, ++this.open)
    let received = 0
    let under = { bytes: 0, from: 0 }
    const now = (): number => this.clock.monotonic()
    const arrived = (): number => Math.min(under.bytes, Math.max(0, now() - under.from) * this.#bytesPerMs())
    return {
      broker: 1,
      firstByteMs: roundTripMs,
      get receivedBytes() {
        return received + arrived()
      },
      fetch: async ({ partitions, maxBytes }: FetchRequest) => {
        let left = maxBytes
        const answers = partitions.map(each => {
          // Only the first with data is sure to get a batch.
          const answer = this.#read(each, left === maxBytes ? this.#setting.batchBytes : 0, left)
          left -= answer.records.length
          return answer
        })
        const bytes = answers.reduce((sum, { records }) => sum + records.length, 0)
        under = { bytes, from: now() + roundTripMs }
        await this.clock.sleep(roundTripMs + bytes / this.#bytesPerMs())
        received += bytes
        this.receivedBytes += bytes
        under = { bytes: 0, from: 0 }
        return answers
      },
      close: () => {
        if (isCounted) this.open--
        return Promise.resolve()
      },
    }
  }

  /** Of one connection, as if all were at work. */
  #bytesPerMs(): number {
    const { roundTripMs, limitBytesPerMs = Infinity } = this.#setting.line
    return Math.min(WINDOW_BYTES / roundTripMs, limitBytesPerMs / Math.max(1, this.open))
  }

  #read(
    { topic, partition, offset, maxBytes }: FetchPartition,
    leastBytes: number,
    mostBytes: number,
  ): FetchedPartition {
    const { batchBytes } = this.#setting
    const first = Math.floor(offset / BATCH_RECORDS)
    const left = this.#end / BATCH_RECORDS - first
    const bytes = Math.min(left * batchBytes, Math.max(Math.min(maxBytes, mostBytes), leastBytes))
    const records = Buffer.alloc(bytes)
    for (let at = 0, base = first * BATCH_RECORDS; at + 61 <= bytes; at += batchBytes, base += BATCH_RECORDS)
      writeHeader(records, at, { base, batchBytes })
    const end = this.#end
    return {
      topic,
      partition,
      code: 0,
      highWatermark: end,
      lastStable: end,
      logStart: 0,
      aborted: [],
      records,
    }
  }
}

/** A plain batch; nobody looks behind its header. */
function writeHeader(
  bytes: Buffer,
  at: number,
  { base, batchBytes }: { base: number; batchBytes: number },
): void {
  bytes.writeBigInt64BE(BigInt(base), at)
  bytes.writeInt32BE(batchBytes - 12, at + 8)
  bytes.writeInt32BE(1, at + 12)
  bytes.writeInt8(2, at + 16)
  bytes.writeInt32BE(BATCH_RECORDS - 1, at + 23)
  bytes.writeBigInt64BE(1n, at + 35)
  bytes.writeBigInt64BE(-1n, at + 43)
  bytes.writeInt32BE(BATCH_RECORDS, at + 57)
}

const MB = 1e6
const LONG: Setting = {
  line: { roundTripMs: 50 },
  partitions: 6,
  bytes: 30 * MB,
  batchBytes: 60_000,
  connections: 16,
}
const MB_PER_SECOND_EACH = (WINDOW_BYTES / 50) * 1e-3

async function measure(
  changes: Partial<Setting>,
): Promise<{ copying: Copying; rate: number; waste: number }> {
  const setting = { ...LONG, ...changes }
  const copying = new Copying(setting)
  const ms = await copying.run()
  const bytes = setting.bytes * setting.partitions
  return { copying, rate: bytes / 1e3 / ms, waste: copying.receivedBytes / bytes - 1 }
}

describe('a line of 50 ms with windows of 100 KB', () => {
  for (const connections of [16, 64])
    for (const partitions of [1, 6, 200])
      test(`${connections} connections, partitions: ${partitions}`, async t => {
        const bytes = (connections * 20 * MB) / partitions
        const { copying, rate, waste } = await measure({ connections, partitions, bytes })
        const share = rate / (connections * MB_PER_SECOND_EACH)
        t.diagnostic(
          `${rate.toFixed(1)} MB/s, ${(share * 100).toFixed(0)} % of what so many can carry, ` +
            `${(waste * 100).toFixed(0)} % fetched twice, ${(copying.mostBufferedBytes / MB).toFixed(0)} MB buffered`,
        )
        // One is left to partitions that keep up.
        assert.ok(copying.most >= connections - 1)
        // The first seconds are spent on finding out.
        assert.ok(share > 0.5, `${(share * 100).toFixed(0)} %`)
        assert.ok(waste < 0.2, `${(waste * 100).toFixed(0)} % is fetched twice`)
        assert.ok(copying.mostBufferedBytes < LINK_BUFFER_BYTES.behind + LINE_LIMITS.aheadBytes)
      })

  test('large batches are fetched twice more often, and it is worth it all the same', async () => {
    const { rate, waste } = await measure({ batchBytes: 260_000 })
    assert.ok(rate > 15, `${rate.toFixed(1)} MB/s`)
    assert.ok(waste < 0.35, `${(waste * 100).toFixed(0)} %`)
  })
})

test('over a short line few connections fetch, and nothing twice', async () => {
  const { copying, waste } = await measure({ line: { roundTripMs: 1 }, partitions: 20, bytes: 6 * MB })
  assert.ok(copying.most <= BASE_CONNECTIONS)
  assert.ok(waste < 0.1, `${(waste * 100).toFixed(0)} % is fetched twice`)
})
