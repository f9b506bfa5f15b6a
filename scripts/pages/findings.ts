// docs/findings: a page for each finding of `kdr check`.

import { FINDINGS, type FindingSpec } from '../../src/model/findings.ts'

/** File names under docs, with their text: one for each id, and the list of them. */
export function findingPages(): ReadonlyMap<string, string> {
  const all: [string, FindingSpec][] = Object.entries(FINDINGS)
  return new Map([
    ['findings/README.md', findingsPage(all)],
    ...all.map(([id, spec]) => [`findings/${id}.md`, findingPage(id, spec)] as const),
  ])
}

function findingsPage(all: readonly (readonly [string, FindingSpec])[]): string {
  return [
    '# Findings of `kdr check`',
    '',
    'Made by `make docs` from `src/model/findings.ts`. An id keeps its meaning; the gravity of one finding may differ from the one here',
    'where the case is graver, or less so. To accept one: `accept: [ { finding: C012, where: "topic:tmp-*", until: 2027-01-01, why: "scratch data" } ]`.',
    '',
    '| id | gravity | |',
    '|---|---|---|',
    ...all.map(([id, { severity, title }]) => `| [${id}](${id}.md) | ${severity} | ${title} |`),
    '',
    '## What `kdr check --fix` mends',
    '',
    'It shows what it would do, and does it after approval (`--yes`, or the typed name of the cluster; `--dry-run` only shows). Then it looks again until each is seen to be mended.',
    'Only what loses nothing, moves no data and can be taken back at once. Never: replicas moved, anything deleted, a number of replicas in sync lowered, a broker restarted, what somebody may have',
    'set on purpose (a pause, a value of one broker), what copies or reads much (a first backup, a verification). Configs that have not followed to a mirror are left to `kdr run`. What was accepted is not mended.',
    '',
    '| id | where, and why it is safe |',
    '|---|---|',
    ...all.flatMap(([id, { safeFix }]) =>
      safeFix === undefined ? [] : [`| [${id}](${id}.md) | ${safeFix} |`],
    ),
    '',
    'It takes rights that looking does not: `kdr config acls --for check-fix` prints them.',
    '',
  ].join('\n')
}

function findingPage(id: string, { severity, title, cause, wayOut, command, safeFix }: FindingSpec): string {
  return [
    `# ${id}: ${title}`,
    '',
    'Made by `make docs` from `src/model/findings.ts`.',
    '',
    `*${severity}.* ${cause}`,
    '',
    '## Way out',
    '',
    wayOut,
    '',
    ...(command === undefined
      ? []
      : [
          '`kdr check` fills in the names:',
          '',
          '```sh',
          command.replaceAll('{at}', '--bootstrap-server {address}'),
          '```',
          '',
        ]),
    ...(safeFix === undefined ? [] : ['## `kdr check --fix`', '', safeFix, '']),
  ].join('\n')
}
