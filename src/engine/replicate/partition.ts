// One partition's copy: where it stands, what is planned for it, what is in flight. It decides what may be sent; the
// lanes send, the fetchers fill its queue, the driver anchors it. It never resends: whatever is uncertain breaks it,
// and the driver anchors it anew (DESIGN 2.2).
import { advanceSequence, stampBatch } from '../../model/batch.ts'
import { invariant } from '../../model/errors.ts'
import { EMPTY_LEDGER, type Ledger } from '../../model/ledger.ts'
import type { Fault, Headroom, HoldingTransaction, PartitionState } from '../../model/link.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import { NO_TOPIC_ID, type TopicPartition } from '../../ports/cluster.ts'
import { Coalescer } from './coalescer.ts'
import type { SlotIdentity } from './context.ts'
import { OffsetCounter } from './counter.ts'
import { displaced, overfilled } from './faults.ts'
import { Flight } from './flight.ts'
import { HeldOffset } from './held.ts'
import type { Break, PartitionHooks } from './hooks.ts'
import { LagRing } from './lag.ts'
import { LineageKeeper } from './lineage.ts'
import { Pace } from './pace.ts'
import { reportOf } from './report-of.ts'
import { Unanswered } from './unanswered.ts'
import type { PlannedBatch, PlannedGap, PlannedOp } from '../log/plan-append.ts'

export class PartitionCopy {
  readonly link: string
  readonly topic: string
  readonly partition: number
  /** Who writes to its mirror. */
  readonly identity: SlotIdentity
  readonly #hooks: PartitionHooks

  /** As recorded: a name may lead to another topic by now. Asked with no id, a broker would fail the whole request. */
  sourceTopicId = NO_TOPIC_ID
  targetTopicId = NO_TOPIC_ID

  /** The mirror that `state` is about, whether or not anything was ever copied to it; NO_TOPIC_ID: none. */
  judgedMirror = NO_TOPIC_ID
  state: PartitionState = 'waiting'
  fault: Fault | undefined
  /** A sentence for `waiting`: what for. */
  note: string | undefined

  /** Of the target's log: the offset that the next append must get. This is the cursor. */
  appended = 0
  /** The next source offset to plan. */
  planned = 0
  readonly lineage = new LineageKeeper()
  /** Below this offset the target held records before kdr came, and kdr has verified them (kdr link adopt). */
  adoptedUpTo = 0
  sourceLogStart = 0
  /** Where to fetch from while `planned` lies below it: a batch that straddles the source's log start. */
  #fetchFrom = 0
  #anchoredEpoch = -1
  #fetchedEpoch = -1
  /** The source's log start when the copy began: below it nothing was ever to be copied. */
  origin = 0
  /** A log start that is to be followed without asking: the origin, or what an operator has accepted. */
  acceptedLogStart = 0
  sourceHighWatermark = 0
  targetLogStart = 0
  /** The source's log start waits for a person (log-start-jump). */
  heldLogStart: Fault | undefined
  readonly lag = new LagRing()
  readonly held = new HeldOffset()
  readonly pace = new Pace()
  /** What `kdr status` warns of: see HeadroomWatch and OpenTransactions. */
  readonly watched: { headroom?: Headroom | undefined; transaction?: HoldingTransaction | undefined } = {}
  ledger: Ledger = EMPTY_LEDGER
  readonly counter = new OffsetCounter()
  bytesCopied = 0
  /** Bytes to ask the source for; grows when a batch did not fit. */
  fetchBytes = 0
  isFetching = false
  /** Counts the openings: an answer to an earlier one is for a plan that is gone. */
  incarnation = 0
  /** Since it was last opened, a write was left without an answer. */
  hasUncertainty = false
  /**
   * Something unanswered may still land that no sequence check would stop: a fill, or records so old that the broker may
   * have forgotten their producer. Raised until an anchor, which then waits longer, has succeeded.
   */
  isUnguarded = false
  readonly unanswered = new Unanswered()
  /** An anchor has succeeded since kdr started: the cursor and the log start are the target's. */
  isAnchored = false
  /** The cursor as it was reported last, by whoever copied before this worker; undefined: never. */
  reportedCursor: number | undefined
  /** `largeGap: tombstones`, and the topic is compacted. */
  fillsWithTombstones = false
  /** The first fill after a take-over is of one offset: it raises the generation there (DESIGN 2.2.4). */
  fillOneFirst = true

