// The part of the table of metrics that is about what a link asks of its clusters.
import type { MetricSpec } from './table.ts'

const ASKED = ['link', 'source', 'target', 'cluster'] as const

export const TRAFFIC = {
  kdr_connections: {
    type: 'gauge',
    help: 'Open connections that carry data, wait for news, or append.',
    labels: [...ASKED, 'kind'],
    by: 'share',
    from: 'this process',
  },
  kdr_fetch_duration_seconds: {
    type: 'histogram',
    help: 'From request to answer, of fetches that brought records; where a broker waited for news it is not timed.',
    labels: ASKED,
    by: 'share',
    from: 'each Fetch',
  },
  kdr_fetched_bytes_total: {
    type: 'counter',
    help: 'Raw batches that were fetched, those that are not copied included.',
    labels: ASKED,
    by: 'share',
    from: 'each Fetch',
  },
  kdr_fetched_closest_bytes_total: {
    type: 'counter',
    help: 'Of these, what came from a replica that is closer than the leader (`rack` of the cluster).',
    labels: ASKED,
    by: 'share',
    from: 'each Fetch',
  },
  kdr_fetch_rest_seconds_total: {
    type: 'counter',
    help: 'How long connections have rested, in all, because a broker answered more slowly than it usually does.',
    labels: ASKED,
    by: 'share',
    from: 'each Fetch',
  },
  kdr_append_duration_seconds: {
    type: 'histogram',
    help: 'From request to answer, of appends.',
    labels: ASKED,
    by: 'share',
    from: 'each Produce',
  },
  kdr_appended_batches_total: {
    type: 'counter',
    help: 'Batches that the brokers have acknowledged.',
    labels: ASKED,
    by: 'share',
    from: 'each Produce',
  },
  kdr_request_failures_total: {
    type: 'counter',
    help: 'Fetches and appends that got no answer.',
    labels: ASKED,
    by: 'share',
    from: 'each Fetch and Produce',
  },
} as const satisfies Record<string, MetricSpec>
