// Topics and their configs. Changes go to the controller (KRaft brokers forward them; with ZooKeeper, up to Kafka 3.9,
// only the controller takes them); one that has moved is looked up once more, and that is the only retry.
import {
  type API,
  createPartitionsV3,
  createTopicsV7,
  deleteTopicsV6,
  describeConfigsV4,
  incrementalAlterConfigsV1,
} from '@platformatic/kafka'
import { KdrError } from '../model/errors.ts'
import { codeName, isAuthorization, KafkaCode } from '../model/kafka-codes.ts'
import {
  type ConfigEntry,
  type NewTopic,
  NO_TOPIC_ID,
  type Outcome,
  type TopicConfigs,
} from '../ports/cluster.ts'
import { type ClusterContext, outcome } from './context.ts'
import type { ApiName } from './versions.ts'

const TOPIC = 2
const BROKER = 4
/** DescribeConfigsResponse.ConfigSource: set on the topic itself. */
const SOURCE_TOPIC = 1
const SET = 0
const DELETE = 1
/** About 40 entries of 60 bytes each per topic, and several times that as objects. */
const TOPICS_PER_REQUEST = 100

/** Sends what changes something to the controller; one that has moved is looked up once more. */
export async function askController<Request extends unknown[], Answer>(
  context: ClusterContext,
  name: ApiName,
  api: API<Request, Answer>,
  codesOf: (answer: Answer) => readonly number[],
  ...request: Request
): Promise<Answer> {
  const ask = async () => {
    const connection = await context.pool.control(context.controller())
    connection.versions.need(name)
    return connection.call(api, ...request)
  }
  const answer = await ask()
  if (!codesOf(answer).includes(KafkaCode.NOT_CONTROLLER)) return answer
  await context.describe()
  return ask()
}

export async function createTopics(
  context: ClusterContext,
  topics: readonly NewTopic[],
): Promise<(Outcome & { readonly id: string })[]> {
  const request = topics.map(topic => ({
    name: topic.name,
    numPartitions: topic.partitions,
    replicationFactor: topic.replicationFactor,
    assignments: [],
    configs: Object.entries(topic.configs).map(([name, value]) => ({ name, value })),
  }))
  const answer = await askController(
    context,
    'CreateTopics',
    createTopicsV7.api,
    reply => reply.topics.map(one => one.errorCode),
    request,
    context.requestTimeoutMs,
    false,
  )
  const byName = new Map(answer.topics.map(created => [created.name, created]))
  return topics.map(({ name }) => {
    const created = byName.get(name)
    if (created === undefined) return { ...outcome(KafkaCode.UNKNOWN_SERVER_ERROR), id: NO_TOPIC_ID }
    const id = created.errorCode === KafkaCode.NONE ? created.topicId : NO_TOPIC_ID
    return { ...refusable(created.errorCode, created.errorMessage, `CREATE on topic "${name}"`), id }
  })
}

export async function addPartitions(
  context: ClusterContext,
  topic: string,
  totalCount: number,
): Promise<Outcome> {
  const answer = await askController(
    context,
    'CreatePartitions',
    createPartitionsV3.api,
    reply => reply.results.map(one => one.errorCode),
    [{ name: topic, count: totalCount, assignments: null }],
    context.requestTimeoutMs,
    false,
  )
  const result = answer.results[0]
  return refusable(result?.errorCode, result?.errorMessage, `ALTER on topic "${topic}"`)
}

export async function deleteTopic(context: ClusterContext, topic: string, id?: string): Promise<Outcome> {
  const answer = await askController(
    context,
    'DeleteTopics',
    deleteTopicsV6.api,
    reply => reply.responses.map(one => one.errorCode),
    [id === undefined ? { name: topic, topicId: null } : { name: null, topicId: id }],
    context.requestTimeoutMs,
  )
  const result = answer.responses[0]
  return refusable(result?.errorCode, result?.errorMessage, `DELETE on topic "${topic}"`)
}

/** A broker that does not allow something says no more than that; `right` says which one is missing. */
export function refusable(
  code: number = KafkaCode.UNKNOWN_SERVER_ERROR,
  message: string | null | undefined,
  right: string,
): Outcome {
  return outcome(code, isAuthorization(code) ? `(kdr needs ${right})` : message)
}

type ConfigChanges = Readonly<Record<string, string | null>>
type ConfigRequest = {
  readonly resources: { readonly topic: string; readonly changes: ConfigChanges }[]
  readonly answers: Promise<readonly Outcome[]>
}

/** A controller takes up to 30 ms for each request (it gathers what it writes): those made at the same moment share one. */
export class TopicConfigWriter {
  readonly #context: ClusterContext
  #next: ConfigRequest | undefined

