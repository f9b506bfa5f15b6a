// Signed requests and answers (TSIG, RFC 8945): who asks, and that the answer is of the server that has the same key and to
// this very request. The key's bytes leave this file only as a MAC.

import { createHmac, timingSafeEqual } from 'node:crypto'
import { fullName } from '../model/dns-names.ts'
import { KdrError } from '../model/errors.ts'
import {
  CLASS,
  type DnsAnswer,
  type DnsRecord,
  parseName,
  TYPE,
  uint16,
  writeName,
  writeRecord,
} from './dns-wire.ts'

/** Names of algorithms in the DNS, and how Node calls their hashes. */
const HASHES: Readonly<Record<string, string>> = {
  'hmac-sha1': 'sha1',
  'hmac-sha224': 'sha224',
  'hmac-sha256': 'sha256',
  'hmac-sha384': 'sha384',
  'hmac-sha512': 'sha512',
}

/** How far the clocks may be apart; 300 is what the RFC recommends. */
const FUDGE_SECONDS = 300
const ADDITIONAL_COUNT_AT = 10

/** TSIG's own codes (RFC 8945, 5.3). */
export const TSIG_ERRORS: Readonly<Record<number, string>> = {
  16: 'BADSIG',
  17: 'BADKEY',
  18: 'BADTIME',
  22: 'BADTRUNC',
}

export class TsigKey {
  /** In full. */
  readonly name: string
  readonly algorithm: string
  readonly #secret: Buffer

  private constructor(name: string, algorithm: string, secret: Buffer) {
    this.name = name
    this.algorithm = algorithm
    this.#secret = secret
  }

  /**
   * What `tsig-keygen` writes (`key "name" { algorithm hmac-sha256; secret "..."; };`), or `hmac-sha256:name:secret`.
   * `shown`: how the text is referred to in messages. Throws KdrError('config-invalid'), never with what was given.
   */
  static parse(text: string, shown: string): TsigKey {
    const refuse = (why: string) =>
      new KdrError('config-invalid', `the TSIG key "${shown}" cannot be used: ${why}`, {
        hint: 'Write what `tsig-keygen NAME` prints, or `hmac-sha256:NAME:SECRET`.',
      })
    const parts = partsOf(text)
    if (parts === undefined) throw refuse('it is neither one `key` statement nor `algorithm:name:secret`')
    const algorithm = parts.algorithm.toLowerCase().replace(/\.$/, '')
    if (HASHES[algorithm] === undefined)
      throw refuse(`its algorithm must be one of ${Object.keys(HASHES).join(', ')}`)
    if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(parts.secret))
      throw refuse('its secret is not base64')
    return new TsigKey(fullName(parts.name), algorithm, Buffer.from(parts.secret, 'base64'))
  }

  mac(...parts: readonly Buffer[]): Buffer {
    const hmac = createHmac(HASHES[this.algorithm] ?? '', this.#secret)
    for (const part of parts) hmac.update(part)
    return hmac.digest()
  }

  toString(): string {
    return this.name
  }

  toJSON(): string {
    return this.name
  }
}

