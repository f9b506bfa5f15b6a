// Reads `kdr.yaml` once and gives back a frozen Config, or says everything that is wrong with it at once.

import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { KdrError } from '../model/errors.ts'
import type { ConsumersPolicy } from '../model/runs.ts'
import { parseSchedule } from '../model/schedule.ts'
import { parseDuration } from '../model/units.ts'
import { assertVersion } from '../model/versioned.ts'
import type {
  AlertsConfig,
  ClusterConfig,
  Config,
  LinkConfig,
  SaslConfig,
  SetEvery,
  TlsConfig,
} from './config.ts'
import { crossCheck, notesOn } from './cross-check.ts'
import { type ConfigDocument, parseConfigText, type Problem } from './document.ts'
import { planOf } from './plans.ts'
import { problemsOf } from './problems.ts'
import { redirectsIn } from './redirects.ts'
import { configSchema, type ParsedConfig } from './schema.ts'

/** Throws KdrError('config-missing' | 'config-invalid' | 'newer-version'); the message has a line per problem. */
export async function loadConfig(path: string): Promise<Config> {
  return parseConfig(await readConfigText(path), path)
}

export async function readConfigText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'ENOENT')
      throw new KdrError('config-missing', `there is no config file "${path}"`, { cause: error })
    throw new KdrError(
      'config-missing',
      `the config file "${path}" cannot be read: ${String(code ?? error)}`,
      { cause: error },
    )
  }
}

/** `path` names the file in messages, and is where relative `file:` references start. */
export function parseConfig(text: string, path: string): Config {
  const document = parseConfigText(text)
  if (document.problems.length > 0) throw invalid(path, document.problems)
  if (document.value === null || document.value === undefined) {
    throw new KdrError('config-invalid', `the config file "${path}" is empty`, {
      hint: 'Write one with `kdr init`.',
    })
  }
  refuseNewer(document, path)

  const parsed = configSchema(dirname(resolve(path))).safeParse(document.value)
  if (!parsed.success) throw invalid(path, problemsOf(parsed.error.issues, document))
  const problems = crossCheck(parsed.data, document)
  if (problems.length > 0) throw invalid(path, problems)
  return deepFreeze(assemble(parsed.data, document, path))
}

function refuseNewer(document: ConfigDocument, path: string): void {
  const version =
    typeof document.value === 'object' && document.value !== null && 'v' in document.value
      ? document.value.v
      : undefined
  if (typeof version !== 'number') return
  const { line, column } = document.placeOf(['v'])
  assertVersion({ v: version }, `${path}:${line}:${column}: the config`)
}

function invalid(path: string, problems: readonly Problem[]): KdrError {
  const inOrder = problems.toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column)
  const lines = inOrder.map(({ place, message }) => `${path}:${place.line}:${place.column}: ${message}`)
  return new KdrError('config-invalid', [...new Set(lines)].join('\n'), {
    facts: {
      problems: inOrder.map(({ place, message }) => ({ line: place.line, column: place.column, message })),
    },
  })
}

