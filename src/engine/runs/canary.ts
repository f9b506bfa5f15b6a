// Does the new active work, and is the old one left alone? A record goes in and comes out again; nobody writes at the old active;
// no producer goes on at the new one with the sequence that it had at the old one (DESIGN 3: acknowledged records are lost in such a
// collision).
import { splitBatches } from '../../model/batch.ts'
import { type ErrorCode, findKdrError, KdrError } from '../../model/errors.ts'
import { codeName, KafkaCode, lackingRight } from '../../model/kafka-codes.ts'
import { canaryConfigs, replicasOf } from '../../model/own-topics.ts'
import { readSlots } from '../../model/state-records.ts'
import type { Cluster, ProducerState } from '../../ports/cluster.ts'
import type { RunContext, StepEnd } from './context.ts'
import { type Mirror, mirrorsOf, nameOf, offsetsOf } from './mirrors.ts'
import { assertStillDark } from './still-dark.ts'

export const CANARY_TOPIC = '_kdr.canary'
const RETENTION_MS = 3_600_000
const WITHIN_MS = 10_000
const LOOK_EVERY_MS = 100
const AGAIN_MS = 500
const TIMEOUT_MS = 5_000
/** Of who still writes at the old active. */
const STILL_MS = 1_000
const SHOWN = 20

export async function canary(context: RunContext): Promise<StepEnd<'canary'>> {
  const { record, source, guard } = context
  await assertStillDark(context)
  await guard()
  await throughAndBack(context)
  const mirrors = await mirrorsOf(context)
  const findings = [
    ...leaderless(mirrors),
    ...(source === undefined ? [] : await stillWritten(context, source, mirrors)),
    ...(source === undefined ? [] : await goneOn(context, source, mirrors)),
  ]
  const shown =
    findings.length > SHOWN ? [...findings.slice(0, SHOWN), `and ${findings.length - SHOWN} more`] : findings
  return {
    what:
      findings.length === 0
        ? `a record went into "${record.standby}" and came out again`
        : `a record went into "${record.standby}" and came out again, but: ${findings[0] ?? ''}`,
    data: { ok: findings.length === 0, findings: shown },
  }
}

/** A broker that was lost a moment ago: others will lead, and stand in for it, before long. */
const MAY_PASS: readonly (ErrorCode | undefined)[] = ['not-ready', 'unreachable']

/** Throws KdrError: not-ready, unreachable when the new active does not take a record, or does not give it back. */
async function throughAndBack(context: RunContext): Promise<void> {
  const { clock, guard, progress } = context
  const until = clock.monotonic() + WITHIN_MS
  for (;;) {
    try {
      return await onceThroughAndBack(context)
    } catch (error) {
      const known = findKdrError(error)
      if (!MAY_PASS.includes(known?.code) || clock.monotonic() > until) throw error
      progress(`once more: ${known?.message ?? ''}`)
    }
    await clock.sleep(AGAIN_MS)
    await guard()
  }
}

async function onceThroughAndBack({ target, codec, clock, record, entropy }: RunContext): Promise<void> {
  const { id, leader } = await canaryTopic({ target, clock, record })
  const text = Buffer.from(`${record.run} ${entropy.uuid()}`)
  const batch = codec.encode({
    codec: 'none',
    records: [{ offset: 0, timestamp: clock.now(), key: null, value: text, headers: [] }],
  })
  const of = { topic: CANARY_TOPIC, partition: 0, topicId: id }
  const lane = await target.openAppendLane(leader)
  const [answer] = await lane.append([{ ...of, batch }], TIMEOUT_MS).finally(async () => await lane.close())
  const code = answer?.code ?? KafkaCode.UNKNOWN_SERVER_ERROR
  if (answer === undefined || code !== KafkaCode.NONE)
    throw notReady(
      `"${record.standby}" refuses a record: ${codeName(code)}${lackingRight(code, `WRITE on "${CANARY_TOPIC}"`)}`,
    )
  const reader = await target.openFetchLane(leader)
  try {
    const [fetched] = await reader.fetch({
      isolation: 'committed',
      maxWaitMs: TIMEOUT_MS,
      maxBytes: 1024 * 1024,
      partitions: [
        { ...of, offset: answer.baseOffset, leaderEpoch: -1, lastFetchedEpoch: -1, maxBytes: 1024 * 1024 },
      ],
    })
    const found = splitBatches(fetched?.records ?? Buffer.alloc(0)).flatMap(each => codec.decode(each))
    if (!found.some(({ value }) => value?.equals(text) === true))
      throw notReady(
        `"${record.standby}" does not give a record back that it has acknowledged${lackingRight(fetched?.code ?? KafkaCode.NONE, `READ on "${CANARY_TOPIC}"`)}`,
      )
  } finally {
    await reader.close()
  }
}

