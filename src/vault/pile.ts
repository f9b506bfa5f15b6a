// What will be stored, held until it is: copied together in blocks that are used over and over, so that neither the allocator nor the
// collector has anything to do with them (model/release.ts).

const BLOCK_BYTES = 1024 * 1024

/** Those of one writer: as many as were ever needed at once. */
export class Blocks {
  readonly #free: Buffer[] = []

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES)
  }

  give(blocks: readonly Buffer[]): void {
    this.#free.push(...blocks)
  }
}

export class Pile {
  readonly #from: Blocks
  readonly #blocks: Buffer[] = []
  bytes = 0

  constructor(from: Blocks) {
    this.#from = from
  }

  append(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; ) {
      const filled = this.bytes % BLOCK_BYTES
      if (filled === 0) this.#blocks.push(this.#from.take())
      const copied = bytes.copy(this.#blocks.at(-1)!, filled, at)
      at += copied
      this.bytes += copied
    }
  }

  /** Until `clear`. */
  get body(): readonly Buffer[] {
    return this.#blocks.map((block, i) => block.subarray(0, this.bytes - i * BLOCK_BYTES))
  }

  /** Others write into its memory from now on. */
  clear(): void {
    this.#from.give(this.#blocks.splice(0))
    this.bytes = 0
  }
}
