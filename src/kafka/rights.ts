// ACLs, client quotas and SCRAM users. They are asked of any broker, and changed at the controller. A broker learns of a change
// a moment later: what was just changed may still be described as before.
import { pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import {
  AclOperations,
  AclPermissionTypes,
  alterClientQuotasV1,
  alterUserScramCredentialsV0,
  createAclsV2,
  createAclsV3,
  deleteAclsV2,
  deleteAclsV3,
  describeAclsV2,
  describeAclsV3,
  describeClientQuotasV1,
  describeUserScramCredentialsV0,
  ResourcePatternTypes,
  ResourceTypes,
} from '@platformatic/kafka'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { AclRule } from '../model/rights.ts'
import type { Outcome } from '../ports/cluster.ts'
import type { Quota, QuotaChange, RightsAdmin, ScramMechanism, ScramUser } from '../ports/rights.ts'
import { askController } from './admin.ts'
import { type ClusterContext, outcome } from './context.ts'

/** A request is one record batch of the controller, which takes up to 10,000 records. */
const RULES_PER_REQUEST = 500
const QUOTAS_PER_REQUEST = 200
/** ScramMechanism.java. */
const MECHANISMS: Readonly<Record<ScramMechanism, { readonly code: number; readonly digest: string }>> = {
  'SCRAM-SHA-256': { code: 1, digest: 'sha256' },
  'SCRAM-SHA-512': { code: 2, digest: 'sha512' },
}
/** Kafka takes 4,096 to 16,384. */
const ITERATIONS = 8_192
const SALT_BYTES = 24

export function rightsAdmin(context: ClusterContext): RightsAdmin {
  return {
    describeAcls: () => describeAcls(context),
    createAcls: rules => inPieces(rules, RULES_PER_REQUEST, some => createAcls(context, some)),
    deleteAcls: rules => inPieces(rules, RULES_PER_REQUEST, some => deleteAcls(context, some)),
    describeQuotas: () => describeQuotas(context),
    alterQuotas: changes => inPieces(changes, QUOTAS_PER_REQUEST, some => alterQuotas(context, some)),
    describeScramUsers: () => describeScramUsers(context),
    alterScramUser: user => alterScramUser(context, user),
  }
}

async function inPieces<Of>(
  all: readonly Of[],
  size: number,
  act: (some: readonly Of[]) => Promise<Outcome[]>,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  for (let at = 0; at < all.length; at += size) outcomes.push(...(await act(all.slice(at, at + size))))
  return outcomes
}

const ANY = 1
const EVERYTHING = {
  resourceType: ANY as typeof ResourceTypes.ANY,
  resourceName: null,
  resourcePatternType: ANY as typeof ResourcePatternTypes.ANY,
  principal: null,
  host: null,
  operation: ANY as typeof AclOperations.ANY,
  permissionType: ANY as typeof AclPermissionTypes.ANY,
}

async function describeAcls(
  context: ClusterContext,
): Promise<Outcome & { readonly rules: readonly AclRule[] }> {
  const answer = await context.pool.askAny(async connection =>
    connection.versions.need('DescribeAcls') === 3
      ? await connection.call(describeAclsV3.api, EVERYTHING)
      : await connection.call(describeAclsV2.api, EVERYTHING),
  )
  const rules = answer.resources.flatMap(({ resourceType, resourceName: name, resourcePatternType, acls }) =>
    acls.map(({ principal, host, operation, permissionType }) => ({
      type: TYPES.word(resourceType),
      pattern: PATTERNS.word(resourcePatternType),
      name,
      principal,
      host,
      operation: OPERATIONS.word(operation),
      permission: PERMISSIONS.word(permissionType),
    })),
  )
  return { ...outcome(answer.errorCode, answer.errorMessage), rules }
}

async function createAcls(context: ClusterContext, rules: readonly AclRule[]): Promise<Outcome[]> {
  const codesOf = (answer: { readonly results: readonly { readonly errorCode: number }[] }) =>
    answer.results.map(one => one.errorCode)
  const api = (await speaks3(context, 'CreateAcls')) ? createAclsV3.api : createAclsV2.api
  const { results } = await askController(context, 'CreateAcls', api, codesOf, rules.map(wireRule))
  return rules.map((_, index) => resultOf(results[index]))
}

async function deleteAcls(context: ClusterContext, rules: readonly AclRule[]): Promise<Outcome[]> {
  const codesOf = (answer: { readonly filterResults: readonly { readonly errorCode: number }[] }) =>
    answer.filterResults.map(one => one.errorCode)
  const api = (await speaks3(context, 'DeleteAcls')) ? deleteAclsV3.api : deleteAclsV2.api
  // No part of a filter is null: each meets one rule at most.
  const { filterResults } = await askController(context, 'DeleteAcls', api, codesOf, rules.map(wireRule))
  return rules.map((_, index) => {
    const result = filterResults[index]
    const failed = result?.matchingAcls.find(one => one.errorCode !== KafkaCode.NONE)
    return resultOf(result?.errorCode === KafkaCode.NONE && failed !== undefined ? failed : result)
  })
}

async function speaks3(context: ClusterContext, name: 'CreateAcls' | 'DeleteAcls'): Promise<boolean> {
  const connection = await context.pool.control(context.controller())
  return connection.versions.need(name) === 3
}

type Result = { readonly errorCode: number; readonly errorMessage?: string | null | undefined }

function resultOf(result: Result | undefined): Outcome {
  return outcome(result?.errorCode ?? KafkaCode.UNKNOWN_SERVER_ERROR, result?.errorMessage)
}

function wireRule({ type, pattern, name, principal, host, operation, permission }: AclRule) {
  return {
    resourceType: TYPES.code(type),
    resourceName: name,
    resourcePatternType: PATTERNS.code(pattern),
    principal,
    host,
    operation: OPERATIONS.code(operation),
    permissionType: PERMISSIONS.code(permission),
  }
}

async function describeQuotas(
  context: ClusterContext,
): Promise<Outcome & { readonly quotas: readonly Quota[] }> {
  const answer = await context.pool.askAny(async connection => {
    connection.versions.need('DescribeClientQuotas')
    return await connection.call(describeClientQuotasV1.api, [], false)
  })
  const quotas = (answer.entries ?? []).map(({ entity, values }) => ({
    entity: entity.map(({ entityType, entityName }) => ({ type: entityType, name: entityName ?? null })),
    values: Object.fromEntries(values.map(({ key, value }) => [key, value])),
  }))
  return { ...outcome(answer.errorCode, answer.errorMessage), quotas }
}

type QuotaKey = Parameters<typeof alterClientQuotasV1.createRequest>[0][number]['ops'][number]['key']
type EntityType = Parameters<
  typeof alterClientQuotasV1.createRequest
>[0][number]['entities'][number]['entityType']

async function alterQuotas(context: ClusterContext, changes: readonly QuotaChange[]): Promise<Outcome[]> {
  const entries = changes.map(({ entity, values }) => ({
    // The broker says what it does not know.
    entities: entity.map(({ type, name }) => ({ entityType: type as EntityType, entityName: name })),
    ops: Object.entries(values).map(([key, value]) =>
      value === null
        ? ({ key: key as QuotaKey, remove: true } as const)
        : ({ key: key as QuotaKey, value, remove: false } as const),
    ),
  }))
  const answer = await askController(
    context,
    'AlterClientQuotas',
    alterClientQuotasV1.api,
    reply => reply.entries.map(one => one.errorCode),
    entries,
    false,
  )
  // The answer has an order of its own.
  const results = new Map(
    answer.entries.map(one => [
      entityKey(one.entity.map(({ entityType: type, entityName }) => ({ type, name: entityName ?? null }))),
      one,
    ]),
  )
  return changes.map(({ entity }) => resultOf(results.get(entityKey(entity))))
}

const entityKey = (entity: QuotaChange['entity']): string =>
  JSON.stringify(entity.toSorted((a, b) => (a.type < b.type ? -1 : 1)).map(({ type, name }) => [type, name]))

async function describeScramUsers(
  context: ClusterContext,
): Promise<Outcome & { readonly users: readonly ScramUser[] }> {
  const answer = await context.pool.askAny(async connection => {
    connection.versions.need('DescribeUserScramCredentials')
    // All of them. With null a broker (3.9) never answers whoever may not see them: it fails at its refusal.
    return await connection.call(describeUserScramCredentialsV0.api, [])
  })
  const users = answer.results
    .filter(one => one.errorCode === KafkaCode.NONE)
    .map(({ user: name, credentialInfos }) => ({
      name,
      mechanisms: credentialInfos.map(({ mechanism }) => mechanismOf(mechanism)),
    }))
  return { ...outcome(answer.errorCode, answer.errorMessage), users }
}

function mechanismOf(code: number): string {
  return Object.entries(MECHANISMS).find(([, one]) => one.code === code)?.[0] ?? String(code)
}

/** The broker never sees the password: it gets what follows from it (RFC 5802, SaltedPassword). */
async function alterScramUser(
  context: ClusterContext,
  {
    name,
    mechanism,
    password,
  }: { readonly name: string; readonly mechanism: ScramMechanism; readonly password: string },
): Promise<Outcome> {
  const { code, digest } = MECHANISMS[mechanism]
  const salt = randomBytes(SALT_BYTES)
  const bytes = digest === 'sha256' ? 32 : 64
  const saltedPassword = await promisify(pbkdf2)(Buffer.from(password), salt, ITERATIONS, bytes, digest)
  const answer = await askController(
    context,
    'AlterUserScramCredentials',
    alterUserScramCredentialsV0.api,
    reply => reply.results.map(one => one.errorCode),
    [],
    [{ name, mechanism: code, iterations: ITERATIONS, salt, saltedPassword }],
  )
  return resultOf(answer.results[0])
}

/** Between Kafka's words and its numbers. */
function wordsOf<Code extends number>(codes: Readonly<Record<string, Code>>) {
  const words = new Map<number, string>(Object.entries(codes).map(([word, code]) => [code, word]))
  return {
    word: (code: number): string => words.get(code) ?? String(code),
    code: (word: string): Code => codes[word] ?? (Number(word) as Code),
  }
}

const TYPES = wordsOf(ResourceTypes)
const PATTERNS = wordsOf(ResourcePatternTypes)
const OPERATIONS = wordsOf(AclOperations)
const PERMISSIONS = wordsOf(AclPermissionTypes)
