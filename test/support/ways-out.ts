// What the tests of faults share: the way out that a sentence names, taken as it stands there, and kdr's own wire code for
// what no Kafka client does (batches with somebody else's producer id, markers that nobody asked for).

import assert from 'node:assert/strict'
import { connectCluster } from '../../src/kafka/cluster.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { LAB_USERS, type LabCluster } from '../../src/lab/lab.ts'
import { type ProducerStamp, stampBatch } from '../../src/model/batch.ts'
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import { CONTROL_SLOT } from '../../src/model/slots.ts'
import { readSlots } from '../../src/model/state-records.ts'
import type { Cluster } from '../../src/ports/cluster.ts'
import { openTopicStore } from '../../src/state/topic-store.ts'
import { systemClock, systemEntropy } from '../../src/wiring/system.ts'
import { freshTopic } from './lab.ts'
import type { Link } from './link.ts'

/** `kdr link VERB LINK --flag value ...` as it stands in the sentence. */
export function commandIn(sentence: string, verb: string): string[] {
  const found = new RegExp(`kdr (link ${verb} \\S+(?: --[a-z-]+(?: [^\\s-][^\\s;,]*)?)*)`).exec(sentence)?.[1]
  assert.ok(found !== undefined, `no \`kdr link ${verb}\` in: ${sentence}`)
  return found.replace(/\.$/, '').split(' ')
}

/** Runs the command that the sentence names, approved; returns it as it was written. */
export async function takeWayOut(link: Link, sentence: string, verb: string): Promise<string> {
  const command = commandIn(sentence, verb)
  const { code, stderr } = await link.run(...command, '--yes', '--reason', 'a test')
  assert.equal(code, 0, stderr)
  return `kdr ${command.join(' ')}`
}

/** As the lab's admin; the caller closes it. */
export async function connectTo(cluster: LabCluster): Promise<Cluster> {
  return await connectCluster({
    name: cluster.name,
    bootstrap: cluster.bootstrap,
    clientId: 'test',
    clock: systemClock,
    ...(cluster.security === 'acl' && {
      sasl: { mechanism: 'PLAIN', username: 'admin', password: LAB_USERS.admin },
    }),
  })
}

/** Who writes for the link, as it keeps it in `_kdr.state` at its target. */
export async function producerOf(link: Link, target: Cluster): Promise<ProducerStamp> {
  const store = await openTopicStore(target, recordCodec, systemClock, {
    create: false,
    writer: systemEntropy.bits62(),
  })
  try {
    await store.refresh()
    const record = readSlots(store, link.name).get(CONTROL_SLOT)
    assert.ok(record !== undefined, 'the link has no slots')
    return { producerId: BigInt(record.producerId), producerEpoch: record.producerEpoch }
  } finally {
    await store.close()
  }
}

/** Appends one batch of `count` records to partition 0 as that producer, in its next sequence. `isNew`: it has none yet. */
export async function appendAs(
  cluster: Cluster,
  topic: string,
  { producer, count, isNew = false }: { producer: ProducerStamp; count: number; isNew?: boolean },
): Promise<{ code: number; baseOffset: number }> {
  const { topics } = await cluster.describe()
  const found = topics.get(topic)
  const at = { topic, partition: 0 }
  const [state] = isNew ? [] : await cluster.producers([at])
  const own = state?.producers.find(each => each.producerId === producer.producerId)
  const batch = recordCodec.encode({
    codec: 'none',
    records: Array.from({ length: count }, (_, offset) => ({
      offset,
      timestamp: systemClock.now(),
      key: null,
      value: Buffer.from('somebody else'),
      headers: [],
    })),
  })
  stampBatch(batch, producer, own?.producerEpoch === producer.producerEpoch ? own.lastSequence + 1 : 0)
  const lane = await cluster.openAppendLane(found?.partitions[0]?.leader ?? 1)
  try {
    const [answer] = await lane.append([{ ...at, topicId: found?.id ?? '', batch }], 5_000)
    assert.ok(answer !== undefined)
    return answer
  } finally {
    await lane.close()
  }
}

/** Markers that stand where the source has none; returns the end of the log. */
export async function writeMarkers(
  cluster: Cluster,
  topic: string,
  { producer, count }: { producer: ProducerStamp; count: number },
): Promise<number> {
  const AT_ONCE = 2_000
  const { topics } = await cluster.describe()
  const leader = topics.get(topic)?.partitions[0]?.leader ?? 1
  let end = -1
  for (let left = count; left > 0; left -= AT_ONCE) {
    const fill = { topic, partition: 0, count: Math.min(left, AT_ONCE) }
    const [answer] = await cluster.writeMarkers(leader, { ...producer, coordinatorEpoch: 0 }, [fill])
    assert.equal(answer?.code, KafkaCode.NONE)
    end = answer?.end?.offset ?? -1
  }
  return end
}

/** For markers at a source: a producer id that nobody else has. */
export const SOMEBODY: ProducerStamp = { producerId: 4_611_000_000_000_000_001n, producerEpoch: 0 }

/** A name for a link of its own. */
export const freshLink = (): string => freshTopic('link')
