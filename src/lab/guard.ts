// What dies with this process. A lab used as a library must not outlive the program that uses it: its brokers are killed
// when that ends, whether it returns, throws or is told to stop.

import { signalProcess } from './processes.ts'
import { hasLab, processesOf, readState, removeFiles } from './state.ts'

const guarded = new Set<string>()
let isWatching = false

/** Kills what runs in `dir` and removes the lab's files when this process ends. */
export function guardLab(dir: string): void {
  guarded.add(dir)
  if (isWatching) return
  isWatching = true
  process.on('exit', killAll)
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    const handler = () => {
      // Whoever else listens decides how the process ends; `exit` comes then.
      if (process.listenerCount(name) > 1) return
      killAll()
      process.removeListener(name, handler)
      process.kill(process.pid, name)
    }
    process.on(name, handler)
  }
}

export function releaseLab(dir: string): void {
  guarded.delete(dir)
}

function killAll(): void {
  for (const dir of guarded) {
    if (!hasLab(dir)) continue
    for (const mark of processesOf(readState(dir))) signalProcess(mark, 'SIGKILL')
    removeFiles(dir)
  }
  guarded.clear()
}
