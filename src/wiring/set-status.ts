// Where a set stands, as its vault says: no daemon has to live for that.
import type { Config, SetConfig } from '../config/index.ts'
import { capturedAt } from '../model/backup-age.ts'
import { findKdrError } from '../model/errors.ts'
import { type SetStatus, setStatus, unknownStatus } from '../model/set-status.ts'
import { readLatest } from '../vault/chain.ts'
import { openVault } from '../vault/vault.ts'
import { lastVerified } from '../vault/verified.ts'
import { systemClock } from './system.ts'
import { storeOf } from './vaults.ts'

/** What is wrong with the vault is in the status. Throws only what is a bug. */
export async function readSetStatus(config: Config, set: SetConfig): Promise<SetStatus> {
  const { name, cluster, vault, every, verifyMs, keepDays, isPruned } = set
  const upkeep = {
    verifyEveryMs: verifyMs ?? null,
    prune: keepDays === undefined ? null : isPruned === true ? ('auto' as const) : ('by-hand' as const),
  }
  try {
    const store = storeOf(config, vault)
    const made = await openVault(store)
    const state = await readLatest(store, name)
    const verified = state && (await lastVerified(store, name, state.first))
    const objects = [...(state?.objects.values() ?? [])]
    return setStatus({
      name,
      cluster,
      vault,
      every,
      ...upkeep,
      now: systemClock.now(),
      vaultMadeAt: Date.parse(made.createdAt),
      newest: state && {
        number: state.number,
        endsAt: capturedAt(state),
        at: state.at,
        days: state.days,
        bytes: objects.reduce((sum, { bytes }) => sum + bytes, 0),
        objects: objects.length,
        verifiedAt: verified?.at,
      },
    })
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined) throw error
    const names = { name, cluster, vault, every: every?.text ?? null, ...upkeep }
    const isDark = known.code === 'store-unreachable' || known.code === 'not-allowed'
    return unknownStatus(names, isDark ? 'unreachable' : 'faulted', known.message)
  }
}
