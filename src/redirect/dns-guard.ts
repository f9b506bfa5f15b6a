// The guard of a record: a TXT record beside it (`_kdr.<record>`) that says which run moved it last. It is a part of the
// prerequisite of every update, so a controller that has not seen the newest run cannot pass by it.

import { KdrError } from '../model/errors.ts'
import { assertVersion, VERSION } from '../model/versioned.ts'

/** `isUndone`: that run has led the record back, so another one of the same generation may move it. */
export type Guard = {
  readonly generation: number
  readonly run: string
  readonly link: string
  readonly isUndone: boolean
}

/** `_kdr.bootstrap.kafka.example.` for `bootstrap.kafka.example.` */
export function guardName(record: string): string {
  return `_kdr.${record}`
}

/** RDATA of the TXT record. */
export function writeGuard({ generation, run, link, isUndone }: Guard): Buffer {
  const text = `v=${VERSION} generation=${generation} run=${run} link=${link}${isUndone ? ' state=undone' : ''}`
  const bytes = Buffer.from(text)
  const parts: Buffer[] = []
  // A string of a TXT record has at most 255 bytes; it may have several.
  for (let at = 0; at < bytes.length; at += 255) {
    const part = bytes.subarray(at, at + 255)
    parts.push(Buffer.of(part.length), part)
  }
  return Buffer.concat(parts)
}

/** `name`: for the message. Throws KdrError: newer-version, or not-ready when somebody else wrote it. */
export function parseGuard(data: Buffer, name: string): Guard {
  const text = textOf(data)
  const fields = new Map(
    text.split(' ').map((part): [string, string] => {
      const at = part.indexOf('=')
      return [part.slice(0, at), part.slice(at + 1)]
    }),
  )
  const [version, generation, run] = [fields.get('v'), fields.get('generation'), fields.get('run')]
  if (!isNumber(version) || (Number(version) <= VERSION && (!isNumber(generation) || run === undefined))) {
    throw new KdrError('not-ready', `"${name}" holds a TXT record that is not kdr's: "${text}"`, {
      hint: 'kdr keeps there which run has moved the record last: take that TXT record away.',
    })
  }
  assertVersion({ v: Number(version) }, `the TXT record "${name}"`)
  return {
    generation: Number(generation),
    run: run ?? '',
    link: fields.get('link') ?? '',
    isUndone: fields.get('state') === 'undone',
  }
}

function isNumber(text: string | undefined): boolean {
  return text !== undefined && /^\d{1,15}$/.test(text)
}

function textOf(data: Buffer): string {
  const parts: string[] = []
  for (let at = 0; at < data.length; at += 1 + data[at]!)
    parts.push(data.toString('utf8', at + 1, at + 1 + data[at]!))
  return parts.join('')
}
