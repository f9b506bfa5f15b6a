// Backs up, verifies and prunes a set in the simulated world, as processes that may be killed or meet a faulty store; and judges what
// stands in the vault afterwards against what the source held when each commit was made.
import assert from 'node:assert/strict'
import { SetUpkeep, type UpkeepSight } from '../../src/engine/backup/upkeep.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { applyCommit, baseOf, type SetState } from '../../src/model/vault.ts'
import type { PrunePlan, PruneReport } from '../../src/model/vault-reports.ts'
import type { Cluster } from '../../src/ports/cluster.ts'
import type { ObjectStore } from '../../src/ports/store.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { commitRange, type CommitRange, readCommit, readLatest } from '../../src/vault/chain.ts'
import { DAY_MS, executePrune, GRACE_MS, preparePrune, VERIFIED_WITHIN_MS } from '../../src/vault/prune.ts'
import { ANNOUNCE_EVERY_MS, Turn } from '../../src/vault/turn.ts'
import { lastVerified, recordVerified } from '../../src/vault/verified.ts'
import { type VaultVerification, verifyVault } from '../../src/vault/verify.ts'
import { type Life, mortalCluster, mortalStore } from './life.ts'
import { SET, unique } from './made.ts'
import { type Seen, seenAtSource, seenInVault, type SimSource } from './sim-source.ts'

/** Its topics may be compacted: what the source held is less than what a commit may hold. */
export const COMPACTED = 'c'

type HeldPartition = {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly seen: Seen
  readonly mayHave: ReadonlySet<string> | undefined
}
type Held = { readonly endsAt: number; readonly partitions: readonly HeldPartition[] }

/** How one process sees the world. */
export type Eyes = { readonly store: ObjectStore; readonly port: Cluster }

export class Keeper {
  readonly source: SimSource
  readonly objects: MemoryStore
  /** What each commit must give back, by number. */
  readonly held = new Map<number, Held>()
  range: CommitRange | undefined
  /** Of every full verification that may have ended well. */
  readonly #verified: { readonly number: number; readonly at: number }[] = []
  /** By topic id and partition: every record that was ever committed there. */
  readonly #ever = new Map<string, Set<string>>()
  readonly #readers: { readonly number: number; readonly state: SetState; readonly since: number }[] = []

  constructor(source: SimSource) {
    this.source = source
    assert.ok(source.store instanceof MemoryStore)
    this.objects = source.store
  }

  eyes(life: Life, store: ObjectStore = this.objects): Eyes {
    return { store: mortalStore(store, life), port: mortalCluster(this.source.port, life) }
  }

  get whole(): Eyes {
    return { store: this.objects, port: this.source.port }
  }

  now(): number {
    return this.source.clock.now()
  }

  async verify({ store }: Eyes = this.whole): Promise<VaultVerification> {
    return await this.source.run(async () => await this.#startVerify(store))
  }

  async #startVerify(store: ObjectStore): Promise<VaultVerification & { readonly number: number }> {
    const range = await commitRange(store, SET)
    const number = range?.last ?? 0
    const at = this.now()
    const isIntact = recordCodec.isIntact.bind(recordCodec)
    const found = await verifyVault({ store, set: SET, number, isFull: true, isIntact })
    assert.deepEqual(found.problems, [], 'a full verification finds nothing wrong')
    this.#verified.push({ number, at })
    const of = { set: SET, number, at: new Date(at).toISOString(), by: 'test', ...found }
    const { objects, bytes } = found
    await recordVerified(store, { set: SET, number, at: of.at, by: of.by, objects, bytes }, unique)
    return { number, ...found }
  }

  /** What a daemon does of a set with `verify:` and `prune: auto` when it looks: what is due of both. */
  async upkeep(
    days: number,
    { store }: Eyes = this.whole,
    verifyMs = VERIFIED_WITHIN_MS,
  ): Promise<UpkeepSight> {
    const { clock } = this.source
    const now = (): number => this.now()
    const upkeep = new SetUpkeep({
      name: SET,
      clock,
      log: { event: () => undefined },
      fraction: 0,
      announceEveryMs: ANNOUNCE_EVERY_MS,
      verifyMs,
      isPruning: true,
      stand: async () => {
        const state = await readLatest(store, SET)
        const verified = state && (await lastVerified(store, SET, state.first))
        return state && { verifiedAt: verified && Date.parse(verified.at) }
      },
      verify: async () => await this.#startVerify(store),
      preparePrune: async () => {
        const options = { store, set: SET, by: 'test', unique, now, days }
        const planned = await preparePrune(options)
        return { plan: planned.plan, execute: async () => await executePrune(options, planned) }
      },
      turn: () => new Turn({ store, set: SET, of: 'verifying', id: unique(), now }),
    })
    await this.source.run(async () => await upkeep.look(new AbortController().signal))
    return upkeep.sight
  }

  async prune(days: number, { store }: Eyes = this.whole): Promise<PrunePlan & PruneReport> {
    return await this.source.run(async () => await this.startPrune(days, { store }))
  }

  /** Within `run`. */
  async startPrune(days: number, { store }: Pick<Eyes, 'store'>): Promise<PrunePlan & PruneReport> {
    const options = { store, set: SET, by: 'test', unique, now: () => this.now(), days }
    const planned = await preparePrune(options)
    return { ...planned.plan, ...(await executePrune(options, planned)) }
  }

