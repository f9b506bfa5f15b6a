// ACLs, quotas and users of one link: what the engines need of the config, of both clusters and of what other links have done.
import { type Config, type LinkConfig, principalOf, resolveSecret } from '../config/index.ts'
import type { Mirrors } from '../engine/sync/acl-plan.ts'
import { AclSync } from '../engine/sync/acls.ts'
import { WriteGuard } from '../engine/sync/guard.ts'
import { type MirrorNames, mirrorsOf } from '../engine/sync/mirror-names.ts'
import { QuotaSync } from '../engine/sync/quotas.ts'
import { type UserToMake, UserSync } from '../engine/sync/users.ts'
import { recordCodec } from '../kafka/records.ts'
import { readDeniedByAll } from '../model/denied.ts'
import { findKdrError } from '../model/errors.ts'
import { readAppliedByAll } from '../model/rights.ts'
import { readForgotten, readLink, readTopics } from '../model/state-records.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { Log } from '../ports/log.ts'
import type { StateStore } from '../ports/state.ts'
import { openTopicStore } from '../state/topic-store.ts'
import { CLIENT_ID, clusterOf, openCluster } from './clusters.ts'
import type { Following } from './follow.ts'
import { systemClock, systemEntropy } from './system.ts'

export type LinkRights = {
  readonly acls: AclSync
  /** Each at its own pace. */
  readonly followings: readonly Following[]
  /** `denyWrites`: for a worker that goes on; a run has nothing to deny. */
  readonly guarding: Following
  close(): Promise<void>
}

/** A round that begins after two thirds of the interval is over before all of it has passed. */
const SHARE = 2 / 3

export type RightsInput = {
  readonly source: Cluster
  readonly target: Cluster
  readonly store: StateStore
  /** Asked before each write. */
  readonly guard: () => Promise<void>
  readonly mayStill?: () => boolean
  /** Whether the source has a `_kdr.state` of its own. */
  readonly hasSourceState: () => boolean
  readonly sourceClusterId: () => string | undefined
  readonly log: Log
}

/** kdr's own names at both sides, as far as the config tells. */
export async function ownPrincipals(config: Config, link: LinkConfig): Promise<Set<string>> {
  const sides = [clusterOf(config, link.source), clusterOf(config, link.target)]
  return new Set((await Promise.all(sides.map(principalOf))).filter(each => each !== undefined))
}

export async function rightsOf(
  config: Config,
  link: LinkConfig,
  { source, target, store, guard, mayStill = () => true, hasSourceState, sourceClusterId, log }: RightsInput,
): Promise<LinkRights> {
  const own = await ownPrincipals(config, link)
  const upstream = new Upstream(source)
  const shared = { link: link.name, store, assertControl: guard, mayStill, log, source, target, own }
  const acls = new AclSync({
    ...shared,
    principals: link.principals,
    // Asked when the source has shown its rules: what a run has put there was recorded before.
    fromElsewhere: async () => {
      await store.refresh()
      const clusterId = sourceClusterId()
      const atSource = hasSourceState() ? await upstream.applied(clusterId) : []
      return new Set([...readDeniedByAll(store, clusterId), ...atSource])
    },
    mirrors: () => mirrorsAt(config, link, store),
  })
  const quotas = new QuotaSync({ ...shared, principals: link.principals, ownClientId: CLIENT_ID })
  const users = new UserSync({
    ...shared,
    principals: link.principals,
    clock: systemClock,
    users: Object.keys(link.users).map(name => userToMake(config, link, name)),
  })
  const writeGuard = new WriteGuard({
    ...shared,
    isWanted: link.denyWrites,
    codec: recordCodec,
    clock: systemClock,
    elsewhere: () => deniedByOthers(config, link, store),
  })
  const { aclsMs, quotasMs } = link.sync
  const following = (what: string, everyMs: number, round: () => Promise<void>): Following => ({
    what,
    everyMs: everyMs * SHARE,
    isSoon: true,
    round,
  })
  return {
    acls,
    followings: [
      following('ACLs', aclsMs, async () => await acls.round()),
      following('quotas', quotasMs, async () => await quotas.round()),
      following('users', quotasMs, async () => await users.round()),
    ],
    guarding: following('denials on mirrors', aclsMs, async () => await writeGuard.round()),
    close: async () => await upstream.close(),
  }
}

