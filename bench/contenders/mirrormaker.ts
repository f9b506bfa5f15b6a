// MirrorMaker 2 in its dedicated mode, tuned for the case and given nothing else to do: no heartbeats, no checkpoints,
// no sync of groups, ACLs or configs.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { At } from '../../src/lab/judge.ts'
import { classPathOf, resolveJars } from '../../src/lab/jars.ts'
import { javaTool } from '../../src/lab/processes.ts'
import { writeProperties } from '../../src/lab/properties.ts'
import { Program } from '../program.ts'
import type { Mirror, MirrorJob } from './mirror.ts'

export const MIRRORMAKER_VERSION = '4.3.1'

/** The heap of `connect-mirror-maker.sh` and the rest of `kafka-run-class.sh`, which are what its users run it with. */
export const MIRRORMAKER_JVM: readonly string[] = [
  '-Xms256M',
  '-Xmx2G',
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
]

/** A task is a consumer and a producer. For thousands of partitions as many tasks would be thousands of clients. */
const MOST_TASKS = 24

export const mirrormaker: Mirror = {
  name: 'mirrormaker',
  start: async (job, _purpose) => {
    const file = join(job.dir, `${job.label}.mirrormaker.properties`)
    writeFileSync(file, writeProperties(new Map(Object.entries(propertiesOf(job)))))
    const classPath = await classPathOf(await mirrormakerJars())
    return [
      new Program({
        name: 'MirrorMaker 2',
        command: javaTool('java'),
        args: [...MIRRORMAKER_JVM, '-cp', classPath, 'org.apache.kafka.connect.mirror.MirrorMaker', file],
        logFile: join(job.dir, `${job.label}.mirrormaker.log`),
        mode: 'daemon',
      }),
    ]
  },
  // It copies records, not markers.
  endOf: ({ records }) => records,
  explain: () => '',
}

export function mirrormakerJars(): Promise<string> {
  const version = MIRRORMAKER_VERSION
  return resolveJars(`mirrormaker/${version}`, [
    { group: 'org.apache.kafka', name: 'connect-mirror', version },
    { group: 'org.apache.kafka', name: 'connect-runtime', version },
    { group: 'org.slf4j', name: 'slf4j-simple', version: '1.7.36' },
  ])
}

/** Its names of the clusters are the job's, and so are all its topics: it has no state from before. */
export function propertiesOf(job: MirrorJob): Record<string, string> {
  const [source, target] = [`${job.label}-source`, `${job.label}-target`]
  const copies = String(job.replicationFactor)
  return {
    clusters: `${source},${target}`,
    ...addressOf(source, job.source),
    ...addressOf(target, job.target),
    [`${source}->${target}.enabled`]: 'true',
    [`${source}->${target}.topics`]: job.topics.replace('*', '.*'),
    [`${target}->${source}.enabled`]: 'false',
    'replication.policy.class': 'org.apache.kafka.connect.mirror.IdentityReplicationPolicy',
    'tasks.max': String(Math.min(job.partitions, MOST_TASKS)),
    'replication.factor': copies,
    'config.storage.replication.factor': copies,
    'offset.storage.replication.factor': copies,
    'status.storage.replication.factor': copies,
    'heartbeats.topic.replication.factor': copies,
    // At the source.
    'offset-syncs.topic.replication.factor': '1',
    'emit.heartbeats.enabled': 'false',
    'emit.checkpoints.enabled': 'false',
    'refresh.groups.enabled': 'false',
    'sync.group.offsets.enabled': 'false',
    'sync.topic.acls.enabled': 'false',
    'sync.topic.configs.enabled': 'false',
    // A sync of offsets every so many records instead of every 100.
    'offset.lag.max': '10000',
    ...prefixed(`${source}.consumer.`, CONSUMER),
    ...prefixed(`${target}.producer.`, { ...producerOf(job) }),
  }
}

/** Large fetches. Aborted records stay behind, as with kdr. */
const CONSUMER: Readonly<Record<string, string>> = {
  'isolation.level': 'read_committed',
  'max.poll.records': '5000',
  'max.partition.fetch.bytes': '8388608',
  'fetch.max.bytes': '52428800',
  'receive.buffer.bytes': '-1',
}

/** Compressed as the source is. Five requests in flight need idempotence to keep the order; Connect's default is one. */
function producerOf({ compression, aim }: MirrorJob): Record<string, string> {
  return {
    'compression.type': compression,
    'batch.size': '262144',
    'linger.ms': aim === 'lag' ? '0' : '10',
    'buffer.memory': '134217728',
    'max.request.size': '8388608',
    'send.buffer.bytes': '-1',
    'enable.idempotence': 'true',
    'max.in.flight.requests.per.connection': '5',
  }
}

function addressOf(name: string, at: At): Record<string, string> {
  return prefixed(`${name}.`, { 'bootstrap.servers': at.bootstrap, ...at.properties })
}

function prefixed(prefix: string, properties: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(properties).map(([key, value]) => [prefix + key, value]))
}
