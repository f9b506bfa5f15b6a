// A member of a classic group of protocol type `kdr`, as Kafka Connect's workers are members of one of type `connect`:
// JoinGroup, SyncGroup, Heartbeat, LeaveGroup. A join waits at the broker until all members have joined, and a broker takes
// the requests of a connection one by one: joins and heartbeats have a connection each.
import { findCoordinatorV4, heartbeatV4, joinGroupV9, leaveGroupV5, syncGroupV5 } from '@platformatic/kafka'
import { ERRORS, KdrError } from '../model/errors.ts'
import { codeName, isAuthorization, KafkaCode, lackingRight } from '../model/kafka-codes.ts'
import { assertVersion } from '../model/versioned.ts'
import {
  type AssignSlots,
  REBALANCE_MS,
  SESSION_MS,
  type SlotGroup,
  type SlotMember,
} from '../ports/slot-group.ts'
import type { BrokerConnection } from './connection.ts'
import type { ClusterContext } from './context.ts'

const PROTOCOL_TYPE = 'kdr'
const PROTOCOL = 'slots'
const GROUP_KEY = 0
const RETRY_MS = 100
/** Its coordinator says no more than that when what it would write down about the group is too large for its topic. */
const CANNOT_KEEP =
  " (its coordinator's log says why; where max.message.bytes of topic `__consumer_offsets` is too small, raise it to 1048588)"
/** A join or a heartbeat that finds no coordinator for this long fails. */
const GIVE_UP_MS = 10_000

const MOVED: readonly number[] = [
  KafkaCode.COORDINATOR_LOAD_IN_PROGRESS,
  KafkaCode.COORDINATOR_NOT_AVAILABLE,
  KafkaCode.NOT_COORDINATOR,
]

export function openSlotGroup(context: ClusterContext, group: string): SlotGroup {
  return new KafkaSlotGroup(context, group)
}

type Purpose = 'join' | 'beat'
type JoinGroupResponse = Awaited<ReturnType<typeof joinGroupV9.api.async>>

class KafkaSlotGroup implements SlotGroup {
  readonly #context: ClusterContext
  readonly #group: string
  readonly #connections = new Map<Purpose, BrokerConnection>()
  #memberId = ''
  #generation = -1

  constructor(context: ClusterContext, group: string) {
    this.#context = context
    this.#group = group
  }

  async join(held: readonly number[], assign: AssignSlots): Promise<readonly number[] | 'gone'> {
    for (;;) {
      const joined = await this.#join(held)
      if (joined.errorCode === KafkaCode.MEMBER_ID_REQUIRED) {
        this.#memberId = joined.memberId
        continue
      }
      if (joined.errorCode === KafkaCode.UNKNOWN_MEMBER_ID) return this.#forget()
      this.#assertJoined(joined.errorCode)
      this.#memberId = joined.memberId
      this.#generation = joined.generationId
      const synced = await this.#sync(joined, assign)
      if (synced.errorCode === KafkaCode.REBALANCE_IN_PROGRESS) continue
      if (isGone(synced.errorCode)) return this.#forget()
      this.#assertJoined(synced.errorCode)
      return decode(synced.assignment, 'slots')
    }
  }