type Topic = { readonly id: string; readonly leader: number }

async function canaryTopic({
  target,
  clock,
  record,
}: Pick<RunContext, 'target' | 'clock' | 'record'>): Promise<Topic> {
  const until = clock.monotonic() + WITHIN_MS
  for (let isAsked = false; ; ) {
    const view = await target.describe()
    const topic = view.topics.get(CANARY_TOPIC)
    const leader = topic?.partitions[0]?.leader ?? -1
    if (topic !== undefined && leader >= 0) return { id: topic.id, leader }
    if (topic === undefined && !isAsked) {
      isAsked = true
      const [made] = await target.createTopics([
        {
          name: CANARY_TOPIC,
          partitions: 1,
          replicationFactor: replicasOf(view.brokers.length),
          configs: canaryConfigs(view.brokers.length, RETENTION_MS),
        },
      ])
      const { code, message = '' } = made ?? { code: KafkaCode.UNKNOWN_SERVER_ERROR }
      if (code !== KafkaCode.NONE && code !== KafkaCode.TOPIC_ALREADY_EXISTS)
        throw notReady(
          `"${CANARY_TOPIC}" cannot be created on "${record.standby}": ${codeName(code)} ${message}`.trim(),
        )
    }
    if (clock.monotonic() > until) throw notReady(`"${CANARY_TOPIC}" on "${record.standby}" has no leader`)
    await clock.sleep(LOOK_EVERY_MS)
  }
}

const notReady = (message: string): KdrError => new KdrError('not-ready', message)

function leaderless(mirrors: readonly Mirror[]): string[] {
  return mirrors.filter(({ leader }) => leader < 0).map(mirror => `"${nameOf(mirror)}" has no leader`)
}

async function stillWritten(
  { clock, record }: RunContext,
  source: Cluster,
  mirrors: readonly Mirror[],
): Promise<string[]> {
  const before = await offsetsOf(source, mirrors, 'logEnd')
  await clock.sleep(STILL_MS)
  const after = await offsetsOf(source, mirrors, 'logEnd')
  return mirrors.flatMap((mirror, index) =>
    after[index]! > before[index]! ? [`"${nameOf(mirror)}" is still written to at "${record.active}"`] : [],
  )
}

/** A producer of the old active that is known at the new one too, and did not begin there with sequence 0. */
async function goneOn(context: RunContext, source: Cluster, mirrors: readonly Mirror[]): Promise<string[]> {
  const { target, store, record } = context
  const own = new Set([...readSlots(store, record.link).values()].flatMap(({ producers }) => producers))
  const [there, here] = await Promise.all([source.producers(mirrors), target.producers(mirrors)])
  return mirrors.flatMap((mirror, index) => {
    const before = new Map((there[index]?.producers ?? []).map(each => [each.producerId, each]))
    return (here[index]?.producers ?? []).flatMap(each =>
      own.has(String(each.producerId)) || !isSameProducer(each, before.get(each.producerId))
        ? []
        : [
            `producer ${each.producerId} writes to "${nameOf(mirror)}" of "${record.standby}" as it wrote to "${record.active}": restart it`,
          ],
    )
  })
}

function isSameProducer(here: ProducerState, there: ProducerState | undefined): boolean {
  return (
    there !== undefined &&
    here.producerEpoch === there.producerEpoch &&
    here.lastSequence > there.lastSequence &&
    there.lastSequence >= 0
  )
}
