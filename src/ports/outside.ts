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

/** One of the ways in `redirect:`. Each can be done twice. */
export interface Redirect {
  /** `dns bootstrap.kafka.example`, `command`, `template /etc/app/kafka.properties`. */
  readonly name: string
  /** What it would do: a line of the plan. */
  describe(facts: RunFacts): string
  /** Whether it leads to the standby already. */
  isApplied(facts: RunFacts): Promise<boolean>
  /** Throws KdrError: a newer run has been here ('other-controller'), or what went wrong, with the way out. */
  apply(facts: RunFacts): Promise<void>
  /** Throws KdrError('not-ready') when it does not lead there. */
  verify(facts: RunFacts): Promise<void>
  /** Back to what it was before `apply`. */
  undo(facts: RunFacts): Promise<void>
}
