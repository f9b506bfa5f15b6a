// The old active has nothing left that the standby lacks (switchover), or what it lacks is written down (failover). Drained means:
// at the source true end = high watermark = last stable offset on every partition, and the mirror filled to it (DESIGN 3).
import { KdrError } from '../../model/errors.ts'
import { type At, isPlanned } from '../../model/runs.ts'
import { SLOTS, slotOf } from '../../model/slots.ts'
import {
  holdKey,
  readHold,
  readLink,
  readReports,
  readSlots,
  type ReportedPartition,
} from '../../model/state-records.ts'
import type { Cluster } from '../../ports/cluster.ts'
import type { RunContext, StepEnd } from './context.ts'
import { type Mirror, mirrorsOf, nameOf, offsetsOf, withoutMirror, withSource } from './mirrors.ts'
import { hasLivingWorker, livingWorkers } from './stand-aside.ts'

const LOOK_EVERY_MS = 100
/** Without any progress. */
const PATIENCE_MS = 60_000
const NAMES_SHOWN = 5
/** Of a worker, until it has seen what stands at the source now and has told of it (REPORT_EVERY_MS, twice). */
const TOLD_WITHIN_MS = 5_000

export async function drain(context: RunContext): Promise<StepEnd<'drain'>> {
  const { record, source } = context
  await context.store.refresh()
  if (record.kind === 'failover') return await recordEnds(context)
  if (source === undefined)
    throw new KdrError(
      'unreachable',
      `"${record.active}" does not answer, and a switchover needs both sides`,
      {
        hint: `If it is lost: kdr failover ${record.link}`,
      },
    )
  const copying = new Copying(context)
  try {
    const ends = await awaitDrained(context, source, copying)
    return {
      what: `"${record.standby}" holds all that "${record.active}" has: ${ends.length} partitions are equal up to their ends`,
      data: { ends },
    }
  } finally {
    await copying.stop()
  }
}

/** A worker of this process, where none lives; one that lives may die meanwhile. */
export class Copying {
  readonly #context: RunContext
  #own: { stop(): Promise<void> } | undefined

  constructor(context: RunContext) {
    this.#context = context
  }

