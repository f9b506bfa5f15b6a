// Memory of large buffers that are of no more use. For the collector a buffer is a few words; but when some 14 MB of them have come since
// it last did, it goes through all of the heap, whether they are needed or not: a hundred times a gigabyte of backup.

/**
 * Gives the memory back at once: nobody may use `bytes`, or anything else that stands in its memory, from now on. A part of a larger
 * buffer is left to the collector, and so is an empty one: others may have it too.
 */
export function release(bytes: Buffer): void {
  const { buffer, byteLength } = bytes
  if (byteLength > 0 && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0)
}
