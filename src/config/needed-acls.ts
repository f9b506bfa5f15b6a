// Which rights a command needs at which cluster of the config: from its links and sets to grants, by the table of model/needed-rights.ts.
import {
  EVERY,
  type Grant,
  grantsFor,
  type ResourceName,
  type RightsScope,
  type Role,
} from '../model/needed-rights.ts'
import type { Config, LinkConfig, SetConfig } from './config.ts'

/** `check-fix`, `check-producers`, `check-probe`: of `kdr check` with `--fix`, with `--producers`, with `--probe`. */
export type AclTask =
  | 'run'
  | 'failover'
  | 'failback'
  | 'backup'
  | 'restore'
  | 'check'
  | 'check-fix'
  | 'check-producers'
  | 'check-probe'
  | 'monitor'

export type ClusterAcls = {
  readonly cluster: string
  /** `source of link "east-west"`. */
  readonly does: readonly string[]
  readonly grants: readonly Grant[]
  /** What no ACL can say, and what a reader must know besides. */
  readonly notes: readonly string[]
}

type Part = {
  readonly cluster: string
  readonly does: string
  readonly scope: RightsScope
  readonly notes: readonly string[]
}

/** In the order of the config; clusters that the command has nothing to do with are left out. */
export function planAclsOf(
  config: Config,
  task: AclTask,
  { hasClusterRights }: { readonly hasClusterRights: boolean },
): ClusterAcls[] {
  const parts = partsOf(config, task)
  return Object.keys(config.clusters).flatMap(cluster => {
    const own = parts.filter(part => part.cluster === cluster)
    if (own.length === 0) return []
    const grants = grantsFor(
      own.map(({ scope }) => scope),
      hasClusterRights,
    )
    const notes = [...new Set([...own.flatMap(part => part.notes), ...notesOn(grants)])]
    return [{ cluster, does: [...new Set(own.map(({ does }) => does))], grants, notes }]
  })
}

function partsOf(config: Config, task: AclTask): Part[] {
  const links = Object.values(config.links)
  const sets = Object.values(config.sets)
  const ofLinks = (source: LinkRole, target: LinkRole) =>
    links.flatMap(link => [ofLink(link, link.source, source), ofLink(link, link.target, target)])
  switch (task) {
    case 'run':
      return [
        ...ofLinks({ is: 'source', roles: ['source'] }, { is: 'target', roles: ['target'] }),
        ...sets.filter(({ every }) => every !== undefined).map(backupOf),
      ]
    case 'failover':
      return ofLinks(OLD_ACTIVE, NEW_ACTIVE)
    case 'failback':
      return ofLinks(NEW_ACTIVE, OLD_ACTIVE)
    case 'backup':
      return sets.map(backupOf)
    case 'restore':
      return sets.flatMap(set => Object.keys(config.clusters).map(cluster => restoreOf(set, cluster)))
    case 'check':
      return Object.keys(config.clusters).map(cluster => checkOf(config, cluster, 'looked at'))
    case 'check-fix':
      return Object.keys(config.clusters).map(cluster =>
        checkOf(config, cluster, 'looked at and mended', ['fix']),
      )
    case 'check-producers':
      return Object.keys(config.clusters).map(cluster =>
        checkOf(config, cluster, 'looked at, with producers', ['producers']),
      )
    case 'check-probe':
      return Object.keys(config.clusters).map(cluster => ({
        cluster,
        does: 'probed',
        scope: { roles: ['probe'], topics: [], groups: [], ownNames: [] },
        notes: [],
      }))
    case 'monitor': {
      const { names, notes } = namesOf(config.monitor.groups, 'groups')
      return Object.keys(config.clusters).map(cluster => ({
        cluster,
        does: 'watched',
        scope: { roles: ['monitor'], topics: [EVERY], groups: names, ownNames: [] },
        notes,
      }))
    }
  }
}