function assemble(parsed: ParsedConfig, document: ConfigDocument, path: string): Config {
  return {
    path,
    clusters: mapRecord(
      parsed.clusters,
      (cluster, name): ClusterConfig => ({
        name,
        bootstrap: cluster.bootstrap,
        rack: cluster.rack,
        tls: tlsOf(cluster.tls),
        sasl: saslOf(cluster.sasl),
      }),
    ),
    links: mapRecord(
      parsed.links,
      (link, name): LinkConfig => ({
        name,
        source: link.source,
        target: link.target,
        mode: link.mode,
        topics: link.topics,
        groups: link.groups,
        overrides: link.overrides,
        priorities: link.priorities,
        onSourceDelete:
          link.onSourceDelete === 'keep' ? 'keep' : { deleteAfterMs: link.onSourceDelete.deleteAfter },
        largeGap: link.largeGap,
        onOverfilled: link.onOverfilled,
        maxBytesPerSecond: link.maxBytesPerSecond,
        connectionsPerBroker: link.connectionsPerBroker,
        sync: {
          configsMs: link.sync.configs,
          aclsMs: link.sync.acls,
          quotasMs: link.sync.quotas,
          groupsMs: link.sync.groups,
        },
        principals: link.principals,
        users: mapRecord(link.users, ({ mechanism, password }) => ({
          mechanism: MECHANISM[mechanism],
          password,
        })),
        redirects: redirectsIn(link.redirect, dirname(resolve(path))),
        denyWrites: link.denyWrites,
        fence: {
          acl: link.fence.acl,
          command: link.fence.command,
          probe: saslOf(link.fence.probe?.sasl),
        },
        consumers: consumersOf(link.consumers),
      }),
    ),
    vaults: mapRecord(parsed.vaults, (vault, name) => ({ name, ...vault })),
    sets: mapRecord(
      parsed.sets,
      ({ cluster, vault, topics, every, keep, verify, maxBytesPerSecond }, name) => ({
        name,
        cluster,
        vault,
        topics,
        every: everyOf(every),
        maxBytesPerSecond,
        keepDays: keep?.days,
        isPruned: keep?.prune === 'auto',
        verifyMs: verify,
      }),
    ),
    plans: mapRecord(parsed.plans, planOf),
    objectives: (parsed.objectives ?? []).map(({ for: of, rpo, rto }) => ({
      for: of,
      rpoMs: rpo,
      rtoMs: rto,
    })),
    accept: (parsed.accept ?? []).map(({ finding, where, until, why }) => ({ finding, where, until, why })),
    alerts: alertsOf(parsed.alerts),
    monitor: {
      everyMs: parsed.monitor.every,
      windowMs: parsed.monitor.window,
      groups: parsed.monitor.groups,
      checkMs: parsed.monitor.check,
    },
    server: document.has(['server']) ? { ...parsed.server, token: parsed.server.token } : undefined,
    notes: notesOn(parsed, document).map(({ place, message }) => ({
      line: place.line,
      column: place.column,
      message,
    })),
  }
}

function alertsOf(alerts: ParsedConfig['alerts']): AlertsConfig | undefined {
  if (alerts === undefined) return undefined
  const { webhook, command, deadMan, silence } = alerts
  return {
    webhook: webhook?.url,
    command,
    deadMan: deadMan && { url: deadMan.url, everyMs: deadMan.every },
    silences: silence.map(({ alert, where, until, why }) => ({ alert, where, until, why })),
  }
}

function everyOf(text: string | undefined): SetEvery | undefined {
  const schedule = text === undefined ? undefined : parseSchedule(text, parseDuration)
  return text === undefined || schedule === undefined ? undefined : { text, schedule }
}

/** `{ stop: fence }` means the policy: no command is called that. */
function consumersOf(consumers: ParsedConfig['links'][string]['consumers']): ConsumersPolicy {
  if (typeof consumers === 'string') return consumers
  const { stop } = consumers
  return stop === 'stop' || stop === 'fence' || stop === 'leave' ? stop : consumers
}

function tlsOf(tls: ParsedConfig['clusters'][string]['tls']): TlsConfig | undefined {
  if (tls === true) return {}
  return tls === false ? undefined : tls
}

const MECHANISM = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
} as const

function saslOf(sasl: ParsedConfig['clusters'][string]['sasl']): SaslConfig | undefined {
  if (sasl === undefined) return undefined
  if (sasl.mechanism === 'oauthbearer') {
    return sasl.token === undefined ? undefined : { mechanism: 'OAUTHBEARER', token: sasl.token }
  }
  if (sasl.username === undefined || sasl.password === undefined) return undefined
  return { mechanism: MECHANISM[sasl.mechanism], username: sasl.username, password: sasl.password }
}

function mapRecord<From, To>(
  record: Readonly<Record<string, From>>,
  make: (value: From, name: string) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, make(value, name)]))
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const inner of Object.values(value)) deepFreeze(inner)
  return Object.freeze(value)
}
