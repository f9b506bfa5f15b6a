// A standby that was taken up again is in step: every mirror is there, and holds all that the active had a short while ago. Applications
// write at the active meanwhile, and need not know.
import { KdrError } from '../../model/errors.ts'
import { readReports } from '../../model/state-records.ts'
import type { RunContext, StepEnd } from './context.ts'
import { Copying } from './drain.ts'
import { mirrorsOf, nameOf, offsetsOf, withoutMirror, withSource } from './mirrors.ts'
import { observePlan } from './plan.ts'

const LOOK_EVERY_MS = 300
/** Without any progress. */
const PATIENCE_MS = 120_000
/** What the active had so lately is what it has, for a drain that follows. */
const IN_STEP_MS = 5_000

export async function catchUp(context: RunContext): Promise<StepEnd<'catch-up'>> {
  const { record, source } = context
  if (source === undefined) throw new KdrError('unreachable', `"${record.active}" does not answer`)
  const copying = new Copying(context)
  try {
    const partitions = await awaitInStep(context, source, copying)
    return {
      what: `"${record.standby}" is in step with "${record.active}": ${partitions} partition(s)`,
      data: { partitions },
    }
  } finally {
    await copying.stop()
  }
}

async function awaitInStep(context: RunContext, source: Source, copying: Copying): Promise<number> {
  const { target, clock, store, record, guard, progress } = context
  let sample = await sampleOf(context, source)
  let least = Infinity
  let until = clock.monotonic() + PATIENCE_MS
  for (;;) {
    await store.refresh()
    await copying.ensure()
    const { mirrors, ends, unmirrored } = sample
    const held = await offsetsOf(target, mirrors, 'logEnd')
    const missing = mirrors.reduce((sum, _mirror, index) => sum + Math.max(0, ends[index]! - held[index]!), 0)
    const isFresh = clock.monotonic() - sample.at <= IN_STEP_MS
    const isThere = missing === 0 && unmirrored.length === 0
    const refusals = isThere && isFresh ? await refusalsOf(context) : []
    if (isThere && isFresh && refusals.length === 0) return mirrors.length
    const sentence =
      refusals[0] ??
      (unmirrored.length > 0
        ? `${unmirrored.length} partition(s) have no mirror yet: ${nameOf(unmirrored[0]!)}`
        : `"${record.standby}" lacks ${missing} offset(s) of ${mirrors.length} partition(s)`)
    progress(sentence)
    if (missing + unmirrored.length < least) until = clock.monotonic() + PATIENCE_MS
    least = Math.min(least, missing + unmirrored.length)
    if (clock.monotonic() > until) throw stuck(context, sentence)
    if (missing === 0) {
      // It is held against what there is by now.
      sample = await sampleOf(context, source)
      if (!isFresh) least = Infinity
    }
    await clock.sleep(LOOK_EVERY_MS)
    await guard()
  }
}

function stuck(context: RunContext, sentence: string): KdrError {
  const { record } = context
  const why = stoppedIn(context)[0] ?? sentence
  return new KdrError('not-ready', `"${record.standby}" does not come in step: ${why}`, {
    hint: `See: kdr status --link ${record.link}. Then go on: kdr ${record.kind} ${record.link} --resume ${record.run}`,
  })
}

type Source = NonNullable<RunContext['source']>

/** What the active has now. */
async function sampleOf(context: RunContext, source: Source) {
  const at = context.clock.monotonic()
  const all = await mirrorsOf(context)
  const mirrors = await withSource(source, all)
  const [unmirrored, ends] = await Promise.all([
    withoutMirror(context, source, all),
    offsetsOf(source, mirrors, 'lastStable'),
  ])
  return { at, mirrors, unmirrored, ends }
}

/** What a worker has said of those that do not go on. */
function stoppedIn({ store, record }: RunContext): string[] {
  return [...readReports(store, record.link).values()].flatMap(({ partitions }) =>
    partitions.flatMap(({ state, sentence }) =>
      state === 'faulted' && sentence !== undefined ? [sentence] : [],
    ),
  )
}

/** What would refuse the move that follows. */
async function refusalsOf(context: RunContext): Promise<readonly string[]> {
  const { refusals } = await observePlan({
    ...context,
    kind: context.record.kind,
    refusals: [],
    together: context.record.together,
  })
  return refusals
}
