// The sentences of a runbook that do not depend on whose it is.
import type { RunbookKind } from './facts.ts'

export const BEFORE: readonly string[] = [
  'You sit at a machine that reaches the standby, with kdr and the config; the secrets that the config names are there.',
  'Whoever decides has said yes, and it is written down when.',
  'The owners of the applications know that they are about to be moved, and that producers must be restarted.',
  'Nobody changes topics, ACLs or the config meanwhile.',
]

export const STOP_IF: Readonly<Record<RunbookKind, readonly string[]>> = {
  switchover: [
    'the dry run says "it must not begin": put right what it names first;',
    'a link lags, or is faulted;',
    'the expected time is longer than what was agreed;',
    'transactions are open for longer than the applications can stand still.',
  ],
  failover: [
    'the active side answers again, or those who run it expect it within minutes: a switchover loses nothing;',
    'the dry run names more loss than was agreed;',
    'applications still write to the old side and cannot be stopped: what they write there from then on is lost (exit 15);',
    'it is not the cluster that is lost but your way to it: look from a second place.',
  ],
  failback: [
    'the side that comes home has been well for less than a day;',
    'the dry run says that topics are deleted and copied anew, and nobody has looked at the export;',
    'the dry run says "it must not begin": put right what it names first;',
    'the expected time is longer than what was agreed.',
  ],
}

/** By the name of the step. */
export const STEP_WORDS: Readonly<Record<string, string>> = {
  'fence-returned': 'Only after a failover: writers are kept out of the side that has come back.',
  export: 'Only after a failover: what that side has alone is written to where `--export` says.',
  reverse: 'Only after a failover: that side becomes a standby; topics of `--recopy` are deleted there.',
  'catch-up': 'Only after a failover: it is waited until that side has everything.',
  preflight: 'Both sides are looked at again. What stands in the way stops it here, with nothing changed.',
  'freeze-groups': 'Consumers are stopped, fenced or left alone, as `consumers` of the link says.',
  'fence-applications':
    'Writers are kept out of the old side, and that is proven where the config has a probe.',
  'end-transactions': 'Open transactions are ended through their coordinator.',
  drain: 'The rest is copied; of a side that is dark the loss is counted instead.',
  'final-sync': 'Offsets of groups, ACLs and quotas are carried over for the last time.',
  'fence-link': 'No older kdr can write to the standby any more. From here on there is no free way back.',
  promote: 'The standby becomes active: its topics take writes, held ACLs come into force.',
  redirect:
    'Applications are led over, as `redirect` of the link says. Without one you do that by hand: give them the address above.',
  canary:
    'kdr writes and reads a record at the new active side, and looks for producers that were not restarted.',
}

export const EXITS: readonly (readonly [code: number, meaning: string, act: string])[] = [
  [0, 'done', 'go on with 8'],
  [
    11,
    'a cluster cannot be reached',
    'the standby must answer: mend the way to it; if the active does not: `kdr failover NAME`',
  ],
  [
    13,
    'another controller is at it',
    'find who; if that process is gone: the same command with `--take-over`',
  ],
  [14, 'not allowed', 'the message names the right that kdr lacks'],
  [
    15,
    'nothing fences the applications',
    'stop the writers by other means, then `kdr KIND NAME --resume RUN`; or accept that both sides may be written to: `--accept-split-brain` (who decides says so)',
  ],
  [
    16,
    'it would lose records',
    'read what it names; then the same command with the flags that it names (`--export DIR`, `--recopy TOPIC`)',
  ],
  [17, 'it must not begin', 'put right what the message names; nothing was changed'],
  [20, 'not approved', 'nothing was changed'],
  [21, 'stopped part-way', '`kdr KIND NAME --resume RUN`; or see 7'],
]

const CLIENTS = [
  'Every producer was restarted, not only reconnected.',
  'Consumers run at the new side, and their lag falls.',
]

export const AFTER: Readonly<Record<RunbookKind, readonly string[]>> = {
  switchover: [
    ...CLIENTS,
    '`kdr run` lives: the link goes on in the other direction.',
    'Those who wait were told that it is over.',
  ],
  failover: [
    ...CLIENTS,
    'The old side is not given back to applications when it returns: what it has alone is looked at first (`kdr failback NAME --dry-run`).',
    'What was lost was told to those who own it: the report names each partition.',
    'There is no standby now: until the way back is done, take a backup.',
  ],
  failback: [
    ...CLIENTS,
    'What was exported is kept until its owners have looked at it.',
    '`kdr run` lives: the link goes on in the home direction.',
  ],
}
