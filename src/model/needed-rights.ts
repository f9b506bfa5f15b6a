// Which rights kdr needs where, and what each is for: the one table from which `kdr config acls` prints its commands, docs/rights.md
// is made, and the principals of tests are. It holds no right that another one brings along (Kafka's authorizer: who may READ,
// WRITE, DELETE or ALTER may DESCRIBE; who may ALTER_CONFIGS may DESCRIBE_CONFIGS), so that taking away any line takes something away.
import type { AclRule } from './rights.ts'

/** What kdr is to a cluster. `old-active`, `new-active`: of a run; they come on top of what the link needs there. */
export type Role =
  | 'source'
  | 'target'
  | 'old-active'
  | 'new-active'
  | 'backup'
  | 'restore'
  | 'check'
  | 'check-link'
  | 'producers'
  | 'fix'
  | 'probe'
  | 'monitor'

/** `state`, `journal`, `canary`, `probe`: kdr's own topics. `workers`: its own group. `own-transactions`: ids that begin with its own name. */
export type RightOn =
  | 'topics'
  | 'groups'
  | 'transactions'
  | 'cluster'
  | 'state'
  | 'journal'
  | 'canary'
  | 'probe'
  | 'workers'
  | 'own-transactions'

export type Operation =
  | 'READ'
  | 'WRITE'
  | 'CREATE'
  | 'DELETE'
  | 'ALTER'
  | 'DESCRIBE'
  | 'ALTER_CONFIGS'
  | 'DESCRIBE_CONFIGS'

/** What fails first without the right; test/lab/rights-needed.test.ts plays those of a link. */
export type Scenario =
  | 'start'
  | 'records'
  | 'new-topic'
  | 'new-partitions'
  | 'log-start'
  | 'configs'
  | 'gaps'
  | 'groups'
  | 'deleted-groups'
  | 'acls'
  | 'quotas'
  | 'hanging-transaction'
  | 'which-way'
  | 'fence'
  | 'open-transactions'
  | 'journal'
  | 'canary'
  | 'consistent'
  | 'findings'
  | 'watching'

export type NeededRight = {
  readonly role: Role
  readonly on: RightOn
  readonly operation: Operation
  /** What kdr does with it. */
  readonly why: string
  readonly scenario: Scenario
  /** Only where kdr may change the cluster, or only where it may not; undefined: in any case. */
  readonly clusterRights?: 'with' | 'without'
}

type Row = readonly [on: RightOn, operation: Operation, scenario: Scenario, why: string, 'with'?]
type BareRow = readonly [on: RightOn, operation: Operation, scenario: Scenario, why: string, 'without']

const STATE: readonly Row[] = [
  ['state', 'CREATE', 'start', 'makes its own memory'],
  ['state', 'READ', 'start', 'reads its own memory'],
  ['state', 'WRITE', 'start', 'keeps its own memory'],
]

/** What writes a mirror, whether its records come from a cluster or from a vault. */
const WRITER: readonly (Row | BareRow)[] = [
  ['topics', 'CREATE', 'new-topic', 'creates the topics'],
  ['topics', 'READ', 'records', 'looks where each log ends before it writes; commits offsets of groups'],
  ['topics', 'WRITE', 'records', 'writes the records'],
  ['topics', 'DELETE', 'log-start', 'moves log starts as the source does; deletes what is copied anew'],
  ['topics', 'ALTER', 'new-partitions', 'adds partitions'],
  ['topics', 'ALTER_CONFIGS', 'configs', 'sets topic configs'],
  ...STATE,
  ['state', 'DESCRIBE_CONFIGS', 'configs', 'learns which topic configs the brokers know'],
  ['groups', 'READ', 'groups', 'commits offsets of groups'],
  ['workers', 'READ', 'start', 'shares the work with other workers'],
  ['cluster', 'ALTER', 'gaps', 'fills gaps by markers; sets ACLs and users', 'with'],
  [
    'cluster',
    'ALTER_CONFIGS',
    'quotas',
    'sets quotas; learns for how long brokers remember producers',
    'with',
  ],
  ['cluster', 'DESCRIBE_CONFIGS', 'start', 'learns for how long brokers remember producers', 'without'],
  ['own-transactions', 'WRITE', 'gaps', 'fills gaps by empty transactions', 'without'],
]

