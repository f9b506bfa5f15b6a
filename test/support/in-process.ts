// A link in this process, over real brokers, with one thing changed on the way: for answers that no broker of today gives.

import { startReplication } from '../../src/engine/replicate/start.ts'
import { loadConfig } from '../../src/config/index.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import type { PartitionReport } from '../../src/model/link.ts'
import type { Cluster } from '../../src/ports/cluster.ts'
import { openTopicStore } from '../../src/state/topic-store.ts'
import { openBoth } from '../../src/wiring/clusters.ts'
import { systemClock, systemEntropy } from '../../src/wiring/system.ts'
import { type Link } from './link.ts'

export type Replicating = {
  /** Of the topic's first partition. */
  report(topic: string): PartitionReport | undefined
  stop(): Promise<void>
}

type Change = (cluster: Cluster) => Cluster

const same: Change = cluster => cluster

export async function replicateHere(
  link: Link,
  { source: changeSource = same, target: changeTarget = same }: { source?: Change; target?: Change },
): Promise<Replicating> {
  const config = await loadConfig(link.config)
  const settings = config.links[link.name]
  if (settings === undefined) throw new Error(`no link ${link.name}`)
  const { source, target } = await openBoth(config, settings, systemClock)
  const store = await openTopicStore(target, recordCodec, systemClock, {
    create: true,
    writer: systemEntropy.bits62(),
  })
  const replication = await startReplication({
    settings,
    source: changeSource(source),
    target: changeTarget(target),
    store,
    codec: recordCodec,
    clock: systemClock,
    entropy: systemEntropy,
    log: { event: () => {} },
    firstDifference: () => Promise.resolve('something'),
  })
  return {
    report: topic => replication.progress().find(each => each.topic === topic && each.partition === 0),
    stop: async () => {
      await replication.stop()
      await store.close()
      await Promise.all([source.close(), target.close()])
    },
  }
}

/** The same cluster; each append waits for `act`. */
export function beforeAppends(cluster: Cluster, act: () => Promise<void>): Cluster {
  return {
    ...cluster,
    openAppendLane: async broker => {
      const lane = await cluster.openAppendLane(broker)
      return {
        broker: lane.broker,
        get isClosed() {
          return lane.isClosed
        },
        close: () => lane.close(),
        append: async (entries, timeoutMs) => {
          await act()
          return await lane.append(entries, timeoutMs)
        },
      }
    },
  }
}
