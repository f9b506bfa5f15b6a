// Applications under load, and the ledger of what was acknowledged and delivered, for tests of runs on real brokers.
import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunReport } from '../../src/model/runs.ts'
import type { LedgerAudit } from './judge.ts'
import { freshTopic, type TestLab, waitFor } from './lab.ts'
import { adminOf } from './link.ts'

const KINDS = [
  { kind: 'plain', producer: { compression: 'lz4' } },
  { kind: 'plain', producer: { idempotent: true, keys: 50 } },
  { kind: 'transactional', producer: { perTransaction: 20, abortEvery: 5 } },
] as const
export const PROTOCOLS = ['classic', 'consumer'] as const

export type Writer = {
  readonly topic: string
  readonly kind: 'plain' | 'transactional'
  readonly workload: string
}
export type Reader = { readonly group: string; readonly consumer: string }

export function cutsOf({ rpo }: RunReport, topic: string): Record<string, number> {
  return Object.fromEntries(
    rpo.partitions.filter(each => each.topic === topic).map(({ partition, cut }) => [partition, cut]),
  )
}

/** Of the clusters of a test. */
export function ledgerOf(context: TestLab) {
  const at = (name: string) => adminOf(context.cluster(name))

  async function startWriters(name: string, topics: readonly string[]): Promise<Writer[]> {
    return await Promise.all(
      KINDS.map(async ({ kind, producer }, index) => {
        const topic = topics[index]!
        const { workload } = await context.judge.startWorkload({
          ...at(name),
          topic,
          rate: 400,
          ...producer,
          ...(kind === 'transactional' && { transactionalId: freshTopic('ledger-tx') }),
        })
        return { topic, kind, workload }
      }),
    )
  }

  async function startReaders(name: string, topics: readonly string[]): Promise<Reader[]> {
    return await Promise.all(
      PROTOCOLS.map(async protocol => {
        const group = `${topics[0] ?? ''}-${protocol}`
        const { consumer } = await context.judge.startConsumer({
          ...at(name),
          group,
          topics,
          protocol,
          isolation: 'committed',
        })
        return { group, consumer }
      }),
    )
  }

  async function makeTopics(name: string, prefix: string): Promise<string[]> {
    const topics = KINDS.map((_, index) => `${prefix}${index}`)
    for (const topic of topics) await context.judge.createTopic({ ...at(name), topic, partitions: 2 })
    return topics
  }

  async function auditsOf(
    name: string,
    report: RunReport,
    writers: readonly Writer[],
    consumers: readonly string[] = [],
  ): Promise<{ topic: string; audit: LedgerAudit }[]> {
    const found = await Promise.all(
      writers.map(async ({ topic, kind, workload }) => {
        const cuts = cutsOf(report, topic)
        const audits = await context.judge.auditLedger({ ...at(name), workload, kind, cuts, consumers })
        return audits.map(audit => ({ topic, audit }))
      }),
    )
    return found.flat()
  }

  async function reached(name: string, { group }: Reader, topics: readonly string[]): Promise<void> {
    const ends = await context.judge.ends({ ...at(name), topics })
    await waitFor(
      async () => {
        const offsets = await context.judge.groupOffsets({ ...at(name), group })
        const committed = new Map(offsets.map(each => [`${each.topic}/${each.partition}`, each.offset]))
        return ends.every(
          ([topic, partition, end]) => end === 0 || (committed.get(`${topic}/${partition}`) ?? 0) >= end,
        )
      },
      { what: `${group} to reach the ends at ${name}`, everyMs: 200 },
    )
  }

  return { startWriters, startReaders, makeTopics, auditsOf, reached }
}

/** A hook of the operator: says that it is asked for, and waits until the test has done it. */
export class Hook {
  readonly #file = join(tmpdir(), `kdr-hook-${process.pid}-${freshTopic('hook')}`)
  get command(): string {
    return `touch ${this.#file}; while [ ! -e ${this.#file}.done ]; do sleep 0.05; done`
  }
  async serve(act: () => Promise<void>): Promise<void> {
    await waitFor(() => existsSync(this.#file), { what: 'the hook to be called' })
    await act()
    writeFileSync(`${this.#file}.done`, '')
  }
  forget(): void {
    for (const file of [this.#file, `${this.#file}.done`]) rmSync(file, { force: true })
  }
}
