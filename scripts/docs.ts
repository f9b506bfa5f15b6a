// Writes the pages of docs that are made from tables in code, and the man page. test/docs.test.ts fails when they are not current.

import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rulesText } from '../src/api/alerts/alerts.ts'
import { dashboard } from '../src/api/dashboard/dashboard.ts'
import { openApi } from '../src/api/openapi.ts'
import type { App } from '../src/cli/app.ts'
import { commandsPage, manPage } from '../src/cli/help/command-pages.ts'
import { type CommandNode, commandTree } from '../src/cli/help/command-tree.ts'
import { EXIT_CODES } from '../src/cli/exit-codes.ts'
import { buildProgram } from '../src/cli/program.ts'
import { configJsonSchema, type JsonSchema } from '../src/config/json-schema.ts'
import { HELD, NOT_COPIED } from '../src/engine/replicate/mirror-configs.ts'
import { HARMLESS_ON_CLUSTER, HARMLESS_ON_TOPICS } from '../src/engine/sync/acl-plan.ts'
import { ERRORS } from '../src/model/errors.ts'
import { kdrVersion } from '../src/wiring/version.ts'
import { code } from './pages/code.ts'
import { dependenciesPage } from './pages/dependencies.ts'
import { findingPages } from './pages/findings.ts'
import { metricsPage } from './pages/metrics.ts'
import { rightsPage } from './pages/rights.ts'

/** File names under docs, with their text. */
export function madePages(): ReadonlyMap<string, string> {
  return new Map([
    ['reference/commands.md', commandsPage(commands())],
    ['reference/config.md', configPage()],
    ['reference/dependencies.md', dependenciesPage()],
    ['reference/exit-codes.md', exitCodesPage()],
    ['reference/metrics.md', metricsPage()],
    ['reference/not-copied.md', notCopiedPage()],
    ['reference/openapi.json', `${JSON.stringify(openApi(kdrVersion()), undefined, 2)}\n`],
    ['reference/rights.md', rightsPage()],
    ...findingPages(),
    ['monitoring/alerts.yaml', rulesText()],
    ['monitoring/dashboard.json', `${JSON.stringify(dashboard(), undefined, 2)}\n`],
    ['kdr.1', manPage(commands(), kdrVersion())],
  ])
}

/** Nothing of it is run: what the commands would do with the world is not needed. */
function commands(): CommandNode {
  return commandTree(buildProgram({ version: kdrVersion() } as App))
}

function configPage(): string {
  const rows: Row[] = []
  collect(configJsonSchema(), '', false, false, rows)
  const now = rows.filter(row => !row.isLater)
  const later = rows.filter(row => row.isLater)
  return [
    '# `kdr.yaml`',
    '',
    'Made by `make docs` from `src/config/schema.ts`.',
    '',
    'Only `bootstrap`, `source` and `target` are required. Unknown keys are errors. `NAME` is a name of your choice.',
    '',
    '- A *secret* is a reference: `env:NAME`, `file:PATH` (from the folder of the config) or `exec:COMMAND`. It is read each time it is used, and never printed.',
    '- A *duration* is `500ms`, `30s`, `5m`, `12h`, `7d`; a *size* `64KiB`, `50MB`, `1GB`.',
    '- *Patterns* are globs (`*`, `?`), or regular expressions after `re:`; the last one that matches wins, `!x` excludes.',
    '  A broad pattern (a glob without a letter or a digit, such as `*`; a regular expression that matches any name) passes by the internal topics of',
    "  Schema Registry, Connect, MirrorMaker 2 and Confluent's programs: name those. `__*` must be named without a wildcard.",
    '  `_kdr.*`, `__consumer_offsets` and the other topics that Kafka keeps for itself are never copied.',
    '',
    ...tableOf(now),
    '',
    '## Keys of later releases',
    '',
    'They are checked in shape, `kdr config check` notes them, and they have no effect yet.',
    '',
    ...tableOf(later),
    '',
  ].join('\n')
}