  /** Somebody begins to read a commit, and is not done before the grace period is over. */
  async beginToRead(number: number): Promise<void> {
    this.#readers.push({ number, state: await this.source.state(number), since: this.now() })
  }

  /** Before what is there is changed by a cleaner or retention. */
  note(): void {
    for (const { partitions, id } of this.source.cluster.topics.values())
      for (const [partition, at] of partitions.entries()) {
        const key = `${id}/${partition}`
        const ever = this.#ever.get(key) ?? new Set()
        this.#ever.set(key, ever)
        for (const line of seenAtSource(at)) ever.add(line)
      }
  }

  /**
   * After whatever was done to the vault, and before the source changes again. `days`: of a prune that may have been done. Throws when a
   * commit that counts does not give back what the source held, or one that should count does not.
   */
  async judge(days?: number): Promise<void> {
    this.note()
    const before = this.range
    const range = await commitRange(this.objects, SET)
    this.range = range
    if (range === undefined) return assert.equal(before, undefined, 'what was committed stays')
    assert.ok(range.last >= (before?.last ?? 0), `commit ${before?.last ?? 0} was there`)
    for (let number = (before?.last ?? 0) + 1; number <= range.last; number++) await this.#learn(number)
    if (range.first !== (before?.first ?? 1)) this.#judgePrune(range.first, days)
    for (const number of this.held.keys()) if (number < range.first) this.held.delete(number)
    await this.#assertComplete(range)
    for (const { number, state, since } of this.#readers)
      if (this.now() - since < GRACE_MS) this.#assertThere(state, `commit ${number}, which is being read`)
  }

  /** Reads every record of every commit that counts. */
  async readAll(): Promise<void> {
    for (const number of this.held.keys()) await this.#read(number)
  }

  /** Object by object, nothing that is left is garbage that nobody will delete. */
  async assertNoGarbage(): Promise<void> {
    const { first, last } = this.range!
    const known = new Set(['kdr.json'])
    for (let number = baseOf(first); number <= last; number++) {
      const { commit } = await readCommit(this.objects, SET, number)
      if (number >= first)
        for (const name of (await this.source.state(number)).objects.keys()) known.add(`${SET}/${name}`)
      for (const name of commit.prune?.doomed ?? []) known.add(`${SET}/${name}`)
    }
    const garbage = [...this.objects.objects.keys()].filter(
      name => !known.has(name) && !name.includes('/commits/') && !name.includes('/verified/'),
    )
    assert.deepEqual(garbage, [])
  }

  async #learn(number: number): Promise<void> {
    const { commit } = await readCommit(this.objects, SET, number)
    if (commit.kind === 'prune') {
      this.held.set(number, this.held.get(number - 1)!)
      return
    }
    const state = await this.source.state(number)
    const partitions: HeldPartition[] = []
    for (const [topic, { id, partitions: all }] of this.source.cluster.topics) {
      const known = state.topics.get(topic)
      assert.equal(known?.id ?? id, id, `commit ${number} has another "${topic}"`)
      for (const [partition, at] of all.entries()) {
        const end = known?.partitions[partition]?.end ?? 0
        const seen = seenAtSource(at, end)
        const ever = this.#ever.get(`${id}/${partition}`)
        const mayHave = topic.startsWith(COMPACTED) ? new Set(ever) : undefined
        partitions.push({ topic, topicId: id, partition, seen, mayHave })
      }
    }
    this.held.set(number, { endsAt: Date.parse(commit.endsAt), partitions })
    await this.#read(number)
  }

  async #read(number: number): Promise<void> {
    const state = await this.source.state(number)
    for (const { topic, partition, seen, mayHave } of this.held.get(number)!.partitions) {
      const log = state.topics.get(topic)?.partitions[partition]
      const where = `commit ${number}, "${topic}" partition ${partition}`
      const inVault = log === undefined ? [] : await seenInVault(this.objects, log)
      if (mayHave === undefined) {
        assert.deepEqual(inVault, seen, where)
        continue
      }
      const has = new Set(inVault)
      assert.deepEqual(
        seen.filter(line => !has.has(line)),
        [],
        `${where}: missing`,
      )
      assert.deepEqual(
        inVault.filter(line => !mayHave.has(line)),
        [],
        `${where}: never written`,
      )
    }
  }

  #judgePrune(first: number, days: number | undefined): void {
    assert.ok(days !== undefined, 'nobody has pruned')
    const held = this.held.get(first)
    assert.ok(held !== undefined, `commit ${first} is the first, and was never made`)
    assert.ok(
      held.endsAt <= this.now() - days * DAY_MS,
      `commit ${first} is needed for the last ${days} days`,
    )
    assert.ok(
      this.#verified.some(
        ({ number, at }) => number >= first && Math.abs(this.now() - at) <= VERIFIED_WITHIN_MS,
      ),
      'pruned without a full verification of what is left',
    )
  }

  async #assertComplete({ first, last }: CommitRange): Promise<void> {
    let state: SetState | undefined
    for (let number = baseOf(first); number <= last; number++) {
      const { commit, sha256 } = await readCommit(this.objects, SET, number)
      if (state !== undefined) assert.equal(commit.previous, state.sha256, `commit ${number} follows`)
      state = applyCommit(state, commit, sha256)
      if (number >= first) this.#assertThere(state, `commit ${number}`)
    }
  }

  #assertThere({ objects }: SetState, what: string): void {
    for (const { name, bytes } of objects.values())
      assert.equal(this.objects.objects.get(`${SET}/${name}`)?.length, bytes, `${what} needs ${name}`)
  }
}
