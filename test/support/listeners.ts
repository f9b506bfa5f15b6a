// Listeners of lab brokers that demand something: their properties, by the listener's name.

import type { Authority, Certificate } from './certificates.ts'

type Properties = Readonly<Record<string, string>>

/** `clientsOf`: only who has a certificate of that authority gets in (mutual TLS). */
export function tlsListener(
  name: string,
  { own, clientsOf }: { readonly own: Certificate; readonly clientsOf?: Authority },
): Properties {
  const at = `listener.name.${name}.ssl`
  return {
    [`${at}.keystore.type`]: 'PEM',
    [`${at}.keystore.location`]: own.pairFile,
    ...(clientsOf !== undefined && {
      [`${at}.client.auth`]: 'required',
      [`${at}.truststore.type`]: 'PEM',
      [`${at}.truststore.location`]: clientsOf.caFile,
    }),
  }
}

export function plainListener(name: string, users: Readonly<Record<string, string>>): Properties {
  const all = Object.entries(users).map(([user, password]) => `user_${user}="${password}"`)
  return {
    [`listener.name.${name}.sasl.enabled.mechanisms`]: 'PLAIN',
    [`listener.name.${name}.plain.sasl.jaas.config`]: `org.apache.kafka.common.security.plain.PlainLoginModule required ${all.join(' ')};`,
  }
}

/** Users are made at the cluster. */
export function scramListener(name: string): Properties {
  const mechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512']
  const login = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  return {
    [`listener.name.${name}.sasl.enabled.mechanisms`]: mechanisms.join(','),
    ...Object.fromEntries(
      mechanisms.map(each => [`listener.name.${name}.${each.toLowerCase()}.sasl.jaas.config`, login]),
    ),
  }
}

const OAUTH = 'org.apache.kafka.common.security.oauthbearer'

/** Takes tokens that nobody has signed, as long as they are not over: see `tokenFor`. */
export function oauthListener(name: string): Properties {
  const at = `listener.name.${name}.oauthbearer`
  return {
    [`listener.name.${name}.sasl.enabled.mechanisms`]: 'OAUTHBEARER',
    [`${at}.sasl.jaas.config`]: `${OAUTH}.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
    [`${at}.sasl.server.callback.handler.class`]: `${OAUTH}.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler`,
  }
}

/** A negative number of seconds: it is over. */
export function tokenFor(subject: string, seconds = 300): string {
  const now = Math.floor(Date.now() / 1_000)
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const begun = Math.min(now, now + seconds) - 60
  return `${part({ alg: 'none' })}.${part({ sub: subject, iat: begun, exp: now + seconds })}.`
}
