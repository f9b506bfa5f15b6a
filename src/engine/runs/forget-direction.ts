// What is known of a direction that has ended goes before the next one begins at the same cluster.
import type { StateStore } from '../../ports/state.ts'

const FORGOTTEN = [
  'topic',
  'partition',
  'slot',
  'worker',
  'report',
  'stopped',
  'seeding',
  'leaving',
  'command',
  'groups',
  'groups-round',
  'rights',
]

/** `but`: kinds of records, and keys of single ones, that stay. */
export async function forgetDirection(
  store: StateStore,
  link: string,
  but: readonly string[] = [],
): Promise<void> {
  const stays = new Set(but)
  const forgotten = FORGOTTEN.filter(kind => !stays.has(kind)).flatMap(kind => {
    const own = `${kind}/${link}`
    const keys = store.entries(own).map(([key]) => key)
    return keys.filter(key => (key === own || key.startsWith(`${own}/`)) && !stays.has(key))
  })
  await Promise.all(forgotten.map(async key => await store.put(key, undefined)))
}
