// The part of the table of metrics that is about the whole `kdr check` that `kdr run` carries out by itself.
import type { MetricSpec } from './table.ts'

export const CHECK_METRICS = {
  kdr_findings: {
    type: 'gauge',
    help: 'How often the last whole check found it, by id (docs/findings); there only while it is found. What is accepted is left out.',
    labels: ['id', 'severity'],
    by: 'checker',
    from: '`kdr check`, as often as `monitor.check` says',
  },
  kdr_check_timestamp_seconds: {
    type: 'gauge',
    help: 'When the last whole check ended that could be carried out, in seconds since 1970.',
    labels: [],
    by: 'checker',
    from: '`kdr check`',
  },
  kdr_check_failing: {
    type: 'gauge',
    help: 'Whether the last one could not be carried out, or has been under way for more than 10 minutes.',
    labels: [],
    by: 'checker',
    from: '`kdr check`',
  },
  kdr_check_interval_seconds: {
    type: 'gauge',
    help: 'How long it takes at most until the next one.',
    labels: [],
    by: 'checker',
    from: '`monitor.check`',
  },
} as const satisfies Record<string, MetricSpec>
