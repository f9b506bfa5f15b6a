// A Kafka Streams application as a process: exactly once, a windowed count through a repartition topic, and a join with a table.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { resolveJars } from '../../src/lab/jars.ts'
import { javaTool } from '../../src/lab/processes.ts'

const SOURCE = fileURLToPath(new URL('streams/StreamsApp.java', import.meta.url))
const VERSION = '4.3.1'

export class StreamsApp {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  private constructor(child: ChildProcess, lines: Interface) {
    this.#child = child
    this.#lines = lines[Symbol.asyncIterator]()
  }

  /** Returns when it is running: all its tasks have their state. */
  static async start(bootstrap: string, app: string, stateDir: string): Promise<StreamsApp> {
    const artifact = { group: 'org.apache.kafka', name: 'kafka-streams', version: VERSION }
    const logger = { group: 'org.slf4j', name: 'slf4j-simple', version: '1.7.36' }
    const jars = await resolveJars(`kafka-streams/${VERSION}`, [artifact, logger])
    const quiet = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'
    const args = ['-Xmx400m', '-XX:+UseSerialGC', quiet, '-cp', `${jars}/*`, SOURCE, bootstrap, app, stateDir]
    const child = spawn(javaTool('java'), args, { stdio: ['pipe', 'pipe', 'inherit'] })
    const started = new StreamsApp(child, createInterface({ input: child.stdout }))
    await started.#line()
    return started
  }

  async #line(): Promise<string> {
    const next = await this.#lines.next()
    if (next.done === true) throw new Error('the Streams application has ended')
    return next.value
  }

  /** Counts of all windows by word. */
  async totals(): Promise<Record<string, number>> {
    this.#child.stdin!.write('\n')
    const text = await this.#line()
    return Object.fromEntries(
      text.split(',').flatMap(each => {
        const [word = '', count] = each.split('=')
        return count === undefined ? [] : [[word, Number(count)]]
      }),
    )
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}
