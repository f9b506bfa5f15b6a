// Kafka's error codes that kdr treats by name (org.apache.kafka.common.protocol.Errors). Codes are values here, not
// exceptions: a request that fails for one partition succeeds for the others.

export const KafkaCode = {
  UNKNOWN_SERVER_ERROR: -1,
  NONE: 0,
  OFFSET_OUT_OF_RANGE: 1,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  REPLICA_NOT_AVAILABLE: 9,
  MESSAGE_TOO_LARGE: 10,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  INVALID_TOPIC_EXCEPTION: 17,
  RECORD_LIST_TOO_LARGE: 18,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  ILLEGAL_GENERATION: 22,
  UNKNOWN_MEMBER_ID: 25,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  INVALID_TIMESTAMP: 32,
  UNSUPPORTED_VERSION: 35,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_PARTITIONS: 37,
  INVALID_REPLICATION_FACTOR: 38,
  INVALID_CONFIG: 40,
  NOT_CONTROLLER: 41,
  INVALID_REQUEST: 42,
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 43,
  POLICY_VIOLATION: 44,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  INVALID_PRODUCER_ID_MAPPING: 49,
  CONCURRENT_TRANSACTIONS: 51,
  TRANSACTION_COORDINATOR_FENCED: 52,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
  SECURITY_DISABLED: 54,
  KAFKA_STORAGE_ERROR: 56,
  SASL_AUTHENTICATION_FAILED: 58,
  UNKNOWN_PRODUCER_ID: 59,
  NON_EMPTY_GROUP: 68,
  GROUP_ID_NOT_FOUND: 69,
  FETCH_SESSION_ID_NOT_FOUND: 70,
  INVALID_FETCH_SESSION_EPOCH: 71,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  UNSUPPORTED_COMPRESSION_TYPE: 76,
  OFFSET_NOT_AVAILABLE: 78,
  MEMBER_ID_REQUIRED: 79,
  FENCED_INSTANCE_ID: 82,
  ELECTION_NOT_NEEDED: 84,
  GROUP_SUBSCRIBED_TO_TOPIC: 86,
  INVALID_RECORD: 87,
  UNSTABLE_OFFSET_COMMIT: 88,
  THROTTLING_QUOTA_EXCEEDED: 89,
  PRODUCER_FENCED: 90,
  UNKNOWN_TOPIC_ID: 100,
  TRANSACTIONAL_ID_NOT_FOUND: 105,
  INCONSISTENT_TOPIC_ID: 103,
  FENCED_MEMBER_EPOCH: 110,
  STALE_MEMBER_EPOCH: 113,
  FETCH_SESSION_TOPIC_ID_ERROR: 106,
} as const

const NAMES = new Map<number, string>(Object.entries(KafkaCode).map(([name, code]) => [code, name]))

/** `NOT_ENOUGH_REPLICAS (19)`, or `error 117` for a code that has no name here. */
export function codeName(code: number): string {
  const name = NAMES.get(code)
  return name === undefined ? `error ${code}` : `${name} (${code})`
}

/** Codes that say: ask the metadata again and go to the new leader. */
export function isLeaderChange(code: number): boolean {
  return (
    code === KafkaCode.LEADER_NOT_AVAILABLE ||
    code === KafkaCode.NOT_LEADER_OR_FOLLOWER ||
    code === KafkaCode.REPLICA_NOT_AVAILABLE ||
    code === KafkaCode.FENCED_LEADER_EPOCH ||
    code === KafkaCode.UNKNOWN_LEADER_EPOCH
  )
}

/** There is no such topic: neither of that name, nor of that id. */
export const isGone = (code: number): boolean =>
  code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION || code === KafkaCode.UNKNOWN_TOPIC_ID

export function isAuthorization(code: number): boolean {
  return (
    code === KafkaCode.TOPIC_AUTHORIZATION_FAILED ||
    code === KafkaCode.GROUP_AUTHORIZATION_FAILED ||
    code === KafkaCode.CLUSTER_AUTHORIZATION_FAILED ||
    code === KafkaCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
  )
}

/** Behind what a broker has refused: the right that it wants, in the word that `kafka-acls` takes; nothing for any other code. */
export const lackingRight = (code: number, right: string): string =>
  isAuthorization(code) ? ` (kdr needs ${right})` : ''