function checkOf({ links }: Config, cluster: string, does: string, more: readonly Role[] = []): Part {
  const isLinked = Object.values(links).some(({ source, target }) => [source, target].includes(cluster))
  return {
    cluster,
    does,
    scope: {
      roles: ['check', ...(isLinked ? (['check-link'] as const) : []), ...more],
      topics: [EVERY],
      groups: [],
      ownNames: [],
    },
    notes: [],
  }
}

type LinkRole = { readonly is: string; readonly roles: readonly Role[] }

const OLD_ACTIVE: LinkRole = { is: 'source and old active', roles: ['source', 'old-active'] }
const NEW_ACTIVE: LinkRole = { is: 'target and new active', roles: ['target', 'new-active'] }

function ofLink(link: LinkConfig, cluster: string, { is, roles }: LinkRole): Part {
  const topics = namesOf(link.topics, 'topics')
  const groups = namesOf(link.groups, 'groups')
  return {
    cluster,
    does: `${is} of link "${link.name}"`,
    scope: {
      roles,
      topics: topics.names,
      groups: groups.names,
      ownNames: [{ pattern: 'LITERAL', name: `_kdr.${link.name}` }],
    },
    notes: [...topics.notes, ...groups.notes, ...(roles.includes('target') ? superUserNotes(link) : [])],
  }
}

/** No ACL lets anybody pass by a denial. */
function superUserNotes({ name, denyWrites }: LinkConfig): string[] {
  return denyWrites
    ? [
        `link "${name}" has \`denyWrites\`: for that kdr's principal must be a super user here, which no ACL can give; add it to \`super.users\` in the properties of every broker and controller, and restart them one by one`,
      ]
    : []
}

function backupOf({ name, cluster, topics }: SetConfig): Part {
  const { names, notes } = namesOf(topics, 'topics')
  return {
    cluster,
    does: `backed up as set "${name}"`,
    scope: { roles: ['backup'], topics: names, groups: [EVERY], ownNames: [] },
    notes,
  }
}

function restoreOf({ name, topics }: SetConfig, cluster: string): Part {
  const { names, notes } = namesOf(topics, 'topics')
  return {
    cluster,
    does: `set "${name}" is restored to it`,
    scope: {
      roles: ['restore'],
      topics: names,
      groups: [EVERY],
      ownNames: [{ pattern: 'PREFIXED', name: `_kdr.restore@${name}@` }],
    },
    notes,
  }
}

/** Kafka knows names, beginnings of names, and all. */
export function namesOf(
  patterns: readonly string[],
  kind: 'topics' | 'groups',
): { readonly names: readonly ResourceName[]; readonly notes: readonly string[] } {
  const names: ResourceName[] = []
  const notes: string[] = []
  for (const pattern of patterns) {
    if (pattern === '*') names.push(EVERY)
    else if (pattern.startsWith('!'))
      notes.push(
        `"${pattern}" of \`${kind}\`: an ACL cannot leave names out; kdr does not touch them all the same`,
      )
    else if (pattern.startsWith('re:') || /[*?]/.test(pattern.slice(0, -1)) || pattern.endsWith('?'))
      notes.push(
        `"${pattern}" of \`${kind}\`: no ACL can say this; give the rights on the ${kind} that it takes yourself, by name or by the beginning of their names`,
      )
    else if (pattern.endsWith('*')) names.push({ pattern: 'PREFIXED', name: pattern.slice(0, -1) })
    else names.push({ pattern: 'LITERAL', name: pattern })
  }
  return { names, notes }
}

/** Before 3.8 brokers take markers only from who may act as a broker. */
function notesOn(grants: readonly Grant[]): string[] {
  return grants.some(
    ({ type, operation, scenarios }) =>
      type === 'CLUSTER' && operation === 'ALTER' && scenarios.includes('gaps'),
  )
    ? ['before Kafka 3.8 markers take ClusterAction on the cluster, beside Alter']
    : []
}