function partsOf(text: string): { algorithm: string; name: string; secret: string } | undefined {
  // Whole lines only: `//` may stand within the base64 of a secret.
  const plain = text.replace(/\/\*[\s\S]*?\*\/|^\s*(?:\/\/|#).*$/gm, ' ')
  const statements = [...plain.matchAll(/\bkey\s+"?([^"\s{]+)"?\s*\{([^}]*)\}/g)]
  const [only] = statements
  if (only !== undefined) {
    const field = (name: string) => new RegExp(`\\b${name}\\s+"?([^"\\s;]+)"?\\s*;`).exec(only[2] ?? '')?.[1]
    const [algorithm, secret] = [field('algorithm'), field('secret')]
    if (statements.length > 1 || algorithm === undefined || secret === undefined) return undefined
    return { algorithm, name: only[1] ?? '', secret }
  }
  const [, algorithm, name, secret] = /^([^:\s]+):([^:\s]+):(\S+)$/.exec(text.trim()) ?? []
  return algorithm === undefined || name === undefined || secret === undefined
    ? undefined
    : { algorithm, name, secret }
}

/** `mac`: of the request, which the answer's signature covers too. */
export type Signed = { readonly bytes: Buffer; readonly mac: Buffer }

/** `message`: without additional records. `seconds`: since 1970. */
export function sign(message: Buffer, key: TsigKey, seconds: number): Signed {
  const fields: TsigFields = { seconds, fudge: FUDGE_SECONDS, error: 0, other: Buffer.alloc(0) }
  const mac = key.mac(message, variables(key, fields))
  const record = writeRecord({
    name: key.name,
    type: TYPE.TSIG,
    class: CLASS.ANY,
    ttl: 0,
    data: Buffer.concat([
      writeName(key.algorithm),
      time(seconds),
      uint16(FUDGE_SECONDS),
      uint16(mac.length),
      mac,
      message.subarray(0, 2),
      uint16(0),
      uint16(0),
    ]),
  })
  const bytes = Buffer.concat([message, record])
  bytes.writeUInt16BE(1, ADDITIONAL_COUNT_AT)
  return { bytes, mac }
}

/**
 * `ok`: of whoever has the key, to this request, and fresh. `unsigned`: it bears no signature. `refused`: the server could not
 * accept the request's signature (`error`, of TSIG_ERRORS; `theirs`: its clock, in seconds, where it tells). `wrong`: the rest.
 */
export type Verdict =
  | { readonly is: 'ok' | 'unsigned' | 'wrong' }
  | { readonly is: 'refused'; readonly error: number; readonly theirs: number | undefined }

export function verify(
  bytes: Buffer,
  answer: DnsAnswer,
  key: TsigKey,
  requestMac: Buffer,
  seconds: number,
): Verdict {
  if (answer.tsig === undefined) return { is: 'unsigned' }
  const parsed = parseTsig(answer.tsig)
  if (parsed === undefined) return { is: 'wrong' }
  // Nobody can sign to a key that is not known there, so this much is believed unsigned: it only ever refuses.
  if (parsed.error !== 0) {
    const theirs = parsed.other.length === 6 ? parsed.other.readUIntBE(0, 6) : undefined
    return { is: 'refused', error: parsed.error, theirs }
  }
  if (answer.tsig.name !== key.name || parsed.algorithm !== fullName(key.algorithm)) return { is: 'wrong' }

  // What the server signed: the message as it was before the signature was added, with the request's id.
  const message = Buffer.from(bytes.subarray(0, answer.tsig.start))
  parsed.originalId.copy(message, 0)
  message.writeUInt16BE(message.readUInt16BE(ADDITIONAL_COUNT_AT) - 1, ADDITIONAL_COUNT_AT)
  const expected = key.mac(uint16(requestMac.length), requestMac, message, variables(key, parsed))
  const isSame = expected.length === parsed.mac.length && timingSafeEqual(expected, parsed.mac)
  const isFresh = Math.abs(parsed.seconds - seconds) <= parsed.fudge
  return { is: isSame && isFresh ? 'ok' : 'wrong' }
}

type TsigFields = {
  readonly seconds: number
  readonly fudge: number
  readonly error: number
  readonly other: Buffer
}

/** What is signed beside the message (RFC 8945, 4.3.3). */
function variables(key: TsigKey, { seconds, fudge, error, other }: TsigFields): Buffer {
  return Buffer.concat([
    writeName(key.name),
    uint16(CLASS.ANY),
    Buffer.alloc(4),
    writeName(key.algorithm),
    time(seconds),
    uint16(fudge),
    uint16(error),
    uint16(other.length),
    other,
  ])
}

function time(seconds: number): Buffer {
  const bytes = Buffer.alloc(6)
  bytes.writeUIntBE(seconds, 0, 6)
  return bytes
}

type Tsig = TsigFields & { readonly algorithm: string; readonly mac: Buffer; readonly originalId: Buffer }

/** Undefined: its lengths do not fit. */
function parseTsig({ data }: DnsRecord): Tsig | undefined {
  const algorithm = parseName(data)
  const rest = data.subarray(writeName(algorithm).length)
  const macLength = rest.length >= 10 ? rest.readUInt16BE(8) : Infinity
  if (rest.length < 16 + macLength) return undefined
  const tail = rest.subarray(10 + macLength)
  const other = tail.subarray(6)
  if (other.length !== tail.readUInt16BE(4)) return undefined
  return {
    algorithm,
    seconds: rest.readUIntBE(0, 6),
    fudge: rest.readUInt16BE(6),
    mac: rest.subarray(10, 10 + macLength),
    originalId: tail.subarray(0, 2),
    error: tail.readUInt16BE(2),
    other,
  }
}
