// Creates mirror topics, many in a request: a link that begins with a thousand topics would otherwise spend a minute on
// asking for one after the other. Each is recorded before it is asked for, so that a crash in between is no riddle.
import { KafkaCode } from '../../model/kafka-codes.ts'
import { toRecord, topicKey, type TopicRecord } from '../../model/state-records.ts'
import type { NewTopic, TopicView } from '../../ports/cluster.ts'
import type { LinkContext } from './context.ts'
import { CREATE_RECORDS, SERVED_LOOK_MS, SERVED_WITHIN_MS } from './limits.ts'
import { mirrored, refused, type TopicVerdict, waiting } from './topic-verdicts.ts'

export type WantedMirror = Pick<NewTopic, 'replicationFactor' | 'configs'> & {
  readonly source: TopicView
  readonly held: Held
}
type Held = Readonly<Record<string, string | null>>

/**
 * `onReady`: of a request's topics, when the target serves them: brokers that are busy making logs are not asked for those
 * that they have not got to. Throws KdrError('unreachable' | 'other-controller'); what was created by then is taken over at
 * the next look.
 */
export async function createMirrors(
  context: LinkContext,
  wanted: readonly WantedMirror[],
  onReady: (verdicts: readonly TopicVerdict[]) => void,
): Promise<TopicVerdict[]> {
  const verdicts: TopicVerdict[] = []
  let isServed = true
  for (const some of inRequests(wanted)) {
    const made = await createSome(context, some)
    verdicts.push(...made)
    // One that does not come up is not waited for with each request.
    isServed &&= await served(context, made)
    onReady(made)
  }
  return verdicts
}

/** What is known of a mirror; without an id, that it is about to be created. */
export async function recordMirror(
  { store, link }: LinkContext,
  source: Pick<TopicView, 'name' | 'id'>,
  targetTopicId: string | undefined,
  { applied = {}, held }: { readonly applied?: Readonly<Record<string, string>>; readonly held?: Held } = {},
): Promise<TopicRecord> {
  const record: TopicRecord = {
    phase: targetTopicId === undefined ? 'creating' : 'mirroring',
    sourceTopicId: source.id,
    targetTopicId,
    applied,
    ...(held !== undefined && { held }),
    adoptedUpTo: [],
  }
  await store.put(topicKey(link, source.name), toRecord('topic', record))
  return record
}

/** Pure. Parts that a controller writes down at once. */
export function* inRequests(wanted: readonly WantedMirror[]): Generator<readonly WantedMirror[]> {
  let some: WantedMirror[] = []
  let records = 0
  for (const each of wanted) {
    const own = 1 + each.source.partitions.length + Object.keys(each.configs).length
    if (some.length > 0 && records + own > CREATE_RECORDS) {
      yield some
      some = []
      records = 0
    }
    some.push(each)
    records += own
  }
  if (some.length > 0) yield some
}

async function createSome(context: LinkContext, some: readonly WantedMirror[]): Promise<TopicVerdict[]> {
  await context.assertControl()
  await Promise.all(
    some.map(
      async ({ source, configs, held }) =>
        await recordMirror(context, source, undefined, { applied: configs, held }),
    ),
  )
  const outcomes = await context.target.createTopics(
    some.map(({ source, replicationFactor, configs }) => ({
      name: source.name,
      partitions: source.partitions.length,
      replicationFactor,
      configs,
    })),
  )
  return await Promise.all(some.map(async (each, index) => await conclude(context, each, outcomes[index]!)))
}

async function conclude(
  context: LinkContext,
  { source, replicationFactor, configs, held }: WantedMirror,
  outcome: { readonly code: number; readonly message?: string; readonly id: string },
): Promise<TopicVerdict> {
  if (outcome.code === KafkaCode.TOPIC_ALREADY_EXISTS) return waiting(source, 'is being created')
  if (outcome.code !== KafkaCode.NONE) return refused(source, 'cannot be created', outcome)
  const record = await recordMirror(context, source, outcome.id, { applied: configs, held })
  const partitions = source.partitions.length
  context.log.event('info', `created mirror topic "${source.name}"`, {
    link: context.link,
    partitions,
    replicationFactor,
  })
  return mirrored(source.name, partitions, record)
}

/** Waits for the leaders of all partitions to answer; false: it took too long. */
async function served(
  { target, targetWatch, clock, signal }: LinkContext,
  verdicts: readonly TopicVerdict[],
): Promise<boolean> {
  let missing = verdicts
    .filter(({ record }) => record !== undefined)
    .flatMap(({ topic, partitions }) =>
      Array.from({ length: partitions }, (_, partition) => ({ topic, partition })),
    )
  const deadline = clock.monotonic() + SERVED_WITHIN_MS
  for (let waitMs: number = SERVED_LOOK_MS.first; missing.length > 0; waitMs *= 2) {
    await clock.sleep(Math.min(waitMs, SERVED_LOOK_MS.last), signal)
    if (signal.aborted || clock.monotonic() > deadline) return false
    await targetWatch.refresh()
    const answers = await target.offsets(missing, 'logStart')
    missing = missing.filter((_, index) => answers[index]?.code !== KafkaCode.NONE)
  }
  return true
}
