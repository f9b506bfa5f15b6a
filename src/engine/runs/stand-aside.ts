// Workers that are alive let go of the link: the hold in `_kdr.state` takes every slot from them at their next beat, and no
// worker takes one while it stands (Slots.isAside). One that was stopped meanwhile finds it when it wakes: its lease is over.
import { type HoldRecord, holdKey, readHold, readWorkers, toRecord } from '../../model/state-records.ts'
import type { Clock } from '../../ports/clock.ts'
import type { StateStore } from '../../ports/state.ts'
import type { RunContext } from './context.ts'

/** A worker whose beat has not moved for so long may write nothing before it has looked (Lease). */
const SILENT_MS = 4_000
const LOOK_EVERY_MS = 100

type Beat = { readonly beat: number; readonly at: number }
/** By the store of a run, and by worker: the second step that waits for one that is dead need not watch it anew. */
const SEEN = new WeakMap<StateStore, Map<string, Beat>>()

type Aside = Pick<RunContext, 'settings' | 'store' | 'clock' | 'guard' | 'progress'> & {
  readonly record: Pick<HoldRecord, 'run' | 'resume'> & { readonly generation: number }
}

/** Resolves when no worker holds anything of the link any more. */
export async function standAside({ settings, store, clock, record, guard, progress }: Aside): Promise<void> {
  const link = settings.name
  await store.refresh()
  if (readHold(store, link)?.run !== record.run) {
    await guard()
    const { run, generation, resume } = record
    const hold: HoldRecord = { run, at: clock.now(), generation, ...(resume !== undefined && { resume }) }
    await store.put(holdKey(link), toRecord('hold', hold))
  }
  const seen = SEEN.get(store) ?? new Map<string, Beat>()
  SEEN.set(store, seen)
  for (;;) {
    await store.refresh()
    const busy = [...readWorkers(store, link)].filter(([id, { state, slots, taking, beat }]) => {
      if (state !== 'running' || (slots.length === 0 && taking.length === 0)) return false
      const before = seen.get(id)
      if (before?.beat !== beat) seen.set(id, { beat, at: clock.monotonic() })
      return before?.beat !== beat || clock.monotonic() - before.at < SILENT_MS
    })
    if (busy.length === 0) return
    progress(`${busy.length} worker(s) are asked to stand aside`)
    await clock.sleep(LOOK_EVERY_MS)
    await guard()
  }
}

/** Those that hold something and have beaten lately; by the wall clock, as of one look. */
export function livingWorkers(store: StateStore, link: string, clock: Clock): string[] {
  return [...readWorkers(store, link)].flatMap(([id, { state, at, slots }]) =>
    state === 'running' && slots.length > 0 && clock.now() - at < SILENT_MS ? [id] : [],
  )
}

/** Whether there is one. */
export function hasLivingWorker({
  settings,
  store,
  clock,
}: Pick<Aside, 'settings' | 'store' | 'clock'>): boolean {
  return livingWorkers(store, settings.name, clock).length > 0
}
