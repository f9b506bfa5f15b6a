// Who looks after the link when the chaos is over: does what a faulted partition's sentence names as the way out.
import { openTopicStore } from '../../src/state/topic-store.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import type { PartitionCopy } from '../../src/engine/replicate/partition.ts'
import { surplusOf } from '../../src/engine/replicate/report-of.ts'
import { type CommandRecord, commandKey, readTopics, toRecord } from '../../src/model/state-records.ts'
import { SimProcess } from './network.ts'
import { simPort } from './port.ts'
import { SETTINGS } from './workers.ts'
import { TOPIC, type World } from './world.ts'

const OPERATOR = 2n ** 40n
/** Said where a topic of that name is in the way. */
const DELETE_IT = /[Dd]elete (?:it|the topic) at the target/

/** What a copy stands still for, or waits with. */
export const whyOf = (copy: PartitionCopy) => copy.fault ?? copy.heldLogStart ?? surplusOf(copy)

/** Carries out the way out of what these copies say, for the whole topic. True: a loss was accepted, and more may follow. */
export async function resolve(world: World, copies: readonly PartitionCopy[]): Promise<boolean> {
  const reasons = new Set(copies.map(copy => whyOf(copy)?.reason))
  const losses = copies.flatMap(({ topic, partition, fault }) =>
    fault?.loss === undefined ? [] : [{ topic, partition, ...fault.loss }],
  )
  const random = world.random.stream('operator')
  const goesOnWithout = random.chance(0.6)
  const acceptLogStart = random.chance(0.5)
  const target = simPort(world.target, world.networks.target, new SimProcess())
  const store = await openTopicStore(target, recordCodec, world.clock, {
    create: false,
    writer: OPERATOR + BigInt(world.clock.now()),
  })
  await store.refresh()
  const command = async (of: Omit<CommandRecord, 'at' | 'by'>): Promise<void> => {
    world.say(`operator: kdr link ${of.verb}`)
    await store.put(
      commandKey(SETTINGS.name, `${of.verb}-${world.clock.now()}`),
      toRecord('command', { ...of, at: world.clock.now(), by: 'somebody@sim' }),
    )
  }
  const targetTopicId = readTopics(store, SETTINGS.name).get(TOPIC)?.targetTopicId
  const others = [...reasons].filter(reason => reason !== undefined && reason !== 'log-start-jump')
  const isLossAccepted = others.length === 1 && losses.length > 0 && goesOnWithout
  if (others.length === 1 && copies.some(copy => whyOf(copy)?.sentence.match(DELETE_IT))) {
    world.say('operator: deletes the topic at the target')
    world.target.deleteTopic(TOPIC)
  } else if (isLossAccepted) {
    world.isJumpAccepted ||= acceptLogStart
    await command({
      verb: 'accept-loss',
      topic: TOPIC,
      losses,
      ...(targetTopicId !== undefined && { targetTopicId }),
      ...(acceptLogStart && { acceptLogStart }),
    })
  } else if (others.length > 0) {
    await command({ verb: 'recopy', topic: TOPIC, ...(targetTopicId !== undefined && { targetTopicId }) })
  } else {
    world.isJumpAccepted = true
    await command({ verb: 'resume', topic: TOPIC, acceptLogStart: true })
  }
  await store.close()
  return isLossAccepted
}
