// docs/reference/rights.md.

import { NEEDED_RIGHTS, type RightOn, type Role } from '../../src/model/needed-rights.ts'

const ROLES: Readonly<Record<Role, string>> = {
  source: 'At the source of a link',
  target: 'At the target of a link',
  'old-active': 'At the old active of a run, besides what its link needs of a source',
  'new-active': 'At the new active of a run, besides what its link needs of a target',
  backup: 'At a cluster that is backed up',
  restore: 'At a cluster that is restored to',
  check: 'At a cluster that `kdr check` looks at',
  'check-link': 'There, where a link leads from it or to it',
  producers: 'There, for `kdr check --producers` (`kdr config acls --for check-producers` prints both)',
  fix: 'There, for `kdr check --fix` (`kdr config acls --for check-fix` prints both)',
  probe: 'For `kdr check --probe` (`kdr config acls --for check-probe`)',
  monitor: 'At a cluster that `kdr run --only monitor` watches',
}

const RESOURCES: Readonly<Record<RightOn, string>> = {
  topics: 'topics, by the patterns of the config',
  groups: 'groups, by the patterns of the config',
  transactions: 'transactional ids, all',
  cluster: 'the cluster',
  state: 'topic `_kdr.state`',
  journal: 'topic `_kdr.journal`',
  canary: 'topic `_kdr.canary`',
  probe: 'topic `_kdr.probe`',
  workers: "kdr's own group, `_kdr.LINK`",
  'own-transactions': 'transactional ids that begin with `_kdr.LINK.`',
}

export function rightsPage(): string {
  const tables = (Object.keys(ROLES) as Role[]).flatMap(role => [
    `## ${ROLES[role]}`,
    '',
    '| right | on | what kdr does with it |',
    '|---|---|---|',
    ...NEEDED_RIGHTS.filter(each => each.role === role).map(
      ({ operation, on, why, clusterRights }) =>
        `| \`${operation}\` | ${RESOURCES[on]} | ${why}${clusterRights === undefined ? '' : ` (*${clusterRights}* cluster rights)`} |`,
    ),
    '',
  ])
  return [
    '# The rights, one by one',
    '',
    'Made by `make docs` from `src/model/needed-rights.ts`. `kdr config acls --for run` prints them as commands, with the names of your config.',
    '',
    'A right that another one brings along is not listed: READ, WRITE, DELETE and ALTER bring DESCRIBE, ALTER_CONFIGS brings DESCRIBE_CONFIGS.',
    '',
    ...tables,
  ].join('\n')
}
