// What a TLS connection is made with: read anew for each one, so that certificates and keys may change at any time and nothing has
// to start again. A change is seldom one step (the certificate first, its key a moment later), so what cannot be used is passed by
// as long as there is something that could; a connection that then fails says what was in the way.
import { X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureVersion } from 'node:tls'
import { findKdrError, KdrError } from '../model/errors.ts'

/** PEM texts. */
export type TlsFiles = {
  /** The certificates to trust; undefined: the system's. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
}

export type TlsSettings = {
  /** The name that every broker's certificate must hold, instead of the one that it is reached by. */
  readonly serverName?: string | undefined
  readonly minVersion?: SecureVersion | undefined
  readonly read: () => Promise<TlsFiles>
}

export type Validity = { readonly subject: string; readonly validTo: Date }

/** What one connection uses. */
export type Tls = {
  readonly context: SecureContext
  readonly serverName: string | undefined
  readonly minVersion: SecureVersion | undefined
  /** kdr's own certificate, when it has one. `ends`: which of it and those that signed it does so first. */
  readonly own: { readonly subject: string; readonly ends: Validity } | undefined
  /** Why what stands there now is not used. */
  readonly problem: string | undefined
}

/** Throws KdrError('config-invalid') as long as nothing could be used. */
export function tlsReader(cluster: string, settings: TlsSettings): () => Promise<Tls> {
  const { serverName, minVersion, read } = settings
  let used: { readonly files: TlsFiles; readonly tls: Tls } | undefined
  return async () => {
    try {
      const files = await read()
      if (used !== undefined && isSame(used.files, files)) return used.tls
      // OpenSSL would pass by what is no certificate, and trust nobody.
      if (files.ca !== undefined) certificatesOf(files.ca).forEach(assertCertificate)
      const context = createSecureContext({
        ...given(files),
        ...(minVersion !== undefined && { minVersion }),
      })
      const tls = { context, serverName, minVersion, own: ownOf(files), problem: undefined }
      used = { files, tls }
      return tls
    } catch (error) {
      if (used !== undefined) return { ...used.tls, problem: problemOf(error) }
      if (findKdrError(error) !== undefined) throw error
      throw new KdrError(
        'config-invalid',
        `the certificates of cluster "${cluster}" cannot be used: ${problemOf(error)}`,
        {
          hint: 'Check that `tls.ca`, `tls.cert` and `tls.key` are PEM, and that the key belongs to the certificate.',
          cause: error,
        },
      )
    }
  }
}

const BEGIN = '-----BEGIN CERTIFICATE-----'

/** Of a bundle each by itself, as Node reads the first alone. A text without any is left as it is. */
export function certificatesOf(pem: string): string[] {
  const all = pem.split(new RegExp(`(?=${BEGIN})`)).filter(part => part.startsWith(BEGIN))
  return all.length > 0 ? all : [pem]
}

function assertCertificate(pem: string): void {
  void new X509Certificate(pem)
}

/** OpenSSL takes no undefined. */
const given = ({ ca, cert, key }: TlsFiles) => ({
  ...(ca !== undefined && { ca }),
  ...(cert !== undefined && { cert }),
  ...(key !== undefined && { key }),
})

const isSame = (a: TlsFiles, b: TlsFiles): boolean => a.ca === b.ca && a.cert === b.cert && a.key === b.key

function ownOf({ cert }: TlsFiles): Tls['own'] {
  if (cert === undefined) return undefined
  const chain = certificatesOf(cert).map((pem): Validity => {
    const { subject, validTo } = new X509Certificate(pem)
    return { subject: subject.split('\n').join(', '), validTo: new Date(validTo) }
  })
  const ends = chain.reduce((first, each) => (each.validTo < first.validTo ? each : first))
  return { subject: chain[0]!.subject, ends }
}

/** OpenSSL's words for what happens most; otherwise its own, which hold no part of a key. */
function problemOf(error: unknown): string {
  const known = findKdrError(error)
  if (known !== undefined) return known.message
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code.includes('KEY_VALUES_MISMATCH')) return 'the key does not belong to the certificate'
  if (code.includes('NO_START_LINE')) return 'one of them is no PEM'
  return error instanceof Error ? error.message : String(error)
}
