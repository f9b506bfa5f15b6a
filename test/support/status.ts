// What `kdr status` shows of a link, without a process for each look: tests look often. That the command itself prints it is
// tested where `link.json('status')` is called.

import assert from 'node:assert/strict'
import { loadConfig } from '../../src/config/index.ts'
import type { LinkStatus, PartitionStatus } from '../../src/engine/status/status.ts'
import type { Warning } from '../../src/engine/status/warnings.ts'
import type { FaultReason } from '../../src/model/link.ts'
import { readLinkStatus } from '../../src/wiring/links.ts'
import { patience, waitFor } from './lab.ts'
import type { Link } from './link.ts'

export type ShownPartition = PartitionStatus & { readonly topic: string }
export type StoppedPartition = ShownPartition & { readonly sentence: string; readonly reason: FaultReason }

/** Throws KdrError, as the command would end. */
export async function linkStatus(link: Link): Promise<LinkStatus> {
  const config = await loadConfig(link.config)
  const settings = config.links[link.name]
  assert.ok(settings !== undefined, `no link "${link.name}"`)
  return await readLinkStatus(config, settings)
}

/** Every partition of the link. */
export async function statusOf(link: Link): Promise<ShownPartition[]> {
  const { topics } = await linkStatus(link)
  return topics.flatMap(({ name, partitions }) => partitions.map(each => ({ ...each, topic: name })))
}

export async function partitionsOf(link: Link, topic: string): Promise<ShownPartition[]> {
  return (await statusOf(link)).filter(each => each.topic === topic)
}

export async function warningsOf(link: Link): Promise<readonly Warning[]> {
  return (await linkStatus(link)).warnings
}

/** Waits for a partition that is as it should be. */
export async function partitionWith(
  link: Link,
  matches: (partition: ShownPartition) => boolean,
): Promise<ShownPartition> {
  let last: readonly ShownPartition[] = []
  return await waitFor(
    async () => {
      last = await statusOf(link)
      return last.find(matches)
    },
    {
      what: () => `a state of link "${link.name}": ${JSON.stringify(last)}`,
      // A look costs both brokers and this process something, and several tests look at the same time.
      everyMs: 400,
      timeoutMs: patience(60_000),
    },
  )
}

/** Waits for the first partition of the topic that has a reason, or this one. */
export async function stoppedPartition(
  link: Link,
  topic: string,
  wanted?: FaultReason,
): Promise<StoppedPartition> {
  const found = await partitionWith(
    link,
    ({ topic: name, reason }) =>
      name === topic && reason !== undefined && (wanted === undefined || reason === wanted),
  )
  const { sentence, reason } = found
  assert.ok(sentence?.includes(`"${topic}`) === true && reason !== undefined, JSON.stringify(found))
  return { ...found, sentence, reason }
}
