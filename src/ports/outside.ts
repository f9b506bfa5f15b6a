// What a run needs of the world beside the two clusters: the operator's own commands, an application's credentials, and the
// ways applications find the active cluster.
import type { Outcome, TopicPartition } from './cluster.ts'

/** The facts of a run, for commands (as KDR_* in the environment, and as JSON in KDR_FACTS) and templates. */
export type RunFacts = {
  readonly run: string
  readonly kind: string
  readonly link: string
  /** Names in the config. */
  readonly active: string
  readonly standby: string
  /** `host:port,...` of the cluster that is active when the run is over. */
  readonly bootstrap: string
  /** Of the link, after the run: a stale controller's is lower. */
  readonly generation: number
}

/** `output`: the last of stdout and stderr together, a few lines, for messages. */
export type CommandEnd = { readonly code: number; readonly output: string }

export interface Commands {
  /** By the shell, with the facts in the environment. Code 124 when it has not ended in time (it is killed then). */
  run(command: string, facts: RunFacts, timeoutMs: number): Promise<CommandEnd>
}

/** Could an application still write? Asked with its own credentials; nothing is ever appended (DESIGN 2.1.13). */
export interface WriterProbe {
  /** Whose credentials: `User:app`. */
  readonly principal: string
  /**
   * A batch with a wrong checksum to each partition, at its leader, in their order. CORRUPT_MESSAGE: it could have written.
   * TOPIC_AUTHORIZATION_FAILED: it is fenced there. Throws KdrError: unreachable, not-allowed (the credentials do not open it).
   */
  probe(
    partitions: readonly (TopicPartition & { readonly topicId: string; readonly leader: number })[],
  ): Promise<Outcome[]>
  close(): Promise<void>
}

/**
 * One of the ways in `redirect:`, taken in their order (and undone in the other). Each call can be made twice. Beside what
 * is said below each may throw KdrError: unreachable, not-allowed, config-invalid (a key or a template), timed-out.
 */
export interface Redirect {
  /** `dns bootstrap.kafka.example`, `command`, `template /etc/app/kafka.properties`. */
  readonly name: string
  /** What it would do: a line of the plan. */
  describe(facts: RunFacts): string
  /** Whether this run has led it to the standby already. Reads only: in a preflight it shows whether the way is open at all. */
  isApplied(facts: RunFacts): Promise<boolean>
  /** Throws KdrError: 'other-controller' (a newer run has been here), 'not-ready' (what stands there is not of either cluster). */
  apply(facts: RunFacts): Promise<void>
  /** Throws KdrError('not-ready') when it does not lead there. */
  verify(facts: RunFacts): Promise<void>
  /** Back to what it was before `apply`; nothing where this run has not applied it, as far as that can be told. */
  undo(facts: RunFacts): Promise<void>
}
