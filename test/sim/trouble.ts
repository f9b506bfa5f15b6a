// What may go wrong in a history: drawn from its seed, each kind present or not.
import type { Random } from './random.ts'

export const DAY_MS = 86_400_000

export type Trouble = {
  /** Of a call to a broker: the request never arrives. */
  readonly lost: number
  /** It took effect, and the answer is lost. */
  readonly answerLost: number
  readonly slow: number
  /** The connection breaks, and what the broker had read of it takes effect up to 4 s later. */
  readonly late: number
  /** The same, of appends and markers only. */
  readonly lateWrites: number
  /** A half-open connection: the request may have been read, and nothing is heard of it until the client's time-out. */
  readonly hung: number
  /** The source is far away: far enough that what is behind is fetched in stripes. */
  readonly longLine: boolean
  /** For some seconds every answer is held back, as brokers do with a client above its quota. */
  readonly throttling: boolean
  /** Nobody reaches one of the clusters for some seconds. */
  readonly blackouts: boolean
  readonly crashes: boolean
  /** A worker dies right before or right after its n-th call through a port, whatever that is. */
  readonly crashPoints: boolean
  /** A worker is stopped as by SIGSTOP, another takes over, and the first wakes. */
  readonly pauses: boolean
  /** A worker is stopped cleanly, and the next one starts at once; now and then two start together. */
  readonly restarts: boolean
  /** Somebody else writes to a mirror. */
  readonly foreignWriter: boolean
  readonly targetLeaders: boolean
  readonly sourceLeaders: boolean
  readonly underReplication: boolean
  /** The target's partitions fall below `min.insync.replicas`: appends are refused, or refused after they were made. */
  readonly minIsr: boolean
  /**
   * Unclean elections at the source: committed records vanish, others take their offsets. Only without transactions: a
   * lost marker would give its producer's earlier records another fate, and the truth would have to follow.
   */
  readonly unclean: boolean
  /** The same at the target: the mirror loses acknowledged records. */
  readonly targetUnclean: boolean
  readonly compaction: boolean
  readonly retention: boolean
  /** DeleteRecords at the source, up to its high watermark. */
  readonly purges: boolean
  /** The topic is deleted at the source and created again, now and then with more records than before. */
  readonly recreatedSource: boolean
  /** The mirror is deleted at the target, and perhaps created again by somebody. */
  readonly recreatedTarget: boolean
  readonly addedPartitions: boolean
  /** Rights are lost and regained: to see, read or write the topic, to write markers, to write `_kdr.state`. */
  readonly rights: boolean
  /** Transactions that no coordinator ends; somebody aborts them in the end, or nobody does. */
  readonly hanging: boolean
  readonly producers: number
  readonly ageMs: number
  readonly expiryMs: number
  readonly mayWriteMarkers: boolean
  readonly markersRepeat: number
  /** The brokers speak Produce v13: a batch names its topic by id. */
  readonly namesTopicsById: boolean
  readonly partitions: number
  /** All partitions but the first are written to rarely. */
  readonly skewed: boolean
  readonly brokers: number
  readonly seconds: number
  /** Disturbances (by their names) that come three times as often as usual. */
  readonly often: readonly string[]
  /** Source offsets that were gone before the link began. */
  readonly lateStart: boolean
  /** In the end the link is fenced as a promotion would do it: nothing may be written any more. */
  readonly fenced: boolean
}

export function drawTrouble(random: Random): Trouble {
  const sometimes = (value: number): number => (random.chance(0.5) ? value * random.fraction() : 0)
  const mayWriteMarkers = random.chance(0.7)
  const lateStart = random.chance(0.3)
  const producers = random.chance(0.6) ? random.between(1, 3) : 0
  const rare = random.stream('rare')
  return {
    lost: sometimes(0.05),
    answerLost: sometimes(0.08),
    slow: sometimes(0.1),
    crashes: random.chance(0.4),
    pauses: random.chance(0.25),
    restarts: random.chance(0.3),
    foreignWriter: random.chance(0.15),
    targetLeaders: random.chance(0.5),
    sourceLeaders: random.chance(0.4),
    underReplication: random.chance(0.4),
    unclean: producers === 0 && !lateStart && random.chance(0.3),
    compaction: random.chance(0.4),
    retention: random.chance(0.2),
    producers,
    ageMs: random.chance(0.4) ? 2 * DAY_MS : 0,
    expiryMs: random.chance(0.5) ? DAY_MS : 10 * DAY_MS,
    mayWriteMarkers,
    markersRepeat: mayWriteMarkers || random.chance(0.5) ? 0 : 0.05,
    partitions: random.between(1, 3),
    brokers: random.between(1, 3),
    seconds: random.between(4, 20),
    lateStart,
    late: rare.chance(0.3) ? 0.04 * rare.fraction() : 0,
    hung: rare.chance(0.15) ? 0.01 * rare.fraction() : 0,
    throttling: rare.chance(0.15),
    blackouts: rare.chance(0.15),
    crashPoints: rare.chance(0.25),
    minIsr: rare.chance(0.2),
    targetUnclean: rare.chance(0.1),
    purges: rare.chance(0.15),
    recreatedSource: rare.chance(0.12),
    recreatedTarget: rare.chance(0.1),
    addedPartitions: rare.chance(0.15),
    rights: rare.chance(0.15),
    hanging: producers > 0 && rare.chance(0.2),
    namesTopicsById: rare.chance(0.6),
    fenced: rare.chance(0.2),
    often: [],
    lateWrites: rare.chance(0.1) ? 0.1 * rare.fraction() : 0,
    skewed: rare.chance(0.1),
    longLine: rare.chance(0.3),
  }
}

/** Every kind of trouble, and how it looks when there is none: what shrinking tries to leave out. */
export const CALM: Partial<Trouble> = {
  lost: 0,
  answerLost: 0,
  slow: 0,
  late: 0,
  lateWrites: 0,
  hung: 0,
  longLine: false,
  throttling: false,
  blackouts: false,
  crashes: false,
  crashPoints: false,
  pauses: false,
  restarts: false,
  foreignWriter: false,
  targetLeaders: false,
  sourceLeaders: false,
  underReplication: false,
  minIsr: false,
  unclean: false,
  targetUnclean: false,
  compaction: false,
  retention: false,
  purges: false,
  recreatedSource: false,
  recreatedTarget: false,
  addedPartitions: false,
  rights: false,
  hanging: false,
  producers: 0,
  ageMs: 0,
  markersRepeat: 0,
  partitions: 1,
  skewed: false,
  brokers: 1,
  lateStart: false,
  fenced: false,
  often: [],
}
