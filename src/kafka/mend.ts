// What `kdr check --fix` changes (ports/mend.ts).
import { incrementalAlterConfigsV1 } from '@platformatic/kafka'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { Outcome, TopicPartition } from '../ports/cluster.ts'
import type { Mender } from '../ports/mend.ts'
import { askController, refusable } from './admin.ts'
import { type ClusterContext, outcome } from './context.ts'
import { electLeadersV2 } from './raw/elect-leaders.ts'

const BROKER = 4
const SET = 0
/** The empty name stands for all brokers. */
const ALL = ''
/** A request is one record batch of the controller, which takes up to 10,000 records. */
const PARTITIONS_PER_REQUEST = 1_000

export function mender(context: ClusterContext): Mender {
  return {
    setBrokerDefault: (name, value) => setBrokerDefault(context, name, value),
    electPreferred: partitions => electPreferred(context, partitions),
  }
}

async function setBrokerDefault(context: ClusterContext, name: string, value: string): Promise<Outcome> {
  const answer = await askController(
    context,
    'IncrementalAlterConfigs',
    incrementalAlterConfigsV1.api,
    reply => reply.responses.map(one => one.errorCode),
    [
      {
        resourceType: BROKER,
        resourceName: ALL,
        configs: [{ name, configOperation: SET, value }],
      },
    ],
    false,
  )
  const [result] = answer.responses
  return refusable(result?.errorCode, result?.errorMessage, 'ALTER_CONFIGS on the cluster')
}

async function electPreferred(
  context: ClusterContext,
  partitions: readonly TopicPartition[],
): Promise<Outcome> {
  for (let at = 0; at < partitions.length; at += PARTITIONS_PER_REQUEST) {
    const answer = await askController(
      context,
      'ElectLeaders',
      electLeadersV2,
      reply => [reply.code],
      partitions.slice(at, at + PARTITIONS_PER_REQUEST),
      context.requestTimeoutMs,
    )
    if (answer.code !== KafkaCode.NONE) return refusable(answer.code, undefined, 'ALTER on the cluster')
    const refused = answer.partitions.find(
      ({ code }) => code !== KafkaCode.NONE && code !== KafkaCode.ELECTION_NOT_NEEDED,
    )
    if (refused !== undefined)
      return outcome(refused.code, `${refused.topic}/${refused.partition}: ${refused.message ?? ''}`)
  }
  return outcome(KafkaCode.NONE)
}
