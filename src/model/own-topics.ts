// What kdr's own topics must have, said by kdr itself: the defaults of a cluster's brokers are made for other topics.

type Configs = Readonly<Record<string, string>>

const DAY_MS = 86_400_000
/** What Kafka has unless told otherwise. */
const MAX_MESSAGE_BYTES = 1_048_588
/** No write of kdr to its memory is larger. */
const LARGEST_WRITE = 600_000

/** The broker's own clock goes with the records, so that its bounds on timestamps refuse none when kdr's clock is off. */
const WRITTEN = {
  'max.message.bytes': String(MAX_MESSAGE_BYTES),
  'compression.type': 'producer',
  'message.timestamp.type': 'LogAppendTime',
  'segment.bytes': String(100 * 1024 * 1024),
} as const

/** Of `_kdr.state` and `_kdr.journal`. Who was frozen for a while must still find what was deleted meanwhile. */
export const memoryConfigs = (brokers: number): Configs => ({
  ...WRITTEN,
  'cleanup.policy': 'compact',
  'delete.retention.ms': String(DAY_MS),
  'min.insync.replicas': inSyncOf(brokers),
})

/** Of `_kdr.canary`. Where it is made while a broker is lost, it must take the loss of another one. */
export const canaryConfigs = (brokers: number, retentionMs: number): Configs => ({
  ...WRITTEN,
  'cleanup.policy': 'delete',
  'retention.ms': String(retentionMs),
  'retention.bytes': '-1',
  'min.insync.replicas': inSyncOf(brokers),
})

/** Of `_kdr.guard`: nothing is ever kept there, and each of its leaders must answer. */
export const GUARD_CONFIGS: Configs = { ...WRITTEN, 'cleanup.policy': 'delete', 'min.insync.replicas': '1' }

export const replicasOf = (brokers: number): number => Math.min(3, brokers)
const inSyncOf = (brokers: number): string => (brokers >= 3 ? '2' : '1')

const ANY_TIME = '9223372036854775807'

/**
 * Of a topic for stranded records: as they were, and none goes. With the times that they were written at, a broker would delete
 * them within minutes. `known`: topic configs that the brokers know by name; versions differ.
 */
export function strandedConfigs(known: ReadonlySet<string>): Configs {
  const times = ['before', 'after', 'difference'].map(which => `message.timestamp.${which}.max.ms`)
  return {
    'cleanup.policy': 'delete',
    'retention.ms': '-1',
    'retention.bytes': '-1',
    'max.message.bytes': String(100 * 1024 * 1024),
    'compression.type': 'producer',
    'message.timestamp.type': 'CreateTime',
    ...Object.fromEntries(times.filter(name => known.has(name)).map(name => [name, ANY_TIME])),
  }
}

/** What is wrong with a memory that is there already, as somebody else may have made it, and what mends it. */
export type MemoryProblem = { readonly sentence: string; readonly change: string }

export function memoryProblem(valueOf: (config: string) => string | undefined): MemoryProblem | undefined {
  const policy = valueOf('cleanup.policy')
  if (policy !== undefined && policy !== 'compact')
    return {
      sentence: `its cleanup.policy is "${policy}": brokers would delete what kdr must remember`,
      change: 'cleanup.policy=compact',
    }
  const most = Number(valueOf('max.message.bytes') ?? MAX_MESSAGE_BYTES)
  if (most < LARGEST_WRITE)
    return {
      sentence: `its max.message.bytes is ${most}, and kdr writes up to ${LARGEST_WRITE} bytes at once`,
      change: `max.message.bytes=${MAX_MESSAGE_BYTES}`,
    }
  return undefined
}

/** Of a write that the brokers found too large. */
export const RAISE_MAX_BYTES = `Raise its max.message.bytes to ${MAX_MESSAGE_BYTES}.`

/** The command that mends it, at the cluster with these brokers. */
export const mendingOf = (topic: string, bootstrap: string, change: string): string =>
  `kafka-configs --bootstrap-server ${bootstrap} --alter --entity-type topics --entity-name ${topic} --add-config ${change}`
