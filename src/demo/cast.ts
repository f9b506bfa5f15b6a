// Who takes part: the two clusters, Java's clients, the link, and what is left of them when the demo ends, however it
// ends: nothing.

import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { prepareDistribution } from '../lab/distribution.ts'
import { type Judge, startJudge } from '../lab/judge.ts'
import { type Lab, type LabCluster, startLab } from '../lab/lab.ts'
import { KdrError } from '../model/errors.ts'
import { type Link, runLink } from './link.ts'

const EAGER = {
  // The cleaner of a compacted topic looks every half second.
  'log.cleaner.backoff.ms': '500',
  // A fence watches the ends of a log for longer than this: a broker that is cut off might not know of it yet.
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
}

export type CastOptions = {
  readonly signal: AbortSignal
  /** Before what is done only once on a machine. */
  readonly onFetch: (text: string) => void
  readonly onProgress: (text: string) => void
}

export interface Cast {
  readonly lab: Lab
  readonly judge: Judge
  readonly east: LabCluster
  readonly west: LabCluster
  /** Starts `kdr run` from east to west. */
  link(topics: readonly string[]): Link
  /** Ends every process and removes every file. */
  leave(): Promise<void>
}

export async function gather({ signal, onFetch, onProgress }: CastOptions): Promise<Cast> {
  const dir = join(tmpdir(), `kdr-demo-${randomBytes(6).toString('hex')}`)
  await prepareDistribution(undefined, { onProgress: onFetch, signal })
  const [judging, starting] = await Promise.allSettled([
    startJudge({ signal }),
    startLab({
      dir,
      clusters: ['east', 'west'].map(name => ({ name, properties: EAGER })),
      signal,
      onProgress,
    }),
  ])
  const judge = judging.status === 'fulfilled' ? judging.value : undefined
  const lab = starting.status === 'fulfilled' ? starting.value : undefined
  if (judge === undefined || lab === undefined) {
    await Promise.all([judge?.close(), lab?.down()])
    signal.throwIfAborted()
    throw [starting, judging].find(each => each.status === 'rejected')?.reason
  }
  return new Company(dir, lab, judge, signal)
}

/** The terminal is closed: as Ctrl-C. By itself the signal would end this process before its exit hooks. */
function asTermination(): void {
  process.kill(process.pid, 'SIGTERM')
}

class Company implements Cast {
  readonly lab: Lab
  readonly judge: Judge
  readonly #dir: string
  #link: Link | undefined
  /** After the lab's own hook, which finds its brokers through the files in this folder. */
  readonly #onExit = (): void => {
    this.#link?.kill()
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 3 })
  }

  constructor(dir: string, lab: Lab, judge: Judge, signal: AbortSignal) {
    this.#dir = dir
    this.lab = lab
    this.judge = judge
    process.on('exit', this.#onExit)
    process.on('SIGHUP', asTermination)
    // Whatever waits for an answer of the judge stops waiting.
    signal.addEventListener('abort', () => void judge.close(), { once: true })
  }

  get east(): LabCluster {
    return this.lab.cluster('east')
  }

  get west(): LabCluster {
    return this.lab.cluster('west')
  }

  link(topics: readonly string[]): Link {
    if (this.#link !== undefined) throw new KdrError('usage', 'the demo has one link')
    this.#link = runLink({ dir: this.#dir, source: this.east, target: this.west, topics })
    return this.#link
  }

  async leave(): Promise<void> {
    // kdr last hears of a target that is still there.
    await Promise.all([this.#link?.stop(), this.judge.close()])
    await this.lab.down()
    process.removeListener('SIGHUP', asTermination)
    process.removeListener('exit', this.#onExit)
    this.#onExit()
  }
}
