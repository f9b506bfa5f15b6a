// Keeps everybody but super users from the mirrors, where the config wants that (`denyWrites`) and kdr is a super user itself: else it
// would stop itself. That is proven first on a topic of its own, where it denies everybody, and looks whether it is refused. The rule
// stays there, and it looks again before each round: who is a super user no more takes all denials away. What is about to be put there
// is remembered first; only that is ever taken away.
import { spoilChecksum } from '../../model/batch.ts'
import { deniedPrefix, deniedRecords, readDenied, readGuarded } from '../../model/denied.ts'
import { codeName, isAuthorization, KafkaCode } from '../../model/kafka-codes.ts'
import { GUARD_CONFIGS, replicasOf } from '../../model/own-topics.ts'
import { type AclRule, aclKey, type GuardReport } from '../../model/rights.ts'
import { isSameValue } from '../../model/same-value.ts'
import { readLink, readTopics } from '../../model/state-records.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Cluster, Outcome } from '../../ports/cluster.ts'
import type { RecordCodec } from '../../ports/records.ts'
import {
  GUARD_TOPIC,
  type GuardPlan,
  guardRules,
  type Keyed,
  keyed,
  mayBeGuard,
  planGuard,
  proofRule,
} from './guard-plan.ts'
import { assertAnswered, missingRight, type RightsContext, RightsReporter, whatIsLacking } from './report.ts'

export type GuardSide = Pick<
  Cluster,
  'name' | 'describe' | 'createTopics' | 'openAppendLane' | 'describeAcls' | 'createAcls' | 'deleteAcls'
>

export type GuardInput = RightsContext & {
  /** `denyWrites`. What was put there before goes, where it is not wanted any more. */
  readonly isWanted: boolean
  readonly target: GuardSide
  readonly codec: RecordCodec
  readonly clock: Clock
  /** Mirrors of other links to the target that deny as well. */
  readonly elsewhere: () => ReadonlySet<string>
}

/**
 * ACLs reach brokers one by one: one that has not learned of a rule says nothing about it. Longer than `broker.session.timeout.ms`,
 * after which a broker that does not hear from the controller leads nothing.
 */
const SETTLED_AFTER_MS = 10_000
/** Who was no super user may have become one. */
const ASKED_AGAIN_AFTER_MS = 600_000
/** Of rules in one request. */
const AT_ONCE = 500
const PROBE_TIMEOUT_MS = 5_000

/** `why`: for people, where it is not known. */
type Proof =
  | { readonly state: 'super-user' | 'refused' | 'settling' }
  | { readonly state: 'unknown'; readonly why: string }

export class WriteGuard {
  readonly #input: GuardInput
  readonly #reporter: RightsReporter<'guard'>
  /** Since when the topic of the proof has been denied, as far as this process knows. */
  #deniedSince: number | undefined
  /** When it was made, until it is seen. */
  #madeAt: number | undefined
  #refusedAt: number | undefined

  constructor(input: GuardInput) {
    this.#input = input
    this.#reporter = new RightsReporter(input, 'guard')
  }

  /** Throws KdrError: unreachable, other-controller. */
  async round(): Promise<void> {
    const sentence = await whatIsLacking(async () => await this.#follow())
    if (sentence !== undefined) await this.#tell({ state: 'refused', sentence })
  }

  async #follow(): Promise<void> {
    const { store, link, isWanted, target } = this.#input
    await store.refresh()
    const clusterId = readLink(store, link)?.targetClusterId
    if (clusterId === undefined) return
    const known = this.#known(clusterId)
    if (!isWanted && known.size === 0) {
      if (this.#reporter.last !== undefined) await this.#tell({ state: 'off', topics: 0 })
      return
    }
    if (this.#isRefused() && known.size === 0) return
    const answer = await target.describeAcls()
    if (answer.code === KafkaCode.SECURITY_DISABLED) {
      const sentence = `cluster "${target.name}" has no authorizer: nothing keeps others from writing to mirrors (denyWrites)`
      return await this.#tell({ state: 'refused', topics: 0, sentence })
    }
    const asked = { may: 'read the ACLs', cluster: target.name, right: 'DESCRIBE' }
    const missing = missingRight(answer, asked)
    if (missing !== undefined) return await this.#tell({ state: 'refused', sentence: missing })
    assertAnswered(answer, 'ACLs', target.name)
    const site = { clusterId, there: keyed(answer.rules.filter(mayBeGuard)) }
    const proof = isWanted ? await this.#prove(site) : undefined
    if (proof === undefined || proof.state === 'refused')
      return await this.#liftAll(site, proof !== undefined)
    if (proof.state === 'settling') return
    await this.#carryOut(site, proof)
  }

  /** What this link has put there, or was about to. */
  #known(clusterId: string): Keyed {
    const { store, link } = this.#input
    return keyed(readDenied(store, { link, clusterId, isGuard: true }))
  }

  #isRefused(): boolean {
    return (
      this.#refusedAt !== undefined && this.#input.clock.monotonic() - this.#refusedAt < ASKED_AGAIN_AFTER_MS
    )
  }

