// Time and chance come in as arguments, so that a simulator can own both. Nothing in model/ or engine/ may use Date,
// performance, setTimeout or Math.random itself; test/layers.test.ts sees to it.

export interface Clock {
  /** Wall clock, ms since 1970: for what people read, and for comparing with record timestamps. */
  now(): number
  /** Never goes back: for durations and deadlines, in ms. */
  monotonic(): number
  /** Resolves after `ms`, or at once when `signal` aborts (it does not reject). */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export interface Entropy {
  /** A random number of 62 bits. */
  bits62(): bigint
  uuid(): string
  /** In [0, 1). */
  fraction(): number
}
