// Every error that kdr raises on purpose, in one table: exit code, whether a retry can help, and what to do.
// There are two error classes and no more: KdrError (the world or the operator) and InvariantViolation (a bug).

export type RetryClass = 'never' | 'backoff'

type ErrorSpec = { readonly exit: number; readonly retry: RetryClass; readonly hint: string }

export const ERRORS = {
  usage: { exit: 2, retry: 'never', hint: 'Run the command with `--help`.' },
  'config-invalid': {
    exit: 2,
    retry: 'never',
    hint: 'Correct the file at the line shown; `kdr config check` tells when it is right.',
  },
  'config-missing': {
    exit: 2,
    retry: 'never',
    hint: 'Write one with `kdr init`, or name it with `--config FILE`.',
  },
  'not-available': {
    exit: 2,
    retry: 'never',
    hint: 'A later release brings it; see the README for what works today.',
  },
  'newer-version': {
    exit: 2,
    retry: 'never',
    hint: 'A newer kdr wrote this; use that version, or a later one.',
  },
  corrupt: {
    exit: 3,
    retry: 'never',
    hint: 'The bytes are not what their header says; look at the topic with `kafka-dump-log`.',
  },
  damaged: {
    exit: 3,
    retry: 'never',
    hint: 'Restore the object from a copy of the vault, or restore a point that does not need it: `kdr backup verify SET --full` names all that is damaged.',
  },
  unfinished: { exit: 3, retry: 'never', hint: 'Run `kdr status` to see which partition stopped, and why.' },
  'wrong-cluster': {
    exit: 10,
    retry: 'never',
    hint: 'Check `bootstrap` of both clusters: the name in the config now leads to another cluster.',
  },
  unreachable: {
    exit: 11,
    retry: 'backoff',
    hint: 'Check the address, the port, the network path and the listener that the brokers advertise.',
  },
  'store-unreachable': {
    exit: 11,
    retry: 'backoff',
    hint: 'Check the `url` of the vault, the disk or the network path, and how much room there is.',
  },
  'not-empty': {
    exit: 12,
    retry: 'never',
    hint: 'Delete the topic at the target, or let kdr verify it and go on: `kdr link adopt LINK --topic TOPIC`.',
  },
  'other-controller': {
    exit: 13,
    retry: 'never',
    hint: 'Another kdr runs this link; stop it first, or let it do the work.',
  },
  'other-writer': {
    exit: 13,
    retry: 'never',
    hint: 'Another kdr backs up this set; what it has committed stands, and the next run goes on from there.',
  },
  'not-allowed': {
    exit: 14,
    retry: 'backoff',
    hint: 'Check the credentials and the ACLs of the principal that kdr uses; `kdr config acls` prints those that a command needs.',
  },
  moved: {
    exit: 17,
    retry: 'backoff',
    hint: 'See which way the link leads now: kdr status.',
  },
  'not-fenced': {
    exit: 15,
    retry: 'never',
    hint: 'Stop the writers by other means (`fence.command`), or go on and accept that both sides may be written to: `--accept-split-brain`.',
  },
  'would-lose': {
    exit: 16,
    retry: 'never',
    hint: 'Read the plan, then repeat the command with the flags that it names.',
  },
  'active-is-back': {
    exit: 21,
    retry: 'never',
    hint: 'Resume the run: it fences the cluster that is back first.',
  },
  'not-ready': { exit: 17, retry: 'never', hint: 'Put right what the message names, then try again.' },
  'cluster-lacks': {
    exit: 18,
    retry: 'never',
    hint: 'See the table of supported versions in the README.',
  },
  'store-lacks': {
    exit: 18,
    retry: 'never',
    hint: 'See what the store can do: `kdr vault probe VAULT`.',
  },
  'approval-needed': {
    exit: 20,
    retry: 'never',
    hint: 'Read the plan, then repeat the command with `--yes`.',
  },
  'timed-out': {
    exit: 21,
    retry: 'never',
    hint: 'Nothing is lost: run the same command again and it goes on where it stopped.',
  },
  interrupted: { exit: 130, retry: 'never', hint: 'Nothing is lost: run the same command again.' },
} as const satisfies Record<string, ErrorSpec>

export type ErrorCode = keyof typeof ERRORS

/** What the world or the operator got wrong. `message`: lowercase, no full stop, names the thing in quotes. */
export class KdrError extends Error {
  readonly code: ErrorCode
  readonly hint: string
  readonly facts: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string; facts?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'KdrError'
    this.code = code
    this.hint = options.hint ?? ERRORS[code].hint
    this.facts = options.facts ?? {}
  }

  get exit(): number {
    return ERRORS[this.code].exit
  }
}

/** A bug in kdr: never retried, and the run that meets it stops. */
export class InvariantViolation extends Error {
  readonly facts: Readonly<Record<string, unknown>>

  constructor(message: string, facts: Record<string, unknown> = {}) {
    super(
      `${message} ${JSON.stringify(facts, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}`,
    )
    this.name = 'InvariantViolation'
    this.facts = facts
  }
}

export function invariant(
  condition: unknown,
  message: string,
  facts: Record<string, unknown> = {},
): asserts condition {
  if (!condition) throw new InvariantViolation(message, facts)
}

/** Ends a `switch` over a closed union; the compiler complains when a case is missing. */
export function assertNever(value: never): never {
  throw new InvariantViolation('a case is missing', { value })
}

/** The first KdrError in a chain of causes, so that wrapping never hides an exit code. */
export function findKdrError(error: unknown): KdrError | undefined {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof KdrError) return at
  return undefined
}