  async heartbeat(): Promise<'member' | 'rebalance' | 'gone'> {
    if (this.#memberId === '') return 'gone'
    const generation = this.#generation
    const { errorCode } = await this.#ask('beat', async connection => {
      connection.versions.need('Heartbeat')
      return connection.call(heartbeatV4.api, this.#group, generation, this.#memberId, null)
    })
    if (errorCode === KafkaCode.NONE) return 'member'
    if (errorCode === KafkaCode.REBALANCE_IN_PROGRESS) return 'rebalance'
    // A join has ended meanwhile; the next beat carries the new generation.
    if (errorCode === KafkaCode.ILLEGAL_GENERATION && generation !== this.#generation) return 'member'
    if (isGone(errorCode)) return this.#forget()
    this.#assertJoined(errorCode)
    return 'member'
  }

  async leave(): Promise<void> {
    const member = { memberId: this.#memberId, groupInstanceId: null, reason: 'kdr stops' }
    try {
      const connection = this.#connections.get('beat')
      if (member.memberId !== '' && connection?.isClosed === false)
        await connection.call(leaveGroupV5.api, this.#group, [member])
    } catch {
      // The session runs out then.
    } finally {
      this.#forget()
      await Promise.all([...this.#connections.keys()].map(async purpose => await this.#close(purpose)))
    }
  }

  #join(held: readonly number[]): Promise<JoinGroupResponse> {
    const metadata = encode({ v: 1, slots: held })
    return this.#ask('join', async connection => {
      connection.versions.need('JoinGroup')
      return connection.call(
        joinGroupV9.api,
        this.#group,
        SESSION_MS,
        REBALANCE_MS,
        this.#memberId,
        null,
        PROTOCOL_TYPE,
        [{ name: PROTOCOL, metadata }],
        null,
      )
    })
  }

  #sync(joined: JoinGroupResponse, assign: AssignSlots) {
    const assignments = joined.leader === joined.memberId ? assignAll(joined, assign) : []
    return this.#ask('join', async connection => {
      connection.versions.need('SyncGroup')
      return connection.call(
        syncGroupV5.api,
        this.#group,
        joined.generationId,
        joined.memberId,
        null,
        PROTOCOL_TYPE,
        PROTOCOL,
        assignments,
      )
    })
  }

  #forget(): 'gone' {
    this.#memberId = ''
    this.#generation = -1
    return 'gone'
  }

  #assertJoined(code: number): void {
    if (code === KafkaCode.NONE) return
    const isKept = code !== KafkaCode.UNKNOWN_SERVER_ERROR
    const why = isKept ? lackingRight(code, 'READ on it') : CANNOT_KEEP
    throw new KdrError(
      isAuthorization(code) ? 'not-allowed' : 'unreachable',
      `cluster "${this.#context.name}": group "${this.#group}" of kdr's workers cannot be joined: ${codeName(code)}${why}`,
      isKept ? {} : { hint: ERRORS['not-ready'].hint },
    )
  }

  /** Asks the group's coordinator; looks for it again when it has moved, or is being set up. */
  async #ask<Answer extends { readonly errorCode: number }>(
    purpose: Purpose,
    ask: (connection: BrokerConnection) => Promise<Answer>,
  ): Promise<Answer> {
    const { clock } = this.#context
    const deadline = clock.monotonic() + GIVE_UP_MS
    for (;;) {
      const code = await this.#connect(purpose)
      const connection = this.#connections.get(purpose)
      if (code === KafkaCode.NONE && connection !== undefined) {
        const answer = await ask(connection).catch(async (error: unknown) => {
          await this.#close(purpose)
          throw error
        })
        if (!MOVED.includes(answer.errorCode)) return answer
        await this.#close(purpose)
      } else if (!MOVED.includes(code)) {
        this.#assertJoined(code)
      }
      if (clock.monotonic() >= deadline) this.#assertJoined(KafkaCode.COORDINATOR_NOT_AVAILABLE)
      await clock.sleep(RETRY_MS)
    }
  }

  /** Connects to the group's coordinator unless that has been done; the code says why there is no connection. */
  async #connect(purpose: Purpose): Promise<number> {
    if (this.#connections.get(purpose)?.isClosed === false) return KafkaCode.NONE
    await this.#close(purpose)
    const { pool } = this.#context
    const answer = await pool.askAny(connection => {
      connection.versions.need('FindCoordinator')
      return connection.call(findCoordinatorV4.api, GROUP_KEY, [this.#group])
    })
    const found = answer.coordinators[0]
    if (found === undefined) return KafkaCode.COORDINATOR_NOT_AVAILABLE
    if (found.errorCode !== KafkaCode.NONE) return found.errorCode
    pool.learnOne(found.nodeId, { host: found.host, port: found.port })
    this.#connections.set(purpose, await pool.openOwn(found.nodeId))
    return KafkaCode.NONE
  }

  async #close(purpose: Purpose): Promise<void> {
    const connection = this.#connections.get(purpose)
    this.#connections.delete(purpose)
    if (connection !== undefined) await this.#context.pool.closeOwn(connection)
  }
}

function assignAll(joined: JoinGroupResponse, assign: AssignSlots) {
  const members: SlotMember[] = joined.members.map(({ memberId, metadata }) => ({
    id: memberId,
    held: decode(metadata, 'held slots'),
  }))
  return [...assign(members)].map(([memberId, slots]) => ({ memberId, assignment: encode({ v: 1, slots }) }))
}

function isGone(code: number): boolean {
  return (
    code === KafkaCode.UNKNOWN_MEMBER_ID ||
    code === KafkaCode.ILLEGAL_GENERATION ||
    code === KafkaCode.FENCED_INSTANCE_ID
  )
}

function encode(value: { readonly v: 1; readonly slots: readonly number[] }): Buffer {
  return Buffer.from(JSON.stringify(value))
}

/** An assignment that its leader could not make is empty: nothing is held. */
function decode(bytes: Buffer, what: string): readonly number[] {
  if (bytes.length === 0) return []
  const value = JSON.parse(bytes.toString()) as { v: number; slots: readonly number[] }
  assertVersion(value, `the ${what} of a worker`)
  return value.slots
}
