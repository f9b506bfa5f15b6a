// Values of a record: IPv4 addresses are A, IPv6 addresses AAAA (both may stand together), a name is a CNAME and stands alone.

import { isIPv4, isIPv6 } from 'node:net'
import { fullName } from '../model/dns-names.ts'
import { parseName, TYPE, writeName } from './dns-wire.ts'

/** Of these kinds a record may be; all else at its name is left alone. */
export const VALUE_TYPES = [TYPE.A, TYPE.AAAA, TYPE.CNAME] as const

export type DnsValue = { readonly type: number; readonly data: Buffer }

export function parseValue(text: string): DnsValue {
  if (isIPv4(text)) return { type: TYPE.A, data: Buffer.from(text.split('.').map(Number)) }
  if (isIPv6(text)) return { type: TYPE.AAAA, data: ipv6Bytes(text) }
  return { type: TYPE.CNAME, data: writeName(fullName(text)) }
}

export function showValue({ type, data }: DnsValue): string {
  if (type === TYPE.A) return data.join('.')
  if (type === TYPE.AAAA) return ipv6Text(data)
  return parseName(data)
}

/** In any order. */
export function isSameValues(a: readonly DnsValue[], b: readonly DnsValue[]): boolean {
  const keys = (values: readonly DnsValue[]) => new Set(values.map(keyOf))
  return keys(a).symmetricDifference(keys(b)).size === 0
}

/** Names compare in any case. */
function keyOf({ type, data }: DnsValue): string {
  return type === TYPE.CNAME ? parseName(data) : `${type} ${data.toString('hex')}`
}

export function showValues(values: readonly DnsValue[]): string {
  return values.length === 0 ? 'nothing' : values.map(showValue).sort().join(', ')
}

/** `::` stands for as many zeros as are missing; the last two groups may be written as IPv4. */
function ipv6Bytes(text: string): Buffer {
  const plain = text.replace(/%.*$/, '').replace(/[\d.]+$/, tail => {
    if (!isIPv4(tail)) return tail
    const [a = 0, b = 0, c = 0, d = 0] = tail.split('.').map(Number)
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
  })
  const [head = [], tail = []] = plain.split('::').map(half => half.split(':').filter(group => group !== ''))
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => '0')
  const bytes = Buffer.alloc(16)
  for (const [index, group] of [...head, ...zeros, ...tail].entries())
    bytes.writeUInt16BE(parseInt(group, 16), index * 2)
  return bytes
}

function ipv6Text(data: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => data.readUInt16BE(index * 2).toString(16))
  // A URL writes an address in its shortest form.
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}
