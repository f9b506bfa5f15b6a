// While topics are mirrors, a link may deny everybody but super users to change them (`denyWrites`). What is promoted must not stay
// denied: whichever link has put that there, as a topic may have been handed over a moment ago.
import { readGuarded } from '../../model/denied.ts'
import { deniedAt, type FenceSite, lift, refresh } from './denials.ts'

/** Of rules in one request. */
const AT_ONCE = 2_000

/** All of the link's own, and those of others on `topics`. Throws KdrError: not-allowed, unreachable. */
export async function liftGuard(site: FenceSite, topics: readonly string[]): Promise<void> {
  await refresh(site)
  const { link, clusterId } = site.of
  const isPromoted = new Set(topics)
  for (const by of readGuarded(site.stores[0], clusterId).keys()) {
    const guarded = { ...site, of: { link: by, clusterId, isGuard: true } }
    const rules = deniedAt(guarded).filter(({ name }) => by === link || isPromoted.has(name))
    for (let at = 0; at < rules.length; at += AT_ONCE) await lift(guarded, rules.slice(at, at + AT_ONCE))
  }
}
