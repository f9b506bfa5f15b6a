// The old active has nothing left that the standby lacks (switchover), or what it lacks is written down (failover). Drained means:
// at the source true end = high watermark = last stable offset on every partition, and the mirror filled to it (DESIGN 3).
import { KdrError } from '../../model/errors.ts'
import { readReports } from '../../model/state-records.ts'
import type { Cluster } from '../../ports/cluster.ts'
import type { RunContext, StepEnd } from './context.ts'
import { type Mirror, mirrorsOf, nameOf, offsetsOf } from './mirrors.ts'
import { hasLivingWorker } from './stand-aside.ts'

const LOOK_EVERY_MS = 100
/** Without any progress. */
const PATIENCE_MS = 60_000

export async function drain(context: RunContext): Promise<StepEnd<'drain'>> {
  const { record, source } = context
  await context.store.refresh()
  const mirrors = await mirrorsOf(context)
  if (record.kind === 'failover') return await recordEnds(context, mirrors)
  if (source === undefined)
    throw new KdrError(
      'unreachable',
      `"${record.active}" does not answer, and a switchover needs both sides`,
      {
        hint: `If it is lost: kdr failover ${record.link}`,
      },
    )
  const copying = hasLivingWorker(context) ? undefined : await context.services.startCopying()
  try {
    const ends = await awaitDrained(context, source, mirrors)
    return {
      what: `"${record.standby}" holds all that "${record.active}" has: ${mirrors.length} partitions are equal up to their ends`,
      data: { ends },
    }
  } finally {
    await copying?.stop()
  }
}

type Ends = StepEnd<'drain'>['data']['ends']

async function awaitDrained(context: RunContext, source: Cluster, mirrors: readonly Mirror[]): Promise<Ends> {
  const { clock, target, progress } = context
  let left = Infinity
  let until = clock.monotonic() + PATIENCE_MS
  for (;;) {
    const [ends, watermarks, stable, held] = await Promise.all([
      offsetsOf(source, mirrors, 'logEnd'),
      offsetsOf(source, mirrors, 'highWatermark'),
      offsetsOf(source, mirrors, 'lastStable'),
      offsetsOf(target, mirrors, 'logEnd'),
    ])
    const open = mirrors.flatMap((mirror, index) => {
      const end = ends[index]!
      const isAtRest = watermarks[index] === end && stable[index] === end
      return isAtRest && held[index] === end ? [] : [{ mirror, missing: end - held[index]! }]
    })
    if (open.length === 0)
      return mirrors.map(({ topic, partition }, index) => ({ topic, partition, end: ends[index]! }))
    await assertNoneStopped(
      context,
      open.map(({ mirror }) => mirror),
    )
    const missing = open.reduce((sum, each) => sum + Math.max(0, each.missing), 0)
    progress(`${missing} offset(s) of ${open.length} partition(s) are still on their way`)
    if (missing < left) until = clock.monotonic() + PATIENCE_MS
    left = missing
    if (clock.monotonic() > until) throw stuck(context, open)
    await clock.sleep(LOOK_EVERY_MS)
    await context.guard()
  }
}

function stuck(
  { record }: RunContext,
  open: readonly { readonly mirror: Mirror; readonly missing: number }[],
): KdrError {
  const [first] = open
  return new KdrError(
    'not-ready',
    `${open.length} partition(s) of "${record.active}" do not come to rest, or do not come across: "${nameOf(first!.mirror)}" lacks ${first!.missing} offset(s)`,
    { hint: `See: kdr status --link ${record.link}. Then go on: kdr ${record.kind} --resume ${record.run}` },
  )
}

/** Throws KdrError('not-ready') with what a worker has reported of one that will not go on. */
async function assertNoneStopped({ store, record }: RunContext, open: readonly Mirror[]): Promise<void> {
  await store.refresh()
  const reports = readReports(store, record.link)
  for (const { topic, partition } of open) {
    const report = reports.get(topic)?.partitions.find(each => each.partition === partition)
    if (report?.state === 'faulted' || report?.state === 'paused')
      throw new KdrError('not-ready', report.sentence ?? `"${topic}/${partition}" is ${report.state}`, {
        hint: `Then go on: kdr ${record.kind} --resume ${record.run}`,
      })
  }
}

/** Where the old active ends: as it says, or as it was last seen. */
async function recordEnds(
  { source, record }: RunContext,
  mirrors: readonly Mirror[],
): Promise<StepEnd<'drain'>> {
  if (source !== undefined) {
    const ends = await offsetsOf(source, mirrors, 'highWatermark')
    return {
      what: `"${record.active}" answers: what it has beyond "${record.standby}" is known exactly`,
      data: { ends: mirrors.map(({ topic, partition }, index) => ({ topic, partition, end: ends[index]! })) },
    }
  }
  return {
    what: `"${record.active}" does not answer: where it ended is what was last seen of it`,
    data: { ends: [] },
    isSkipped: true,
  }
}