  /** Nothing is denied any more. `isRefused`: because kdr is no super user. */
  async #liftAll(site: Site, isRefused: boolean): Promise<void> {
    const { target, clock } = this.#input
    const failed = await this.#change(site, {
      add: [],
      remove: [...this.#known(site.clusterId).values()],
      memory: new Map(),
    })
    if (failed !== undefined) return await this.#tell({ state: 'refused', sentence: failed })
    this.#deniedSince = undefined
    if (!isRefused) return await this.#tell({ state: 'off', topics: 0 })
    this.#refusedAt = clock.monotonic()
    await this.#tell({
      state: 'refused',
      topics: 0,
      sentence: `kdr is no super user of "${target.name}": nobody is denied to write to mirrors there, because that would stop kdr too (denyWrites). Add its principal to \`super.users\` of every broker and controller`,
    })
  }

  /** Whether kdr may write where everybody is denied to. Nothing is appended: the checksum is wrong. */
  async #prove(site: Site): Promise<Proof> {
    const { target, clock } = this.#input
    if (this.#isRefused()) return { state: 'refused' }
    const rule = proofRule()
    // First the rule and then the topic: whoever leads a partition of it has most likely learned of the rule before.
    if (!site.there.has(aclKey(rule))) {
      this.#deniedSince = undefined
      const failed = await this.#change(site, {
        add: [rule],
        remove: [],
        memory: new Map([...this.#known(site.clusterId), [aclKey(rule), rule]]),
      })
      if (failed !== undefined) return { state: 'unknown', why: failed }
    }
    const view = await target.describe()
    const topic = view.topics.get(GUARD_TOPIC)
    if (topic === undefined) return await this.#makeTopic(view.brokers.length)
    this.#madeAt = undefined
    this.#deniedSince ??= clock.monotonic()
    if (clock.monotonic() - this.#deniedSince < SETTLED_AFTER_MS) return { state: 'settling' }
    const codes: number[] = []
    for (const { id: broker } of view.brokers) {
      const partition = topic.partitions.findIndex(({ leader }) => leader === broker)
      if (partition < 0)
        return {
          state: 'unknown',
          why: `broker ${broker} of "${target.name}" leads no partition of ${GUARD_TOPIC}, so that it is not known whether kdr is a super user there; if that stays so, delete this topic: kdr makes it anew`,
        }
      codes.push(await this.#probe(broker, { topic: GUARD_TOPIC, partition, topicId: topic.id }))
    }
    if (codes.includes(KafkaCode.TOPIC_AUTHORIZATION_FAILED)) return { state: 'refused' }
    const odd = codes.find(code => code !== KafkaCode.CORRUPT_MESSAGE)
    if (odd === undefined) return { state: 'super-user' }
    return {
      state: 'unknown',
      why: `"${target.name}" does not say whether kdr is a super user there: ${codeName(odd)}`,
    }
  }

  /** A super user may, and sees it then. */
  async #makeTopic(brokers: number): Promise<Proof> {
    const { target, clock, assertControl } = this.#input
    if (this.#madeAt !== undefined) {
      if (clock.monotonic() - this.#madeAt < SETTLED_AFTER_MS) return { state: 'settling' }
      this.#madeAt = undefined
      return { state: 'refused' }
    }
    await assertControl()
    const [made] = await target.createTopics([
      {
        name: GUARD_TOPIC,
        partitions: brokers,
        replicationFactor: replicasOf(brokers),
        configs: GUARD_CONFIGS,
      },
    ])
    const { code, message = '' } = made ?? { code: KafkaCode.UNKNOWN_SERVER_ERROR }
    if (isAuthorization(code)) return { state: 'refused' }
    if (code !== KafkaCode.NONE && code !== KafkaCode.TOPIC_ALREADY_EXISTS)
      return {
        state: 'unknown',
        why: `"${GUARD_TOPIC}" cannot be created on "${target.name}": ${codeName(code)} ${message}`.trim(),
      }
    this.#madeAt = clock.monotonic()
    this.#deniedSince = undefined
    return { state: 'settling' }
  }

  async #probe(
    broker: number,
    at: { readonly topic: string; readonly partition: number; readonly topicId: string },
  ): Promise<number> {
    const batch = this.#input.codec.encode({
      codec: 'none',
      records: [{ offset: 0, timestamp: 0, key: null, value: null, headers: [] }],
    })
    spoilChecksum(batch)
    const lane = await this.#input.target.openAppendLane(broker)
    try {
      const [answer] = await lane.append([{ ...at, batch }], PROBE_TIMEOUT_MS)
      return answer?.code ?? KafkaCode.UNKNOWN_SERVER_ERROR
    } finally {
      await lane.close()
    }
  }

  /** Where it is not known, nothing more is denied than was. */
  async #carryOut(site: Site, proof: Proof): Promise<void> {
    const { store, link, elsewhere } = this.#input
    const topics = [...readTopics(store, link)]
      .filter(([, { targetTopicId }]) => targetTopicId !== undefined)
      .map(([topic]) => topic)
    const known = this.#known(site.clusterId)
    const all = keyed([proofRule(), ...guardRules(topics)])
    const isProven = proof.state === 'super-user'
    const wanted = isProven ? all : new Map([...all].filter(([key]) => known.has(key)))
    const others = [...readGuarded(store, site.clusterId)].filter(([name]) => name !== link)
    const plan = planGuard({
      ...site,
      known,
      wanted,
      knownElsewhere: keyed(others.flatMap(([, rules]) => rules)),
      elsewhere: elsewhere(),
    })
    const { add, remove, memory } = plan
    const isSame = memory.size === known.size && [...memory.keys()].every(key => known.has(key))
    const isDone = isSame && add.length + remove.length === 0
    const failed = isDone ? undefined : await this.#change(site, isProven ? plan : { ...plan, add: [] })
    const problem = failed ?? (proof.state === 'unknown' ? proof.why : undefined)
    const denied = new Set([...wanted.values()].map(({ name }) => name))
    denied.delete(GUARD_TOPIC)
    await this.#tell({
      state: problem === undefined ? 'followed' : 'refused',
      topics: denied.size,
      ...(problem !== undefined && { sentence: problem }),
    })
  }

  /** Returns what went wrong; what could not be taken away stays remembered. Throws KdrError('other-controller'). */
  async #change({ clusterId }: Site, { add, remove, memory }: GuardPlan): Promise<string | undefined> {
    const { target, assertControl, log, link } = this.#input
    await this.#remember(clusterId, [...this.#known(clusterId).values(), ...memory.values()])
    const failed = new Set<string>()
    let first: string | undefined
    const look = (rules: readonly AclRule[], outcomes: readonly Outcome[]): void => {
      for (const [index, { code, message }] of outcomes.entries()) {
        if (code === KafkaCode.NONE) continue
        failed.add(aclKey(rules[index]!))
        const asked = { may: 'change the ACLs', cluster: target.name, right: 'ALTER' }
        first ??=
          missingRight({ code }, asked) ??
          `cluster "${target.name}" refuses to change ACLs: ${`${codeName(code)} ${message ?? ''}`.trim()}`
      }
    }
    for (const some of inPieces(remove)) {
      await assertControl()
      look(some, await target.deleteAcls(some))
    }
    for (const some of inPieces(add)) {
      await assertControl()
      try {
        const outcomes = await target.createAcls(some)
        await assertControl()
        look(some, outcomes)
      } catch (error) {
        // Stood still meanwhile, while the mirrors may have been promoted: they must not stay denied. Whoever has control puts it back.
        await target.deleteAcls(some)
        throw error
      }
    }
    await this.#remember(clusterId, [
      ...[...memory.values()].filter(rule => !failed.has(aclKey(rule))),
      ...remove.filter(rule => failed.has(aclKey(rule))),
    ])
    if (add.length + remove.length > 0)
      log.event(
        'info',
        `link "${link}": denials on mirrors at "${target.name}": ${add.length} added, ${remove.length} taken away`,
      )
    return first
  }

  async #remember(clusterId: string, rules: readonly AclRule[]): Promise<void> {
    const { store, link, assertControl, mayStill } = this.#input
    const of = { link, clusterId, isGuard: true }
    const wanted = deniedRecords(of, rules)
    const changed = [...wanted].filter(([key, record]) => !isSameValue(store.get(key), record))
    const gone = store.entries(deniedPrefix(of)).filter(([key]) => !wanted.has(key))
    if (changed.length + gone.length === 0) return
    await assertControl()
    await Promise.all([
      ...changed.map(async ([key, record]) => await store.put(key, record, mayStill)),
      ...gone.map(async ([key]) => await store.put(key, undefined, mayStill)),
    ])
  }

  async #tell(report: Omit<GuardReport, 'topics'> & Partial<GuardReport>): Promise<void> {
    await this.#reporter.tell({ topics: this.#reporter.last?.topics ?? 0, ...report })
  }
}

type Site = {
  readonly clusterId: string
  readonly there: Keyed
}

function* inPieces(rules: readonly AclRule[]): Generator<readonly AclRule[]> {
  for (let at = 0; at < rules.length; at += AT_ONCE) yield rules.slice(at, at + AT_ONCE)
}
