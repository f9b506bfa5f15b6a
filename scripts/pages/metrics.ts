// docs/reference/metrics.md.

import { METRICS, type SaidBy } from '../../src/api/metrics/table.ts'
import { code } from './code.ts'

const SAID_BY: Readonly<Record<SaidBy, string>> = {
  process: 'each process, of itself',
  share: 'each process, of what it copies: the sum over all of them is the link',
  owner: 'the process that does the control work of the link (slot 0), for the whole link',
  sets: 'each process, of the sets of its config',
  watcher:
    'whoever watches the cluster: `kdr run --only monitor`; else, where a link names the cluster, the process that does the control work of the link, and where none does, each',
  checker:
    'whoever carries out the whole check: the process that does the control work of the first link of the config that runs; where no link runs, each that watches clusters',
}

export function metricsPage(): string {
  const all = Object.entries(METRICS)
  return [
    '# Metrics',
    '',
    'Made by `make docs` from `src/api/metrics/table.ts`. What to do with them: [monitoring](../monitoring.md).',
    '',
    '`kdr run` serves them at `/metrics` of `server.listen`. What is not known is left out. Metrics with the labels `topic` and `partition` have',
    'one series a topic, or one a partition with `perPartition: true` of `server`. Of what would make more than 20,000 series in all, the last ones of',
    'the table are summed up by topic or by link, without these labels; `kdr_metrics_coarsened` names them.',
    ...(Object.keys(SAID_BY) as SaidBy[]).flatMap(by => [
      '',
      `## Said by ${SAID_BY[by]}`,
      '',
      '| metric | type | labels | | from |',
      '|---|---|---|---|---|',
      ...all
        .filter(([, spec]) => spec.by === by)
        .map(
          ([name, { type, labels, help, from }]) =>
            `| \`${name}\` | ${type} | ${labels.map(code).join(', ')} | ${help} | ${from} |`,
        ),
    ]),
    '',
  ].join('\n')
}
