// A tar archive of a few texts (POSIX ustar), for what is sent to somebody. Pure.

const BLOCK = 512

export type TarEntry = { readonly name: string; readonly text: string }

/** Names of at most 100 bytes. `at`: ms since 1970. */
export function tar(entries: readonly TarEntry[], at: number): Buffer {
  const parts = entries.flatMap(({ name, text }) => {
    const content = Buffer.from(text)
    return [header(name, content.length, at), content, Buffer.alloc(padding(content.length))]
  })
  // Two empty blocks are the end.
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)])
}

const padding = (length: number): number => (BLOCK - (length % BLOCK)) % BLOCK

function header(name: string, size: number, at: number): Buffer {
  const block = Buffer.alloc(BLOCK)
  const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`
  block.write(name, 0, 100)
  block.write(octal(0o600, 8), 100)
  block.write(octal(0, 8), 108)
  block.write(octal(0, 8), 116)
  block.write(octal(size, 12), 124)
  block.write(octal(Math.floor(at / 1_000), 12), 136)
  // While it is summed up, the checksum counts as spaces.
  block.write(' '.repeat(8), 148)
  block.write('0', 156)
  block.write('ustar\x0000', 257)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return block
}
