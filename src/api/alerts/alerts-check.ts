// The alerts on what the whole check finds that `kdr run` carries out by itself: one for each id, so that what comes on top is told too.
import type { FindingId } from '../../model/findings.ts'
import { type Alert, is, of } from './alert.ts'

/** What somebody has changed at one side of a link, or what has not followed. */
const DRIFT: readonly FindingId[] = ['C074', 'C075', 'C076', 'C077', 'C078', 'C079', 'C080', 'C081']
const CERTIFICATES: readonly FindingId[] = ['C035']
/** So many checks in a row have not come to an end. */
const MISSED = 3
/** Without `kdr_check_interval_seconds`, which is always there with the other. */
const EVERY_SECONDS = 3_600

const ID = '{{ $labels.id }}'
const PAGE =
  '`kdr check` says where and shows the command that mends it; docs/findings has a page for each id.'

export const CHECK_ALERTS: readonly Alert[] = [
  {
    name: 'KdrNotReady',
    when: is(of('kdr_findings', { where: ['severity', 'error'], by: ['max', 'id'] }), '>', 0),
    forSeconds: 900,
    severity: 'page',
    summary: `kdr check says NOT READY: it finds ${ID} {{ $value }} time(s)`,
    action: PAGE,
  },
  {
    name: 'KdrDrift',
    when: is(of('kdr_findings', { where: ['id', ...DRIFT], by: ['max', 'id'] }), '>', 0),
    forSeconds: 900,
    severity: 'ticket',
    summary: `the two sides of a link differ: kdr check finds ${ID} {{ $value }} time(s)`,
    action: PAGE,
  },
  {
    name: 'KdrCertificateExpires',
    when: is(of('kdr_findings', { where: ['id', ...CERTIFICATES], by: ['max', 'id'] }), '>', 0),
    forSeconds: 0,
    severity: 'ticket',
    summary: 'certificates of brokers, or of kdr itself, are about to expire',
    action: 'Renew them, and have the brokers load them; `kdr check` names each, with its day.',
  },
  {
    name: 'KdrCheckStale',
    when: {
      any: [
        is(of('kdr_check_failing', { by: ['max', 'instance'] }), '>', 0),
        is(of('kdr_check_timestamp_seconds', { by: ['max', 'instance'], as: 'age' }), '>', {
          metric: 'kdr_check_interval_seconds',
          on: 'instance',
          times: MISSED,
          otherwise: EVERY_SECONDS * MISSED,
        }),
        {
          figure: of('kdr_check_interval_seconds', { by: ['max', 'instance'] }),
          without: 'kdr_check_timestamp_seconds',
          on: 'instance',
        },
      ],
    },
    forSeconds: 900,
    severity: 'ticket',
    summary:
      'kdr at {{ $labels.instance }} cannot carry out the whole check: nobody knows what it would find now',
    action: 'The log of `kdr run` says why; `kdr check` shows the same at once.',
  },
]
