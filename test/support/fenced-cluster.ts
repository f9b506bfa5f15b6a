// A cluster with one broker and one mirrored topic that answers as it is told, for the steps of a run that stop writers.
import { recordCodec } from '../../src/kafka/records.ts'
import { readDenied } from '../../src/model/denied.ts'
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import { type AclRule, aclKey } from '../../src/model/rights.ts'
import type { RunOptions, RunRecord } from '../../src/model/runs.ts'
import { topicKey, toRecord } from '../../src/model/state-records.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type {
  Cluster,
  ListedGroup,
  Outcome,
  ProducerState,
  TransactionView,
} from '../../src/ports/cluster.ts'
import type { WriterProbe } from '../../src/ports/outside.ts'
import type { StateRecord, StateStore } from '../../src/ports/state.ts'
import type { RunContext } from '../../src/engine/runs/context.ts'

export const OF = { link: 'ew', clusterId: 'east-id' }
export const TOPIC = 'orders'
export const APP = 'User:app'
export const EVERYBODY = 'User:*'

export const rule = (change: Partial<AclRule>): AclRule => ({
  type: 'TOPIC',
  pattern: 'LITERAL',
  name: TOPIC,
  principal: APP,
  host: '*',
  operation: 'WRITE',
  permission: 'ALLOW',
  ...change,
})
export const denial = (principal: string, change: Partial<AclRule> = {}): AclRule =>
  rule({ principal, permission: 'DENY', ...change })

/** Time passes when somebody sleeps. */
export class FakeClock implements Clock {
  #now = 1_000_000
  readonly #at: { readonly at: number; readonly act: () => void }[] = []

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  async sleep(ms: number): Promise<void> {
    this.#now += ms
    for (const { at, act } of this.#at) if (at <= this.#now) act()
    await Promise.resolve()
  }

  /** At each look of whoever sleeps, from then on. */
  from(ms: number, act: () => void): void {
    this.#at.push({ at: this.#now + ms, act })
  }
}

export class FakeStore implements StateStore {
  readonly records = new Map<string, StateRecord>()
  readonly position = 0
  readonly refresh = async (): Promise<void> => {}

  get(key: string): StateRecord | undefined {
    return this.records.get(key)
  }

  entries(prefix: string): (readonly [string, StateRecord])[] {
    return [...this.records].filter(([key]) => key.startsWith(prefix))
  }

  async put(key: string, record: StateRecord | undefined): Promise<void> {
    if (record === undefined) this.records.delete(key)
    else this.records.set(key, record)
    await Promise.resolve()
  }
}

export class Killed extends Error {}

/** Dies before its n-th write. */
export class MortalStore extends FakeStore {
  lives = Infinity

