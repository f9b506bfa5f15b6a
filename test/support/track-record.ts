// Bugs of kdr that tests with real brokers, or reviews, have found: what they would have done to a user, what showed them,
// and how they were fixed. Those that a simulated history has found stand in test/sim/seeds.json, with their seed.

export type Found = {
  readonly bug: string
  /** A test, by its file or its row. */
  readonly by: string
  readonly fix: string
}

export const FOUND_ON_BROKERS: readonly Found[] = [
  {
    bug: 'Each answer of the source that held nothing new erased what was known of its leader epochs: after an unclean election an idle partition was stopped as `foreign-write`, or, where the source had grown beyond it again, only the last batch was compared.',
    by: 'test/lab/faults/source-leaders.test.ts (S03)',
    fix: 'Only what is planned anew replaces epochs.',
  },
  {
    bug: 'After a restart of a target broker, or ten idle minutes, a partition whose connection had been closed while nothing was in flight stood still for ever.',
    by: 'test/lab/link-chaos.test.ts',
    fix: 'A closed connection makes all copies that use it anchor anew.',
  },
  {
    bug: "A jump of the source's log start inside its only batch was taken for ordinary retention: the mirror's records were deleted without a question.",
    by: 'test/lab/link-daemon.test.ts',
    fix: 'Whether retention explains a jump is asked of the batch that spans the new log start too.',
  },
  {
    bug: 'The log start of a compacted mirror could not be moved (brokers refuse DeleteRecords there), and `kdr run --once` ended with 0 all the same.',
    by: 'test/lab/link-corpus.test.ts',
    fix: 'Such a mirror is `delete` for as long as its log start is moved; `--once` looks at faults last.',
  },
  {
    bug: 'WriteTxnMarkers was waited for in vain: a broker never answers it when its last entry is skipped after others were not.',
    by: 'simulated histories played on real brokers',
    fix: 'The last entry of such a request holds all of its partitions.',
  },
  {
    bug: 'One partition without a topic id made the fetch of all partitions of its broker fail.',
    by: 'simulated histories played on real brokers',
    fix: 'A topic that has vanished keeps its id; the broker says of it alone that it is gone.',
  },
  {
    bug: '`kdr link recopy`, given while no kdr ran, had no effect on a topic that had been stopped as recreated.',
    by: 'test/lab/faults/source-topics.test.ts (S09)',
    fix: 'Commands are carried out for every topic that the link remembers, whether or not it is copied now.',
  },
  {
    bug: 'Messages in the formats before Kafka 0.11 were copied one for each fetch, and their checksums were not looked at.',
    by: 'test/lab/faults/source-topics.test.ts (S20)',
    fix: 'All of an answer are taken, and each must match its checksum.',
  },
  {
    bug: 'The key `rack` of the config was accepted without a word, and had no effect.',
    by: 'test/lab/faults/source-leaders.test.ts (S27)',
    fix: '`kdr config check` says that it is of a later release.',
  },
  {
    bug: 'A mirror topic that the target refused was shown as waiting, and `kdr status` ended with 0.',
    by: 'test/lab/link-exits.test.ts',
    fix: 'It is faulted as `target-refuses`.',
  },
  {
    bug: 'A copy that anchored anew between two looks at the topics took a topic of the same name for its own: records went into a mirror that somebody had made again, and those of a recreated source topic behind those of the old one.',
    by: 'test/lab/faults/ways-out.test.ts',
    fix: 'Fetch and Produce name the recorded topic ids; an anchor holds only while both names still lead to them.',
  },
  {
    bug: 'When the target went silent within a minute of the source, the log did not say so until that minute was over.',
    by: 'test/lab/faults/network.test.ts (N01)',
    fix: 'The first sentence about each cluster is logged at once.',
  },
  {
    bug: 'A source broker that gave nothing while its cluster answered (a cut path, a revoked login) was silent: its partitions were said to be in step, and their lag was 0.',
    by: 'a review that played it in the simulation; now test/sim/unreachable.test.ts',
    fix: 'After 10 s its partitions wait, with the reason, and their lag counts from when it was last read.',
  },
  {
    bug: 'A controller that slept after naming the run of a link, and woke when its plan had been given up, moved that link.',
    by: 'test/sim/plans',
    fix: "The runs of a plan ask the plan's claim too.",
  },
  {
    bug: 'Without DESCRIBE_CONFIGS on `_kdr.state` all topic configs were left out, with a wrong reason.',
    by: 'test/lab/rights-needed.test.ts',
    fix: 'The link is refused, with the right that is missing (exit 14).',
  },
  {
    bug: 'A failover with `--break-glass` ended with 11: the new leader of `_kdr.state`, whose log stood still, went on not to say up to where it may be read, though enough replicas were in sync by then.',
    by: 'test/lab/break-glass.test.ts',
    fix: 'Something is written there that says nothing: a follower that takes it moves the high watermark.',
  },
  {
    bug: 'Over a long line connections that had only read ahead read from the leader, and not from the closest replica.',
    by: 'test/lab/closest-replica.test.ts',
    fix: 'Whoever reads ahead of a log says so.',
  },
]

/** Fixes of seeds that do not name theirs. */
export const SEED_FIXES: Readonly<Record<number, string>> = {
  11: 'The cursor never passes a batch in flight, in whichever order answers come.',
  36: 'A connection that dies frees all copies that use it.',
  103: 'When a fetch ends, its partition is offered to whichever broker leads it by then.',
  37: 'What was copied is followed by the epochs of records; markers do not count.',
  2: 'The offset at which a copy began is remembered; only what lies above it can be lost.',
  47: 'What was seeded is trimmed before anything is copied, also after a restart.',
  1154: 'An epoch is forgotten only when its offsets are planned anew.',
  1975: 'An epoch is forgotten only when its offsets are planned anew.',
  478: 'A worker that has not beaten for a while asks whether the link is still its own before each write.',
  13180: 'An anchor plans from where the source has shown what stands there.',
  10592: 'An anchor plans from where the source has shown what stands there.',
  185: "Every batch that the anchor sees must be the link's own.",
}
