// What can be wrong with backups, and with what was accepted: a part of the table of findings.
import type { FindingSpec } from './findings.ts'

export const ofSets = {
  C090: {
    severity: 'error',
    title: 'a backup is late',
    cause: 'By the schedule of the set there should be a newer commit: what was written since is in none.',
    wayOut: 'See that `kdr run` runs, and what it says of the set; or make a commit now.',
    command: 'kdr backup run {set}',
  },
  C091: {
    severity: 'warning',
    title: 'there is no backup yet',
    cause: 'The set has no commit: nothing could be restored.',
    wayOut: 'Make the first one.',
    command: 'kdr backup run {set}',
  },
  C092: {
    severity: 'warning',
    title: 'a backup was not verified for long',
    cause: 'Nobody has read all that it needs for more than a week: that it can be restored is a hope.',
    wayOut: 'Verify it; with `verify: 6d` in the set `kdr run` does so by itself.',
    command: 'kdr backup verify {set} --full',
  },
  C093: {
    severity: 'warning',
    title: 'a backup can be deleted',
    cause:
      'The vault is to lock what it holds, and the lock of an object ends sooner than it says, or there is none: whoever has the credentials of kdr could delete it.',
    wayOut: 'Make a commit, which extends the locks; see what the bucket can do with `kdr vault probe`.',
    command: 'kdr backup run {set}',
  },
  C094: {
    severity: 'error',
    title: 'a backup is damaged',
    cause:
      'An object is missing or has another size, or the chain of commits is broken: some of it would not restore.',
    wayOut: 'Restore the object from a copy of the vault; see what it costs.',
    command: 'kdr backup verify {set} --full',
  },
  C095: {
    severity: 'error',
    title: 'a vault cannot be reached',
    cause: 'Nothing is known of its sets, nothing is backed up, and nothing could be restored.',
    wayOut: 'Check `url` and the credentials of the vault.',
    command: 'kdr vault probe {vault}',
  },
  C096: {
    severity: 'info',
    title: 'topics are in no backup',
    cause:
      'The cluster has sets, and none of them takes these topics: a mistake in one of them cannot be undone.',
    wayOut: 'Take them into `topics:` of a set, or accept the finding.',
  },
  C098: {
    severity: 'warning',
    title: 'the time of an accepted finding is over',
    cause: 'Its `until` has passed: what it had accepted counts again.',
    wayOut: 'Mend the finding, or write a new day into `accept:`.',
  },
  C099: {
    severity: 'warning',
    title: 'what was accepted was not found',
    cause: 'An entry of `accept:` fits no finding: it is mended, or the entry has a typing mistake.',
    wayOut: 'Take it out of `accept:`.',
  },
} as const satisfies Record<string, FindingSpec>