/** Mirrors of other links to the target whose config denies as well. */
function deniedByOthers(config: Config, link: LinkConfig, store: StateStore): Set<string> {
  const here = readLink(store, link.name)?.targetClusterId
  const others = Object.values(config.links).filter(
    ({ name, denyWrites }) =>
      denyWrites && name !== link.name && readLink(store, name)?.targetClusterId === here,
  )
  return new Set(others.flatMap(({ name }) => [...readTopics(store, name).keys()]))
}

/** Topics of every link that leads to the target: by what is remembered there, and by what this config says. */
function mirrorsAt(config: Config, link: LinkConfig, store: StateStore): Mirrors {
  const own = readTopics(store, link.name).keys()
  const others = othersAt(config, link, store)
  const forgotten = new Set(readForgotten(store, link.name).keys())
  return mirrorsOf({
    topics: new Set([...own, ...others.topics]),
    patterns: [link.topics, ...others.patterns],
    forgotten,
  })
}

/** The same without this link's own, which it has promoted. */
export function stillMirrors(config: Config, link: LinkConfig, store: StateStore): Mirrors {
  return mirrorsOf({ ...othersAt(config, link, store), forgotten: new Set() })
}

/** Other links to the target: by what is remembered there, and by what this config says. One that was moved leads elsewhere now. */
function othersAt(
  config: Config,
  link: LinkConfig,
  store: StateStore,
): Pick<MirrorNames, 'topics' | 'patterns'> {
  const here = readLink(store, link.name)?.targetClusterId
  const leadsHere = (name: string): boolean => {
    const record = readLink(store, name)
    return record === undefined
      ? config.links[name]?.target === link.target
      : here === undefined || record.targetClusterId === here
  }
  const kept = store.entries('link/').map(([key]) => key.slice('link/'.length))
  const names = [...new Set([...kept, ...Object.keys(config.links)])].filter(
    name => name !== link.name && leadsHere(name),
  )
  return {
    topics: new Set(names.flatMap(name => [...readTopics(store, name).keys()])),
    patterns: names.flatMap(name => (config.links[name] === undefined ? [] : [config.links[name].topics])),
  }
}

function userToMake(config: Config, link: LinkConfig, name: string): UserToMake {
  const { mechanism, password } = link.users[name]!
  return {
    name,
    mechanism,
    password: async () => await resolveSecret(password),
    login: async () => {
      const sasl = { mechanism, username: name, password }
      const cluster = await openCluster({ ...clusterOf(config, link.target), sasl }, systemClock)
      await cluster.close()
    },
  }
}

/** What kdr has put at the source itself, for links that lead there: it does not belong to the source. */
class Upstream {
  readonly #source: Cluster
  #store: (StateStore & { close(): Promise<void> }) | undefined

  constructor(source: Cluster) {
    this.#source = source
  }

  /** Where kdr may not read it, there is nothing to hold it against. */
  async applied(clusterId: string | undefined): Promise<ReadonlySet<string>> {
    try {
      this.#store ??= await openTopicStore(this.#source, recordCodec, systemClock, {
        create: false,
        writer: systemEntropy.bits62(),
      })
      await this.#store.refresh()
      return new Set([...readAppliedByAll(this.#store), ...readDeniedByAll(this.#store, clusterId)])
    } catch (error) {
      if (findKdrError(error)?.code !== 'not-allowed') throw error
      return new Set()
    }
  }

  async close(): Promise<void> {
    await this.#store?.close()
  }
}
