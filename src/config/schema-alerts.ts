// `alerts:` of the config: whom `kdr run` tells, and what is not told for a while.
import { z } from 'zod'
import { alertName, duration, moment, secret, text } from './values.ts'

export const alerts = (directory: string) =>
  z
    .strictObject({
      webhook: z
        .strictObject({
          url: secret(directory, 'Its address, with `https://` or `http://`; read at each request.'),
        })
        .meta({
          description:
            "Is sent a POST when alerts begin and when they are over: the JSON of Alertmanager's webhook, version 4.",
        })
        .optional(),
      command: text(
        'Run when alerts begin and when they are over, in the folder of the config: the facts are in `$KDR_ALERT`, `$KDR_STATUS` (firing or resolved), `$KDR_SEVERITY`, `$KDR_SUMMARY` and others, and as JSON on stdin.',
      ).optional(),
      deadMan: z
        .strictObject({
          url: secret(directory, 'Its address; read at each request.'),
          every: duration('How often.').prefault('1m'),
        })
        .meta({
          description:
            'Is sent a GET again and again, as long as `kdr run` lives: whoever hears it no more knows that nobody tells of anything.',
        })
        .optional(),
      silence: z
        .array(
          z.strictObject({
            alert: alertName('Its name, such as `KdrRpoAtRisk`, or `*`: see docs/monitoring.md.'),
            where: text(
              'Where it is silenced, anywhere if absent: patterns such as `link:east-west topic:tmp-*`, each for one label of the alert.',
            ).optional(),
            until: moment('From then on (UTC) it is told again.').optional(),
            why: text('The reason.'),
          }),
        )
        .meta({ description: 'Alerts that are shown by `kdr status`, and not told.' })
        .prefault([]),
    })
    .meta({ description: 'What `kdr run` watches by itself, without a Prometheus, and whom it tells.' })
