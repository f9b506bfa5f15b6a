// Figures: what the kernel says of a process, and what is made of several rounds.

import { readFileSync } from 'node:fs'

/** Linux counts CPU time in ticks of 10 ms. */
const TICKS_PER_SECOND = 100
const LOOK_EVERY_MS = 50

export type Sample = {
  /** Wall clock, as the judge's. */
  readonly atMs: number
  readonly cpuSeconds: number
  /** The largest it has ever been. */
  readonly peakMb: number
}

/** All threads of a process; undefined when it is gone. */
export function sampleOf(pid: number): Sample | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    // The name of the program, in brackets, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const peak = /VmHWM:\s+(\d+)/.exec(status)?.[1]
    // One that has ended and was not yet waited for has no memory any more.
    if (peak === undefined) return undefined
    const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
    return { atMs: Date.now(), cpuSeconds, peakMb: Number(peak) / 1024 }
  } catch {
    return undefined
  }
}

/** Looks at processes again and again, until it is stopped. */
export class CpuWatch {
  readonly #samples: ReadonlyMap<number, Sample[]>
  readonly #timer: NodeJS.Timeout

  constructor(pids: readonly number[]) {
    this.#samples = new Map(pids.map(pid => [pid, []]))
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY_MS)
    this.#look()
  }

  /** Of all of them. */
  seconds(fromMs: number, toMs: number): number {
    return [...this.#samples.values()].reduce((sum, each) => sum + cpuAt(each, toMs) - cpuAt(each, fromMs), 0)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#look()
  }

  #look(): void {
    for (const [pid, samples] of this.#samples) {
      const sample = sampleOf(pid)
      if (sample !== undefined) samples.push(sample)
    }
  }
}

/** CPU seconds up to a moment, in a straight line between the samples around it. */
export function cpuAt(samples: readonly Sample[], atMs: number): number {
  const next = samples.findIndex(sample => sample.atMs >= atMs)
  if (next < 0) return samples.at(-1)?.cpuSeconds ?? 0
  const after = samples[next]
  const before = samples[next - 1]
  if (after === undefined) return 0
  if (before === undefined) return after.cpuSeconds
  const part = (atMs - before.atMs) / (after.atMs - before.atMs)
  return before.cpuSeconds + part * (after.cpuSeconds - before.cpuSeconds)
}

/** NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length)
}