const ROWS: Readonly<Record<Role, readonly (Row | BareRow)[]>> = {
  source: [
    ['topics', 'READ', 'records', 'reads the records'],
    ['topics', 'DESCRIBE_CONFIGS', 'configs', 'follows topic configs'],
    ['groups', 'DESCRIBE', 'groups', 'follows offsets of groups'],
    ['transactions', 'DESCRIBE', 'hanging-transaction', 'tells a hanging transaction from an open one'],
    ['cluster', 'DESCRIBE', 'acls', 'follows ACLs and users'],
    ['cluster', 'DESCRIBE_CONFIGS', 'quotas', 'follows quotas'],
    ['state', 'CREATE', 'which-way', 'remembers there too which way the link leads'],
    ['state', 'READ', 'which-way', 'remembers there too which way the link leads'],
    ['state', 'WRITE', 'which-way', 'remembers there too which way the link leads'],
  ],
  target: [
    ...WRITER,
    ['groups', 'DELETE', 'deleted-groups', 'deletes groups and offsets that the source has no more'],
  ],
  'old-active': [
    ['cluster', 'ALTER', 'fence', 'denies the applications to write there, and lifts that again'],
    ['transactions', 'WRITE', 'open-transactions', 'ends open transactions through their coordinator'],
  ],
  'new-active': [
    ['journal', 'CREATE', 'journal', 'makes the journal of runs'],
    ['journal', 'READ', 'journal', 'reads the journal of runs'],
    ['journal', 'WRITE', 'journal', 'writes down each step before and after it'],
    ['canary', 'CREATE', 'canary', 'makes the topic of the canary'],
    ['canary', 'READ', 'canary', 'reads a record back'],
    ['canary', 'WRITE', 'canary', 'writes a record'],
  ],
  backup: [
    ['topics', 'READ', 'records', 'reads the records'],
    ['topics', 'DESCRIBE_CONFIGS', 'configs', 'keeps topic configs'],
    ['groups', 'DESCRIBE', 'groups', 'keeps offsets of groups'],
    [
      'transactions',
      'DESCRIBE',
      'consistent',
      'keeps which transactions were open, for `restore --consistent`',
    ],
    ['cluster', 'DESCRIBE', 'acls', 'keeps ACLs and names of users'],
    ['cluster', 'DESCRIBE_CONFIGS', 'quotas', 'keeps quotas'],
  ],
  restore: WRITER,
  check: [
    ['topics', 'DESCRIBE', 'findings', 'looks at topics and where their logs begin and end'],
    ['topics', 'DESCRIBE_CONFIGS', 'findings', 'looks at topic configs'],
    ['transactions', 'DESCRIBE', 'findings', 'looks at transactions that are open'],
    ['cluster', 'DESCRIBE', 'findings', 'looks at ACLs, users and disks'],
    ['cluster', 'DESCRIBE_CONFIGS', 'findings', 'looks at quotas and configs of brokers'],
  ],
  'check-link': [['state', 'READ', 'findings', 'reads how the link stands']],
  producers: [['topics', 'READ', 'findings', 'reads the last batches of each partition']],
  fix: [
    ['topics', 'ALTER_CONFIGS', 'findings', 'sets topic configs that are safe to set'],
    ['cluster', 'ALTER', 'findings', 'elects preferred leaders'],
    ['cluster', 'ALTER_CONFIGS', 'findings', 'turns unclean elections off for all brokers'],
    ['state', 'WRITE', 'findings', 'writes down in the journal of a link that a mirror was set back'],
  ],
  probe: [
    ['probe', 'CREATE', 'findings', 'makes the topic of the probe'],
    ['probe', 'WRITE', 'findings', 'measures writes with `acks=1` and `acks=all`'],
    ['probe', 'DELETE', 'findings', 'deletes the topic again'],
  ],
  monitor: [
    ['topics', 'DESCRIBE', 'watching', 'sees partitions, their replicas, and where their logs end'],
    ['topics', 'DESCRIBE_CONFIGS', 'watching', 'learns how many replicas must be in sync'],
    ['groups', 'DESCRIBE', 'watching', 'sees groups and their offsets'],
    ['cluster', 'DESCRIBE', 'watching', 'sees disks and controllers'],
  ],
}

export const NEEDED_RIGHTS: readonly NeededRight[] = Object.entries(ROWS).flatMap(([role, rows]) =>
  rows.map(([on, operation, scenario, why, clusterRights]) => ({
    role: role as Role,
    on,
    operation,
    scenario,
    why,
    ...(clusterRights !== undefined && { clusterRights }),
  })),
)

