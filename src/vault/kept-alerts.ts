// What fires of a set, for whoever tells of it after a restart: an object beside the commits that nothing of a restore needs.
import { findKdrError } from '../model/errors.ts'
import type { AlertsRecord, KeptAlert } from '../model/alerts.ts'
import type { ObjectStore } from '../ports/store.ts'
import { alertsName } from './names.ts'
import { readSealed, seal } from './sealed.ts'

/** What cannot be read is none: that must hold up no backup. Throws KdrError('store-unreachable'). */
export async function readKeptAlerts(store: ObjectStore, set: string): Promise<readonly KeptAlert[]> {
  try {
    const found = await readSealed(store, alertsName(set))
    return (found?.record as AlertsRecord | undefined)?.alerts ?? []
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined || known.code === 'store-unreachable') throw error
    return []
  }
}

/** Of several who tell of the set the last one counts: they see the same, but for what fails with one of them alone. Throws KdrError: store-unreachable, not-allowed. */
export async function writeKeptAlerts(
  store: ObjectStore,
  set: string,
  alerts: readonly KeptAlert[],
): Promise<void> {
  await store.put(alertsName(set), [seal({ v: 1, alerts })])
}
