// What a fetch session does when the broker no longer knows it.
import assert from 'node:assert/strict'
import { faultRow } from '../../test/support/fault-rows.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { BrokerConnection } from './connection.ts'
import type { ClusterContext } from './context.ts'
import { openFetchSession } from './fetch-session.ts'
import type { RawFetchAnswer, RawFetchRequest } from './raw/fetch.ts'

const ROUND = { isolation: 'committed', maxWaitMs: 1, maxBytes: 1 } as const

faultRow('S26', 'a broker that answers errors 70, 71 and 106', { where: 'simulated' }, async row => {
  row.did('answered a round of a fetch session with each of the three errors')
  for (const code of [
    KafkaCode.FETCH_SESSION_ID_NOT_FOUND,
    KafkaCode.INVALID_FETCH_SESSION_EPOCH,
    KafkaCode.FETCH_SESSION_TOPIC_ID_ERROR,
  ]) {
    const asked: RawFetchRequest[] = []
    const answers = [answer(0, 7), answer(0, 7), answer(code, 0), answer(0, 8), answer(0, 8)]
    const session = await openFetchSession(
      contextWith(request => {
        asked.push(request)
        return answers[asked.length - 1] ?? answer(0, 8)
      }),
      1,
    )
    for (const partition of [0, 1]) session.ask(partitionAt(partition, 5))
    await session.next(ROUND)
    session.ask(partitionAt(1, 6))
    await session.next(ROUND)
    // Refused, and asked again at once for everything; then the next round.
    await session.next(ROUND)
    await session.next(ROUND)
    assert.deepEqual(
      asked.map(({ session: at, partitions }) => [
        at?.id,
        at?.epoch,
        partitions.map(({ partition, offset }) => `${partition}@${offset}`).join(),
      ]),
      [
        [0, 0, '0@5,1@5'],
        [7, 1, '1@6'],
        [7, 2, ''],
        [0, 0, '0@5,1@6'],
        [8, 1, ''],
      ],
    )
  }
  row.saw('kdr asked at once for all its partitions in a new session, each from where it stood')
})

function partitionAt(partition: number, offset: number) {
  return {
    topic: 't',
    topicId: 'id',
    partition,
    offset,
    leaderEpoch: -1,
    lastFetchedEpoch: -1,
    maxBytes: 1,
  }
}

const answer = (code: number, sessionId: number): RawFetchAnswer => ({
  code,
  sessionId,
  throttleMs: 0,
  partitions: [],
})

function contextWith(call: (request: RawFetchRequest) => RawFetchAnswer): ClusterContext {
  const connection = {
    versions: { need: () => 17 },
    call: (_api: unknown, request: RawFetchRequest) => Promise.resolve(call(request)),
  } as unknown as BrokerConnection
  return { pool: { openOwn: () => Promise.resolve(connection) } } as unknown as ClusterContext
}
