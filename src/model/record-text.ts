// Records as JSON lines have them: text where it is UTF-8, else `{ "base64": ... }`.
type Shown = {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly (readonly [Buffer, Buffer | null])[]
}

export function recordAsJson({ topic, partition, offset, timestamp, key, value, headers }: Shown) {
  return {
    topic,
    partition,
    offset,
    timestamp,
    key: textOf(key),
    value: textOf(value),
    headers: headers.map(([name, content]) => [textOf(name), textOf(content)]),
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function textOf(bytes: Buffer | null): string | null | { readonly base64: string } {
  if (bytes === null) return null
  try {
    return utf8.decode(bytes)
  } catch {
    return { base64: bytes.toString('base64') }
  }
}
