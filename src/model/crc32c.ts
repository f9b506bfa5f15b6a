// Arithmetic on CRC32C (Castagnoli, reflected, polynomial 0x82f63b78) without reading the data it covers.
// CRC is linear: for two messages of one length, crc(a) xor crc(b) depends only on a xor b. So the checksum of a
// batch whose header changed follows from the old checksum and the header bytes; the payload stays unread, and the
// producer's own checksum goes on guarding it end to end.

const POLYNOMIAL = 0x82f63b78

const TABLE = new Uint32Array(256)
for (let n = 0; n < 256; n++) {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ POLYNOMIAL : c >>> 1
  TABLE[n] = c >>> 0
}

/** CRC32C of `bytes`: the slow, dependency-free form, for small inputs and as the judge of the fast ones. */
export function crc32c(bytes: Uint8Array): number {
  let c = 0xffffffff
  for (let i = 0; i < bytes.length; i++) c = (c >>> 8) ^ TABLE[(c ^ bytes[i]!) & 0xff]!
  return ~c >>> 0
}

/** Product of two polynomials over GF(2) modulo the CRC polynomial, bits reflected (bit 31 is x^0). */
function multiply(a: number, b: number): number {
  let product = 0
  let shifted = b
  for (let bit = 0x80000000; bit !== 0; bit >>>= 1) {
    if (a & bit) product ^= shifted
    shifted = shifted & 1 ? (shifted >>> 1) ^ POLYNOMIAL : shifted >>> 1
  }
  return product >>> 0
}

/** SHIFT[k] = x^(8 * 2^k): what 2^k zero bytes do to a register. */
const SHIFT = new Uint32Array(32)
SHIFT[0] = 0x00800000
for (let k = 1; k < 32; k++) SHIFT[k] = multiply(SHIFT[k - 1]!, SHIFT[k - 1]!)

/** The register after `count` more zero bytes. */
function appendZeros(register: number, count: number): number {
  let value = register
  for (let k = 0, rest = count; rest !== 0 && value !== 0; k++, rest >>>= 1) {
    if (rest & 1) value = multiply(value, SHIFT[k]!)
  }
  return value
}

/**
 * The checksum after a part of the covered bytes was replaced.
 * `before` and `after` are that part's old and new bytes (one length); `bytesBehind` is how many covered bytes follow.
 */
export function patchCrc32c(crc: number, before: Uint8Array, after: Uint8Array, bytesBehind: number): number {
  let register = 0
  for (let i = 0; i < before.length; i++) {
    register = (register >>> 8) ^ TABLE[(register ^ before[i]! ^ after[i]!) & 0xff]!
  }
  return (crc ^ appendZeros(register >>> 0, bytesBehind)) >>> 0
}
