// Every bound of the replication engine, with its arithmetic.

/**
 * Produce connections per target broker, for partitions that keep up and as many for those that are far behind. A broker
 * handles one request of a connection at a time (DESIGN 2.1.10).
 */
export const LANES_PER_BROKER = 2
/** Produce requests in flight on one connection: hides the line, not replication. */
export const REQUESTS_IN_FLIGHT = 8
/** Batches of one partition in flight, when its batches are fresh (see PartitionCopy.canSend). */
export const BATCHES_IN_FLIGHT = 8
/** A produce request is closed at this size; one bigger batch still travels alone. */
export const REQUEST_BYTES = 4 * 1024 * 1024
/** A broker writes and syncs a file for the first batch of each partition: 6 ms on a plain disk, one after the other. */
export const REQUEST_BATCHES = 200
/** How long a broker waits for its followers; also the time after which a killed worker's request cannot land. */
export const PRODUCE_TIMEOUT_MS = 5_000

/**
 * Connections per source broker that fetch what is busy, over a short line: see BrokerFetcher. All but one at a time may fetch
 * what is far behind.
 */
export const BASE_CONNECTIONS = 3
/** How long the first of them may wait for data, and each further one. */
export const BUSY_WAITS_MS = { first: 100, further: 10 } as const
/** One that had nothing to do for so long is closed. */
export const IDLE_CONNECTION_MS = 10_000
/**
 * How long the session with the quiet partitions waits for news. Where some have just come more will, and meanwhile busy
 * connections ask for these again and again.
 */
export const QUIET_WAITS_MS = { arrivals: 100, others: 500 } as const
/** Asked for in one request: what is answered at once is taken at once, and a beat must get through. */
export const ROUND_PARTITIONS = 300
export const FETCH_BYTES = 8 * 1024 * 1024
export const FETCH_PARTITION_BYTES = 1024 * 1024
/** Of a partition of which nothing is known yet: enough to tell whether it is far behind. */
export const FIRST_FETCH_BYTES = 64 * 1024
/**
 * Fetched and not yet acknowledged, of one partition, and of the whole link: partitions that are behind leave room for those
 * that keep up, also when two of their answers have come at once. Requests and answers on the way are copies of it, so that a
 * worker takes some multiple of it: below 400 MB in all (test/lab/link-memory.test.ts).
 */
export const PARTITION_BUFFER_BYTES = 4 * 1024 * 1024
export const LINK_BUFFER_BYTES = { behind: 32 * 1024 * 1024, current: 56 * 1024 * 1024 } as const

/**
 * A partition that holds so much, with more to come, is behind; it keeps up again when all is fetched and little is left.
 * Far enough apart that a busy one does not change over with each answer.
 */
export type PaceLimits = { readonly behindBytes: number; readonly currentBytes: number }
export const PACE_LIMITS: PaceLimits = { behindBytes: 512 * 1024, currentBytes: 256 * 1024 }

/** Over a long line: see LineGauge and Stripes. */
export type LineLimits = {
  /** A round trip that makes a line long. Shorter, three connections with a window of 100 KB carry 30 MB/s. */
  readonly longMs: number
  /** Of one request. The more, the less a round trip costs; about half a batch of each is fetched in vain. */
  readonly leastStripeBytes: number
  readonly mostStripeBytes: number
  /** Of a request for many partitions. */
  readonly roundBytes: number
  /** Asked for, or waiting for what comes before it, of the whole link: beside LINK_BUFFER_BYTES. */
  readonly aheadBytes: number
}
export const LINE_LIMITS: LineLimits = {
  longMs: 10,
  leastStripeBytes: 512 * 1024,
  mostStripeBytes: 1024 * 1024,
  roundBytes: 256 * 1024,
  aheadBytes: 48 * 1024 * 1024,
}

/** Between the two equal reads of an end while anchoring. */
export const SETTLE_MS = 150
/** Waits between attempts double from the first to the second. */
export const BACKOFF_MS = { first: 100, last: 5_000 } as const
/** A partition without rights asks again this often. */
export const NO_RIGHTS_RETRY_MS = 15_000

/** Markers in one request: 1,000 take about 25 ms (DESIGN 2.1.4). */
export const MARKERS_PER_PARTITION = 2_000
export const MARKERS_PER_REQUEST = 8_000
/** Requests with markers on the way to one broker, each for other partitions. */
export const FILLS_IN_FLIGHT = 4
/** Offsets filled in a second, as measured; what "10 minutes of filling" is computed with. */
export const FILL_PER_SECOND = { markers: 40_000, transactions: 250 } as const
export const LARGE_GAP_SECONDS = 600
/** A partition whose leader just moved is not filled by transactions: the coordinator may send markers again. */
export const LEADER_QUIET_MS = 10_000

/** Epochs that are remembered of a partition: a record of `_kdr.state` holds 64 KB. */
export const LINEAGE_ENTRIES = 1_000

/** Null records in one seeding batch: the broker makes an object of each (mechanism.md S7). */
export const SEED_BATCH_RECORDS = 100_000

/** A worker beats this often, and writes only within the lease of its last beat: less than a successor waits. */
export const BEAT_EVERY_MS = 1_000
export const LEASE_MS = 3_500
export const REPORT_EVERY_MS = 2_000

/**
 * Records of the metadata log that one request for new topics may make: one of each topic, partition and config. A
 * controller takes 10,000 at most, all or none (QuorumController.MAX_RECORDS_PER_USER_OP), and does nothing else meanwhile.
 */
export const CREATE_RECORDS = 1_000
/** A broker makes some hundred logs a second; one that is gone makes none. */
export const SERVED_WITHIN_MS = 5_000
export const SERVED_LOOK_MS = { first: 25, last: 200 } as const

/** How often topics and partitions are looked up, log starts followed, configs compared. */
export const DISCOVER_EVERY_MS = 2_000
export const TRIM_EVERY_MS = 3_000
/** How often the source's retention and its open transactions are looked at. */
export const WATCH_EVERY_MS = 5_000
/** A partition that is behind for less than this is not in danger of retention. */
export const HEADROOM_BEHIND_MS = 10_000
/** Timestamps read in one look: a small fetch each. */
export const HEADROOM_PEEKS = 50
/** A last stable offset that is held for less than this is ordinary. */
export const HELD_LOOK_AFTER_MS = 15_000
/** Kafka's default of `transaction.max.timeout.ms`. */
export const TRANSACTION_MAX_TIMEOUT_MS = 900_000
/** A warning of one kind about one topic is logged this often. */
export const WARN_AGAIN_MS = 3_600_000
/** A log start that would drop more than this share of the mirror waits for a person, unless retention explains it. */
export const LOG_START_JUMP_SHARE = 0.5
/** A broker forgets a producer this long after its last record's timestamp, unless configured (producer.id.expiration.ms). */
export const PRODUCER_EXPIRATION_MS = 86_400_000
