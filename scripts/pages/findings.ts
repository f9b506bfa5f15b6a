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
  ].join('\n')
}

function findingPage(id: string, { severity, title, cause, wayOut, command }: FindingSpec): string {
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
  ].join('\n')
}