/** What kdr is to a cluster for one link or set, and in which names. */
export type RightsScope = {
  readonly roles: readonly Role[]
  readonly topics: readonly ResourceName[]
  readonly groups: readonly ResourceName[]
  /** What kdr's own group is called, and its transactional ids begin with: `_kdr.east-west`. */
  readonly ownNames: readonly ResourceName[]
}

export type ResourceName = Pick<AclRule, 'pattern' | 'name'>

/** A right on a resource, as Kafka has it. */
export type Grant = Pick<AclRule, 'type' | 'pattern' | 'name'> & {
  readonly operation: Operation
  /** More than one where roles share it. */
  readonly whys: readonly string[]
  readonly scenarios: readonly Scenario[]
}

export const EVERY: ResourceName = { pattern: 'LITERAL', name: '*' }
const CLUSTER: ResourceName = { pattern: 'LITERAL', name: 'kafka-cluster' }
const literal = (name: string): ResourceName => ({ pattern: 'LITERAL', name })

/** At one cluster: each once, and none that another one covers, by resource in the order of the table. */
export function grantsFor(scopes: readonly RightsScope[], hasClusterRights: boolean): Grant[] {
  const all = scopes.flatMap(scope =>
    NEEDED_RIGHTS.filter(
      ({ role, clusterRights }) =>
        scope.roles.includes(role) &&
        (clusterRights === undefined || (clusterRights === 'with') === hasClusterRights),
    ).flatMap(({ on, operation, why, scenario }) =>
      resourcesOf(on, scope).map(resource => ({ ...resource, operation, why, scenario })),
    ),
  )
  const merged = [...Map.groupBy(all, keyOf).values()].map(([first, ...others]): Grant => {
    const { why, scenario, ...grant } = first!
    return {
      ...grant,
      whys: [...new Set([why, ...others.map(each => each.why)])],
      scenarios: [...new Set([scenario, ...others.map(each => each.scenario)])],
    }
  })
  const needed = merged.filter(grant => !merged.some(other => other !== grant && covers(other, grant)))
  return [...Map.groupBy(needed, ({ type, pattern, name }) => `${type} ${pattern} ${name}`).values()].flat()
}

const keyOf = ({ type, pattern, name, operation }: Omit<Grant, 'whys' | 'scenarios'>): string =>
  `${type} ${pattern} ${name} ${operation}`

function resourcesOf(on: RightOn, scope: RightsScope): Pick<AclRule, 'type' | 'pattern' | 'name'>[] {
  const of = (type: string, names: readonly ResourceName[]) => names.map(each => ({ type, ...each }))
  switch (on) {
    case 'topics':
      return of('TOPIC', scope.topics)
    case 'groups':
      return of('GROUP', scope.groups)
    case 'transactions':
      return of('TRANSACTIONAL_ID', [EVERY])
    case 'cluster':
      return of('CLUSTER', [CLUSTER])
    case 'state':
    case 'journal':
    case 'canary':
    case 'probe':
      return of('TOPIC', [literal(`_kdr.${on}`)])
    case 'workers':
      return of('GROUP', scope.ownNames)
    case 'own-transactions':
      // Each slot has an id of its own: `_kdr.LINK.7`.
      return of(
        'TRANSACTIONAL_ID',
        scope.ownNames.map(({ pattern, name }) => ({
          pattern: 'PREFIXED',
          name: pattern === 'PREFIXED' ? name : `${name}.`,
        })),
      )
  }
}

const BRINGS: Readonly<Record<string, readonly Operation[]>> = {
  READ: ['DESCRIBE'],
  WRITE: ['DESCRIBE'],
  DELETE: ['DESCRIBE'],
  ALTER: ['DESCRIBE'],
  ALTER_CONFIGS: ['DESCRIBE_CONFIGS'],
}

/** Whether who has the one has the other too. */
function covers(one: Omit<Grant, 'whys' | 'scenarios'>, other: Omit<Grant, 'whys' | 'scenarios'>): boolean {
  const isSameResource = one.pattern === other.pattern && one.name === other.name
  const isWider =
    isSameResource ||
    (one.pattern === 'LITERAL' && one.name === '*') ||
    (one.pattern === 'PREFIXED' && other.name !== '*' && other.name.startsWith(one.name))
  const isSameOperation = one.operation === other.operation
  return (
    one.type === other.type &&
    isWider &&
    (isSameOperation ? !isSameResource : BRINGS[one.operation]?.includes(other.operation) === true)
  )
}
