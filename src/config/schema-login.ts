// How kdr signs in at a cluster, and whom it trusts there: `sasl` and `tls`.

import { z } from 'zod'
import { pem, secret, text } from './values.ts'

const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'] as const

const mechanism = z
  .preprocess(
    value => (typeof value === 'string' ? value.toLowerCase().replaceAll('_', '-') : value),
    z.enum(MECHANISMS, { error: `expected one of ${MECHANISMS.join(', ')}` }),
  )
  .meta({ description: 'How to authenticate; in any case.' })

const TLS_VERSIONS = ['1.2', '1.3'] as const

/** YAML takes it for a number. */
const tlsVersion = z
  .preprocess(
    value => (typeof value === 'number' ? String(value) : value),
    z.enum(TLS_VERSIONS, { error: `expected ${TLS_VERSIONS.join(' or ')}` }),
  )
  .meta({ description: 'The oldest version of TLS to speak; 1.2 if absent.' })

/** `directory`: where the config file is; relative `file:` references start there. */
export function saslSchema(directory: string) {
  return z
    .strictObject({
      mechanism,
      username: text('For plain and scram.').optional(),
      password: secret(directory, 'For plain and scram.').optional(),
      token: secret(directory, 'For oauthbearer: the token, read anew for each connection.').optional(),
    })
    .superRefine((value, context) => {
      const needed =
        value.mechanism === 'oauthbearer' ? (['token'] as const) : (['username', 'password'] as const)
      const foreign =
        value.mechanism === 'oauthbearer' ? (['username', 'password'] as const) : (['token'] as const)
      for (const key of needed) {
        if (value[key] === undefined)
          context.addIssue({
            code: 'custom',
            path: [key],
            message: `\`${key}\` is missing: ${value.mechanism} needs it`,
          })
      }
      for (const key of foreign) {
        if (value[key] !== undefined)
          context.addIssue({ code: 'custom', path: [key], message: `${value.mechanism} has no \`${key}\`` })
      }
    })
    .meta({ description: 'SASL authentication.' })
}

export function tlsSchema(directory: string) {
  return z
    .union(
      [
        z.boolean(),
        z
          .strictObject({
            ca: pem(directory, "The certificates to trust, instead of the system's.").optional(),
            cert: pem(directory, "kdr's own certificate, for mutual TLS.").optional(),
            key: pem(directory, 'The private key of `cert`.').optional(),
            serverName: text(
              "The name that every broker's certificate must hold, instead of the one that it is reached by.",
            ).optional(),
            minVersion: tlsVersion.optional(),
          })
          .superRefine((value, context) => {
            if ((value.cert === undefined) !== (value.key === undefined)) {
              context.addIssue({ code: 'custom', message: '`cert` and `key` belong together: give both' })
            }
          }),
      ],
      { error: 'expected `true`, or { ca, cert, key, serverName, minVersion }' },
    )
    .meta({ description: "`true` (trust the system's certificates) or the certificates." })
}
