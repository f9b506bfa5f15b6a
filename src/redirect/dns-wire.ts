// The bytes of DNS messages (RFC 1035, 4), as far as asking for a record and updating it (RFC 2136) needs. The packages for
// it know neither the empty RDATA and the classes NONE and ANY that prerequisites are made of, nor how to sign (tsig.ts).

import { KdrError } from '../model/errors.ts'

export const TYPE = { A: 1, CNAME: 5, SOA: 6, TXT: 16, AAAA: 28, TSIG: 250 } as const
export const CLASS = { IN: 1, NONE: 254, ANY: 255 } as const
export const OPCODE = { query: 0, update: 5 } as const

/** RFC 1035 and 2136; what a server answers beyond these is shown as its number. */
export const RCODES = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
] as const

/** `name`: in full, as fullName gives it. `data`: RDATA without compression. `ttl`: in seconds. */
export type DnsRecord = {
  readonly name: string
  readonly type: number
  readonly class: number
  readonly ttl: number
  readonly data: Buffer
}

export type Question = { readonly name: string; readonly type: number; readonly class: number }

/** In an update the sections are called zone, prerequisites, update (RFC 2136, 2). */
export type DnsMessage = {
  readonly id: number
  readonly opcode: number
  readonly question: Question
  readonly answers: readonly DnsRecord[]
  readonly authority: readonly DnsRecord[]
}

export type DnsAnswer = {
  readonly id: number
  readonly rcode: number
  /** The server has the zone itself, and does not repeat what it has heard. */
  readonly isAuthoritative: boolean
  readonly isTruncated: boolean
  readonly answers: readonly DnsRecord[]
  /** With `start`, where its bytes begin: what is signed ends there. */
  readonly tsig: (DnsRecord & { readonly start: number }) | undefined
}

const HEADER_BYTES = 12
const POINTER = 0xc0

export function writeMessage({ id, opcode, question, answers, authority }: DnsMessage): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  for (const [index, value] of [id, opcode << 11, 1, answers.length, authority.length, 0].entries()) {
    header.writeUInt16BE(value, index * 2)
  }
  return Buffer.concat([
    header,
    writeName(question.name),
    uint16(question.type),
    uint16(question.class),
    ...[...answers, ...authority].map(writeRecord),
  ])
}

export function writeRecord({ name, type, class: klass, ttl, data }: DnsRecord): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(klass, 2)
  fixed.writeUInt32BE(ttl, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([writeName(name), fixed, data])
}

/** Never compressed: TSIG and the RDATA of prerequisites must not be. */
export function writeName(name: string): Buffer {
  const labels = name.replace(/\.$/, '').split('.')
  const parts = labels
    .filter(label => label !== '')
    .map(label => [Buffer.of(label.length), Buffer.from(label)])
  return Buffer.concat([...parts.flat(), Buffer.of(0)])
}

export function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

/** Throws KdrError('corrupt') for bytes that are no answer. */
export function parseAnswer(bytes: Buffer): DnsAnswer {
  try {
    return new Reader(bytes).answer()
  } catch (error) {
    throw new KdrError('corrupt', 'the name server sent an answer that cannot be read', {
      hint: 'Check that `server` of the redirect is a name server.',
      cause: error,
    })
  }
}

/** Of RDATA of its own; names in it stand in full. */
export function parseName(data: Buffer): string {
  return new Reader(data).name()
}

/** Reading beyond the end throws RangeError, by Buffer. */
class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  answer(): DnsAnswer {
    const [id, flags, questions, answers, authority, additional] = Array.from({ length: 6 }, () =>
      this.uint16(),
    )
    for (let each = 0; each < questions!; each++) {
      this.name()
      this.#at += 4
    }
    const found = Array.from({ length: answers! }, () => this.record())
    const rest = Array.from({ length: authority! + additional! }, () => this.record())
    const last = rest.at(-1)
    return {
      id: id!,
      rcode: flags! & 0xf,
      isAuthoritative: (flags! & 0x0400) !== 0,
      isTruncated: (flags! & 0x0200) !== 0,
      answers: found,
      tsig: last?.type === TYPE.TSIG ? last : undefined,
    }
  }

  record(): DnsRecord & { readonly start: number } {
    const start = this.#at
    const name = this.name()
    const type = this.uint16()
    const klass = this.uint16()
    const ttl = this.uint16() * 0x10000 + this.uint16()
    const length = this.uint16()
    const end = this.#at + length
    if (end > this.#bytes.length) throw new RangeError('a record ends beyond the message')
    // The one kind of RDATA that kdr reads and that servers compress.
    const data = type === TYPE.CNAME ? writeName(this.name()) : this.#bytes.subarray(this.#at, end)
    this.#at = end
    return { name, type, class: klass, ttl, data, start }
  }

  /** A pointer may only lead back, or it could lead in circles. */
  name(): string {
    const labels: string[] = []
    let back = this.#at
    let at = this.#at
    let hasJumped = false
    for (;;) {
      const length = this.#bytes.readUInt8(at)
      if ((length & POINTER) === POINTER) {
        const to = this.#bytes.readUInt16BE(at) & 0x3fff
        if (to >= back) throw new RangeError('a name leads forward')
        if (!hasJumped) this.#at = at + 2
        hasJumped = true
        back = to
        at = to
        continue
      }
      if (length > 63 || at + 1 + length > this.#bytes.length) throw new RangeError('a label is too long')
      at += 1 + length
      if (length === 0) break
      labels.push(this.#bytes.toString('latin1', at - length, at).toLowerCase())
    }
    if (!hasJumped) this.#at = at
    return `${labels.join('.')}.`
  }

  uint16(): number {
    const value = this.#bytes.readUInt16BE(this.#at)
    this.#at += 2
    return value
  }
}
