// kdr's memory at a target, looked at before anything is written there: whether kdr may see its configs, and whether it keeps what it is given.
import { KdrError } from '../model/errors.ts'
import { codeName, isAuthorization, KafkaCode } from '../model/kafka-codes.ts'
import { memoryProblem, mendingOf } from '../model/own-topics.ts'
import type { Cluster } from '../ports/cluster.ts'
import { JOURNAL_TOPIC, STATE_TOPIC } from '../state/topic-store.ts'

type Target = Pick<Cluster, 'name' | 'topicConfigs'>

/**
 * By the configs of `_kdr.state` kdr learns which topic configs the target's brokers know. Refused, it would take them to know none, and
 * leave all of them out. Where somebody else has made a topic of that name, be it by asking for it, it has the brokers' defaults. Throws
 * KdrError('not-allowed' | 'not-ready').
 */
export async function assertMemory(target: Target, bootstrap: readonly string[]): Promise<void> {
  const configs = await target.topicConfigs([STATE_TOPIC, JOURNAL_TOPIC])
  const { code = KafkaCode.NONE } = configs.get(STATE_TOPIC) ?? {}
  if (isAuthorization(code))
    throw new KdrError(
      'not-allowed',
      `"${target.name}" does not show the configs of topic "${STATE_TOPIC}": ${codeName(code)} (kdr needs DESCRIBE_CONFIGS on it)`,
    )
  for (const [topic, found] of configs) {
    if (found.code !== KafkaCode.NONE) continue
    const problem = memoryProblem(name => found.entries.get(name)?.value ?? undefined)
    if (problem !== undefined)
      throw new KdrError(
        'not-ready',
        `topic "${topic}" on "${target.name}" does not have the configs that kdr gives it: ${problem.sentence}`,
        { hint: `Mend it: ${mendingOf(topic, bootstrap.join(','), problem.change)}` },
      )
  }
}