  #queue: PlannedOp[] = []
  readonly #flight = new Flight()
  readonly #coalescer: Coalescer
  #isOpen = false
  #isFilling = false
  #sequence = 0
  #broken = Promise.withResolvers<Break>()

  constructor(
    of: TopicPartition & { readonly link: string; readonly identity: SlotIdentity },
    hooks: PartitionHooks,
  ) {
    this.link = of.link
    this.topic = of.topic
    this.partition = of.partition
    this.identity = of.identity
    this.#hooks = hooks
    this.#coalescer = new Coalescer(hooks.codec)
  }

  get name(): string {
    return `${this.topic}/${this.partition}`
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  get wantsData(): boolean {
    return this.#isOpen && !this.isFetching && this.pace.hasRoom
  }

  get fetchOffset(): number {
    return Math.max(this.planned, this.#fetchFrom)
  }

  /** Of the source's batch that ends at `planned`; -1 before the first. */
  get lastFetchedEpoch(): number {
    return this.#fetchedEpoch
  }

  /**
   * The source's leader epoch at the anchor, until the first batch has come: under another one the anchor's look at the
   * lineage would no longer hold.
   */
  get pinnedEpoch(): number | undefined {
    return this.#fetchedEpoch < 0 ? this.#anchoredEpoch : undefined
  }

  /**
   * Starts copying at an anchor. `freshSince()`: batches with a later maximum timestamp are remembered by the broker's
   * producer state, so that the sequence check protects them.
   */
  open(at: {
    offset: number
    /** Where the plan begins: below `offset` when the target holds a surplus of markers. */
    planFrom: number
    fetchFrom: number
    sourceEpoch: number
    sequence: number
    freshSince: () => number
  }): Promise<Break> {
    invariant(!this.#isOpen, 'a copy was opened twice', { copy: this.name })
    this.appended = at.offset
    this.#flight.begin(at.offset, at.freshSince)
    this.planned = at.planFrom
    this.#fetchFrom = at.fetchFrom
    this.#anchoredEpoch = at.sourceEpoch
    this.#fetchedEpoch = -1
    this.#sequence = at.sequence
    this.hasUncertainty = false
    this.#broken = Promise.withResolvers<Break>()
    this.#isOpen = true
    this.incarnation++
    return this.#broken.promise
  }

  /** Nothing that was left unanswered can land any more: a look at the logs has waited long enough. */
  clearDoubts(): void {
    this.hasUncertainty = false
    this.isUnguarded = false
    this.unanswered.clear()
  }

  /** Something that was left unanswered may still land: a successor must wait. */
  get isInDoubt(): boolean {
    const { isInDoubt } = this.lineage
    return isInDoubt || this.hasUncertainty || this.isUnguarded || this.appended < this.unanswered.upTo
  }

  /** Up to here each offset of the mirror was acknowledged as what it was to be; undefined: nobody knows. */
  get verifiedUpTo(): number | undefined {
    return this.isAnchored ? this.appended : this.reportedCursor
  }

  /** Stops sending. Answers still to come are counted down and otherwise ignored. */
  break(reason: Break): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#queue = []
    this.#hold(-this.pace.bytes)
    this.#broken.resolve(reason)
  }

  /** Resolves when nothing of this copy is in flight any more, nor on its way into `_kdr.state`. */
  async drained(): Promise<void> {
    await Promise.all([this.#flight.empty(this.#isFilling), this.lineage.settled()])
  }

  /** Planned operations from `planned` on, in order; `epoch`: of the last batch that they come from. */
  enqueue(ops: readonly PlannedOp[], epoch: number | undefined): void {
    if (!this.#isOpen) return
    this.#fetchedEpoch = epoch ?? this.#fetchedEpoch
    let bytes = 0
    for (const op of ops) {
      this.planned = op.next
      const fitted = this.#fit(op)
      if (fitted === undefined) continue
      if (!this.#isOpen) return
      this.#queue.push(fitted)
      if (fitted.kind === 'batch') bytes += fitted.bytes.length
    }
    this.#hold(bytes)
    this.#extendLineage(ops)
    if (ops.length === 0 && this.isIdle && this.fetchBytes === 0) this.#works()
    this.#advance()
  }

  /** Whether the head may be sent now: see Flight for how many batches may be under way. */
  canSend(): boolean {
    const head = this.#queue[0]
    const isHeld = !this.#isOpen || this.#isFilling || this.lineage.isPending
    return !isHeld && head?.kind === 'batch' && this.#flight.mayAdd(head)
  }

  get headBytes(): number {
    return this.#queue[0]?.kind === 'batch' ? this.#queue[0].bytes.length : 0
  }

  /** Takes the head, stamped and ready to send; small ones that wait behind it go along. Only after `canSend()`. */
  take(): PlannedBatch {
    const { head, bytes } = this.#coalescer.take(this.#queue)
    invariant(head?.kind === 'batch', 'nothing to send', { copy: this.name })
    this.#hold(head.bytes.length - bytes)
    stampBatch(head.bytes, this.identity, this.#sequence)
    this.#sequence = advanceSequence(this.#sequence, head.next - head.base)
    this.#flight.add(head)
    return head
  }

  /** The broker's answer to a batch that was taken. */
  onAnswer(batch: PlannedBatch, answer: { code: number; baseOffset: number; message?: string }): void {
    this.#land(batch)
    if (!this.#isOpen) return
    if (this.#coalescer.isRefused(batch, answer.code)) {
      this.break({ why: 'anchor', cause: `a coalesced batch is refused with ${codeName(answer.code)}` })
      return
    }
    if (answer.code !== KafkaCode.NONE) {
      const { base: from, next: to } = batch
      this.break({ why: 'anchor', cause: codeName(answer.code), code: answer.code, batch: { from, to } })
      return
    }
    if (answer.baseOffset !== batch.base) {
      this.break({ why: 'fault', fault: displaced(this, batch.base, answer.baseOffset) })
      return
    }
    this.appended = this.#flight.acknowledge(batch)
    this.#works()
    this.counter.batch(batch)
    this.bytesCopied += batch.bytes.length
    this.#advance()
  }

  /** No answer will come: the connection is gone, or the time is up. */
  onUncertain(batch: PlannedBatch, cause: string): void {
    this.isUnguarded ||= !this.#flight.isGuarded(batch)
    this.unanswered.add(batch, this.appended)
    this.#land(batch)
    this.hasUncertainty = true
    this.break({ why: 'anchor', cause })
  }

  /** What a fill did: the true end of the log after it. Any other than wanted, shorter or longer: the anchor finds out. */
  onFilled(gap: PlannedGap, written: number, end: number): void {
    const wanted = this.appended + written
    this.#isFilling = false
    this.#flight.settle(this.#isFilling)
    if (!this.#isOpen) return
    if (end !== wanted) {
      this.isUnguarded ||= end < wanted
      this.break({ why: 'anchor', cause: `a fill ended at ${end} instead of ${wanted}` })
      return
    }
    this.fillOneFirst = false
    this.appended = end
    this.#flight.moveTo(end)
    this.#works()
    if (end === gap.next) {
      this.#queue.shift()
      this.counter.gap(gap)
    } else {
      this.#queue[0] = { ...gap, base: end }
    }
    this.#advance()
  }

  onFillFailed(cause: string, code: number | undefined, isUnguarded: boolean): void {
    this.#isFilling = false
    this.hasUncertainty ||= isUnguarded
    this.isUnguarded ||= isUnguarded
    this.#flight.settle(this.#isFilling)
    this.break({ why: 'anchor', cause, ...(code === undefined ? {} : { code }) })
  }

  observeSource(seen: { highWatermark: number; logStart: number; lastStable?: number }, now: number): void {
    this.held.observe(seen, now)
    if (seen.lastStable !== undefined) this.pace.saw(seen.lastStable, this.planned)
    this.sourceHighWatermark = seen.highWatermark
    this.sourceLogStart = seen.logStart
    this.lag.observe(seen.highWatermark, now)
  }

  /** The mirror stands where the plan stands. */
  get isIdle(): boolean {
    return this.#queue.length === 0 && this.#flight.isEmpty && !this.#isFilling
  }

  /** What it is doing inside, for a trace. */
  inspect(): string {
    const head = this.#queue[0]
    const doing = `${this.#isFilling ? ' filling' : ''}${this.isFetching ? ' fetching' : ''}${this.lineage.isPending ? ' recording' : ''}`
    return (
      `${this.#isOpen ? 'open' : 'closed'}${doing}; cursor ${this.appended}; planned ${this.planned}; in flight ` +
      `[${this.#flight.bases.join()}]; queue ${this.#queue.length} from ${head?.kind ?? 'none'} ${head?.base ?? ''}`
    )
  }

  report(monotonic: number): ReturnType<typeof reportOf> {
    return reportOf(this, monotonic)
  }

  /** An append has succeeded, or the source has said that there is nothing to append: whatever it waited for is over. */
  #works(): void {
    if (this.state !== 'waiting') return
    this.state = 'mirroring'
    this.fault = undefined
    this.note = undefined
  }

  #advance(): void {
    const head = this.#queue[0]
    if (head?.kind === 'gap' && this.#flight.isEmpty && !this.#isFilling && !this.lineage.isPending) {
      invariant(head.base === this.appended, 'a gap does not begin at the cursor', {
        copy: this.name,
        gap: head.base,
        cursor: this.appended,
      })
      if (head.base < this.unanswered.upTo) {
        this.isUnguarded = true
        this.break({ why: 'anchor', cause: 'a gap where something unanswered may still land' })
        return
      }
      this.#isFilling = true
      this.#hooks.onGap(this, head)
      return
    }
    if (this.canSend()) this.#hooks.onSendable(this)
    if (this.wantsData) this.#hooks.onRoom(this)
  }

  /** Fits an operation to a log that a surplus of markers made longer than the source; undefined: nothing is left of it. */
  #fit(op: PlannedOp): PlannedOp | undefined {
    if (op.base >= this.appended) return op
    if (op.kind === 'gap') {
      const rest = { ...op, counts: this.counter.uncounted(op) }
      if (op.next > this.appended) return { ...rest, base: this.appended }
      this.counter.gap(rest)
      return undefined
    }
    this.break({ why: 'fault', fault: overfilled(this, op.base, this.appended) })
    return undefined
  }

  #extendLineage(ops: readonly PlannedOp[]): void {
    if (!this.lineage.extend(ops)) return
    this.lineage.saving(this.#hooks.saveLineage(this)).then(
      () => {
        if (this.#isOpen) this.#advance()
      },
      (error: unknown) => {
        this.break({ why: 'anchor', cause: `the source's epoch could not be recorded: ${String(error)}` })
      },
    )
  }

  #hold(bytes: number): void {
    this.pace.hold(bytes, this.planned)
    this.#hooks.onBuffered(bytes)
  }

  #land(batch: PlannedBatch): void {
    this.#flight.land(batch)
    if (this.#isOpen) this.#hold(-batch.bytes.length)
    this.#flight.settle(this.#isFilling)
  }
}
