// The end of the story: the cluster that died comes back, with records that nobody else has. `kdr failback` exports them, copies what
// diverged anew, and leads applications home. The ledger says of each record that east had acknowledged whether it is there, or in the export.
import type { TopicAudits, Verdict } from './verdict.ts'
import type { RunReport } from '../model/runs.ts'
import { divergedTopics } from '../model/stranded.ts'
import type { Cast } from './cast.ts'
import type { Link } from './link.ts'
import { count, inSeconds } from './words.ts'

export type HomeReport = {
  /** All of it is at home, or in the export, and the failover's report says `exact`. */
  readonly ok: boolean
  /** What only east had, as it came back. */
  readonly stranded: { readonly records: number; readonly partitions: number }
  readonly exported: { readonly records: number; readonly objects: number }
  /** Of the failover, as its report says now. */
  readonly rpo: Pick<RunReport['rpo'], 'basis' | 'records'>
  /** At east, each at the offset at which it was acknowledged. */
  readonly present: number
  readonly problems: number
}

type Stage = <T>(
  name: 'returned' | 'failback' | 'home',
  text: string,
  work: () => Promise<readonly [result: T, text: string]>,
) => Promise<T>

export type HomeInput = {
  readonly cast: Cast
  readonly link: Link
  readonly failover: RunReport
  /** Of west, after the failover. */
  readonly verdict: Verdict
  readonly stage: Stage
  /** East against the ledger. */
  readonly audit: () => Promise<readonly TopicAudits[]>
}

export async function goHome({
  cast,
  link,
  failover,
  verdict,
  stage,
  audit,
}: HomeInput): Promise<HomeReport> {
  const stranded = await stage('returned', 'east is started again', async () => {
    await cast.east.start()
    const found = (await link.planFailback()).plan?.stranded
    const records = found?.records ?? 0
    const partitions = found?.partitions.filter(({ state }) => state === 'diverged').length ?? 0
    const what =
      records === 0
        ? 'no record that west has not'
        : `${count(records)} records of ${partitions} partition(s) that were never copied`
    return [
      { records, partitions, topics: found === undefined ? [] : divergedTopics(found) },
      `east is started again. \`kdr failback --dry-run\` finds there: ${what}.`,
    ]
  })
  const { manifest } = await stage('failback', '`kdr failback east-west` leads home', async () => {
    const made = await link.failBack()
    const anew =
      stranded.topics.length === 0 ? '' : `exported them, copied ${stranded.topics.join(', ')} anew, and `
    return [
      made,
      `\`kdr failback east-west\` has ${anew}made east active again: ${inSeconds(made.run.rto.ms)} s.`,
    ]
  })
  return await stage('home', 'east is held against the ledger', async () => {
    const audits = (await audit()).flatMap(each => each.audits)
    const { rpo } = await link.show(failover.run)
    const total = (of: 'present' | 'problems'): number => audits.reduce((sum, each) => sum + each[of], 0)
    const [present, problems] = [total('present'), total('problems')]
    const isExported = verdict.lost.partitions.every(({ topic, partition, records }) => {
      const found = manifest.partitions.find(each => each.topic === topic && each.partition === partition)
      return (found?.records ?? 0) >= records
    })
    const isWhole = problems === 0 && isExported
    return [
      {
        ok: isWhole && rpo.basis === 'exact',
        stranded: { records: stranded.records, partitions: stranded.partitions },
        exported: {
          records: manifest.records,
          objects: manifest.partitions.reduce((sum, { objects }) => sum + objects.length, 0),
        },
        rpo: { basis: rpo.basis, records: rpo.records },
        present,
        problems,
      },
      isWhole
        ? 'east is held against the ledger: all that it had acknowledged is there, at its offset, or in the export.'
        : 'east is held against the ledger: something is missing.',
    ]
  })
}
