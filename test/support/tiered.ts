// Tiered storage for a lab broker: Kafka's own storage for its tests, which keeps the remote tier in a folder. It is
// published with each release, but not with that of the lab's default Kafka.

import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { cached } from '../../src/lab/jars.ts'
import { runTool } from '../../src/lab/processes.ts'

/** The newest Kafka that it is published for. */
export const TIERED_VERSION = '4.3.1'

/** Broker properties; the remote tier lies in `dir`. Fetches a jar with Maven the first time. */
export async function tieredProperties(dir: string): Promise<Record<string, string>> {
  const folder = await cached(join('kafka-storage-test', TIERED_VERSION), async scratch => {
    const artifact = `org.apache.kafka:kafka-storage:${TIERED_VERSION}:jar:test`
    const jars = join(scratch, 'jars')
    const args = ['-q', '-B', '-U', 'dependency:copy', `-Dartifact=${artifact}`, `-DoutputDirectory=${jars}`]
    const { code, output } = await runTool('mvn', args)
    if (code !== 0) throw new Error(`Maven cannot resolve ${artifact}: ${output.slice(-1000)}`)
    return jars
  })
  const jar = readdirSync(folder).find(name => name.endsWith('.jar')) ?? ''
  return {
    'remote.log.storage.system.enable': 'true',
    'remote.log.storage.manager.class.name': 'org.apache.kafka.server.log.remote.storage.LocalTieredStorage',
    'remote.log.storage.manager.class.path': join(folder, jar),
    'remote.log.metadata.manager.listener.name': 'PLAINTEXT',
    'rsm.config.dir': dir,
    'rlmm.config.remote.log.metadata.topic.replication.factor': '1',
    'rlmm.config.remote.log.metadata.topic.num.partitions': '1',
    'remote.log.manager.task.interval.ms': '500',
    'log.retention.check.interval.ms': '500',
    'log.initial.task.delay.ms': '500',
    'log.segment.delete.delay.ms': '0',
  }
}
