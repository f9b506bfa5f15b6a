// kdr status: a line each for ACLs, quotas and users, and nothing where there are none.

import type { LinkStatus } from '../../engine/status/status.ts'
import { plural } from '../format.ts'
import type { Style } from '../table.ts'

/** Names that a line holds; --json has all. */
const NAMES_SHOWN = 10

export function rightsLines({ acls, quotas, users, guard }: LinkStatus, style: Style): string {
  const lines = [...aclLines(acls), ...quotaLines(quotas), ...userLines(users), ...guardLines(guard)]
  const problems = [acls, quotas, users, guard].flatMap(each => each?.problem ?? [])
  const text = [
    ...lines.map(line => style.dim(`${line}\n`)),
    ...problems.map(problem => `${style.yellow('!')} ${problem}\n`),
  ]
  return text.length === 0 ? '' : `\n${text.join('')}`
}

function aclLines({ synced, heldBack }: LinkStatus['acls']): string[] {
  if (synced + heldBack.length === 0) return []
  const held =
    heldBack.length === 0
      ? ''
      : `; ${heldBack.length} held back, so that nobody else writes to a mirror or stops kdr (which: --json)`
  return [`ACLs: ${synced} as at the source${held}`]
}

function guardLines(guard: LinkStatus['guard']): string[] {
  if (guard === undefined || guard.topics === 0) return []
  return [`denied to everybody but super users: changes of ${plural(guard.topics, 'mirror')}`]
}

function quotaLines({ synced, different }: LinkStatus['quotas']): string[] {
  if (synced + different.length === 0) return []
  const own = different
    .slice(0, NAMES_SHOWN)
    .map(({ entity, key }) => `${entity} ${key}`)
    .join('; ')
  const rest = different.length === 0 ? '' : `; set otherwise at the target itself, and left: ${own}`
  return [`quotas: ${synced} as at the source${rest}`]
}

function userLines({ present, missing, missingCount, configured }: LinkStatus['users']): string[] {
  if (present + missingCount + configured.length === 0) return []
  const proven = configured.filter(({ login }) => login === 'proven').length
  const made = configured.length === 0 ? '' : `; ${proven} of ${configured.length} of the config can sign in`
  const names = missing.slice(0, NAMES_SHOWN).join(', ')
  const more = missingCount > NAMES_SHOWN ? ` and ${missingCount - NAMES_SHOWN} more` : ''
  const absent =
    missingCount === 0
      ? ''
      : `; not at the target: ${names}${more} (make them there, or name their secrets in \`users:\` of the link)`
  return [`SCRAM users: ${plural(present, 'user')} of the source there${made}${absent}`]
}
