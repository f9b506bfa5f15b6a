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
    bug: 'A mirror topic that the target refused was shown as waiting, and `kdr status` ended with 0.',
    by: 'test/lab/link-exits.test.ts',
    fix: 'It is faulted as `target-refuses`.',
  },
  {
    bug: 'A copy that anchored anew between two looks at the topics took a topic of the same name for its own: records went into a mirror that somebody had made again, and those of a recreated source topic behind those of the old one.',
    by: 'test/lab/faults/ways-out.test.ts',
    fix: 'Fetch and Produce name the recorded topic ids; an anchor holds only while both names still lead to them.',
  },
]
