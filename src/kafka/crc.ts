// CRC32C of whole batches at native speed, with the pure form where the native module has no build for the platform.
import { createRequire } from 'node:module'
import { crc32c as pureCrc32c } from '../model/crc32c.ts'

type Crc32c = (bytes: Uint8Array) => number

function load(): Crc32c {
  try {
    const native = createRequire(import.meta.url)('@node-rs/crc32') as { crc32c: Crc32c }
    return bytes => native.crc32c(bytes) >>> 0
  } catch {
    // The package could not load its binary: the pure form gives the same numbers, only slower.
    return pureCrc32c
  }
}

export const crc32c: Crc32c = load()