  override async put(...[key, record]: Parameters<FakeStore['put']>): Promise<void> {
    this.lives--
    if (this.lives < 0) throw new Killed()
    await super.put(key, record)
  }
}

export type World = ReturnType<typeof world>

/** One broker that leads one partition. `kdrIs`: what its authorizer takes kdr for. */
export function world() {
  const clock = new FakeClock()
  const store = new FakeStore()
  store.records.set(
    topicKey('ew', TOPIC),
    toRecord('topic', {
      phase: 'mirroring',
      sourceTopicId: 'id',
      targetTopicId: 'id2',
      applied: {},
      adoptedUpTo: [],
    }),
  )
  const state = {
    clock,
    store,
    rules: [rule({})] as AclRule[],
    hasAuthorizer: true,
    dropsCreations: false,
    isAppSuper: false,
    isKdrSuper: false,
    end: 100,
    lastStable: 100,
    groups: [] as ListedGroup[],
    producers: [] as ProducerState[],
    transactions: [] as TransactionView[],
    initialized: [] as string[],
    /** What `_kdr.state` said when rules were created. */
    knownAtCreation: [] as AclRule[],
    ran: [] as string[],
  }
  const mayWrite = (principal: string, isSuper: boolean): boolean => {
    const of = state.rules.filter(
      each => each.type === 'TOPIC' && (each.principal === principal || each.principal === EVERYBODY),
    )
    if (isSuper) return true
    return !of.some(each => each.permission === 'DENY') && of.some(each => each.permission === 'ALLOW')
  }
  const answer = (isAllowed: boolean): Outcome => ({
    code: isAllowed ? KafkaCode.CORRUPT_MESSAGE : KafkaCode.TOPIC_AUTHORIZATION_FAILED,
  })
  const source = {
    name: 'east',
    describe: async () => ({
      clusterId: OF.clusterId,
      brokers: [{ id: 1, host: 'e1', port: 9092, rack: undefined }],
      topics: new Map([
        [
          TOPIC,
          {
            name: TOPIC,
            id: 'id',
            isInternal: false,
            partitions: [{ partition: 0, leader: 1, leaderEpoch: 0, replicas: [1], isr: [1] }],
          },
        ],
      ]),
    }),
    offsets: async (partitions: readonly unknown[], point: string) =>
      partitions.map(() => ({
        code: 0,
        offset: point === 'lastStable' ? state.lastStable : state.end,
        leaderEpoch: 0,
      })),
    brokerConfigs: async () => new Map([['broker.session.timeout.ms', '4000']]),
    describeAcls: async () =>
      state.hasAuthorizer
        ? { code: 0, rules: [...state.rules] }
        : { code: KafkaCode.SECURITY_DISABLED, rules: [] },
    createAcls: async (rules: readonly AclRule[]) => {
      state.knownAtCreation = readDenied(store, OF)
      if (!state.dropsCreations) state.rules.push(...rules)
      return rules.map(() => ({ code: 0 }))
    },
    deleteAcls: async (rules: readonly AclRule[]) => {
      const gone = new Set(rules.map(aclKey))
      state.rules = state.rules.filter(each => !gone.has(aclKey(each)))
      return rules.map(() => ({ code: 0 }))
    },
    openAppendLane: async () => ({
      append: async (entries: readonly object[]) =>
        entries.map(() => answer(mayWrite('User:kdr', state.isKdrSuper))),
      close: async () => {},
    }),
    listGroups: async () => state.groups,
    producers: async (partitions: readonly unknown[]) =>
      partitions.map(() => ({ code: 0, producers: state.producers })),
    transactionsOf: async (ids: readonly bigint[] | 'under way') => ({
      isComplete: true,
      transactions: state.transactions.filter(
        ({ producerId }) => ids === 'under way' || ids.includes(producerId),
      ),
    }),
    initProducer: async (id: string) => {
      state.initialized.push(id)
      state.lastStable = state.end
      return { code: 0, producerId: 1n, producerEpoch: 1 }
    },
  } as unknown as Cluster
  const probe = {
    principal: APP,
    probe: async (partitions: readonly unknown[]) =>
      partitions.map(() => answer(mayWrite(APP, state.isAppSuper))),
    close: async () => {},
  }
  return Object.assign(state, { source, probe })
}

type Around = {
  readonly clock: Clock
  readonly store: StateStore
  readonly source: Cluster
  readonly probe: WriterProbe
  /** Commands that were run. */
  readonly ran: string[]
}

/** A switchover of link `ew` from `east`, without anything that stops writers but ACLs. */
export function contextOf(
  { clock, store, source, probe, ran }: Around,
  change: Omit<Partial<RunContext>, 'options' | 'record'> & {
    readonly options?: Partial<RunOptions>
    readonly record?: Partial<RunRecord>
  } = {},
): RunContext {
  const options = { acceptSplitBrain: false, by: 'a@b', ...change.options }
  const record = { run: 'r1', kind: 'switchover', link: 'ew', active: 'east', standby: 'west' }
  return {
    source,
    store,
    sourceStore: undefined,
    clock,
    codec: recordCodec,
    probe,
    own: new Set(['User:kdr']),
    fence: { acl: true, command: undefined },
    consumers: 'leave',
    settings: { groups: ['*'] },
    commands: {
      run: async (command: string) => {
        ran.push(command)
        return { code: 0, output: '' }
      },
    },
    facts: {},
    guard: async () => {},
    progress: () => {},
    dataOf: () => undefined,
    ...change,
    options,
    record: { ...record, activeClusterId: OF.clusterId, ...change.record } as RunRecord,
  } as unknown as RunContext
}
