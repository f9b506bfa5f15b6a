// Kafka's varints (zigzag, then 7 bits a byte, lowest first), on Numbers: lengths and deltas almost always fit 31 bits,
// and BigInt would cost more than all the rest of decoding. Both widths give the same bytes for the same number.

const SMALL = 0x4000_0000

/** Bytes that VarintWriter writes for it. */
export function varintSize(value: number): number {
  if (value >= SMALL || value < -SMALL) return longSize(value)
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 0x80) return 1
  return zigzag < 0x4000 ? 2 : zigzag < 0x20_0000 ? 3 : zigzag < 0x1000_0000 ? 4 : 5
}

function longSize(value: number): number {
  let size = 1
  for (let rest = zigzagOf(value); rest >= 0x80n; rest >>= 7n) size++
  return size
}

function zigzagOf(value: number): bigint {
  const wide = BigInt(value)
  return BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n))
}

/** A place in a buffer that reading moves on. Reading behind the end throws a RangeError. */
export class VarintReader {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes
    this.at = at
  }

  /** A varint or varlong; beyond 2^53 it is rounded. */
  read(): number {
    let low = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#next()
      low |= (byte & 0x7f) << shift
      if (byte < 0x80) return (low >>> 1) ^ -(low & 1)
    }
    return this.#readLong(BigInt(low))
  }

  #readLong(low: bigint): number {
    let value = low
    for (let shift = 28n; shift < 70n; shift += 7n) {
      const byte = this.#next()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return Number(BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n)))
    }
    throw new RangeError('a varint is longer than ten bytes')
  }

  /** Bytes with their length before them; -1 is null. A view, not a copy. */
  readBytes(): Buffer | null {
    const length = this.read()
    if (length < 0) return null
    return this.take(length)
  }

  take(length: number): Buffer {
    const end = this.at + length
    if (end > this.bytes.length) throw new RangeError('a record is cut')
    const taken = this.bytes.subarray(this.at, end)
    this.at = end
    return taken
  }

  #next(): number {
    const byte = this.bytes[this.at]
    if (byte === undefined) throw new RangeError('a record is cut')
    this.at++
    return byte
  }
}

/** A buffer that grows as it is written. */
export class VarintWriter {
  #bytes: Buffer
  #length = 0

  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafe(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** Takes back what was written from here on. */
  truncate(length: number): void {
    this.#length = Math.min(length, this.#length)
  }

  /** What was written so far; a view until the next write. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length)
  }

  reset(): void {
    this.#length = 0
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  varint(value: number): void {
    this.#reserve(10)
    if (value >= SMALL || value < -SMALL) {
      this.#varlong(value)
      return
    }
    let rest = ((value << 1) ^ (value >> 31)) >>> 0
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#length++] = rest
  }

  #varlong(value: number): void {
    let rest = zigzagOf(value)
    while (rest >= 0x80n) {
      this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80
      rest >>= 7n
    }
    this.#bytes[this.#length++] = Number(rest)
  }

  bytes(value: Buffer | null): void {
    if (value === null) {
      this.varint(-1)
      return
    }
    this.varint(value.length)
    this.append(value)
  }

  append(value: Buffer): void {
    this.copy(value, 0, value.length)
  }

  /** Appends [from, to) of `source`. */
  copy(source: Buffer, from: number, to: number): void {
    this.#reserve(to - from)
    source.copy(this.#bytes, this.#length, from, to)
    this.#length += to - from
  }

  #reserve(count: number): void {
    const needed = this.#length + count
    if (needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(grown, 0, 0, this.#length)
    this.#bytes = grown
  }
}
