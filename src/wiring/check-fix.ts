// kdr check --fix: does what was approved, one after the other. What is done to a mirror of a link is kept in the link's journal:
// the intent before, the outcome after. A fix that is refused stops nothing.
import type { FixOutcome } from '../cli/app.ts'
import type { Config } from '../config/index.ts'
import { type FixableFinding, fixSentence } from '../model/fixes.ts'
import type { KafkaCluster } from '../kafka/cluster.ts'
import { assertNever, findKdrError } from '../model/errors.ts'
import type { Fix } from '../model/findings.ts'
import { closeEntry, writeJournal } from '../model/journal.ts'
import { codeName, KafkaCode } from '../model/kafka-codes.ts'
import type { Outcome } from '../ports/cluster.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { withStore } from './open-link.ts'
import { systemClock, systemEntropy, whoAmI } from './system.ts'

/** By cluster, there in the order of `findings`. A cluster that does not answer refuses all of its own. */
export async function fixFindings(
  config: Config,
  findings: readonly FixableFinding[],
  reason: string | undefined,
): Promise<FixOutcome[]> {
  const outcomes: FixOutcome[] = []
  for (const [name, mine] of Map.groupBy(findings, ({ fix }) => fix.cluster)) {
    const tell = (refusals: readonly (string | undefined)[]): void => {
      for (const [index, { id, where, fix }] of mine.entries()) {
        const refusedBy = refusals[index]
        outcomes.push({ id, where, what: fixSentence(fix), ...(refusedBy !== undefined && { refusedBy }) })
      }
    }
    const unreachable = await unlessRefused(async () => {
      tell(await atCluster(config, name, mine, reason))
    })
    if (unreachable !== undefined) tell(mine.map(() => unreachable))
  }
  return outcomes
}

async function atCluster(
  config: Config,
  name: string,
  findings: readonly FixableFinding[],
  reason: string | undefined,
): Promise<(string | undefined)[]> {
  const cluster = await openCluster(clusterOf(config, name), systemClock)
  try {
    const refusals: (string | undefined)[] = []
    for (const { fix } of findings)
      refusals.push(await unlessRefused(async () => await applied(cluster, fix, reason)))
    return refusals
  } finally {
    await cluster.close()
  }
}

/** Undefined: it is done; else why not. */
async function unlessRefused(act: () => Promise<string | undefined | void>): Promise<string | undefined> {
  try {
    return (await act()) ?? undefined
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined) throw error
    return known.message
  }
}

async function applied(
  cluster: KafkaCluster,
  fix: Fix,
  reason: string | undefined,
): Promise<string | undefined> {
  if (fix.kind !== 'topic-configs' || fix.link === undefined) return refusalOf(await apply(cluster, fix))
  const { link, topic } = fix
  const id = systemEntropy.uuid()
  const what = fixSentence(fix)
  return await withStore(cluster, false, async store => {
    await writeJournal(store, link, {
      id,
      at: systemClock.now(),
      by: whoAmI(),
      verb: 'mend',
      topic,
      ...(reason !== undefined && { reason }),
      what,
      state: 'recorded',
    })
    const refusedBy = await unlessRefused(async () => refusalOf(await apply(cluster, fix)))
    await closeEntry(store, link, id, {
      state: refusedBy === undefined ? 'done' : 'refused',
      doneAt: systemClock.now(),
      outcome: refusedBy ?? what,
    })
    return refusedBy
  })
}

const refusalOf = ({ code, message }: Outcome): string | undefined =>
  code === KafkaCode.NONE ? undefined : [codeName(code), message ?? ''].join(' ').trim()

async function apply(cluster: KafkaCluster, fix: Fix): Promise<Outcome> {
  const { kind } = fix
  switch (kind) {
    case 'topic-configs':
      return await cluster.alterTopicConfigs(fix.topic, fix.configs)
    case 'broker-default':
      return await cluster.mend.setBrokerDefault(fix.name, fix.value)
    case 'preferred-leaders':
      return await cluster.mend.electPreferred(fix.partitions)
    default:
      return assertNever(kind)
  }
}
