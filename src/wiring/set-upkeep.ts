// A set that `kdr run` keeps verified, and pruned, as its config says.
import type { Config, SetConfig } from '../config/index.ts'
import { SetUpkeep } from '../engine/backup/upkeep.ts'
import type { Log } from '../ports/log.ts'
import type { ObjectStore } from '../ports/store.ts'
import { readLatest } from '../vault/chain.ts'
import { ANNOUNCE_EVERY_MS, Turn } from '../vault/turn.ts'
import { lastVerified } from '../vault/verified.ts'
import { systemClock, systemEntropy } from './system.ts'
import { unique, withSet } from './vaults.ts'

/** Undefined: nobody has asked for it. */
export function keepUp(
  config: Config,
  { name, verifyMs, isPruned = false }: SetConfig,
  { store, log }: { readonly store: ObjectStore; readonly log: Log },
): SetUpkeep | undefined {
  if (verifyMs === undefined) return undefined
  const onProgress = (): void => undefined
  return new SetUpkeep({
    name,
    clock: systemClock,
    log,
    fraction: systemEntropy.fraction(),
    announceEveryMs: ANNOUNCE_EVERY_MS,
    verifyMs,
    isPruning: isPruned,
    stand: async () => {
      const state = await readLatest(store, name)
      if (state === undefined) return undefined
      const verified = await lastVerified(store, name, state.first)
      return { verifiedAt: verified && Date.parse(verified.at) }
    },
    verify: async signal =>
      await withSet(config, name, async set => {
        const how = { isFull: true, sample: undefined, signal, onProgress }
        return await set.verify({ kind: 'latest' }, how)
      }),
    preparePrune: async signal =>
      await withSet(config, name, async set => await set.prune({ days: undefined, signal, onProgress })),
    turn: () => new Turn({ store, set: name, of: 'verifying', id: unique(), now: () => systemClock.now() }),
  })
}