  constructor(context: ClusterContext) {
    this.#context = context
  }

  async alter(topic: string, changes: ConfigChanges): Promise<Outcome> {
    if (Object.keys(changes).length === 0) return outcome(KafkaCode.NONE)
    const isNamed = this.#next?.resources.some(each => each.topic === topic) === true
    const request = isNamed ? this.#begin() : (this.#next ?? this.#begin())
    const index = request.resources.push({ topic, changes }) - 1
    return (await request.answers)[index]!
  }

  /** It leaves when those who ask at this moment have asked. */
  #begin(): ConfigRequest {
    const resources: ConfigRequest['resources'] = []
    const answers = Promise.resolve().then(async () => {
      if (this.#next?.resources === resources) this.#next = undefined
      return await alterTopicConfigs(this.#context, resources)
    })
    this.#next = { resources, answers }
    return this.#next
  }
}

async function alterTopicConfigs(
  context: ClusterContext,
  resources: ConfigRequest['resources'],
): Promise<Outcome[]> {
  const answer = await askController(
    context,
    'IncrementalAlterConfigs',
    incrementalAlterConfigsV1.api,
    reply => reply.responses.map(one => one.errorCode),
    resources.map(({ topic, changes }) => ({
      resourceType: TOPIC,
      resourceName: topic,
      configs: Object.entries(changes).map(([name, value]) =>
        value === null
          ? ({ name, configOperation: DELETE } as const)
          : ({ name, configOperation: SET, value } as const),
      ),
    })),
    false,
  )
  const results = new Map(answer.responses.map(one => [one.resourceName, one]))
  return resources.map(({ topic }) => {
    const result = results.get(topic)
    return refusable(result?.errorCode, result?.errorMessage, `ALTER_CONFIGS on topic "${topic}"`)
  })
}

/** One request after the other, and equal entries are one object: most topics have most configs in common. */
export async function readTopicConfigs(
  context: ClusterContext,
  topics: readonly string[],
  names?: readonly string[],
): Promise<Map<string, TopicConfigs>> {
  const found = new Map<string, TopicConfigs>()
  const known = new Map<string, readonly [name: string, entry: ConfigEntry]>()
  const configurationKeys = names === undefined ? null : [...names]
  for (let at = 0; at < topics.length; at += TOPICS_PER_REQUEST) {
    const resources = topics
      .slice(at, at + TOPICS_PER_REQUEST)
      .map(name => ({ resourceType: TOPIC, resourceName: name, configurationKeys }) as const)
    const answer = await context.pool.askAny(connection => {
      connection.versions.need('DescribeConfigs')
      return connection.call(describeConfigsV4.api, resources, false, false)
    })
    for (const { resourceName, errorCode, errorMessage, configs } of answer.results) {
      const entries = new Map(configs.map(config => shared(known, config)))
      found.set(resourceName, { ...outcome(errorCode, errorMessage), entries })
    }
  }
  return found
}

type RawConfig = {
  readonly name: string
  readonly value?: string | null | undefined
  readonly readOnly: boolean
  readonly configSource: number
  readonly isSensitive: boolean
}

function shared(
  known: Map<string, readonly [name: string, entry: ConfigEntry]>,
  { name, value = null, configSource, readOnly: isReadOnly, isSensitive }: RawConfig,
): readonly [string, ConfigEntry] {
  const isOverride = configSource === SOURCE_TOPIC
  const key = JSON.stringify([name, value, isOverride, isReadOnly, isSensitive])
  const entry = known.get(key) ?? [name, { value, isOverride, isReadOnly, isSensitive }]
  known.set(key, entry)
  return entry
}

/** A broker describes only itself, so it is asked about the broker that it is. */
export async function readBrokerConfigs(
  context: ClusterContext,
  names: readonly string[],
): Promise<Map<string, string>> {
  if (names.length === 0) return new Map()
  const broker = context.controller()
  const connection = await context.pool.control(broker)
  connection.versions.need('DescribeConfigs')
  const resource = {
    resourceType: BROKER as typeof BROKER,
    resourceName: String(broker),
    configurationKeys: [...names],
  }
  const answer = await connection.call(describeConfigsV4.api, [resource], false, false)
  const found = new Map<string, string>()
  const refused = answer.results.find(result => isAuthorization(result.errorCode))
  if (refused !== undefined) {
    throw new KdrError(
      'not-allowed',
      `${connection.what} refuses to show its configs: ${codeName(refused.errorCode)} (kdr needs DESCRIBE_CONFIGS on the cluster)`,
    )
  }
  for (const config of answer.results.flatMap(result => result.configs)) {
    if (typeof config.value === 'string') found.set(config.name, config.value)
  }
  return found
}