  async ensure(): Promise<void> {
    await letGo(this.#context)
    if (this.#own === undefined && !hasLivingWorker(this.#context))
      this.#own = await this.#context.services.startCopying()
  }

  async stop(): Promise<void> {
    await this.#own?.stop()
  }
}

/** Of a run that is resumed: workers copy again until the link is fenced. */
async function letGo({ store, record, guard }: RunContext): Promise<void> {
  if (readHold(store, record.link)?.run !== record.run) return
  await guard()
  await store.put(holdKey(record.link), undefined)
}

type Ends = StepEnd<'drain'>['data']['ends']

async function awaitDrained(context: RunContext, source: Cluster, copying: Copying): Promise<Ends> {
  const { clock, target, store, progress } = context
  let left = Infinity
  let until = clock.monotonic() + PATIENCE_MS
  const surplus = new Surplus(context)
  for (;;) {
    // As they are now: topics and partitions may come while it waits.
    await store.refresh()
    const all = await mirrorsOf(context)
    const mirrors = await withSource(source, all)
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
    const unmirrored = open.length > 0 ? [] : await withoutMirror(context, source, all)
    if (open.length === 0 && unmirrored.length === 0 && (await surplus.isRuledOut(mirrors, ends)))
      return mirrors.map(({ topic, partition }, index) => ({ topic, partition, end: ends[index]! }))
    await copying.ensure()
    if (unmirrored.length > 0) {
      progress(`${unmirrored.length} partition(s) have no mirror yet`)
      if (clock.monotonic() > until) throw notMirrored(context, unmirrored)
      await clock.sleep(LOOK_EVERY_MS)
      await context.guard()
      continue
    }
    await assertNoneStopped(context, open.length > 0 ? open.map(({ mirror }) => mirror) : surplus.told)
    const missing = open.reduce((sum, each) => sum + Math.max(0, each.missing), 0)
    progress(
      open.length > 0
        ? `${missing} offset(s) of ${open.length} partition(s) are still on their way`
        : 'all ends are equal; workers look whether a marker is too many',
    )
    if (missing < left) until = clock.monotonic() + PATIENCE_MS
    left = missing
    if (clock.monotonic() > until) throw stuck(context, open, surplus.told)
    await clock.sleep(open.length > 0 ? LOOK_EVERY_MS : TOLD_WITHIN_MS / 2)
    await context.guard()
  }
}

/**
 * Equal ends prove nothing of a mirror with a marker too many: a record of the source may stand there. Coordinators write such, where gaps
 * are filled by empty transactions; the workers find out, and are waited for: each partition must have a living holder that has told of it,
 * for as long as one takes to tell what it finds. A mirror of which they tell one is never full.
 */
export class Surplus {
  readonly #context: RunContext
  #mayWriteMarkers: boolean | undefined
  #seen = ''
  #since = 0
  /** Of which a worker has told. */
  told: readonly Mirror[] = []

  constructor(context: RunContext) {
    this.#context = context
  }

  async isRuledOut(mirrors: readonly Mirror[], ends: readonly (number | undefined)[]): Promise<boolean> {
    const { store, record, target, clock } = this.#context
    const reports = readReports(store, record.link)
    const reportOf = ({ topic, partition }: Mirror): ReportedPartition | undefined =>
      reports.get(topic)?.partitions.find(each => each.partition === partition)
    this.told = mirrors.filter(mirror => reportOf(mirror)?.reason === 'overfilled')
    if (this.told.length > 0) return false
    this.#mayWriteMarkers ??= await target.mayWriteMarkers()
    if (this.#mayWriteMarkers) return true
    const watchers = this.#watchers(mirrors, reportOf)
    const now = clock.monotonic()
    const seen = [...watchers, ...ends].join()
    if (seen !== this.#seen) this.#since = now
    this.#seen = seen
    return !watchers.includes(undefined) && now - this.#since >= TOLD_WITHIN_MS
  }

  /** Who looks after each: undefined where nobody does, or has not told of it yet. */
  #watchers(
    mirrors: readonly Mirror[],
    reportOf: (mirror: Mirror) => ReportedPartition | undefined,
  ): (string | undefined)[] {
    const { store, record, clock } = this.#context
    const slots = readSlots(store, record.link)
    const count = readLink(store, record.link)?.slots ?? SLOTS
    const living = new Set(livingWorkers(store, record.link, clock))
    return mirrors.map(mirror => {
      const report = reportOf(mirror)
      const holder = slots.get(slotOf(mirror, count))
      const isIts = report?.worker === holder?.owner && report?.generation === holder?.generation
      return isIts && report !== undefined && living.has(report.worker)
        ? `${report.worker} ${report.generation}`
        : undefined
    })
  }
}

function notMirrored({ record }: RunContext, missing: readonly At[]): KdrError {
  const names = missing.slice(0, NAMES_SHOWN).map(nameOf).join(', ')
  return new KdrError(
    'not-ready',
    `${missing.length} partition(s) of "${record.active}" that the link takes have no mirror at "${record.standby}": ${names}`,
    {
      hint: `See why: kdr status --link ${record.link}; leave out what is not to move: \`topics:\`. Then go on: kdr ${record.kind} ${record.link} --resume ${record.run}`,
    },
  )
}

function stuck(
  { record }: RunContext,
  open: readonly { readonly mirror: Mirror; readonly missing: number }[],
  told: readonly Mirror[],
): KdrError {
  const hint = `See: kdr status --link ${record.link}. Then go on: kdr ${record.kind} ${record.link} --resume ${record.run}`
  const [first] = open
  if (first === undefined) {
    const why =
      told.length > 0
        ? `${told.length} mirror(s) of "${record.active}" have a marker too many: ${told.slice(0, NAMES_SHOWN).map(nameOf).join(', ')}`
        : `the mirrors of "${record.active}" end where it ends, and no worker tells whether one has a marker too many`
    return new KdrError('not-ready', why, { hint })
  }
  return new KdrError(
    'not-ready',
    `${open.length} partition(s) of "${record.active}" do not come to rest, or do not come across: "${nameOf(first.mirror)}" lacks ${first.missing} offset(s)`,
    { hint },
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
        hint: `Then go on: kdr ${record.kind} ${record.link} --resume ${record.run}`,
      })
  }
}

/** Where the old active ends: as it says, or as it was last seen. */
async function recordEnds(context: RunContext): Promise<StepEnd<'drain'>> {
  const { source, record } = context
  if (source !== undefined) {
    const mirrors = await withSource(source, await mirrorsOf(context))
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

/** Where the source ends now, by the partitions that were drained; undefined where it does not answer, or nothing was. */
export async function sourceNow({ source, dataOf }: RunContext): Promise<Ends | undefined> {
  const drained = dataOf('drain')?.ends ?? []
  if (source === undefined || drained.length === 0) return undefined
  const now = await offsetsOf(source, drained, 'logEnd')
  return drained.map(({ topic, partition }, index) => ({ topic, partition, end: now[index]! }))
}

/** Throws KdrError('not-fenced') when something was written at the old active since a switchover has drained it. */
export async function assertStillDrained(context: RunContext): Promise<void> {
  const { record, options, dataOf } = context
  if (!isPlanned(record.kind) || options.acceptSplitBrain) return
  const now = await sourceNow(context)
  const grown = (dataOf('drain')?.ends ?? []).filter(
    ({ end }, index) => now !== undefined && now[index]!.end > end,
  )
  if (grown.length === 0) return
  throw new KdrError(
    'not-fenced',
    `"${record.active}" was written to since it was drained: ${grown.slice(0, NAMES_SHOWN).map(nameOf).join(', ')}`,
    {
      hint: `Stop who writes there, then go on: kdr ${record.kind} ${record.link} --resume ${record.run}. With --accept-split-brain what comes from now on is lost, and counted.`,
    },
  )
}
