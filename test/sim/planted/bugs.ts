// Bugs that the simulated world must find: each is a few texts of the source that are replaced as the modules are loaded.
// Several undo the fix of a bug that kdr once had. seeds.json has, by name, the history that objected when this was last
// looked for: it saves the short suite the search. A change of the engine or of the world changes all histories:
// `node test/sim/planted/refresh.ts` looks again (a bug by itself: `node test/sim/main.ts --bug NAME`).
//
// Not here: DeleteRecords on a mirror that was promoted, because there is no promotion yet.

type Change = { readonly file: string; readonly find: string; readonly put: string }

export type PlantedBug = {
  readonly name: string
  /** What goes wrong with it. */
  readonly breaks: string
  readonly changes: readonly Change[]
}

const R = 'engine/replicate'

export const PLANTED: readonly PlantedBug[] = [
  {
    name: 'no-base-offset-check',
    breaks: 'a batch that landed elsewhere, because somebody else wrote there, is taken for copied',
    changes: [
      {
        file: `${R}/partition.ts`,
        find: 'if (answer.baseOffset !== batch.base) {',
        put: 'if (answer.baseOffset < 0) {',
      },
    ],
  },
  {
    name: 'high-watermark-as-end',
    breaks: 'the cursor comes from the high watermark, the sequence from the true end',
    changes: [
      {
        file: `${R}/reads.ts`,
        find: "const ends = await cluster.offsets(items, 'logEnd')",
        put: "const ends = await cluster.offsets(items, 'highWatermark')",
      },
    ],
  },
  {
    name: 'resend-after-time-out',
    breaks: 'a request without an answer is sent again: with old records no sequence number stops the second',
    changes: [
      {
        file: `${R}/lanes.ts`,
        find: 'answers = await connection.append(entries, PRODUCE_TIMEOUT_MS)',
        put: `answers = await connection.append(entries, PRODUCE_TIMEOUT_MS).catch(async () => {
        const again = await this.#context.target.openAppendLane(connection.broker)
        return await again.append(entries, PRODUCE_TIMEOUT_MS)
      })`,
      },
    ],
  },
  {
    name: 'fillers-with-own-id',
    breaks: 'markers carry another producer id than data, so that no single fence stops both',
    changes: [
      {
        file: `${R}/filler.ts`,
        find: 'const producer = { ...identity, coordinatorEpoch: identity.generation }',
        put: 'const producer = { ...identity, producerId: identity.producerId + 1n, coordinatorEpoch: identity.generation }',
      },
    ],
  },
  {
    name: 'marker-retried',
    breaks: 'markers without an answer are written again, and may stand there twice',
    changes: [
      {
        file: `${R}/filler.ts`,
        find: 'const answers = await target.writeMarkers(broker, producer, fills)',
        put: 'const answers = await target.writeMarkers(broker, producer, fills).catch(() => target.writeMarkers(broker, producer, fills))',
      },
    ],
  },
  {
    name: 'end-not-read-after-fill',
    breaks: 'after an empty transaction the end is computed, not read',
    changes: [
      {
        file: `${R}/filler.ts`,
        find: 'settle(job, await this.#context.reads.targetLogEnd(job.copy))',
        put: 'settle(job, { code: KafkaCode.NONE, offset: job.copy.appended + job.count })',
      },
    ],
  },
  {
    name: 'surplus-not-noticed',
    breaks: 'a marker that the coordinator wrote twice is overlooked',
    changes: [
      {
        file: `${R}/partition.ts`,
        find: '    const wanted = this.appended + written\n',
        put: '    const wanted = this.appended + written\n    end = Math.min(end, wanted)\n',
      },
    ],
  },
  {
    name: 'epoch-not-sent',
    breaks: 'fetches do not say what they believe of the source, so that an unclean election goes unnoticed',
    changes: [
      {
        file: `${R}/request-of.ts`,
        find: 'lastFetchedEpoch: copy.lastFetchedEpoch,',
        put: 'lastFetchedEpoch: -1,',
      },
      {
        file: `${R}/request-of.ts`,
        find: 'leaderEpoch: copy.pinnedEpoch ?? epochOf(sourceWatch, copy, broker),',
        put: 'leaderEpoch: -1,',
      },
    ],
  },
  {
    name: 'aborted-ignored',
    breaks: 'records of aborted transactions are copied',
    changes: [
      {
        file: `${R}/intake.ts`,
        find: 'planAppend(copy.planned, batches, answer.aborted, codec)',
        put: 'planAppend(copy.planned, batches, [], codec)',
      },
    ],
  },
  {
    name: 'epoch-not-kept',
    breaks: 'what a partition was copied under is forgotten with the process',
    changes: [
      {
        file: `${R}/partition-memory.ts`,
        find: 'copy.lineage.entries = known?.epochs ?? []',
        put: 'copy.lineage.entries = []',
      },
    ],
  },
  {
    name: 'late-batch-into-recreated-mirror',
    breaks: 'a batch names the topic that has the name now, not the one that it was made for',
    changes: [
      {
        file: `${R}/lanes.ts`,
        find: 'topicId: copy.targetTopicId,',
        put: 'topicId: targetWatch.topic(copy.topic)?.id ?? copy.targetTopicId,',
      },
    ],
  },
  {
    name: 'fetch-from-recreated-source',
    breaks:
      'a fetch names the topic that has the name now: a mirror goes on with the records of another topic',
    changes: [
      {
        file: `${R}/request-of.ts`,
        find: 'topicId: copy.sourceTopicId,',
        put: 'topicId: sourceWatch.topic(copy.topic)?.id ?? copy.sourceTopicId,',
      },
      {
        file: `${R}/anchor.ts`,
        find: 'if (watch.topic(copy.topic)?.id !== id) return',
        put: 'if (copy.topic === `never`) return',
      },
      {
        file: `${R}/peeks.ts`,
        find: 'topicId: of.topicId,',
        put: 'topicId: this.#watch.topic(of.topic)?.id ?? of.topicId,',
      },
    ],
  },
  {
    name: 'recreated-not-noticed',
    breaks: 'a topic that was deleted and created again at the source is taken for the same',
    changes: [
      {
        file: `${R}/plan-topics.ts`,
        find: 'if (record?.targetTopicId !== undefined && record.sourceTopicId !== source.id) {',
        put: 'if (record?.sourceTopicId === "never") {',
      },
    ],
  },
  {
    name: 'loss-passed-over',
    breaks: 'what the source deleted before it was copied is filled like any gap',
    changes: [
      {
        file: `${R}/anchor.ts`,
        find: 'if (unaccepted !== undefined && !isFresh)',
        put: 'if (unaccepted !== undefined && start.offset < 0)',
      },
    ],
  },
  {
    name: 'loss-filled-too-far',
    breaks: 'behind an accepted loss the first record that the source still has is passed over',
    changes: [
      {
        file: `${R}/drive.ts`,
        find: '{ from: anchored.offset, to: lost.to }), undefined)',
        put: '{ from: anchored.offset, to: lost.to + 1 }), undefined)',
      },
    ],
  },
  {
    name: 'fault-before-late-batch',
    breaks: 'a loss is named while a batch without an answer may still land: what was named is then not lost',
    changes: [
      {
        file: `${R}/drive.ts`,
        find: "return found.kind === 'fault' || (",
        put: 'return copy.partition < 0 || (',
      },
    ],
  },
  {
    name: 'displaced-below-the-tail',
    breaks:
      "another producer's record far below the end, and the link's own behind it that it displaced, are overlooked once the source has deleted what they were copied from",
    changes: [
      {
        file: `${R}/anchor.ts`,
        find: 'return from < tail.seenFrom ? await look(context, copy, from, end) : tail',
        put: 'return isFresh ? await look(context, copy, from, end) : tail',
      },
    ],
  },
  {
    name: 'no-claim',
    breaks: 'two workers that start together do not see each other',
    changes: [
      {
        file: `${R}/slots.ts`,
        find: 'if (!this.#isContested(free)) await this.#take(free, begunAt)',
        put: 'await this.#take(free, begunAt)',
      },
    ],
  },
  {
    name: 'slot-taken-at-once',
    breaks: 'a slot whose holder has died is taken while what it has sent may still land',
    changes: [
      {
        file: `${R}/slots.ts`,
        find: 'return clock.monotonic() - seen.at >= PRODUCE_TIMEOUT_MS\n      ?',
        put: 'return clock.monotonic() - seen.at >= 0\n      ?',
      },
    ],
  },
  {
    name: 'lost-slot-goes-on',
    breaks: 'a worker that finds its slot taken goes on with what it copies there',
    changes: [
      {
        file: `${R}/slots.ts`,
        find: 'if (taken.length > 0) void this.#hooks?.onLost(new Set(taken))',
        put: '',
      },
    ],
  },
  {
    name: 'holder-back-unnoticed',
    breaks: 'a holder that lives again and a taker do not notice each other',
    changes: [
      {
        file: `${R}/slots.ts`,
        find: 'beat >= 0 && before !== undefined && workers.get(before.owner)?.beat !== beat',
        put: 'beat >= 0 && before === undefined && workers.size < 0',
      },
    ],
  },
  {
    name: 'copy-of-another-mirror',
    breaks: 'a worker that stood still while a topic was copied anew keeps its copy of the mirror before',
    changes: [
      {
        file: `${R}/copies.ts`,
        find: 'if (before !== undefined && isOfAnother(before, verdict)) {',
        put: 'if (before !== undefined && partition < 0) {',
      },
    ],
  },
  {
    name: 'lease-ignored',
    breaks: 'a worker that was stopped and wakes writes beside its successor',
    changes: [
      {
        file: `${R}/lease.ts`,
        find: 'return this.#clock.monotonic() < this.#until',
        put: 'return true',
      },
    ],
  },
  {
    name: 'member-not-freed',
    breaks: 'a partition that was not sending when its connection died waits for ever',
    changes: [
      {
        file: `${R}/lanes.ts`,
        find: 'this.#release(cause)\n      await',
        put: 'await',
      },
      {
        file: `${R}/lanes.ts`,
        find: "if (this.#ready.size > 0 && this.isClosed) return this.#release('the produce connection was closed')",
        put: '',
      },
    ],
  },
  {
    name: 'pipelining-of-old',
    breaks: 'several batches of old records are in flight, and the second may take the place of the first',
    changes: [
      {
        file: `${R}/flight.ts`,
        find: 'return batch.maxTimestamp > this.#freshSince()',
        put: 'return batch.maxTimestamp > 0',
      },
    ],
  },
  {
    name: 'unguarded-forgotten',
    breaks: 'after a fill without an answer nobody waits until it can land no more',
    changes: [
      {
        file: `${R}/drive.ts`,
        find: 'isUnguarded ? PRODUCE_TIMEOUT_MS : SETTLE_MS',
        put: 'SETTLE_MS',
      },
    ],
  },
  {
    name: 'gap-before-late-batch',
    breaks: 'a gap is filled where a batch without an answer may still land: it lands behind the marker',
    changes: [
      {
        file: `${R}/partition.ts`,
        find: 'if (head.base < this.unanswered.upTo) {',
        put: 'if (head.base < 0) {',
      },
    ],
  },
  {
    name: 'log-start-jump',
    breaks: 'a mistake at the source takes the records away from the mirror too',
    changes: [
      {
        file: `${R}/trim.ts`,
        find: 'if (share <= LOG_START_JUMP_SHARE) return',
        put: 'if (share <= 1) return',
      },
    ],
  },
  {
    name: 'memory-lands-late',
    breaks:
      "what a worker knew of a partition is written when it wakes, over its successor's memory, and stays",
    changes: [
      {
        file: `${R}/partition-memory.ts`,
        find: 'lease.isHeld && slots.identityOf(copy)?.generation === copy.identity.generation',
        put: 'lease.isHeld || slots.identityOf(copy) !== copy.identity || true',
      },
      {
        file: `${R}/partition-memory.ts`,
        find: 'known?.targetTopicId === copy.targetTopicId &&',
        put: 'known !== undefined ||',
      },
      { file: `${R}/partition.ts`, find: ', this.lineage.settled()', put: '' },
    ],
  },
  {
    name: 'report-lands-late',
    breaks:
      'a report that a worker writes when it wakes stands for its successor, whose mirror is idle, and groups wait for ever',
    changes: [
      {
        file: `${R}/reporter.ts`,
        find: 'await store.put(key, record, () => lease.isHeld)',
        put: 'await store.put(key, record)',
      },
      {
        file: `${R}/reporter.ts`,
        find: '!this.#isOwn(key, piece) ||',
        put: 'this.#context.store.get(key) === undefined ||',
      },
    ],
  },
  {
    name: 'refused-loss-stays-named',
    breaks:
      'a loss that no longer stands so at the mirror is refused again and again, and nothing else is said',
    changes: [
      {
        file: `${R}/commands.ts`,
        find: "if (logStart.state === 'refused') await",
        put: "if (logStart.state === 'later') await",
      },
    ],
  },
  {
    name: 'gone-partitions-stay',
    breaks: 'partitions of a topic that was made anew with fewer stay faulted for ever',
    changes: [
      {
        file: `${R}/copies.ts`,
        find: 'else if (waitsFor === undefined && driven.driving === undefined) this',
        put: 'else if (waitsFor !== undefined && driven.driving === undefined) this',
      },
    ],
  },
  {
    name: 'groups-too-early',
    breaks: 'group offsets are committed before the mirrors hold what they imply',
    changes: [
      {
        file: 'engine/sync/capture.ts',
        find: '(at.isAnchored && at.cursor >= captured.end)',
        put: 'at.isAnchored',
      },
    ],
  },
  {
    name: 'groups-before-new-partitions',
    breaks:
      'group offsets are committed before partitions that were added are mirrored, and what they imply stands there',
    changes: [
      {
        file: 'engine/sync/capture.ts',
        find: ', ...(await unknownPartitions(input))]',
        put: ']',
      },
    ],
  },
  {
    name: 'epoch-never-recorded',
    breaks:
      'where `_kdr.state` could not be written, records are sent without the epoch that they came under: after a restart the mirror passes for fresh',
    changes: [{ file: `${R}/lineage.ts`, find: ' && !this.#isUnsaved) return false', put: ') return false' }],
  },
  {
    name: 'epoch-beyond-the-plan-forgotten',
    breaks:
      'an epoch whose batches may still land is forgotten as soon as something below them is planned anew',
    changes: [
      {
        file: `${R}/lineage.ts`,
        find: 'entry[1] < head.base || mayHold(entry, ops)',
        put: 'entry[1] < head.base',
      },
    ],
  },
  {
    name: 'waits-below-open-transaction',
    breaks: 'what the cleaner removed right below an open transaction keeps a mirror waiting until that ends',
    changes: [{ file: `${R}/compare-tail.ts`, find: '?? emptyUpTo(offset, answer)', put: '?? offset' }],
  },
  {
    name: 'foreign-below-seeds',
    breaks: "another producer's record below what was seeded is trimmed with it, and nothing is said",
    changes: [
      {
        file: `${R}/anchor.ts`,
        find: 'isFresh ? tail.logStart : Math.max(',
        put: 'isFresh ? end : Math.max(',
      },
    ],
  },
  {
    name: 'stopped-by-an-old-report',
    breaks:
      'a partition that was reported as stopped before its slot was taken anew is not waited for by the group sync',
    changes: [
      {
        file: 'wiring/position.ts',
        find: 'reported.generation === holder.generation &&',
        put: '',
      },
    ],
  },
  {
    name: 'stopped-by-an-older-mirror',
    breaks:
      'a partition that was reported as stopped before its mirror was made anew is not waited for by the group sync',
    changes: [
      { file: 'wiring/position.ts', find: '&&\n              reported.targetTopicId === topicId', put: '' },
    ],
  },
  {
    name: 'groups-overlook-what-goes-on',
    breaks: 'a partition that had stopped when groups were read, and goes on since, is not waited for',
    changes: [
      {
        file: 'engine/sync/capture.ts',
        find: '!at.isStopped && !ends.has(name)',
        put: '!at.isStopped && ends.size < 0',
      },
    ],
  },
  {
    name: 'groups-overlook-stopped-topics',
    breaks:
      'a topic whose known partitions have all stopped is not asked for others, and nobody waits for those',
    changes: [
      {
        file: 'engine/sync/capture.ts',
        find: '!isStopped || topicId !== NO_TOPIC_ID',
        put: '!isStopped || topicId.length < 0',
      },
    ],
  },
  {
    name: 'groups-of-the-mirror-before',
    breaks: 'what was captured while a partition had stopped is applied to a mirror that was made anew since',
    changes: [{ file: 'engine/sync/capture.ts', find: 'return left.size > 0', put: 'return left.size < 0' }],
  },
  {
    name: 'groups-wait-for-gone-partition',
    breaks: 'the group sync waits for a partition that a topic no longer has after it was recreated',
    changes: [
      {
        file: 'engine/sync/capture.ts',
        find: 'code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION || (',
        put: '(',
      },
    ],
  },
  {
    name: 'groups-after-ends',
    breaks: 'the ends are read before the groups: an offset that is committed in between implies more',
    changes: [
      {
        file: 'engine/sync/capture.ts',
        find: '  const listed = new Map<string, ListedGroup>()\n',
        put: `  const early = positions().filter(each => !each.isStopped)
  const before = await source.offsets(early, 'highWatermark')
  const listed = new Map<string, ListedGroup>()
`,
      },
      {
        file: 'engine/sync/capture.ts',
        find: 'end: answers[index]?.offset ?? 0 }',
        put: 'end: before[early.findIndex(each => nameOf(each) === `${topic}/${partition}`)]?.offset ?? 0 }',
      },
    ],
  },
  {
    name: 'foreign-overlooked',
    breaks: "records of another producer are taken for the link's own",
    changes: [
      {
        file: `${R}/anchor.ts`,
        find: 'return !slots.producers.has(header.producerId) && header.lastOffset >= copy.adoptedUpTo',
        put: 'return slots.producers.has(-2n) && header.lastOffset >= copy.adoptedUpTo',
      },
      {
        file: `${R}/compare-tail.ts`,
        find: 'if (copied !== undefined && !isSameRecord(source, copied)) return',
        put: 'if (copied === source) return',
      },
    ],
  },
  {
    name: 'state-lands-late',
    breaks: 'a record of `_kdr.state` that was given up lands behind a newer one',
    changes: [
      {
        file: 'state/topic-store.ts',
        find: '      producer: this.#producer,\n      baseSequence: this.#sequence,\n',
        put: '',
      },
    ],
  },
  {
    name: 'put-hides-what-others-write',
    breaks: 'what another has written to `_kdr.state` while a put to that key was under way is never shown',
    changes: [
      {
        file: 'state/topic-store.ts',
        find: 'if (this.#logged.has(key)) this.#logged.set(key, { record, offset })\n      else this.#set(key, record)',
        put: 'if (!this.#logged.has(key)) this.#set(key, record)',
      },
    ],
  },
  {
    name: 'hidden-taken-for-deleted',
    breaks: 'a mirror that kdr may not see for a while is called deleted',
    changes: [
      {
        file: `${R}/plan-topics.ts`,
        find: "if (missing === 'deleted') return stop('recreated'",
        put: "if (missing !== undefined) return stop('recreated'",
      },
    ],
  },
  {
    name: 'uncertain-end-called-clean',
    breaks: 'a worker that stops with a write in doubt lets its successor start at once',
    changes: [
      {
        file: `${R}/replication.ts`,
        find: 'const inDoubt = isDrained ? this.#copies.inDoubt() : new Set(slots.held)',
        put: 'const inDoubt = new Set<number>()',
      },
    ],
  },
  {
    name: 'settle-cut-short',
    breaks: 'a stop cuts the wait for a fill without an answer short, and the end is called clean',
    changes: [
      {
        file: `${R}/anchor.ts`,
        find: "if (signal.aborted) return wait('the link stops')",
        put: "if (settleMs < 0) return wait('the link stops')",
      },
    ],
  },
  {
    name: 'overtaking-answers',
    breaks: 'answers that overtake each other move the cursor past a batch that is still in flight',
    changes: [
      {
        file: `${R}/flight.ts`,
        find: 'return this.#batches[0]?.base ?? this.#acknowledged',
        put: 'return batch.next',
      },
    ],
  },
  {
    name: 'seeds-left-readable',
    breaks: 'what was seeded stays readable when the request to trim it is lost',
    changes: [
      {
        file: `${R}/drive.ts`,
        find: 'if (anchored.isFresh && anchored.targetLogStart < seededTo) {',
        put: 'if (anchored.isFresh && anchored.targetLogStart < 0) {',
      },
      {
        file: `${R}/trim.ts`,
        find: "if (before <= copy.targetLogStart) return { kind: 'none' }",
        put: "if (before <= Math.max(copy.targetLogStart, copy.acceptedLogStart)) return { kind: 'none' }",
      },
    ],
  },
  {
    name: 'recreated-without-mirror',
    breaks:
      'a topic that is created again before its mirror is known waits for a copy of nothing to be made anew',
    changes: [
      {
        file: `${R}/plan-topics.ts`,
        find: 'if (record?.targetTopicId !== undefined && record.sourceTopicId !== source.id) {',
        put: 'if (record !== undefined && record.sourceTopicId !== source.id) {',
      },
    ],
  },
  {
    name: 'stripe-does-not-join',
    breaks: 'a stripe is planned before what comes before it: that is taken for a gap',
    changes: [
      {
        file: `${R}/stripes.ts`,
        find: 'parked !== undefined && from <= at)',
        put: 'parked !== undefined && from >= 0)',
      },
    ],
  },
  {
    name: 'stripe-under-any-epoch',
    breaks:
      'stripes are fetched from whatever the log is by then: after an unclean election from another history',
    changes: [
      {
        file: `${R}/broker-fetcher.ts`,
        find: 'asked: { ...asked, offset, leaderEpoch, lastFetchedEpoch, maxBytes },',
        put: 'asked: { ...asked, offset, leaderEpoch: isHead ? leaderEpoch : -1, lastFetchedEpoch, maxBytes },',
      },
    ],
  },
  {
    name: 'stripe-holds-up-others',
    breaks: 'a stripe that is no longer needed, and is lost, holds up for ever what has come behind it',
    changes: [
      {
        file: `${R}/stripes.ts`,
        find: 'this.#stripes.find(({ parked',
        put: 'this.#stripes.slice(0, 1).find(({ parked',
      },
    ],
  },
  {
    name: 'seed-beside-successor',
    breaks:
      'a worker that was stopped goes on seeding beside its successor: readers find null records that never were',
    changes: [{ file: `${R}/seed.ts`, find: 'if (!this.#mayWrite(copy))', put: 'if (next < 0)' }],
  },
  {
    name: 'seed-unguarded',
    breaks:
      'null records without an answer land behind those that were sent after them, once the broker has forgotten both',
    changes: [{ file: `${R}/seed.ts`, find: 'copy.isUnguarded = true', put: 'copy.isUnguarded ||= false' }],
  },
  {
    name: 'stray-not-known',
    breaks:
      'a batch without an answer lands where the target has lost its end, and the source has deleted what would tell',
    changes: [
      {
        file: `${R}/anchor.ts`,
        find: 'return from === undefined ?',
        put: 'return from === undefined || from > 0 ?',
      },
      {
        file: `${R}/drive.ts`,
        find: "|| (found.kind === 'anchored' && isShorter(copy, found))",
        put: '',
      },
    ],
  },
  {
    name: 'recopy-at-once',
    breaks: 'a batch without an answer lands in the mirror that is made anew under the same name',
    changes: [
      {
        file: `${R}/commands.ts`,
        find: 'clock.monotonic() - leftAt < PRODUCE_TIMEOUT_MS',
        put: 'leftAt < 0',
      },
    ],
  },
  {
    name: 'recopy-of-the-recorded',
    breaks:
      'what somebody has put in the place of a mirror stays, and the way out that was named leads nowhere',
    changes: [
      {
        file: `${R}/commands.ts`,
        find: 'targetWatch.topic(topic)?.id)',
        put: 'readTopics(this.#context.store, this.#context.link).get(topic)?.targetTopicId)',
      },
    ],
  },
  {
    name: 'displaced-in-a-gap',
    breaks:
      'what landed elsewhere, in a gap of the source, is copied on by the successor of whoever was told so',
    changes: [
      {
        file: `${R}/compare-tail.ts`,
        find: 'const missing = found.isWhole',
        put: 'const missing = from >= 0',
      },
    ],
  },
  {
    name: 'waits-for-an-append',
    breaks: 'what is caught up says `waiting` for ever after trouble that is over',
    changes: [
      {
        file: `${R}/partition.ts`,
        find: 'if (ops.length === 0 && this.isIdle',
        put: 'if (ops.length < 0 && this.isIdle',
      },
    ],
  },
  {
    name: 'parked-for-ever',
    breaks: 'over a long line a partition with nothing under way waits for what is parked',
    changes: [
      {
        file: `${R}/broker-fetcher.ts`,
        find: 'if (stripes.isUnderWay) continue',
        put: 'if (!stripes.isEmpty) continue',
      },
    ],
  },
  {
    name: 'left-for-ever',
    breaks:
      'a worker that wakes says of a mirror made anew that it is to be left, and nobody takes that back',
    changes: [
      {
        file: `${R}/commands.ts`,
        find: '    await this.#stayUnasked()\n',
        put: '',
      },
    ],
  },
  {
    name: 'stopped-keeps-its-end',
    breaks:
      'a partition that stops at a mirror which has lost its end goes on saying where that ended before',
    changes: [
      {
        file: `${R}/drive.ts`,
        find: 'copy.appended = Math.min(copy.appended, anchored.end ?? Infinity)',
        put: 'void 0',
      },
    ],
  },
  {
    name: 'surplus-not-told',
    breaks: 'a mirror that is longer than its source, where that shows nothing more, says `mirroring`',
    changes: [
      {
        file: `${R}/report-of.ts`,
        find: 'return copy.isOpen && copy.planned < copy.appended',
        put: 'return copy.isOpen && copy.planned < 0',
      },
    ],
  },
]
