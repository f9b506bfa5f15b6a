// A planned move is given up after its link was fenced and before anything is promoted (DESIGN 3, Abort). The fence has left one marker in each
// mirror partition: so one is written at the same offset of each source partition, while nobody writes there. Then both logs are equal
// again, and the link goes on under a new generation, with another producer than the one that is fenced.
import { KdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import {
  holdKey,
  linkKey,
  readLink,
  readTopics,
  type TopicRecord,
  topicKey,
  toRecord,
} from '../../model/state-records.ts'
import type { Cluster } from '../../ports/cluster.ts'
import type { RunContext } from './context.ts'
import { fenceLink } from './fence-link.ts'
import { forgetDirection } from './forget-direction.ts'
import { type Mirror, mirrorsOf, nameOf, offsetsOf, withSource } from './mirrors.ts'
import { standAside } from './stand-aside.ts'

const FENCED_WITHIN_MS = 30_000
const MARKED_WITHIN_MS = 30_000
const LOOK_AGAIN_MS = 200
const NAMES_SHOWN = 5

/** Throws KdrError: not-ready where there is no way back any more, not-allowed without the right to write markers at the source. */
export async function undoFence(context: RunContext): Promise<void> {
  const { record, store, sourceStore, source, target, clock, guard, claim } = context
  await store.refresh()
  // An earlier attempt has come so far: another fence would meet who copies by now.
  if ((readLink(store, record.link)?.generation ?? 0) > record.generation) return
  if (source === undefined) throw forwardOnly(context, `"${record.active}" does not answer`)
  if (!(await source.mayWriteMarkers()))
    throw forwardOnly(
      context,
      `kdr may not write markers at "${record.active}" (ALTER on the cluster; before Kafka 3.8, CLUSTER_ACTION)`,
    )
  await standAside(context)
  await guard()
  const input = { link: record.link, target, store, clock, guard, claim, withinMs: FENCED_WITHIN_MS }
  const { open } = await fenceLink(input)
  if (open.length > 0) throw forwardOnly(context, `${open.length} mirror(s) cannot be fenced`)
  const mirrors = await withSource(source, await mirrorsOf(context))
  await level(context, source, mirrors)
  const ends = await offsetsOf(target, mirrors, 'logEnd')
  const before = readTopics(store, record.link)
  const endOf = new Map(mirrors.map((mirror, index) => [nameOf(mirror), ends[index]!]))
  // Over what stands there: whoever is killed in between leaves mirrors that the next one finds.
  await guard()
  await Promise.all(
    [...Map.groupBy(mirrors, ({ topic }) => topic)].map(async ([topic, some]) => {
      const adopted: TopicRecord = {
        ...before.get(topic)!,
        applied: {},
        adoptedUpTo: some
          .toSorted((a, b) => a.partition - b.partition)
          .map(mirror => endOf.get(nameOf(mirror))!),
      }
      await store.put(topicKey(record.link, topic), toRecord('topic', adopted))
    }),
  )
  await guard()
  const kept = mirrors.map(({ topic }) => topicKey(record.link, topic))
  await forgetDirection(store, record.link, kept)
  const link = { ...readLink(store, record.link)!, generation: record.generation + 1 }
  await guard()
  await store.put(linkKey(record.link), toRecord('link', link))
  await store.put(holdKey(record.link), undefined)
  await sourceStore?.put(linkKey(record.link), toRecord('link', link))
}

/** Until every source partition ends where its mirror does. What a marker has left without an answer may come late: it is a gap then. */
async function level(context: RunContext, source: Cluster, mirrors: readonly Mirror[]): Promise<void> {
  const { target, record, clock, guard, claim, progress } = context
  const until = clock.monotonic() + MARKED_WITHIN_MS
  for (;;) {
    const [there, here] = await Promise.all([
      offsetsOf(source, mirrors, 'logEnd'),
      offsetsOf(target, mirrors, 'logEnd'),
    ])
    const apart = mirrors
      .map((mirror, index) => ({ mirror, missing: here[index]! - there[index]! }))
      .filter(({ missing }) => missing > 0)
    if (apart.length === 0) return
    const [far] = apart.filter(({ missing }) => missing > 1)
    if (far !== undefined || clock.monotonic() > until)
      throw forwardOnly(
        context,
        `"${record.standby}" and "${record.active}" do not end alike: ${apart
          .slice(0, NAMES_SHOWN)
          .map(({ mirror }) => nameOf(mirror))
          .join(', ')}`,
      )
    progress(`writes a marker into ${apart.length} partition(s) of "${record.active}"`)
    const { topics } = await source.describe()
    const byLeader = Map.groupBy(
      apart,
      ({ mirror }) => topics.get(mirror.topic)?.partitions[mirror.partition]?.leader ?? -1,
    )
    for (const [leader, some] of byLeader) {
      if (leader < 0) continue
      await guard()
      const producer = {
        producerId: MARKS_AS,
        producerEpoch: 0,
        coordinatorEpoch: claim,
      }
      const fills = some.map(({ mirror: { topic, partition } }) => ({ topic, partition, count: 1 }))
      const refused = (await source.writeMarkers(leader, producer, fills)).find(
        ({ code }) => code !== KafkaCode.NONE,
      )
      if (refused !== undefined) progress(`a marker is refused with ${codeName(refused.code)}: once more`)
    }
    await clock.sleep(LOOK_AGAIN_MS)
  }
}

/** Of nobody: brokers number producers from 0 up, and links have the upper half of 62 bits. */
const MARKS_AS = 2n ** 60n

function forwardOnly({ record }: RunContext, why: string): KdrError {
  return new KdrError(
    'not-ready',
    `run "${record.run}" has fenced the link, and cannot be given up: ${why}`,
    {
      hint: `Go on: kdr ${record.kind} ${record.link} --resume ${record.run}. To go back then: kdr failback ${record.link}`,
    },
  )
}