function notCopiedPage(): string {
  return [
    '# What is not copied, and what is held',
    '',
    'Made by `make docs` from `src/engine/replicate/mirror-configs.ts` and `src/engine/sync/acl-plan.ts`.',
    '',
    "A mirror topic gets the source topic's partitions and every config that is set on the topic itself. Not copied:",
    '',
    '| topic config | why |',
    '|---|---|',
    ...NOT_COPIED.map(([name, why]) => `| \`${name}\` | ${why} |`),
    '| a config that the target does not know | an older target; `kdr run` names it once |',
    "| defaults of the source's brokers | they belong to that cluster; only `cleanup.policy` is carried over, because it decides what the log holds |",
    '',
    'Held on a mirror until it is promoted, because a mirror must neither delete nor refuse anything by itself:',
    '',
    '| topic config | value |',
    '|---|---|',
    ...Object.entries(HELD).map(([name, value]) => `| \`${name}\` | \`${value}\` |`),
    "| `max.message.bytes` | 104857600, or the source's if that is more |",
    '| `min.insync.replicas` | as at the source, at most the replication factor |',
    '| `cleanup.policy` | `delete` while a compacted mirror is seeded, then as at the source |',
    '',
    'If somebody changes one of these at the target, kdr says so once and leaves it.',
    '',
    'Also not copied, by intent:',
    '',
    "- Producer ids, epochs and sequence numbers: a mirror carries the link's own. Leader epochs: the target's own.",
    '- Records of aborted transactions, and control markers as such: their offsets hold markers that no reader sees.',
    "- The time in markers is the target broker's: lookups by time on mirrors of transactional or compacted topics may answer too early.",
    '- `__consumer_offsets`, `__transaction_state` and other topics that Kafka keeps for itself, and `_kdr.*`. Group offsets are copied through the API, with leader epoch -1.',
    '- Share groups, which acknowledge record by record, and streams groups, whose topology their coordinator knows.',
    "- Internal topics of Schema Registry, Connect, MirrorMaker 2 and Confluent's programs, unless a pattern names them.",
    '',
    '## ACLs, quotas and users',
    '',
    'ACLs follow with all resource and pattern types, additions and removals. Held back until promotion, and listed by `kdr status --json`:',
    '',
    '| rule | why |',
    '|---|---|',
    `| ALLOW on a topic, of anything but ${HARMLESS_ON_TOPICS.map(code).join(', ')}, whose pattern reaches a mirror or what the links' patterns may take later | a mirror has one writer |`,
    `| ALLOW on the cluster, of anything but ${HARMLESS_ON_CLUSTER.map(code).join(', ')} | ALTER gives any right, CLUSTER_ACTION writes markers |`,
    '| DENY for `User:*` from every address, on what kdr does at the target itself | a denial wins over whatever allows, and has no "all but" |',
    '| ALLOW of what such a denial takes away | the target must not allow what the source denies |',
    '',
    'Not copied, by intent:',
    '',
    "- ACLs and quotas of kdr's own principals (the SASL users of both clusters in the config, or the subjects of its certificates), quotas of the client id `kdr`, and ACLs about names that begin with `_kdr.`.",
    '- What kdr has itself put at the source, for a link that leads there.',
    '- Nothing that the target has by itself is changed or taken away: neither rules nor quotas, which `kdr status --json` lists where they differ. Default quotas hold for kdr too: give its user a quota of its own at the target.',
    '- Passwords: no cluster tells them. SCRAM users that the target lacks are named; those whose secret `users:` of the link names are made there, and proven with a login.',
    '- Delegation tokens: they belong to the cluster that has issued them.',
    '',
  ].join('\n')
}

type Row = {
  readonly key: string
  readonly form: string
  readonly fallback: string
  readonly description: string
  readonly isLater: boolean
}

function collect(schema: JsonSchema, path: string, isRequired: boolean, isLater: boolean, rows: Row[]): void {
  const later = isLater || schema['x-later'] === true
  const branches = schema.anyOf ?? [schema]
  if (
    path !== '' &&
    (schema.description !== undefined || branches.every(branch => branch.properties === undefined))
  ) {
    rows.push({
      key: path,
      form: formOf(schema),
      fallback: fallbackOf(schema, isRequired),
      description: schema.description ?? '',
      isLater: later,
    })
  }
  for (const branch of branches) {
    for (const [key, inner] of Object.entries(branch.properties ?? {})) {
      collect(
        inner,
        path === '' ? key : `${path}.${key}`,
        branch.required?.includes(key) === true,
        later,
        rows,
      )
    }
    if (typeof branch.additionalProperties === 'object' && hasKeys(branch.additionalProperties)) {
      collect(branch.additionalProperties, `${path}.NAME`, false, later, rows)
    }
    if (branch.items !== undefined && hasKeys(branch.items))
      collect(branch.items, `${path}[]`, false, later, rows)
  }
}

function hasKeys(schema: JsonSchema): boolean {
  return (schema.anyOf ?? [schema]).some(branch => branch.properties !== undefined)
}

function formOf(schema: JsonSchema): string {
  if (schema['x-form'] !== undefined) return schema['x-form']
  if (schema.enum !== undefined) return schema.enum.map(value => `\`${String(value)}\``).join(', ')
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``
  if (schema.anyOf !== undefined) return schema.anyOf.map(formOf).join(' or ')
  if (schema.type === 'object') return 'keys'
  if (schema.type === 'array') return 'list'
  return { string: 'text', boolean: '`true`, `false`' }[String(schema.type)] ?? String(schema.type)
}

function fallbackOf(schema: JsonSchema, isRequired: boolean): string {
  if (isRequired) return 'required'
  const { default: value } = schema
  if (value === undefined || (typeof value === 'object' && JSON.stringify(value) === '{}')) return ''
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}

function tableOf(rows: readonly Row[]): string[] {
  return [
    '| key | value | default | |',
    '|---|---|---|---|',
    ...rows.map(
      row => `| \`${row.key}\` | ${row.form} | ${row.fallback} | ${row.description.replaceAll('|', '\\|')} |`,
    ),
  ]
}

function exitCodesPage(): string {
  const errors = Object.entries(ERRORS)
  return [
    '# Exit codes and errors',
    '',
    'Made by `make docs` from `src/cli/exit-codes.ts` and `src/model/errors.ts`. With `--json`, an error is',
    '`{ "v": 1, "error": { "code", "message", "hint", "exit" } }` on stdout.',
    '',
    '| exit | meaning | error codes |',
    '|---|---|---|',
    ...EXIT_CODES.map(([exit, meaning]) => {
      const codes = errors.filter(([, spec]) => spec.exit === exit).map(([code]) => `\`${code}\``)
      return `| ${exit} | ${meaning} | ${exit === 1 ? '`unexpected`' : codes.join(', ')} |`
    }),
    '',
    '| error code | hint |',
    '|---|---|',
    ...errors.map(([code, { hint }]) => `| \`${code}\` | ${hint} |`),
    '',
  ].join('\n')
}

if (import.meta.main) {
  const directory = fileURLToPath(new URL('../docs/', import.meta.url))
  for (const folder of ['reference', 'findings', 'monitoring'])
    mkdirSync(`${directory}${folder}`, { recursive: true })
  for (const [name, text] of madePages()) writeFileSync(`${directory}${name}`, text)
}
