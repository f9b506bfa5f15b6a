// Sets that `kdr run` keeps backed up, and how every set stands.
import type { FollowedSet } from '../cli/app-vault.ts'
import type { Config, SetConfig } from '../config/index.ts'
import { SetFollower } from '../engine/backup/follow.ts'
import type { KeptAlert } from '../model/alerts.ts'
import { capturedAt } from '../model/backup-age.ts'
import { KdrError } from '../model/errors.ts'
import type { SetState } from '../model/vault.ts'
import type { Log } from '../ports/log.ts'
import { readKeptAlerts, writeKeptAlerts } from '../vault/kept-alerts.ts'
import { newestCommit } from '../vault/newest.ts'
import { ANNOUNCE_EVERY_MS, Turn } from '../vault/turn.ts'
import { openVault } from '../vault/vault.ts'
import { logAbout } from './log-about.ts'
import { keepUp } from './set-upkeep.ts'
import { systemClock, systemEntropy } from './system.ts'
import { backUpSet, storeOf, unique } from './vaults.ts'

/** Nothing is asked of the vault or the cluster before it runs. Throws KdrError: not-ready for a set without a schedule. */
export function followSet(config: Config, set: SetConfig, { log }: { readonly log: Log }): FollowedSet {
  const { name, every } = set
  if (every === undefined) throw new KdrError('not-ready', `set "${name}" has no \`every:\``)
  const stopping = new AbortController()
  const store = storeOf(config, set.vault, stopping.signal)
  const now = (): number => systemClock.now()
  // What was read once is not read again.
  let known: SetState | undefined
  let number: number | undefined
  let keptAlerts: readonly KeptAlert[] | undefined
  const ownLog = logAbout(log, { set: name })
  const upkeep = keepUp(config, set, { store, log: ownLog })
  const follower = new SetFollower({
    name,
    schedule: every.schedule,
    clock: systemClock,
    log: ownLog,
    fraction: systemEntropy.fraction(),
    announceEveryMs: ANNOUNCE_EVERY_MS,
    newest: async () => {
      // A vault that was never made is said as that.
      if (number === undefined) await openVault(store)
      keptAlerts ??= await readKeptAlerts(store, name)
      const newest = await newestCommit(store, name, number)
      number = newest?.commit.number
      return newest === undefined
        ? undefined
        : { number: newest.commit.number, at: Date.parse(capturedAt(newest.commit)) }
    },
    turn: () => new Turn({ store, set: name, of: 'running', id: unique(), now }),
    backUp: async signal => {
      const result = await backUpSet(config, set, {
        store,
        known,
        signal,
        onOpened: state => {
          known = state
        },
      })
      number = result.commit
      return result
    },
  })
  return {
    set,
    get sight() {
      return follower.sight
    },
    get upkeep() {
      return upkeep?.sight
    },
    get keptAlerts() {
      return keptAlerts
    },
    keepAlerts: async alerts => await writeKeptAlerts(store, name, alerts),
    run: async signal => {
      signal.addEventListener('abort', () => stopping.abort(), { once: true })
      // Beside each other: a verification may take hours, and keeps no backup waiting.
      await Promise.all([follower.run(signal), upkeep?.run(signal)])
    },
  }
}
