// The journal of a link: who asked for what, when, why, and what became of it. One record an entry in `_kdr.state`, so
// that a command and a worker never write the same one at once; the newest are kept.
import { toRecord } from './state-records.ts'

/** `mend`: by `kdr check --fix`. */
export type JournalVerb =
  | 'pause'
  | 'resume'
  | 'adopt'
  | 'accept-loss'
  | 'recopy'
  | 'forget'
  | 'delete'
  | 'hand-over'
  | 'mend'

export type JournalEntry = {
  readonly id: string
  /** ms since 1970. */
  readonly at: number
  /** user@host, or the policy that asked. */
  readonly by: string
  readonly verb: JournalVerb
  readonly topic?: string
  readonly partition?: number
  readonly reason?: string
  /** The plan, as it was shown and approved. */
  readonly what: string
  /** `recorded`: the worker has yet to take it up. */
  readonly state: 'recorded' | 'done' | 'refused'
  readonly doneAt?: number
  /** What came of it. */
  readonly outcome?: string
}

export const JOURNAL_ENTRIES = 500
/** Characters of a reason: a record holds 64 KB, and a ledger many reasons. */
export const MAX_REASON = 300

type JournalStore = {
  entries(prefix: string): readonly (readonly [string, unknown])[]
  put(key: string, record: { readonly v: 1; readonly kind: string } | undefined): Promise<void>
}

export const journalKey = (link: string, id: string): string => `journal/${link}/${id}`

/** Newest first. */
export function readJournal(store: Pick<JournalStore, 'entries'>, link: string): JournalEntry[] {
  return store
    .entries(journalKey(link, ''))
    .map(([, record]) => record as JournalEntry)
    .toSorted((a, b) => b.at - a.at)
}

/** Writes or replaces an entry; the oldest beyond the bound go. */
export async function writeJournal(store: JournalStore, link: string, entry: JournalEntry): Promise<void> {
  await store.put(journalKey(link, entry.id), toRecord('journal', entry))
  for (const { id } of readJournal(store, link).slice(JOURNAL_ENTRIES))
    await store.put(journalKey(link, id), undefined)
}

/** What became of a command. An entry that is not there any more stays away. */
export async function closeEntry(
  store: JournalStore,
  link: string,
  id: string,
  end: { readonly state: 'done' | 'refused'; readonly doneAt: number; readonly outcome: string },
): Promise<void> {
  const entry = readJournal(store, link).find(each => each.id === id)
  if (entry !== undefined) await writeJournal(store, link, { ...entry, ...end })
}
