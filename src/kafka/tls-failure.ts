// Why a TLS connection did not come about, in words, each with what to do. What kdr refuses at the broker (its certificate, its
// version of TLS) leaves the broker out of reach; what the broker refuses at kdr is a matter of credentials.
import type { ErrorCode } from '../model/errors.ts'
import type { Tls } from './tls.ts'

/** `sentence` goes on from the broker's name. */
export type TlsFailure = {
  readonly code: Extract<ErrorCode, 'unreachable' | 'not-allowed'>
  readonly sentence: string
  readonly hint: string
}

const UNKNOWN_AUTHORITY =
  /^(UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_GET_ISSUER_CERT(_LOCALLY)?|CERT_UNTRUSTED|CERT_SIGNATURE_FAILURE|INVALID_CA)$/
/** Before its `ALERT_` OpenSSL names a version, and not always the one that is spoken. */
const ALERT = /^ERR_SSL_.*ALERT_(.+)$/
const NO_COMMON_VERSION = /UNSUPPORTED_PROTOCOL|ALERT_PROTOCOL_VERSION|VERSION_TOO_LOW/
const NO_TLS = /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|ERR_SSL_HTTP_REQUEST/

/** Undefined: TLS has nothing to do with it. `now`: for the end of kdr's own certificate. */
export function tlsFailure(
  error: Error & { readonly code?: unknown },
  tls: Tls | undefined,
  now: Date,
): TlsFailure | undefined {
  if (tls === undefined)
    return error.message.startsWith('Broker requires TLS')
      ? unreachable('wants TLS', 'Set `tls` for this cluster: `true`, or `{ ca: file:ca.pem }`.')
      : undefined
  const code = typeof error.code === 'string' ? error.code : ''
  const found = ofBroker(error, code, tls) ?? ofOwn(code, tls, now)
  if (found === undefined || tls.problem === undefined) return found
  return {
    ...found,
    sentence: `${found.sentence} (what stands in the config now is not used: ${tls.problem})`,
  }
}

const unreachable = (sentence: string, hint: string): TlsFailure => ({ code: 'unreachable', sentence, hint })
const refused = (sentence: string, hint: string): TlsFailure => ({ code: 'not-allowed', sentence, hint })

/** What kdr does not take. */
function ofBroker(error: Error, code: string, { minVersion }: Tls): TlsFailure | undefined {
  if (UNKNOWN_AUTHORITY.test(code))
    return unreachable(
      'is not trusted: its certificate is signed by an authority that kdr does not know',
      "Put the certificate of the authority that signs the brokers' into `tls.ca` of this cluster.",
    )
  if (code === 'CERT_HAS_EXPIRED')
    return unreachable(
      'is not trusted: its certificate, or that of its authority, has expired',
      'Renew the certificate of the broker; kdr connects by itself when that is done.',
    )
  if (code === 'CERT_NOT_YET_VALID')
    return unreachable(
      'is not trusted: its certificate is not valid yet',
      'Check the clocks of this machine and of whoever made the certificate.',
    )
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return otherName(error)
  if (NO_COMMON_VERSION.test(code))
    return unreachable(
      `speaks no version of TLS that kdr takes (at least ${(minVersion ?? 'TLSv1.2').replace('TLSv', '')})`,
      'Enable a newer one at the broker (`ssl.enabled.protocols`), or lower `tls.minVersion` of this cluster.',
    )
  if (NO_TLS.test(code) || error.message.startsWith('TLS handshake failed'))
    return unreachable(
      'broke the TLS handshake off: it may not speak TLS at this port',
      'Check that the port is that of a TLS listener, or take `tls` out of this cluster.',
    )
  return undefined
}

function otherName(error: Error): TlsFailure {
  const { host, cert } = error as { host?: unknown; cert?: { subjectaltname?: string } }
  const names = cert?.subjectaltname ?? 'no name at all'
  return unreachable(
    `is not trusted: its certificate is for ${names}, not for "${String(host)}"`,
    'Use a name that the certificate holds, in `bootstrap` and in `advertised.listeners` of the brokers; or say in `tls.serverName` which one to expect.',
  )
}

/** What the broker does not take: it tells by an alert. */
function ofOwn(code: string, { own }: Tls, now: Date): TlsFailure | undefined {
  const [, alert] = ALERT.exec(code) ?? []
  if (alert === undefined) return undefined
  if (own === undefined)
    return refused(
      'wants a certificate of kdr (mutual TLS)',
      'Set `tls.cert` and `tls.key` of this cluster to a certificate that the brokers trust.',
    )
  const { ends } = own
  if (ends.validTo < now || alert === 'CERTIFICATE_EXPIRED')
    return refused(
      `refuses kdr's certificate (${own.subject}): ${ends.subject === own.subject ? 'it' : `${ends.subject}, which has signed it,`} has expired, at ${ends.validTo.toISOString()}`,
      'Renew it where `tls.cert` and `tls.key` of this cluster point to; kdr takes it up by itself.',
    )
  return refused(
    `refuses kdr's certificate (${own.subject})`,
    'Check that its authority is in the truststore of the brokers, and that it may be used by clients.',
  )
}
